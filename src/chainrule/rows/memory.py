"""Rows in memory: a block is a view."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule._contracts import Array
from chainrule.rows.protocol import Block, Moments, T
from chainrule.rows.sums import tree_sum

BLOCK_ROWS = 1024  # small enough for the cache of a core


class Passes:
    """How many rows have been looked at, by whatever shares them, on any thread."""

    def __init__(self, n_rows: int) -> None:
        self.n_rows, self.seen = n_rows, 0
        self._lock = Lock()

    def __reduce__(self) -> tuple[Any, ...]:
        return Passes, (self.n_rows,)

    def add(self, n: int) -> None:
        """Count n rows."""
        with self._lock:
            self.seen += n


@dataclass(frozen=True, eq=False)
class MemoryRows:
    """Rows in memory: see `Rows`.

    Attributes
    ----------
    X, Y, w : ndarray (n, inputs), (n, outputs), (n,)
        Finite; they are not written to.
    """

    X: Array = field(repr=False)
    Y: Array = field(repr=False)
    w: Array = field(repr=False)
    passes: Passes | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        for name in ("X", "Y", "w"):
            array = getattr(self, name).view()
            array.setflags(write=False)
            object.__setattr__(self, name, array)
        if self.passes is None:
            object.__setattr__(self, "passes", Passes(len(self.w)))

    @property
    def n_rows(self) -> int:
        """How many there are."""
        return len(self.w)

    @property
    def n_inputs(self) -> int:
        """How many columns X has."""
        return int(self.X.shape[1])

    @property
    def n_outputs(self) -> int:
        """How many columns Y has."""
        return int(self.Y.shape[1])

    @cached_property
    def weight_sum(self) -> float:
        """Σ w."""
        return float(self.w.sum())

    @property
    def n_passes(self) -> float:
        """How often all rows have been looked at; some of them are a part of a pass."""
        assert self.passes is not None
        return self.passes.seen / self.passes.n_rows

    def count(self, times: int = 1) -> None:
        """Note that these rows have been looked at."""
        assert self.passes is not None
        self.passes.add(times * self.n_rows)

    @cached_property
    def fingerprint(self) -> bytes:
        """A digest of inputs, targets and weights."""
        digest = hashlib.sha256()
        for array in (self.X, self.Y, self.w):
            digest.update(repr(array.shape).encode())
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.digest()

    @cached_property
    def moments(self) -> tuple[Moments, Moments]:
        """Those of inputs, and those of targets."""
        self.count()
        share = self.w / self.w.sum()
        counts = self.w > 0.0
        found = []
        with np.errstate(over="ignore", invalid="ignore"):
            for A in (self.X, self.Y):
                mean = (share[:, None] * A).sum(axis=0)
                variance = (share[:, None] * (A - mean) ** 2).sum(axis=0)
                some = A if counts.all() else A[counts]
                found.append(Moments(mean, variance, some.min(axis=0), some.max(axis=0)))
        return found[0], found[1]

    def blocks(self) -> list[Block]:
        """Return the blocks: where they begin depends on the number of rows alone."""
        X, Y, w = self.X, self.Y, self.w
        if len(w) <= BLOCK_ROWS:
            return [Block(X, Y, w, 0)]
        each = (slice(i, i + BLOCK_ROWS) for i in range(0, len(w), BLOCK_ROWS))
        return [Block(X[rows], Y[rows], w[rows], rows.start) for rows in each]

    def sum(self, f: Callable[[Block], T], threads: int = 1) -> T:
        """Return Σ f(block), added in a fixed order."""
        self.count()
        blocks = self.blocks()
        found: T
        if threads == 1 or len(blocks) == 1:
            found = tree_sum(map(f, blocks))
        else:
            with ThreadPoolExecutor(min(threads, len(blocks))) as pool:
                found = tree_sum(pool.map(f, blocks))
        return found

    def map(self, f: Callable[[Block], Any]) -> Any:
        """Return one value, or a few, per row."""
        self.count()
        parts = [f(block) for block in self.blocks()]
        if isinstance(parts[0], tuple):
            return tuple(map(np.concatenate, zip(*parts, strict=True)))
        return np.concatenate(parts)

    def reweighted(self, w: Array) -> MemoryRows:
        """Return the same rows with other weights; nothing else is copied."""
        return MemoryRows(self.X, self.Y, np.array(w, dtype=np.float64), self.passes)

    def retargeted(self, Y: Array) -> MemoryRows:
        """Return the same rows with other targets; nothing else is copied."""
        return MemoryRows(self.X, np.array(Y, dtype=np.float64), self.w, self.passes)

    def transformed(
        self, of_inputs: Callable[[Array], Array], of_targets: Callable[[Array], Array]
    ) -> MemoryRows:
        """Return the same rows with other inputs and targets, each from what it was."""
        return MemoryRows(of_inputs(self.X), of_targets(self.Y), self.w, self.passes)

    def take(self, rows: NDArray[Any] | slice) -> MemoryRows:
        """Return some of the rows."""
        X, Y, w = (np.ascontiguousarray(A[rows]) for A in (self.X, self.Y, self.w))
        return MemoryRows(X, Y, w, self.passes)

    def sample(self, n: int, seed: int) -> MemoryRows:
        """Return so many rows by chance, in their order, all if there are no more."""
        if n >= self.n_rows:
            return self
        rows = np.random.default_rng(seed).choice(self.n_rows, n, replace=False)
        return self.take(np.sort(rows))
