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

# the number of threads belongs to the process: of fits that overlap the first one sets it, and the
# last one puts back what there was
_lock = threading.Lock()
_inside = 0
_limit: Any = None


@contextmanager
def one_thread() -> Iterator[None]:
    """Let BLAS use one thread until the last of those that overlap has ended."""
    global _inside, _limit
    with _lock:
        if _inside == 0:
            _limit = _controller().limit(limits=1, user_api="blas")
            _let_go()
        _inside += 1
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if _inside == 0:
                _limit.restore_original_limits()
                _let_go()


def _let_go() -> None:
    """Leave control of BLAS, which a thread takes by setting limits, to whichever is the last."""
    with _controller().limit(limits=None, user_api="blas"):
        pass


@lru_cache(maxsize=1)
def _controller() -> Any:
    from threadpoolctl import ThreadpoolController  # late: --help has no use for it

    return ThreadpoolController()
