"""Independent pieces of work on threads, each with its share of the cores."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import TypeVar

from chainrule.kernels import native

T = TypeVar("T")


def in_parallel(work: Callable[[int], T], n: int) -> list[T]:
    """Return what work makes of 0, 1, ..., n-1, on threads."""
    threads = native.threads() if native.build() else 1
    with native.at_most(max(1, threads // n)), ThreadPoolExecutor(min(n, threads)) as pool:
        tasks = [pool.submit(copy_context().run, work, r) for r in range(n)]
        return [task.result() for task in tasks]
