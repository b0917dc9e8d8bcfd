"""Linear algebra on one thread, while there is training.

The matrices of a fit are small and its threads are busy with rows. A BLAS that spreads
small products over threads of its own, which go on spinning for a while, would slow both
down, and its bits would depend on how many there are.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

# the libraries that are to be found are those that are loaded
import numpy as np  # noqa: F401
from scipy import linalg  # noqa: F401

# the number of threads belongs to the process: of fits that overlap only one may change it, or one
# would put back what another has set
_limiting = threading.Lock()


@contextmanager
def one_thread() -> Iterator[None]:
    """Let BLAS use one thread, unless another fit sees to that; what was before comes back."""
    if not _limiting.acquire(blocking=False):
        yield
        return
    try:
        with _controller().limit(limits=1, user_api="blas"):
            yield
    finally:
        _limiting.release()


@lru_cache(maxsize=1)
def _controller() -> Any:
    from threadpoolctl import ThreadpoolController  # late: --help has no use for it

    return ThreadpoolController()
