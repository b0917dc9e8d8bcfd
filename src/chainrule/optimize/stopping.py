"""Stopping rules: each is a small object, each stop has a name, a sentence and an inequality.

A rule is asked after each iteration and answers None or a `Termination`. Every test
is written so that NaN does not pass it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from chainrule._cancellation import TIME_LIMIT, Cancellation, require_positive
from chainrule._contracts import Array
from chainrule._errors import ConfigurationError

MOST_ITERATIONS = 10_000  # if no limit is given
MOST_ASKED = 2**53  # that can be asked for

SENTENCES = {
    "converged": "The gradient has vanished, and nothing examined speaks against a minimum.",
    "max_iter": "The iteration limit was reached before the gradient vanished. Allow more "
    "iterations, or add a penalty (alpha).",
    "time_limit": "The time limit was reached before the gradient vanished. Allow more time, or "
    "add a penalty (alpha).",
    "interrupted": "Training was interrupted; these are the best weights until then.",
    "early_stopping": "The cost of the validation rows had stopped falling; these are the weights "
    "where it was lowest.",
    "stopped": "A callback asked to stop here; these are the best weights until then.",
    "stalled": "No step lowered the cost any more, but the gradient has not vanished. Another "
    "penalty (alpha), scaled data, other starting weights or a smaller step may help.",
    "saddle": "The gradient has vanished, but the cost curves downward in some direction: a "
    "saddle, not a minimum. Start from other weights.",
    "flat": "The gradient has vanished, and so has the curvature, while cost is left that this "
    "network could explain. Start from other weights.",
    "saturated": "Units are saturated on every row and pass no gradient, so a small gradient "
    "proves nothing. Scale the data, add a penalty (alpha), or start from smaller weights.",
    "diverging": "The cost keeps falling, ever more slowly, while weights grow without bound: its "
    "minimum is at infinity. Add a penalty (alpha), or take fewer units.",
    "wrong_gradient": "The gradient does not agree with differences of the cost, so where it "
    "vanishes says nothing. check_gradient names the layer.",
    "no_better_than_mean": "The fit is no better than predicting the mean target, or how frequent "
    "each class is. A smaller penalty (alpha), other starting weights, or inputs that matter may "
    "help.",
}


@dataclass(frozen=True)
class Termination:
    """Why training stopped.

    Attributes
    ----------
    name : str
        One of the keys of `SENTENCES`.
    inequality : str
        The inequality that held, with its numbers.
    """

    name: str
    inequality: str

    @property
    def sentence(self) -> str:
        """What it means and what helps."""
        return SENTENCES[self.name]

    @property
    def converged(self) -> bool:
        """Whether the point is a minimum as far as numbers can show."""
        return self.name == "converged"

    def __str__(self) -> str:
        return f"{self.name}: {self.sentence} ({self.inequality})"


@dataclass(frozen=True, slots=True)
class State:
    """What the rules may look at after an iteration.

    Attributes
    ----------
    scale : float
        The cost against which gradients are measured, greater than 0.
    """

    iteration: int
    theta: Array
    J: float
    g: Array
    scale: float


class Rule(Protocol):
    """A stopping rule."""

    def __call__(self, state: State) -> Termination | None:
        """Return why to stop now, or None."""


def relative_gradient(theta: Array, g: Array, scale: float) -> float:
    """Return max |g_j| max(1, |θ_j|) / scale.

    To first order, the share of `scale` that changing any one weight by all of its size
    could still move. It presumes that 1 is an ordinary size for a weight, as it is where
    inputs and targets are scaled.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        return float(np.max(np.abs(g) * np.maximum(1.0, np.abs(theta)))) / scale


@dataclass(frozen=True)
class GradientTest:
    """Converged when the relative gradient is at most `tol`."""

    tol: float

    def __call__(self, state: State) -> Termination | None:
        """Return why to stop now, or None."""
        size = relative_gradient(state.theta, state.g, state.scale)
        if size <= self.tol:
            return Termination("converged", f"relative gradient {size:.2e} <= {self.tol:g}")
        return None


@dataclass(frozen=True)
class IterationLimit:
    """Stop at `max_iter` iterations."""

    max_iter: int

    def __call__(self, state: State) -> Termination | None:
        """Return why to stop now, or None."""
        if state.iteration >= self.max_iter:
            return Termination("max_iter", f"{state.iteration} iterations >= {self.max_iter}")
        return None


@dataclass(frozen=True)
class Cancelled:
    """Stop when that is cancelled of which this run is a part."""

    cancellation: Cancellation

    def __call__(self, state: State) -> Termination | None:
        """Return why to stop now, or None."""
        return cancelled(self.cancellation, f"iteration {state.iteration}")


def cancelled(cancellation: Cancellation, where: str) -> Termination | None:
    """Return why a computation has to end where it is, None if it may go on."""
    reason = cancellation.reason
    if reason == TIME_LIMIT:
        where = f"{cancellation.spent:.2f} s >= {cancellation.max_time:.3g} s"
    return None if reason is None else Termination(reason, where)


@dataclass(frozen=True)
class Limits:
    """How far to go: what is behind the three rules.

    Attributes
    ----------
    tol : float
    max_iter : int
    cancellation : Cancellation
    """

    tol: float
    max_iter: int
    cancellation: Cancellation = field(default_factory=Cancellation)

    def rules(self) -> list[Rule]:
        """Return the rules, in the order in which they are asked."""
        return [GradientTest(self.tol), IterationLimit(self.max_iter), Cancelled(self.cancellation)]


def limits(
    tol: float, max_iter: int | None = None, cancellation: Cancellation | None = None
) -> Limits:
    """Return the limits; 10,000 iterations if none are given.

    Raises
    ------
    ConfigurationError
        If one of them is not a positive number.
    """
    return Limits(
        require_positive(tol, "tol"),
        MOST_ITERATIONS if max_iter is None else _whole(max_iter, "max_iter"),
        cancellation or Cancellation(),
    )


def _whole(value: int, name: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
        raise ConfigurationError(f"{name} is {value!r}; it must be at least 1, a whole number")
    if value > MOST_ASKED:
        raise ConfigurationError(f"{name} is {value!r}; it must be at most {MOST_ASKED:,}")
    return int(value)
