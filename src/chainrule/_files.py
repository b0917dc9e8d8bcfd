"""Files that are written whole or not at all.

A file is written beside its target, flushed to the disk, read back, and only then
renamed over the target: whatever fails, and whenever, the old file is still there.
What a killed process leaves behind is swept by the next write.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from pathlib import Path

from chainrule._errors import DataError

_STALE_SECONDS = 3600.0


def write_atomically(path: str | os.PathLike[str], content: bytes) -> None:
    """Write `content` to `path`, whole or not at all.

    Raises
    ------
    DataError
        If it cannot be written; the old file, if there was one, is untouched.
    """
    target = Path(os.path.realpath(path))
    if target.is_dir():
        raise DataError(f"cannot write {str(path)!r}: it is a folder; give a file name")
    try:
        _sweep(target)
        _write(target, content)
    except OSError as error:
        raise DataError(f"cannot write {str(path)!r}: {_reason(error)}") from None


def read_bytes(path: str | os.PathLike[str]) -> bytes:
    """Read a whole file.

    Raises
    ------
    DataError
        If it does not exist or cannot be read.
    """
    try:
        return Path(path).read_bytes()
    except (OSError, ValueError) as error:
        raise DataError(f"cannot read {str(path)!r}: {_reason(error)}") from None


def _reason(error: Exception) -> str:
    reason = getattr(error, "strerror", None) or str(error)
    return str(reason)[:1].lower() + str(reason)[1:]


def _write(target: Path, content: bytes) -> None:
    handle, name = tempfile.mkstemp(prefix=_prefix(target) + f"{os.getpid()}-", dir=target.parent)
    try:
        try:
            unwritten = memoryview(content)
            while unwritten:
                unwritten = unwritten[os.write(handle, unwritten) :]
            os.fsync(handle)
            os.fchmod(handle, _mode(target))
        finally:
            os.close(handle)
        if Path(name).read_bytes() != content:
            raise OSError("what was written does not read back the same")
        os.replace(name, target)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name)
        raise
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    except OSError:
        pass  # some file systems cannot sync a folder; the file itself is on the disk
    finally:
        os.close(folder)


def _prefix(target: Path) -> str:
    return f".{target.name}.tmp-"


def _mode(target: Path) -> int:
    """Return the permissions of the file being replaced, or those of any new file."""
    if target.exists():
        return target.stat().st_mode & 0o777
    umask = os.umask(0)
    os.umask(umask)
    return 0o666 & ~umask


def _sweep(target: Path) -> None:
    """Remove what writers of the same target left behind when they were killed."""
    for leftover in target.parent.glob(f"{_prefix(target).replace('[', '[[]')}*"):
        owner = leftover.name.removeprefix(_prefix(target)).partition("-")[0]
        with contextlib.suppress(OSError):
            old = time.time() - leftover.stat().st_mtime > _STALE_SECONDS
            if old or not (owner.isdigit() and _is_running(int(owner))):
                leftover.unlink()


def _is_running(pid: int) -> bool:
    if pid == os.getpid():
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
