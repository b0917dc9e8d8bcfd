"""Levenberg-Marquardt and Broyden from many starting points at once, in the native core.

The same algorithms as `optimizers.levenberg_marquardt` and `optimizers.broyden`, for rows
in memory: whole fits without returning to Python, starts spread over threads. Every tenth
of a second they come back to look at the clock, at Ctrl-C and at whoever wants to know how
far they are.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule._contracts import Array, ObjectiveProtocol
from chainrule._errors import DataError
from chainrule.kernels import native
from chainrule.objectives.objective import Objective
from chainrule.optimize.broyden import Broyden
from chainrule.optimize.certificate import PERFECT
from chainrule.optimize.checkpoint import require_arrays, require_whole
from chainrule.optimize.history import History, Iteration
from chainrule.optimize.levenberg_marquardt import LevenbergMarquardt
from chainrule.optimize.problem import Optimizer
from chainrule.optimize.stopping import Limits, Termination, relative_gradient
from chainrule.rows.memory import MemoryRows

A_WHILE = 0.1  # seconds between two looks at the clock
# of Levenberg-Marquardt: beyond, a system as large as the residuals is smaller, which the loop in
# Python solves
MOST_WEIGHTS_PER_NUMBER = 32

NOT_MADE = "not made"
COST, SLOW, EVALUATIONS, ENDING, LENGTH = 0, 5, 6, 9, 10  # columns of the state of a run
STATE, HISTORY = 11, 5  # how many columns the state of a run and its history have
LARGEST = 2**53  # of a count
RUNNING, CONVERGED, MAX_ITER, STALLED, NOT_FINITE = range(5)  # what the column ENDING says


def possible(optimizer: Optimizer, objective: ObjectiveProtocol) -> bool:
    """Return whether the native core can do what is asked."""
    if not native.build() or type(objective) is not Objective or objective.net.foreign:
        return False
    if objective.signs is not None or not isinstance(objective.rows, MemoryRows):
        return False
    if type(optimizer) is LevenbergMarquardt:
        numbers, _ = objective.size
        return objective.net.n_parameters <= MOST_WEIGHTS_PER_NUMBER * numbers
    return optimizer == Broyden()  # another line search is not known there


@dataclass(frozen=True)
class Ended:
    """How all runs stand: one entry of each column for each.

    Attributes
    ----------
    cost : ndarray of float
        NaN where none was made.
    names : ndarray of object
        "converged" by their own account, or "not made".
    n_iterations, n_evaluations : ndarray of int
    claimed : ndarray of bool
        Whether its gradient has vanished.
    doubtful : ndarray of bool
        Whether it has to be looked at before it is believed.
    """

    cost: Array
    names: NDArray[np.object_]
    n_iterations: NDArray[np.int_]
    n_evaluations: NDArray[np.int_]
    claimed: NDArray[np.bool_]
    doubtful: NDArray[np.bool_]


def joined(parts: Sequence[Ended]) -> Ended:
    """Return the columns of all parts, one after the other."""
    columns = zip(*((getattr(part, f.name) for f in fields(Ended)) for part in parts), strict=True)
    return Ended(*map(np.concatenate, columns))


@dataclass(frozen=True)
class Runs:
    """Starts on their way.

    Attributes
    ----------
    objective : Objective
    theta : ndarray (starts, p)
    limits : Limits
        The time is for all starts together.
    optimizer : LevenbergMarquardt or Broyden
    """

    objective: Objective
    theta: Array
    limits: Limits
    optimizer: Optimizer
    fits: Any = field(init=False, repr=False)

    def __post_init__(self) -> None:
        o = self.objective
        assert isinstance(o.rows, MemoryRows)
        fits = native.fits(
            o.net,
            np.ascontiguousarray(self.theta),
            o.rows,
            o.decay,
            o.is_fixed.astype(np.float64),
            o.scale,
            self.limits.tol,
            self.limits.max_iter,
            self.optimizer.name,
            getattr(self.optimizer, "polish", True),
        )
        object.__setattr__(self, "fits", fits)

    def walk(self, pause: Callable[[], None] | None = None) -> Termination | None:
        """Let all starts walk to their end; return what cut them short, if anything did.

        `pause` is called about every tenth of a second.
        """
        before = self._evaluations()
        try:
            return self._walked(pause)
        finally:
            assert isinstance(self.objective.rows, MemoryRows)
            self.objective.rows.count(self._evaluations() - before)

    def _evaluations(self) -> int:
        return int(self.fits.states()[1][:, EVALUATIONS].sum())

    def _walked(self, pause: Callable[[], None] | None) -> Termination | None:
        began, threads, max_time = time.monotonic(), native.threads(), self.limits.max_time
        left = A_WHILE if max_time is None else min(A_WHILE, max_time)
        try:
            while True:
                self.fits.advance(left, threads)
                if not self.fits.unfinished():
                    return None
                if pause is not None:
                    pause()
                spent = time.monotonic() - began
                if max_time is not None:
                    left = min(A_WHILE, max_time - spent)
                if left <= 0.0:
                    return Termination("time_limit", f"{spent:.2f} s >= {max_time:g} s")
        except KeyboardInterrupt:
            return Termination("interrupted", "in the middle of the others")

    @property
    def n_ended(self) -> int:
        """How many starts have come to their end."""
        return len(self.theta) - int(self.fits.unfinished())

    def progress(self) -> str:
        """Return how far it is."""
        _, state = self.fits.states()
        done, begun = state[:, ENDING] != RUNNING, state[:, LENGTH] > 0
        lowest = f", lowest J = {np.nanmin(state[begun, COST]):.6g}" if begun.any() else ""
        return f"{done.sum()} of {len(state)} starts{lowest}"

    def ended(self) -> Ended:
        """Return how all runs stand when all walking is over."""
        theta, state = self.fits.states()
        cost, ending = state[:, COST], state[:, ENDING].astype(int)
        left = self.objective.left_to_explain(theta, cost)
        made, claimed = state[:, LENGTH] > 0, ending == CONVERGED
        names = np.where(made, "converged", NOT_MADE).astype(object)
        return Ended(
            np.where(made, cost, np.nan),
            names,
            np.maximum(state[:, LENGTH].astype(int) - 1, 0),
            state[:, EVALUATIONS].astype(int),
            claimed,
            made & ~(claimed & (left <= PERFECT)),
        )

    def snapshot(self) -> Mapping[str, Array]:
        """Return all that is needed to go on later."""
        theta, state = self.fits.states()
        rows = [self.fits.history(r) for r in range(len(theta))]
        return {"theta": theta, "state": state, "history": np.concatenate(rows)}

    def restore(self, snapshot: Mapping[str, NDArray[Any]]) -> None:
        """Go on from a snapshot.

        Raises
        ------
        DataError
            If it is not one of these starts.
        """
        n, p = self.theta.shape
        shapes = {"theta": (n, p), "state": (n, STATE), "history": (None, HISTORY)}
        require_arrays(snapshot, {name: ("f", shape) for name, shape in shapes.items()})
        state, rows = snapshot["state"], len(snapshot["history"])
        for column, most in ((SLOW, LARGEST), (EVALUATIONS, LARGEST), (ENDING, NOT_FINITE)):
            require_whole(state[:, column], most, "states")
        require_whole(state[:, LENGTH], rows, "lengths")
        lengths = state[:, LENGTH].astype(int)
        usable = np.repeat(state[:, ENDING] != NOT_FINITE, lengths)
        if len(usable) != rows or not np.all(np.isfinite(snapshot["history"][usable])):
            raise DataError("the checkpoint does not fit this training: its history is not whole")
        try:
            self.fits.restore(**{name: np.ascontiguousarray(A) for name, A in snapshot.items()})
        except (ValueError, TypeError) as error:
            raise DataError(f"the checkpoint does not fit this training: {error}") from None

    def ends(self) -> Array:
        """Return where all runs are, (starts, p)."""
        theta: Array = self.fits.states()[0]
        return theta

    def __len__(self) -> int:
        return len(self.theta)

    def run(self, r: int, cut_short: Termination | None = None) -> NativeRun:
        """Return one run, as far as it has come when all walking is over."""
        theta, state = self.fits.state(r)
        g = self.objective.gradient(theta)
        rows = self.fits.history(r)
        return NativeRun(self.objective, self.limits, theta, g, state, rows, cut_short)


@dataclass(frozen=True)
class NativeRun:
    """One run that has ended: what `minimize.finish` makes a Fit of."""

    objective: Objective
    limits: Limits
    theta: Array
    g: Array
    state: Array
    rows: Array
    cut_short: Termination | None = None

    @property
    def J(self) -> float:
        """The cost."""
        return float(self.state[COST])

    @property
    def scale(self) -> float:
        """The cost there is to explain."""
        return self.objective.scale

    @property
    def n_evaluations(self) -> int:
        """Evaluations of the cost."""
        return int(self.state[EVALUATIONS])

    @property
    def history(self) -> History:
        """Every iteration."""
        cost = self.rows[:, 0]
        change = np.diff(cost, prepend=cost[:1])
        return History(
            tuple(
                Iteration(i, c, d, g, s, int(n), t)
                for i, ((c, g, s, n, t), d) in enumerate(
                    zip(self.rows.tolist(), change.tolist(), strict=True)
                )
            )
        )

    @property
    def claim(self) -> Termination:
        """Why it ended, by its own account."""
        ending = int(self.state[ENDING])
        if ending == RUNNING:
            return self.cut_short or Termination("interrupted", f"iteration {len(self.rows) - 1}")
        if ending == MAX_ITER:
            return Termination(
                "max_iter", f"{len(self.rows) - 1} iterations >= {self.limits.max_iter}"
            )
        size = relative_gradient(self.theta, self.g, self.scale)
        if ending == CONVERGED:
            return Termination("converged", f"relative gradient {size:.2e} <= {self.limits.tol:g}")
        return Termination("stalled", f"relative gradient {size:.1e}, and no lower point found")
