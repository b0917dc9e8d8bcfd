"""The group of commands, and what every one of them owes its user.

Exit codes: 0 done; 1 the answer is no, or the fit failed; 2 bad usage or bad input;
130 interrupted. Whatever happens, one clear sentence and never a traceback.
"""

from __future__ import annotations

import io
import os
import sys
import warnings
from collections.abc import Sequence
from importlib import import_module
from typing import Any

import click

from chainrule import __version__
from chainrule._errors import ChainruleError, ChainruleWarning, TrainingError
from chainrule._printable import printable
from chainrule.cli._output import note, to_stderr

COMMANDS = {
    "best": "Find the inputs for which a prediction is highest.",
    "check": "Check the gradient of a model on a table, layer by layer.",
    "compare": "Compare a network with others on a table, cross-validated.",
    "demo": "Tell the tutorial's whole story: numbers, figures, checks.",
    "explain": "Print every equation of a row with its numbers.",
    "fit": "Fit a network to a table and write the model.",
    "influence": "Show which rows have made a model what it is.",
    "plot": "Draw a model on a table.",
    "predict": "Predict the target for every row of a table.",
    "show": "Print a summary of a model.",
}


class _LazyGroup(click.Group):
    """Lists its commands without importing them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(f"chainrule.cli.{cmd_name}").command
        return command

    def invoke(self, ctx: click.Context) -> Any:
        # late, so that starting stays light
        import numpy as np

        from chainrule._blas import one_thread

        # what is printed has the same bits on any number of threads; what is not finite is refused
        # where it would be used
        with one_thread(), np.errstate(all="ignore"):
            return super().invoke(ctx)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(sorted(COMMANDS.items()))


def _version(ctx: click.Context, _: click.Parameter, asked: bool) -> None:
    if asked:
        # late, so that starting stays light
        from chainrule.kernels import native

        kernel = f"native, {native.build()}" if native.build() else "NumPy reference"
        why = "" if native.BUILDS else "; built without a C++ compiler"
        click.echo(f"chainrule {__version__} (kernel: {kernel}{why})")
        ctx.exit()


@click.command(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version",
    is_flag=True,
    expose_value=False,
    is_eager=True,
    callback=_version,
    help="Print the version and the kernel in use.",
)
def group() -> None:
    """Fit small neural networks to tables, and see every number on the way.

    Start with: chainrule demo
    """


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command line; return its exit code."""
    if sys.stdout is None:  # the shell closed it before we began
        return _fail("there is no standard output to write to", 2)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # a console that cannot show a Greek letter shows its number
            stream.reconfigure(errors="backslashreplace")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("always", ChainruleWarning)
            warnings.showwarning = _noted
            code = _run(arguments)
        sys.stdout.flush()
    except BrokenPipeError:
        # Python would complain again when it closes stdout at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _fail("the output was closed before everything was written", 1)
    return code


def _noted(message: Warning | str, *_: object, **__: object) -> None:
    """Show a warning as what it is for people: a remark."""
    note(str(message))


def _run(arguments: Sequence[str] | None) -> int:
    try:
        result = group.main(
            args=None if arguments is None else list(arguments),
            prog_name="chainrule",
            standalone_mode=False,
        )
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        return 2
    except click.ClickException as error:
        context = getattr(error, "ctx", None)
        hint = f" Try '{context.command_path} --help'." if context else ""
        return _fail(" ".join(error.format_message().split()).rstrip(".") + "." + hint, 2)
    except (KeyboardInterrupt, click.exceptions.Abort):
        return _fail("interrupted", 130)
    except TrainingError as error:
        return _fail(str(error), 1)
    except ChainruleError as error:
        return _fail(str(error), 2)
    except BrokenPipeError:
        raise
    except MemoryError as error:
        return _fail(f"not enough memory ({error}); use fewer rows or narrower layers", 1)
    except OSError as error:
        return _fail(f"{error.filename or 'the output'}: {error.strerror or error}", 2)
    except ModuleNotFoundError as error:
        extra = {"matplotlib": "plot", "polars": "cli", "rich": "cli"}.get(error.name or "", "all")
        return _fail(
            f"this needs {error.name}; install it with pip install 'chainrule[{extra}]'", 2
        )
    except Exception as error:
        if os.environ.get("CHAINRULE_DEBUG"):
            raise
        return _fail(
            f"this is a fault of chainrule ({type(error).__name__}: {error}); please report it, "
            "with what CHAINRULE_DEBUG=1 prints",
            1,
        )
    return result if isinstance(result, int) else 0


def _fail(sentence: str, code: int) -> int:
    to_stderr(f"Error: {printable(sentence, newlines=False)}")
    return code
