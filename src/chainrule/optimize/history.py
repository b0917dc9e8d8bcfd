"""The iterations of a run, in the same columns for every method."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from typing import overload

import numpy as np

from chainrule._contracts import Array


@dataclass(frozen=True, slots=True)
class Iteration:
    """One row of a `History`.

    Attributes
    ----------
    iteration : int
        0 is the starting point.
    cost : float
        J(θ).
    change : float
        The cost less that of the row before; 0 at the start.
    max_gradient : float
        max |dJ/dθ_j|.
    step : float
        Length ‖θ - θ_before‖ of the step that led here; 0 at the start.
    n_evaluations : int
        Evaluations of the cost and its gradient so far.
    seconds : float
        Time since the start.
    """

    iteration: int
    cost: float
    change: float
    max_gradient: float
    step: float
    n_evaluations: int
    seconds: float


COLUMNS = tuple(column.name for column in fields(Iteration))


@dataclass(frozen=True)
class History(Sequence[Iteration]):
    """All iterations of a run, the starting point included, as rows or as columns.

    Examples
    --------
    >>> from chainrule.optimize.history import History, Iteration
    >>> history = History((Iteration(0, 2.0, 0.0, 1.0, 0.0, 1, 0.0),))
    >>> history[0].cost, history.column("cost")
    (2.0, array([2.]))
    """

    rows: tuple[Iteration, ...]

    @overload
    def __getitem__(self, i: int) -> Iteration: ...
    @overload
    def __getitem__(self, i: slice) -> tuple[Iteration, ...]: ...
    def __getitem__(self, i: int | slice) -> Iteration | tuple[Iteration, ...]:
        return self.rows[i]

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Iteration]:
        return iter(self.rows)

    def column(self, name: str) -> Array:
        """Return one column, ``"cost"`` say, as an array (iterations + 1,)."""
        return np.array([getattr(row, name) for row in self.rows])

    def followed_by(self, other: History) -> History:
        """Return both, counted on; the start of the other one is the end of this one."""
        last = self.rows[-1]
        return History(
            self.rows
            + tuple(
                replace(
                    row,
                    iteration=row.iteration + last.iteration,
                    n_evaluations=row.n_evaluations + last.n_evaluations,
                    seconds=row.seconds + last.seconds,
                )
                for row in other.rows[1:]
            )
        )

    @property
    def cost(self) -> Array:
        """The cost at every iteration, the start included."""
        return self.column("cost")

    def __str__(self) -> str:
        lines = [
            "iteration            cost        change    max|g|      step  evaluations  seconds"
        ]
        lines += [
            f"{r.iteration:>9}  {r.cost:14.8g}  {r.change:12.3e}  {r.max_gradient:8.2e}  "
            f"{r.step:8.2e}  {r.n_evaluations:>11}  {r.seconds:7.3f}"
            for r in self.rows
        ]
        return "\n".join(lines)
