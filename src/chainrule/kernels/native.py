"""The native kernel: the sums of `reference`, in C++, over any number of rows at once.

It cuts the rows into blocks and adds these in a fixed order, on as many threads as
CHAINRULE_NUM_THREADS says (all cores by default), with the same bits for any number of
them. Python may run meanwhile. Threads sleep between calls and are made anew after a
fork, which is safe at any time.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from importlib import import_module
from typing import Any

from chainrule._contracts import Array, Evaluation
from chainrule._errors import ConfigurationError
from chainrule.heart.activations import ACTIVATIONS
from chainrule.heart.network import Network
from chainrule.heart.outputs import OUTPUTS
from chainrule.rows.memory import MemoryRows

try:
    core: Any = import_module("chainrule._native")
except ImportError:  # built without a compiler
    core = None

_most: ContextVar[int | None] = ContextVar("most_threads", default=None)
BUILDS: tuple[str, ...] = () if core is None else tuple(core.builds())
MOST_THREADS = 1024  # that may be asked for


def build() -> str:
    """Return which build runs: avx512, avx2 or plain; "" if the reference kernel is used.

    The best one this machine can run, or the one that CHAINRULE_KERNEL names.
    """
    asked = os.environ.get("CHAINRULE_KERNEL", "")
    if asked == "reference":
        return ""
    if asked == "native":
        asked = ""  # the best of them
    if asked and asked not in BUILDS:
        known = ", ".join((*BUILDS, "reference"))
        raise ConfigurationError(f"CHAINRULE_KERNEL is {asked!r}; here it can be: {known}")
    return asked or (BUILDS[-1] if BUILDS else "")


@contextmanager
def at_most(n: int | None) -> Iterator[None]:
    """Use at most n threads inside, where CHAINRULE_NUM_THREADS does not say it."""
    token = _most.set(n)
    try:
        yield
    finally:
        _most.reset(token)


def threads() -> int:
    """Return how many threads to use."""
    asked = os.environ.get("CHAINRULE_NUM_THREADS", "")
    if not asked:
        return min(_cores(), _most.get() or _cores())
    if not asked.isdecimal() or not 1 <= int(asked) <= MOST_THREADS:
        raise ConfigurationError(
            f"CHAINRULE_NUM_THREADS is {asked!r}; it must be a whole number of at least 1 and at "
            f"most {MOST_THREADS}"
        )
    return int(asked)


def evaluate(net: Network, theta: Array, X: Array, Y: Array, w: Array, order: int) -> Evaluation:
    """Evaluate the cost of all rows, without penalty: see `reference.evaluate`."""
    return Evaluation(*core.evaluate(handle(net), theta, X, Y, w, order, threads(), build()))


def hessian(net: Network, theta: Array, X: Array, Y: Array, w: Array) -> Array:
    """Return the exact d²J/dθ², (p, p)."""
    H: Array = core.evaluate(handle(net), theta, X, Y, w, 3, threads(), build())[2]
    return H


def fits(net: Network, theta: Array, rows: MemoryRows, *rest: Any) -> Any:
    """Return whole fits from all starts θ, (starts, p), to be walked in the core."""
    return core.Fits(handle(net), theta, rows.X, rows.Y, rows.w, *rest, build())


@lru_cache(maxsize=64)
def handle(net: Network) -> Any:
    """Return the network as the native core knows it."""
    functions, pairs = list(ACTIVATIONS), list(OUTPUTS)
    return core.Network(
        list(net.layers),
        [functions.index(name) for name in net.hidden],
        pairs.index((net.output, net.pair.loss)),
        net.bias,
        net.skip,
    )


@lru_cache(maxsize=1)
def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
