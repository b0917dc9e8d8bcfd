"""Checkpoint file: what has been found so far, so that a killed process loses nothing.

A checkpoint belongs to one training: the same data, network, starts and limits. It holds
plain arrays (npz), replaced as a whole each time it is written.
"""

from __future__ import annotations

import hashlib
import io
import time
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule._errors import ChainruleWarning, DataError, WriteError
from chainrule._files import read_bytes, write_atomically

SECONDS_BETWEEN = 1.0  # at least, between two saves

Arrays = Mapping[str, NDArray[Any]]


@dataclass
class Checkpoint:
    """A file from which training can resume.

    Parameters
    ----------
    path : str or Path
    belongs_to : str
        What tells one training from another: see `fingerprint`.
    """

    path: str | Path
    belongs_to: str
    _written: float = field(default=-np.inf, init=False)
    _has_failed: bool = field(default=False, init=False)

    def load(self) -> Arrays | None:
        """Return what was saved, or None if there is no such file.

        Raises
        ------
        DataError
            If the file is not a checkpoint, or one of another training.
        """
        found = _read(self.path)
        if found is None:
            return None
        belongs_to, arrays = found
        if belongs_to != self.belongs_to:
            raise DataError(
                f"{self.path} is the checkpoint of another training (other data, options, "
                "version or kernel); delete it, or name another file"
            )
        return arrays

    def save(self, arrays: Arrays) -> None:
        """Replace the file by these arrays; where that fails, warn once and train on."""
        content = io.BytesIO()
        np.savez(content, belongs_to=np.array(self.belongs_to), **arrays)  # type: ignore[arg-type]
        self._written = time.monotonic()
        try:
            write_atomically(self.path, content.getvalue())
        except WriteError as error:
            if not self._has_failed:
                self._has_failed = True
                warnings.warn(
                    f"{error}; training continues without writing a checkpoint",
                    ChainruleWarning,
                    stacklevel=2,
                )

    @property
    def due(self) -> bool:
        """Whether the last time is long enough ago."""
        return time.monotonic() - self._written >= SECONDS_BETWEEN


def require_checkpoint(path: str | Path) -> None:
    """Raise DataError if there is a file that is no checkpoint: it would be replaced by one."""
    _read(path)


def _read(path: str | Path) -> tuple[str, dict[str, NDArray[Any]]] | None:
    """Return which training a checkpoint belongs to, and its arrays; None if there is no file."""
    path = Path(path)
    if not path.exists():
        return None
    if not path.is_file():
        raise DataError(f"{path} is not a file; name one that does not exist yet")
    content = read_bytes(path)
    if content[:4] != b"PK\x03\x04":  # an npz is a zip file
        raise DataError(f"{path} is not a checkpoint; name a file that does not exist yet")
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            arrays = dict(file)
        belongs_to = str(arrays.pop("belongs_to"))
    except Exception:  # a damaged archive fails in more ways than can be listed
        raise DataError(
            f"{path} is not a checkpoint, or a damaged one; name a file that does not exist yet"
        ) from None
    return belongs_to, arrays


def require_arrays(
    arrays: Arrays, shapes: Mapping[str, tuple[str, tuple[int | None, ...]]]
) -> None:
    """Raise DataError unless a checkpoint holds exactly these arrays.

    Parameters
    ----------
    arrays : mapping of str to ndarray
    shapes : mapping of str to (str, tuple)
        The kinds that the type of each may have, and its shape, None for any length.
    """
    for name in sorted({*arrays} ^ {*shapes}):
        raise DataError(
            f"the checkpoint does not fit this training: {name[:40]!r} is missing, or too many"
        )
    for name, (kinds, shape) in shapes.items():
        found = arrays[name]
        fits = len(found.shape) == len(shape) and all(
            n in (None, m) for n, m in zip(shape, found.shape, strict=True)
        )
        exact = found.dtype.kind != "f" or found.dtype == np.float64
        if found.dtype.kind not in kinds or not exact or not fits:
            raise DataError(
                f"the checkpoint does not fit this training: {name!r} holds {found.dtype} of shape "
                f"{found.shape}"
            )


def require_whole(values: NDArray[Any], most: int, what: str) -> None:
    """Raise DataError unless all values of a checkpoint are whole numbers from 0 to `most`."""
    with np.errstate(invalid="ignore"):
        fits = (values >= 0) & (values <= most) & (values % 1 == 0)
    if not np.all(fits):
        raise DataError(f"the checkpoint does not fit this training: its {what} are no counts")


def fingerprint(*parts: object) -> str:
    """Return a digest of arrays, by their bytes, and other things, by their repr."""
    digest = hashlib.sha256()
    for part in parts:
        is_array = isinstance(part, np.ndarray)
        digest.update(np.ascontiguousarray(part).tobytes() if is_array else repr(part).encode())
        digest.update(b"\0")
    return digest.hexdigest()
