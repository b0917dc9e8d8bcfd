"""What may be asked of rows: sums over blocks, values per row, moments.

J, g and H are sums over rows, and so are moments and the evidence; leverages, residuals and what is
predicted are a few numbers for each row. So whoever needs data hands over a function of one block,
and nobody else holds, slices or copies X or Y.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from numpy.typing import NDArray

from chainrule._contracts import Array

T = TypeVar("T")


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Some rows, one after the other, which are not to be kept.

    Attributes
    ----------
    X : ndarray (n, inputs)
    Y : ndarray (n, outputs)
    w : ndarray (n,)
    first : int
        Which of all rows is the first of these, counted from 0.
    """

    X: Array
    Y: Array
    w: Array
    first: int

    def __len__(self) -> int:
        return len(self.w)

    @property
    def of_all(self) -> slice:
        """Which of all rows these are."""
        return slice(self.first, self.first + len(self))


@dataclass(frozen=True, eq=False)
class Moments:
    """What columns look like, each (columns,).

    Attributes
    ----------
    mean, variance : ndarray
        Weighted; the variance is divided by the sum of weights.
    lowest, highest : ndarray
        Of rows with any weight.
    """

    mean: Array
    variance: Array
    lowest: Array
    highest: Array


class Rows(Protocol):
    """Rows of inputs, targets and weights, wherever they are."""

    @property
    def n_rows(self) -> int:
        """How many there are."""

    @property
    def n_inputs(self) -> int:
        """How many columns X has."""

    @property
    def n_outputs(self) -> int:
        """How many columns Y has."""

    @property
    def w(self) -> Array:
        """The weight of each row, (n,)."""

    @property
    def weight_sum(self) -> float:
        """Σ w."""

    @property
    def n_passes(self) -> float:
        """How often all rows have been looked at, by whatever shares them."""

    @property
    def fingerprint(self) -> bytes:
        """A digest of inputs, targets and weights: another one for other data."""

    @property
    def moments(self) -> tuple[Moments, Moments]:
        """Those of inputs, and those of targets."""

    def sum(self, f: Callable[[Block], T], threads: int = 1) -> T:
        """Return Σ f(block), on so many threads; what f returns needs to know + only."""

    def map(self, f: Callable[[Block], Any]) -> Any:
        """Return one value, or a few, per row: f returns an array (n, ...), or a tuple of them."""

    def reweighted(self, w: Array) -> Rows:
        """Return the same rows with other weights."""

    def retargeted(self, Y: Array) -> Rows:
        """Return the same rows with other targets, (n, outputs)."""

    def transformed(
        self, of_inputs: Callable[[Array], Array], of_targets: Callable[[Array], Array]
    ) -> Rows:
        """Return the same rows with other inputs and targets, each from what it was, (n, …)."""

    def take(self, rows: NDArray[Any] | slice) -> Rows:
        """Return some of the rows, by their numbers, a mask or a slice."""

    def sample(self, n: int, seed: int) -> Rows:
        """Return so many rows by chance, in their order, all if there are no more."""
