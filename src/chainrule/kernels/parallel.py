"""Independent pieces of work on threads, each with its share of the cores; Ctrl-C ends them."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from contextvars import copy_context
from threading import Event
from typing import TypeVar

from chainrule.kernels import native

T = TypeVar("T")


def in_parallel(work: Callable[[int], T], n: int, interrupted: Event) -> list[T]:
    """Return what work makes of 0, 1, ..., n-1, on threads; at Ctrl-C what it has made of them."""
    threads = native.threads() if native.build() else 1
    with native.at_most(max(1, threads // n)), ThreadPoolExecutor(min(n, threads)) as pool:
        tasks = [pool.submit(copy_context().run, work, r) for r in range(n)]
        try:
            wait(tasks)
        except KeyboardInterrupt:
            interrupted.set()
    return [task.result() for task in tasks]
