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
import stat
import tempfile
import warnings
from pathlib import Path

from chainrule._errors import ChainruleWarning, DataError, WriteError

MOST_LINKS = 40  # that are followed, as Linux does


def write_atomically(path: str | os.PathLike[str], content: bytes) -> None:
    """Write `content` to `path`, whole or not at all.

    What is not a regular file, such as a pipe, and what leads to an open descriptor, such as
    /dev/stdout, is written straight to: a file behind it may hold what others have written.

    Raises
    ------
    WriteError
        If it cannot be written; the old file, if there was one, is untouched.
    """
    if str(path).endswith(os.sep) or os.path.isdir(path):
        raise WriteError(f"cannot write {str(path)!r}: it is a folder; give a file name")
    try:
        if not _straight_to(path, content):
            target = Path(os.path.realpath(path))
            _sweep(target)
            _write(target, content)
    except (OSError, ValueError) as error:
        raise WriteError(f"cannot write {str(path)!r}: {_reason(error)}") from None


def require_writable(path: str | os.PathLike[str]) -> None:
    """Raise WriteError if this file could not be written: before there is work to lose."""
    if str(path).endswith(os.sep) or os.path.isdir(path):
        raise WriteError(f"cannot write {str(path)!r}: it is a folder; give a file name")
    try:
        if open_descriptor(path) is not None or _is_special(path):
            return
        target = Path(os.path.realpath(path))
        with contextlib.suppress(FileNotFoundError):
            os.lstat(target)  # a name may be too long
        handle, name = _create(target)
        os.close(handle)
        os.unlink(name)
    except (OSError, ValueError) as error:
        raise WriteError(f"cannot write {str(path)!r}: {_reason(error)}") from None


def keep_aside(content: bytes, name: str) -> str | None:
    """Write what could not be written where it should into the folder of temporary files.

    Returns
    -------
    str or None
        Where it is, None if that failed too.
    """
    try:
        handle, path = tempfile.mkstemp(prefix="chainrule-", suffix=f"-{Path(name).name[-60:]}")
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
    except (OSError, ValueError):
        return None
    return path


def open_descriptor(path: str | os.PathLike[str]) -> int | None:
    """Return N if a path leads to our own descriptor N, as /dev/stdout and /dev/fd/N do.

    Raises
    ------
    OSError
        If it leads to a descriptor of another process.
    """
    ours = {f"/proc/{os.getpid()}/fd", "/proc/self/fd", "/dev/fd"}
    path = os.fspath(path)
    for _ in range(MOST_LINKS):
        folder = os.path.realpath(os.path.dirname(path) or os.curdir)
        name = os.path.basename(path)
        if folder in ours and name.isdecimal():
            return int(name)
        if re.fullmatch("/proc/[0-9]+(/task/[0-9]+)?/fd", folder):
            raise OSError("it is open in another process")
        here = os.path.join(folder, name)
        if not os.path.islink(here):
            return None
        path = os.path.join(folder, os.readlink(here))
    return None


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


def _is_special(path: str | os.PathLike[str]) -> bool:
    try:
        return not stat.S_ISREG(os.stat(path).st_mode)
    except FileNotFoundError:
        return False


def _straight_to(path: str | os.PathLike[str], content: bytes) -> bool:
    """Write to what is not replaced by a new file; return whether this is such a path."""
    descriptor = open_descriptor(path)
    if descriptor is not None:
        _write_all(descriptor, content)
        return True
    if _is_special(path):
        with open(path, "wb") as stream:
            stream.write(content)
        return True
    return False


def _write_all(handle: int, content: bytes) -> None:
    unwritten = memoryview(content)
    while unwritten:
        unwritten = unwritten[os.write(handle, unwritten) :]


def _write(target: Path, content: bytes) -> None:
    handle, name = _create_locked(target)
    try:
        try:
            _write_all(handle, content)
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


def _create(target: Path) -> tuple[int, str]:
    """Return a new unfinished file beside its target: descriptor and name."""
    name = str(target.parent / (_prefix(target) + secrets.token_hex(8)))
    return os.open(name, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o666), name


def _create_locked(target: Path) -> tuple[int, str]:
    while True:
        handle, name = _create(target)
        try:
            _lock(handle, target)
            if os.fstat(handle).st_nlink:
                return handle, name
        except BaseException:
            os.close(handle)
            os.unlink(name)
            raise
        os.close(handle)  # swept by another writer before it was locked


def _lock(handle: int, target: Path) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
    except OSError as error:  # some file systems have no locks
        warnings.warn(
            f"{str(target)!r} is written without a lock ({_reason(error)}); two processes must "
            "not write it at once",
            ChainruleWarning,
            stacklevel=2,
        )


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
