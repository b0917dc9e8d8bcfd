"""What training has found so far, kept in a file, so that a kill loses nothing.

A checkpoint belongs to one training: the same data, network, starts and limits. It holds
plain arrays (npz), replaced as a whole each time it is written.
"""

from __future__ import annotations

import hashlib
import io
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule._errors import DataError
from chainrule._files import read_bytes, write_atomically

SECONDS_BETWEEN = 1.0

Arrays = Mapping[str, NDArray[Any]]


@dataclass
class Checkpoint:
    """A file that training can be taken up from.

    Parameters
    ----------
    path : str or Path
    belongs_to : str
        What tells one training from another: see `fingerprint`.
    """

    path: str | Path
    belongs_to: str
    _written: float = field(default=-np.inf, init=False)

    def load(self) -> Arrays | None:
        """Return what was saved, or None if there is no such file.

        Raises
        ------
        DataError
            If the file is not a checkpoint, or one of another training.
        """
        path = Path(self.path)
        if not path.exists():
            return None
        if not path.is_file():
            raise DataError(f"{path} is not a file; name one that does not exist yet")
        try:
            with np.load(io.BytesIO(read_bytes(path)), allow_pickle=False) as file:
                arrays = dict(file)
            found = str(arrays.pop("belongs_to"))
        except Exception as error:  # a damaged archive fails in more ways than can be listed
            raise DataError(
                f"{path} is not a checkpoint ({error}); name a file that does not exist yet"
            ) from None
        if found != self.belongs_to:
            raise DataError(
                f"{self.path} is the checkpoint of another training (other data, options, "
                "version or kernel); delete it, or name another file"
            )
        return arrays

    def save(self, arrays: Arrays) -> None:
        """Replace the file by these arrays."""
        content = io.BytesIO()
        np.savez(content, belongs_to=np.array(self.belongs_to), **arrays)  # type: ignore[arg-type]
        write_atomically(self.path, content.getvalue())
        self._written = time.monotonic()

    @property
    def due(self) -> bool:
        """Whether the last time is long enough ago."""
        return time.monotonic() - self._written >= SECONDS_BETWEEN


def fingerprint(*parts: object) -> str:
    """Return a digest of arrays, by their bytes, and other things, by their repr."""
    digest = hashlib.sha256()
    for part in parts:
        is_array = isinstance(part, np.ndarray)
        digest.update(np.ascontiguousarray(part).tobytes() if is_array else repr(part).encode())
        digest.update(b"\0")
    return digest.hexdigest()
