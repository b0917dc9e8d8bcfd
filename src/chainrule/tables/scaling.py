"""Scaling that belongs to the model: from the user's units to the network's, and back.

    scaled = (value - center) / scale            value = scaled * scale + center

    kind       center    scale
    none       0         1
    max        0         max |value|, the tutorial's X / amax(X), safe for negatives
    standard   mean      standard deviation (divided by n)

A column that does not vary has nothing to tell: with "standard" its scale is 0 and it is sent
to 0, whatever its value later. Everything is computed after shifting the exponent by a
power of two, which is exact, so that 1e-300 and 1e300 are units like any other.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from chainrule._contracts import Array
from chainrule._errors import ConfigurationError
from chainrule.rows.memory import MemoryRows
from chainrule.rows.protocol import Block, Rows

KINDS = ("none", "max", "standard")
TO_DEVIATION = 1.4826  # of a median distance, for a Gaussian
# of a value: columns that differ by less are constant
ROUNDED_VALUE = 4.0 * float(np.finfo(np.float64).eps)


@dataclass(frozen=True, eq=False)
class Scaling:
    """The scaling of the columns of a matrix.

    Attributes
    ----------
    kind : {"none", "max", "standard"}
    center, scale : ndarray (d,)
        In the unit of each column. A scale of 0 marks a column that is ignored.

    Examples
    --------
    >>> from chainrule.tables.scaling import fit_scaling
    >>> hours = fit_scaling("max", [[3.0, 5.0], [5.0, 1.0], [10.0, 2.0]])
    >>> hours.transform([[5.0, 2.5]])
    array([[0.5, 0.5]])
    >>> hours.inverse([[0.5, 0.5]])
    array([[5. , 2.5]])
    """

    kind: str
    center: Array
    scale: Array

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ConfigurationError(
                f"unknown scaling {self.kind!r}; choose one of {', '.join(KINDS)}"
            )

    @property
    def ignored(self) -> NDArray[np.bool_]:
        """Which columns do not vary and are therefore sent to 0, (d,) of bool."""
        return np.equal(self.scale, 0.0)

    def as_dict(self) -> dict[str, Any]:
        """Return kind, center and scale as plain data."""
        return {
            "scaling": self.kind,
            "center": self.center.tolist(),
            "scale": self.scale.tolist(),
        }

    def transform(self, A: ArrayLike) -> Array:
        """Return A, (n, d), in the scale of the network."""
        center, scale, exponent = self._shifted()
        with np.errstate(over="ignore", invalid="ignore"):
            shifted: Array = np.ldexp(np.asarray(A, dtype=np.float64), -exponent)
            scaled: Array = (shifted - center) / np.where(self.ignored, 1.0, scale)
        scaled[..., self.ignored] = 0.0
        return scaled

    def inverse(self, A: ArrayLike) -> Array:
        """Return A, (n, d), from the scale of the network, in the user's units."""
        center, scale, exponent = self._shifted()
        with np.errstate(over="ignore", invalid="ignore"):
            values: Array = np.ldexp(np.asarray(A, dtype=np.float64) * scale + center, exponent)
        return values

    def _shifted(self) -> tuple[Array, Array, Array]:
        exponent = np.frexp(self.scale)[1]
        with np.errstate(over="ignore"):
            return np.ldexp(self.center, -exponent), np.ldexp(self.scale, -exponent), exponent


def fit_scaling(kind: str, A: ArrayLike, w: Array | None = None) -> Scaling:
    """Measure the scaling of the columns of A.

    Parameters
    ----------
    kind : {"none", "max", "standard"}
    A : array_like (n, d)
        Finite numbers.
    w : ndarray (n,), optional
        The weight of each row, greater than 0; a weight of 2 is the row twice.

    Returns
    -------
    Scaling

    Raises
    ------
    ConfigurationError
        If there is no such kind.
    """
    A = np.asarray(A, dtype=np.float64)
    rows = MemoryRows(A, np.empty((len(A), 0)), np.ones(len(A)) if w is None else w)
    return scaling_of(kind, rows, lambda of: of.X)


