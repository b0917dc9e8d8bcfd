"""``python -m chainrule`` and the ``chainrule`` command."""

from __future__ import annotations

import sys


def main() -> int:
    """Run the command line; return its exit code."""
    try:
        from chainrule.cli import run
    except ModuleNotFoundError as error:
        if error.name not in ("click", "rich"):
            raise
        sys.stderr.write(
            f"Error: the command line needs {error.name}; install it with "
            "pip install 'chainrule[cli]'\n"
        )
        return 2
    except KeyboardInterrupt:
        sys.stderr.write("Error: interrupted\n")
        return 130
    return run()


if __name__ == "__main__":
    sys.exit(main())
