"""Levenberg-Marquardt and Broyden from many starting points at once, in the native core.

The same algorithms as in `levenberg_marquardt` and `broyden`, for rows in memory: whole fits
without returning to Python, starts spread over threads. Every tenth of a second they come back to
look at the clock, at Ctrl-C and at whoever wants to know how far they are. Where a callback has to
see every iteration they come back after each, which costs a few microseconds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule._cancellation import INTERRUPTED
from chainrule._contracts import Array, ObjectiveProtocol
from chainrule._errors import DataError
from chainrule.kernels import native
from chainrule.objectives.objective import Objective
from chainrule.optimize import broyden, levenberg_marquardt
from chainrule.optimize.broyden import Broyden
from chainrule.optimize.certificate import PERFECT
from chainrule.optimize.checkpoint import require_arrays, require_whole
from chainrule.optimize.damping import NielsenDamping
from chainrule.optimize.history import History, Iteration
from chainrule.optimize.levenberg_marquardt import LevenbergMarquardt
from chainrule.optimize.problem import Optimizer
from chainrule.optimize.recorder import Callback, asked
from chainrule.optimize.stopping import Limits, Termination, cancelled, relative_gradient
from chainrule.rows.memory import MemoryRows

A_WHILE = 0.1  # seconds between two looks at the clock
LEAST_TIME = 1e-3  # seconds, in which a small fit gets somewhere though its time is up
# of Levenberg-Marquardt: beyond, a system as large as the residuals is smaller, which the loop in
# Python solves
MOST_WEIGHTS_PER_NUMBER = 32

NOT_MADE = "not made"
MOST_COUNTED = 2**53  # of a count
STATE = (
    "cost",
    "max_gradient",
    "damping",
    "size",
    "growth",
    "slow",
    "exact",
    "evaluations",
    "seconds",
    "ending",
    "length",
)
HISTORY = ("cost", "max_gradient", "step", "evaluations", "seconds")
Memory = levenberg_marquardt.Memory | broyden.Memory


class Ending(IntEnum):
    """How a run stands: the enum of the native core."""

    RUNNING = 0
    CONVERGED = 1
    MAX_ITER = 2
    STALLED = 3
    NOT_FINITE = 4


def possible(optimizer: Optimizer, objective: ObjectiveProtocol) -> bool:
    """Return whether the native core can do what is asked: the one place where that is decided.

    Only the loops in Python know objectives that are not a network on rows in memory, activations
    and losses of one's own, sign constraints, other line searches, and systems with far fewer
    residuals than weights.
    """
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
    resumable : bool
        Whether what a start has learned is kept when its iterations are used up.
    """

    objective: Objective
    theta: Array
    limits: Limits
    optimizer: Optimizer
    resumable: bool = False
    fits: Any = field(init=False, repr=False)

    def __post_init__(self) -> None:
        o, methods = self.objective, native.core.Method
        assert isinstance(o.rows, MemoryRows)
        is_lm = isinstance(self.optimizer, LevenbergMarquardt)
        fits = native.fits(
            o.net,
            np.ascontiguousarray(self.theta),
            o.rows,
            o.decay,
            o.is_fixed.astype(np.float64),
            o.scale,
            self.limits.tol,
            self.limits.max_iter,
            methods.LEVENBERG_MARQUARDT if is_lm else methods.BROYDEN,
            getattr(self.optimizer, "polish", True),
            self.resumable,
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
            self._count(self._evaluations() - before)

    def follow(self, r: int, callback: Callback | None) -> tuple[NativeRun, Memory | None]:
        """Let one start walk to its end; return its run, and what it has learned.

        `callback` is called at every iteration, as `Recorder` does.
        """
        cut_short, last, seen, rows = None, np.nan, 0, 0
        while cut_short is None:
            self.fits.step(r, native.threads())
            length, state = self.fits.length(r), self.fits.state(r)
            self._count(state.evaluations - seen)
            seen = state.evaluations
            if callback is not None and length > rows:
                rows = length
                step = float(self.fits.history(r, length - 1)["step"][0])
                change = state.cost - last if length > 1 else 0.0
                last = state.cost
                found = (state.cost, change, state.max_gradient, step, seen, state.seconds)
                cut_short = asked(callback, self.fits.point(r), Iteration(length - 1, *found))
            if state.ending != Ending.RUNNING:
                break
            cut_short = cut_short or cancelled(self.limits.cancellation, f"iteration {length - 1}")
        return self.run(r, cut_short, stopped=cut_short), self._memory(r)

    def resume(self, r: int, memory: Memory) -> None:
        """Let a start begin with what an earlier one had learned where it stopped."""
        if isinstance(memory, broyden.Memory):
            # one that the loop in Python has learned is not taken over: this begins a new one
            if memory.pending is not None:
                self.fits.begin_with(r, vars(memory.pending))
            return
        of, deep = memory.damping, self.objective.net.n_layers > 3
        soon = memory.exact or memory.slow >= levenberg_marquardt.SLOW_STEPS
        exact = getattr(self.optimizer, "polish", True) and not deep and soon
        self.fits.resume(r, of.value, of.size, of.growth, memory.slow, exact)

    def _memory(self, r: int) -> Memory | None:
        state, theta = self.fits.state(r), self.fits.point(r)
        if state.ending not in (Ending.RUNNING, Ending.MAX_ITER) or not self.fits.length(r):
            return None
        if isinstance(self.optimizer, LevenbergMarquardt):
            damping = NielsenDamping(state.damping, state.size, state.growth)
            return levenberg_marquardt.Memory(theta, damping, state.slow, state.exact, None)
        learned = self.fits.learned(r)
        if learned is None:
            return broyden.Memory(theta, None, 1.0)
        pending = broyden.Pending(**learned)
        return broyden.Memory(theta, pending.inverse_hessian(len(theta)), pending.length, pending)

    def _count(self, evaluations: int) -> None:
        assert isinstance(self.objective.rows, MemoryRows)
        self.objective.rows.count(evaluations)

    def _evaluations(self) -> int:
        return int(self.fits.evaluations())

    def _walked(self, pause: Callable[[], None] | None) -> Termination | None:
        cancellation, threads = self.limits.cancellation, native.threads()
        while True:
            self.fits.advance(min(A_WHILE, max(cancellation.max_left, LEAST_TIME)), threads)
            if not self.fits.unfinished():
                return None
            if pause is not None:
                pause()
            if (why := cancelled(cancellation, "in the middle of the others")) is not None:
                return why

    @property
    def n_ended(self) -> int:
        """How many starts have come to their end."""
        return len(self.theta) - int(self.fits.unfinished())

    def progress(self) -> str:
        """Return how far it is."""
        state = self.fits.states()
        done, begun = state["ending"] != Ending.RUNNING, state["length"] > 0
        lowest = f", lowest J = {np.nanmin(state['cost'][begun]):.6g}" if begun.any() else ""
        return f"{done.sum()} of {len(done)} starts{lowest}"

    def ended(self) -> Ended:
        """Return how all runs stand when all walking is over."""
        state, cost = self.fits.states(), self.fits.states()["cost"]
        left = self.objective.left_to_explain(self.ends(), cost)
        made, claimed = state["length"] > 0, state["ending"] == Ending.CONVERGED
        names = np.where(made, "converged", NOT_MADE).astype(object)
        return Ended(
            np.where(made, cost, np.nan),
            names,
            np.maximum(state["length"].astype(int) - 1, 0),
            state["evaluations"].astype(int),
            claimed,
            made & ~(claimed & (left <= PERFECT)),
        )

    def snapshot(self) -> Mapping[str, Array]:
        """Return all that is needed to go on later."""
        rows = [self.fits.history(r) for r in range(len(self.theta))]
        history = {name: np.concatenate([of[name] for of in rows]) for name in HISTORY}
        found = {"theta": self.ends()}
        found |= {f"state {name}": values for name, values in self.fits.states().items()}
        return found | {f"history {name}": values for name, values in history.items()}

    def restore(self, snapshot: Mapping[str, NDArray[Any]]) -> None:
        """Go on from a snapshot.

        Raises
        ------
        DataError
            If it is not one of these starts.
        """
        n, p = self.theta.shape
        shapes: dict[str, tuple[str, tuple[int | None, ...]]] = {"theta": ("f", (n, p))}
        shapes |= {f"state {name}": ("f", (n,)) for name in STATE}
        shapes |= {f"history {name}": ("f", (None,)) for name in HISTORY}
        require_arrays(snapshot, shapes)
        state = {name: np.ascontiguousarray(snapshot[f"state {name}"]) for name in STATE}
        history = {name: np.ascontiguousarray(snapshot[f"history {name}"]) for name in HISTORY}
        rows = len(history["cost"])
        for name, most in (
            ("slow", MOST_COUNTED),
            ("evaluations", MOST_COUNTED),
            ("ending", max(Ending)),
        ):
            require_whole(state[name], most, "states")
        require_whole(state["length"], rows, "lengths")
        usable = np.repeat(state["ending"] != Ending.NOT_FINITE, state["length"].astype(int))
        whole = all(len(column) == rows == len(usable) for column in history.values())
        if not whole or not all(np.isfinite(column[usable]).all() for column in history.values()):
            raise DataError("the checkpoint does not fit this training: its history is not whole")
        try:
            self.fits.restore(np.ascontiguousarray(snapshot["theta"]), state, history, rows)
        except (ValueError, TypeError) as error:
            raise DataError(f"the checkpoint does not fit this training: {error}") from None

    def ends(self) -> Array:
        """Return where all runs are, (starts, p)."""
        theta: Array = self.fits.points()
        return theta

    def __len__(self) -> int:
        return len(self.theta)

    def run(
        self, r: int, cut_short: Termination | None = None, stopped: Termination | None = None
    ) -> NativeRun:
        """Return one run, as far as it has come when all walking is over."""
        theta, state = self.fits.point(r), self.fits.state(r)
        g = self.objective.gradient(theta)
        rows = self.fits.history(r)
        return NativeRun(self.objective, self.limits, theta, g, state, rows, cut_short, stopped)


@dataclass(frozen=True)
class NativeRun:
    """One run that has ended: what `minimize.finish` makes a Fit of.

    Attributes
    ----------
    objective : Objective
    limits : Limits
    theta, g : ndarray (p,)
    state : State of the native core
    columns : mapping of str to ndarray
        Its history.
    cut_short : Termination or None
        Why it ended if it was still running.
    stopped : Termination or None
        What a callback said, whether or not a rule would have ended it too.
    """

    objective: Objective
    limits: Limits
    theta: Array
    g: Array
    state: Any
    columns: Mapping[str, Array]
    cut_short: Termination | None = None
    stopped: Termination | None = None

    @property
    def J(self) -> float:
        """The cost."""
        return float(self.state.cost)

    @property
    def scale(self) -> float:
        """The cost there is to explain."""
        return self.objective.scale

    @property
    def n_evaluations(self) -> int:
        """Evaluations of the cost."""
        return int(self.state.evaluations)

    @property
    def history(self) -> History:
        """Every iteration."""
        cost = self.columns["cost"]
        change = np.diff(cost, prepend=cost[:1])
        columns = (cost, change, *(self.columns[name] for name in HISTORY[1:]))
        rows = zip(*(column.tolist() for column in columns), strict=True)
        return History(
            tuple(Iteration(i, J, d, g, s, int(n), t) for i, (J, d, g, s, n, t) in enumerate(rows))
        )

    @property
    def claim(self) -> Termination:
        """Why it ended, by its own account."""
        ending, n = Ending(self.state.ending), len(self.columns["cost"]) - 1
        if self.stopped is not None:
            return self.stopped
        if ending is Ending.RUNNING:
            return self.cut_short or Termination(INTERRUPTED, f"iteration {n}")
        if ending is Ending.MAX_ITER:
            return Termination("max_iter", f"{n} iterations >= {self.limits.max_iter}")
        size = relative_gradient(self.theta, self.g, self.scale)
        if ending is Ending.CONVERGED:
            return Termination("converged", f"relative gradient {size:.2e} <= {self.limits.tol:g}")
        return Termination("stalled", f"relative gradient {size:.1e}, and no lower point found")
