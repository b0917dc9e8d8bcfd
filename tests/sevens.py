"""Rows that nobody can keep: blocks of seven, made when they are asked for, and spoiled after."""

import hashlib
from dataclasses import dataclass, field, replace

import numpy as np

from chainrule.rows.protocol import Block, Moments
from chainrule.rows.sums import tree_sum

SEVEN = 7


@dataclass
class Counter:
    n: int = 0


@dataclass(frozen=True, eq=False)
class Sevens:
    """Rows by a function of their numbers, which returns inputs and targets.

    `number` says which of all rows these are, and `changes` what has been made of them since.
    """

    make: object
    number: np.ndarray
    w: np.ndarray
    changes: tuple = ()
    counter: Counter = field(default_factory=Counter)

    @property
    def n_rows(self):
        return len(self.number)

    @property
    def n_inputs(self):
        return self._made(slice(0, 1))[0].shape[1]

    @property
    def n_outputs(self):
        return self._made(slice(0, 1))[1].shape[1]

    @property
    def weight_sum(self):
        return float(self.w.sum())

    @property
    def n_passes(self):
        return self.counter.n

    @property
    def fingerprint(self):
        digest = hashlib.sha256()
        self.map(lambda of: [digest.update(A.tobytes()) for A in (of.X, of.Y, of.w)] and of.w)
        return digest.digest()

    @property
    def moments(self):
        share = self.w / self.w.sum()
        found = []
        for name in ("X", "Y"):

            def mean_of(f, name=name):
                def of_block(of):
                    return (share[of.of_all, None] * f(getattr(of, name))).sum(axis=0)

                return self.sum(of_block)

            mean = mean_of(lambda A: A)
            variance = mean_of(lambda A, mean=mean: (A - mean) ** 2)
            ends = self.map(lambda of, name=name: _ends(getattr(of, name)[of.w > 0.0]))
            lowest, highest = ends[::2].min(axis=0), ends[1::2].max(axis=0)
            found.append(Moments(mean, variance, lowest, highest))
        return tuple(found)

    def sum(self, f, threads=1):
        return tree_sum(self._each(f))

    def map(self, f):
        parts = list(self._each(f))
        if isinstance(parts[0], tuple):
            return tuple(np.concatenate(columns) for columns in zip(*parts, strict=True))
        return np.concatenate(parts)

    def reweighted(self, w):
        return replace(self, w=np.array(w, dtype=np.float64))

    def retargeted(self, Y):
        kept = np.array(Y, dtype=np.float64)
        return self._changed(lambda A, B, rows: (A, kept[rows]))

    def transformed(self, of_inputs, of_targets):
        return self._changed(lambda A, B, rows: (of_inputs(A), of_targets(B)))

    def take(self, rows):
        chosen = np.arange(self.n_rows)[rows]
        make = self._made
        return Sevens(make, chosen, self.w[rows], (), self.counter)

    def sample(self, n, seed):
        if n >= self.n_rows:
            return self
        rows = np.random.default_rng(seed).choice(self.n_rows, n, replace=False)
        return self.take(np.sort(rows))

    def _changed(self, change):
        return replace(self, changes=(*self.changes, change))

    def _made(self, rows):
        X, Y = self.make(self.number[rows])
        for change in self.changes:
            X, Y = change(X, Y, rows)
        return np.array(X), np.array(Y)

    def _each(self, f):
        self.counter.n += 1
        for first in range(0, self.n_rows, SEVEN):
            rows = slice(first, min(first + SEVEN, self.n_rows))
            X, Y = self._made(rows)
            block = Block(X, Y, self.w[rows].copy(), first)
            found = f(block)
            # what has kept it instead of making something of it will see
            found = tuple(map(np.array, found)) if isinstance(found, tuple) else _own(found)
            for A in (block.X, block.Y, block.w):
                A[:] = np.nan
            yield found


def _own(found):
    return found.copy() if isinstance(found, np.ndarray) else found


def _ends(A):
    if not len(A):
        return np.array([np.full(A.shape[1], np.inf), np.full(A.shape[1], -np.inf)])
    return np.array([A.min(axis=0), A.max(axis=0)])


def sevens(X, Y, w=None):
    """Return such rows with these inputs, targets and weights, which are out of sight."""
    X, Y = np.array(X, dtype=np.float64), np.array(Y, dtype=np.float64)
    return Sevens(
        lambda number: (X[number], Y[number]),
        np.arange(len(X)),
        np.ones(len(X)) if w is None else np.array(w, dtype=np.float64),
    )
