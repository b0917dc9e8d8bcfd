"""Files that are written whole or not at all.

A file is written beside its target, flushed to the disk, read back, and only then
renamed over the target: whatever fails, and whenever, the old file is still there.
A writer holds a lock on its unfinished file, so that what a killed process left behind
can be told from what is still being written, and is swept by the next write.
"""

from __future__ import annotations

import contextlib
import fcntl
import glob
import os
import re
import secrets
from pathlib import Path

from chainrule._errors import DataError


def write_atomically(path: str | os.PathLike[str], content: bytes) -> None:
    """Write `content` to `path`, whole or not at all.

    A target that is not a regular file, such as a pipe or /dev/stdout, is written to
    directly.

    Raises
    ------
    DataError
        If it cannot be written; the old file, if there was one, is untouched.
    """
    if str(path).endswith(os.sep) or os.path.isdir(path):
        raise DataError(f"cannot write {str(path)!r}: it is a folder; give a file name")
    try:
        target = Path(os.path.realpath(path))
        if target.exists() and not target.is_file():
            with open(path, "wb") as stream:
                stream.write(content)
            return
        _sweep(target)
        _write(target, content)
    except (OSError, ValueError) as error:
        raise DataError(f"cannot write {str(path)!r}: {_reason(error)}") from None


def read_bytes(path: str | os.PathLike[str], most: int | None = None) -> bytes:
    """Read a whole file, of at most `most` bytes.

    Raises
    ------
    DataError
        If it does not exist, cannot be read, or is larger.
    """
    try:
        size = os.stat(path).st_size
        if most is not None and size > most:
            raise DataError(f"cannot read {str(path)!r}: it has {size:,} bytes, at most {most:,}")
        return Path(path).read_bytes()
    except (OSError, ValueError) as error:
        raise DataError(f"cannot read {str(path)!r}: {_reason(error)}") from None


def require_other_file(out: str, inputs: list[str]) -> None:
    """Raise DataError if writing `out` would replace one of these files."""
    for source in inputs:
        if out == source == "-":
            continue  # stdin and stdout are not the same
        same = False
        with contextlib.suppress(OSError, ValueError):  # one of them does not exist
            same = os.path.realpath(out) == os.path.realpath(source) or (
                os.path.isfile(out) and os.path.samefile(out, source)
            )
        if same:
            raise DataError(
                f"writing {out!r} would replace {source!r}, which is needed; give another name"
            )


def _reason(error: Exception) -> str:
    reason = getattr(error, "strerror", None) or str(error)
    return str(reason)[:1].lower() + str(reason)[1:]


def _write(target: Path, content: bytes) -> None:
    handle, name = _create_locked(target)
    try:
        try:
            unwritten = memoryview(content)
            while unwritten:
                unwritten = unwritten[os.write(handle, unwritten) :]
            if target.exists():
                os.fchmod(handle, target.stat().st_mode & 0o777)
            os.fsync(handle)
            if Path(name).read_bytes() != content:
                raise OSError("what was written does not read back the same")
            os.replace(name, target)
        finally:
            os.close(handle)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name)
        raise
    with contextlib.suppress(OSError):  # the file is in place; not all systems sync a folder
        folder = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _prefix(target: Path) -> str:
    return f".{os.fsencode(target.name)[:100].decode(errors='ignore')}.tmp-"


def _create_locked(target: Path) -> tuple[int, str]:
    while True:
        name = str(target.parent / (_prefix(target) + secrets.token_hex(8)))
        handle = os.open(name, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o666)
        fcntl.flock(handle, fcntl.LOCK_EX)
        if os.fstat(handle).st_nlink:
            return handle, name
        os.close(handle)  # swept by another writer before it was locked


def _sweep(target: Path) -> None:
    """Remove what writers of the same target left behind when they were killed."""
    for leftover in glob.glob(glob.escape(str(target.parent / _prefix(target))) + "*"):
        if not re.fullmatch(r"[0-9a-f]{16}", leftover.rpartition(".tmp-")[2]):
            continue
        with contextlib.suppress(OSError):
            handle = os.open(leftover, os.O_RDWR)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                os.unlink(leftover)
            finally:
                os.close(handle)
