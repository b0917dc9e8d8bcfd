"""Linear algebra on one thread, while there is training.

The matrices of a fit are small and its threads are busy with rows. A BLAS that spreads
small products over threads of its own, which go on spinning for a while, would slow both
down, and its bits would depend on how many there are.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from functools import lru_cache
from typing import Any

# the libraries that are to be found are those that are loaded
import numpy as np  # noqa: F401
from scipy import linalg  # noqa: F401


def one_thread() -> AbstractContextManager[Any]:
    """Return a context in which BLAS uses one thread; what was before comes back after it."""
    context: AbstractContextManager[Any] = _controller().limit(limits=1, user_api="blas")
    return context


@lru_cache(maxsize=1)
def _controller() -> Any:
    from threadpoolctl import ThreadpoolController  # late: --help has no use for it

    return ThreadpoolController()