def scaling_of(kind: str, rows: Rows, columns: Callable[[Block], Array]) -> Scaling:
    """Measure the scaling of inputs or targets of rows, ``columns(block)``: see `fit_scaling`."""
    ends = rows.sum(lambda of: _Ends(columns(of).min(axis=0), columns(of).max(axis=0)))
    zeros, ones = np.zeros(len(ends.lowest)), np.ones(len(ends.lowest))
    largest = np.maximum(np.abs(ends.lowest), np.abs(ends.highest))
    if kind == "none":
        return Scaling(kind, zeros, ones)
    if kind == "max":
        return Scaling(kind, zeros, largest)
    if kind != "standard":
        return Scaling(kind, zeros, ones)  # refuses the name
    exponent = np.frexp(largest)[1]
    most = float(rows.w.max())
    total = float((rows.w / most).sum())

    def mean_of(f: Callable[[Array], Array]) -> Array:
        def of_block(of: Block) -> Array:
            share = (of.w / most)[:, None] / total
            found: Array = (share * f(np.ldexp(columns(of), -exponent))).sum(axis=0)
            return found

        return rows.sum(of_block)

    mean = mean_of(lambda B: B)
    mean = mean + mean_of(lambda B: B - mean)  # removes the rounding of the first pass
    variance = mean_of(lambda B: (B - mean) ** 2)
    constant = ~varies(np.ldexp([ends.lowest, ends.highest], -exponent))
    center = np.where(constant, ends.lowest, np.ldexp(mean, exponent))
    return Scaling(kind, center, np.where(constant, 0.0, np.ldexp(np.sqrt(variance), exponent)))


def standard_scalings(rows: Rows) -> tuple[Scaling, Scaling]:
    """Return the standard scaling of inputs, and that of targets, measured together."""
    both = scaling_of("standard", rows, lambda of: np.hstack([of.X, of.Y]))
    inputs, targets = (
        Scaling(both.kind, both.center[some], both.scale[some])
        for some in (slice(rows.n_inputs), slice(rows.n_inputs, None))
    )
    return inputs, targets


@dataclass(frozen=True, slots=True)
class _Ends:
    """The lowest and the highest of each column; those of two blocks are those of both."""

    lowest: Array
    highest: Array

    def __add__(self, other: _Ends) -> _Ends:
        return _Ends(np.minimum(self.lowest, other.lowest), np.maximum(self.highest, other.highest))


def fit_robust_scaling(A: ArrayLike, w: Array) -> Scaling:
    """Measure a standard scaling that rows far off leave where it is.

    The center is the median, and the scale the median of distances from it, by as much larger as
    makes it the standard deviation of a Gaussian. A column half of which is one number is scaled
    as usual.

    Parameters
    ----------
    A : array_like (n, d)
        Finite numbers.
    w : ndarray (n,)
        The weight of each row, greater than 0.
    """
    A = np.asarray(A, dtype=np.float64)
    as_usual = fit_scaling("standard", A, w)
    exponent = np.frexp(np.max(np.abs(A), axis=0))[1]
    B = np.ldexp(A, -exponent)
    center = np.array([quantile(column, 0.5, w) for column in B.T])
    off = np.array([quantile(column, 0.5, w) for column in np.abs(B - center).T])
    usable = (off > 0.0) & ~as_usual.ignored
    center, scale = np.ldexp(center, exponent), np.ldexp(TO_DEVIATION * off, exponent)
    return Scaling(
        "standard",
        np.where(usable, center, as_usual.center),
        np.where(usable, scale, as_usual.scale),
    )


def quantile(values: Array, level: float, w: Array) -> float:
    """Return the lowest value that so much of the weight does not exceed."""
    order = np.argsort(values, kind="stable")
    below = np.cumsum(w[order])
    return float(values[order[np.searchsorted(below, level * below[-1])]])


def varies(A: Array) -> NDArray[np.bool_]:
    """Return which columns differ by more than rounding a result once or twice can make, (d,)."""
    with np.errstate(over="ignore"):
        return np.asarray(np.ptp(A, axis=0) > ROUNDED_VALUE * np.max(np.abs(A), axis=0))
