"""Maximize the evidence over the hyperparameters, from one starting point.

ln p(y | α, β) of `laplace` is maximized over ln α of every group of weights and ln β,
each time at the minimum of the cost that belongs to them, by BFGS with its exact slope.

What is usual is known before any data: α as `default_alpha` has it, to within a factor of e
below it and of e⁴ above, so that a column which does not matter can go; and a noise of a tenth of
the variance, to within a factor of e³. Few rows say little more than that; many are not held by it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from scipy import linalg

from chainrule._cancellation import INTERRUPTED, TIME_LIMIT, Cancellation
from chainrule._contracts import Array
from chainrule._errors import TrainingError
from chainrule.bayes.default_alpha import LEAST_SHARE, NOISE_IF_UNKNOWN, SAME_SHARE_OF_NOISE
from chainrule.bayes.laplace import Laplace, Priors, laplace, slope
from chainrule.bayes.priors import usual
from chainrule.objectives.objective import Objective
from chainrule.optimize.methods import choose
from chainrule.optimize.minimize import descended
from chainrule.optimize.saddles import is_exact, leave_saddles
from chainrule.optimize.stopping import limits

WEAKER, STRONGER = 1.0, 4.0  # standard deviations of ln α below and above what is usual
UNUSUAL_NOISE = 3.0  # the same of ln β
LEAST_NOISE = 1e-2  # of the variance of one row: N rows cannot tell less than that over N

TOLERANCE = 1e-9  # of the minima on the way, and for how long they are looked for
MOST_ITERATIONS_ON_THE_WAY = {"lm": 100, "broyden": 1_000, "lbfgs": 1_000}
REFINING_STEPS, REFINED_NATS = 10, 1e-9  # nats that another step would gain
ROUNDS_OF_BEGINNING = 20  # until the noise stays the same

# converged when so many steps in a row gain less, for each weight that the data determine
CONVERGED_NATS, CONVERGED_STEPS = 1e-6, 2
MOST_STEPS = 100  # of BFGS; 20 to 40 are usual
GRID = 1e-3  # of ln α and ln β
TRIALS, SHORTER, LONGEST, SUFFICIENT = 5, 0.3, 2.0, 1e-4  # of a step
STRAIGHT = 1e-10  # cosine below which a step has taught nothing about curvature

ENDS = {
    "converged": "converged",
    "fixed_point": "stopped near MacKay's fixed point",
    "edge": "ended where the minimum that was followed disappears",
    "max_iter": "not converged",
    TIME_LIMIT: "out of time",
    INTERRUPTED: "interrupted",
}

Monitor = Callable[["Step"], None]


@dataclass(frozen=True)
class Level:
    """Where α and β begin.

    Attributes
    ----------
    name : str
    log_alpha : float
        Ln α above what is usual.
    noise : float
        The variance of the noise, as a share of that of the targets.
    """

    name: str
    log_alpha: float
    noise: float


WEAK = Level("weak", -3.0, 0.1 * NOISE_IF_UNKNOWN)  # a 20th of α, a 10th of the noise
USUAL = Level("usual", 0.0, NOISE_IF_UNKNOWN)  # as `default_alpha` has it
STRONG = Level("strong", 1.0, 3.0 * NOISE_IF_UNKNOWN)  # about three times as much of both
STRONGEST = Level("strongest", 2.0, 5.0 * NOISE_IF_UNKNOWN)
LEVELS = (STRONG, USUAL, WEAK)  # from which networks are compared


@dataclass(frozen=True)
class Step:
    """One step of α and β.

    Attributes
    ----------
    log_evidence, n_effective, cost : float
        The cost J at the minimum that belongs to them.
    """

    log_evidence: float
    n_effective: float
    cost: float


@dataclass(frozen=True, eq=False)
class Evidence:
    """The priors and the noise that make the data most probable, and the weights there.

    Attributes
    ----------
    priors : Priors
    theta : ndarray (p,)
    alpha : ndarray (groups,)
    beta : float
        1 where the loss is the logarithm of a probability.
    laplace : Laplace
    ended : str
        One of `ENDS`: "edge" where the minimum that is followed ends; or why it was cancelled.
    steps : tuple of Step
    n_evaluations : int
        Minima that were looked for.
    """

    priors: Priors
    theta: Array
    alpha: Array
    beta: float
    laplace: Laplace
    ended: str
    steps: tuple[Step, ...]
    n_evaluations: int

    @property
    def converged(self) -> bool:
        """Whether nothing more is to be gained."""
        return self.ended == "converged"

    @property
    def log_evidence(self) -> float:
        """Ln p(y | α, β), in nats."""
        return self.laplace.log_evidence

    @property
    def within(self) -> float:
        """How many nats count as nothing."""
        return little(self.laplace)


def maximize_evidence(
    at: Point,
    *,
    monitor: Monitor | None = None,
    cancellation: Cancellation | None = None,
    nats: float | None = None,
) -> Evidence:
    """Maximize the evidence from a point.

    Parameters
    ----------
    at : Point
    monitor : callable, optional
        Called as ``monitor(step)`` after every step.
    cancellation : Cancellation, optional
        Asked before every step.
    nats : float, optional
        For each weight that the data determine, what is not worth another step.
    """
    climb = _Ascent(at, monitor, cancellation or Cancellation(), nats)
    ended = climb.run()
    best, priors = climb.at, at.problem.priors
    alpha, beta = at.problem.split(best.logs)
    steps = tuple(climb.steps)
    return Evidence(priors, best.theta, alpha, beta, best.laplace, ended, steps, climb.n)


@dataclass(frozen=True, eq=False)
class Point:
    """Ln α and ln β, the minimum of the cost that belongs to them, and what is known there."""

    problem: EvidenceProblem
    logs: Array
    objective: Objective
    theta: Array
    laplace: Laplace
    exact: Array | None = None

    @cached_property
    def height(self) -> float:
        """What is maximized: the evidence, and how usual α and β are."""
        off = (self.logs - self.problem.usual) / self.problem.unusual(self.logs)
        return self.laplace.log_evidence - 0.5 * float(off @ off)

    @cached_property
    def slope(self) -> Array:
        """Its slope."""
        of, beta = self.problem, self.problem.split(self.logs)[1]
        found = slope(
            self.objective, self.theta, of.priors, beta, of.n_numbers, self.laplace, self.exact
        )
        found -= (self.logs - of.usual) / of.unusual(self.logs) ** 2
        if of.noisy and self.logs[-1] >= of.highest:
            found[-1] = min(found[-1], 0.0)
        return found

    @property
    def curvature(self) -> Array:
        """About how it curves in each direction, for the first steps."""
        of = self.problem
        of_data = 0.5 * self.laplace.gamma.clip(0.0)
        of_data = np.append(of_data, [0.5 * of.n_numbers] * of.noisy)
        return np.asarray(of_data + 1.0 / of.unusual(self.logs) ** 2)


@dataclass(frozen=True, eq=False)
class EvidenceProblem:
    """The log evidence as a function of ln α and ln β.

    Attributes
    ----------
    objective : Objective
    priors : Priors
    cancellation : Cancellation
        When no minimum is looked for any longer.
    """

    objective: Objective
    priors: Priors
    cancellation: Cancellation = field(default_factory=Cancellation)

    @property
    def noisy(self) -> bool:
        """Whether the noise is to be found too."""
        return bool(self.objective.net.loss == "squared")

    @cached_property
    def n_numbers(self) -> float:
        """How many numbers were measured with noise."""
        return float(self.objective.w.sum()) * self.objective.net.layers[-1] if self.noisy else 0.0

    @cached_property
    def usual(self) -> Array:
        """Ln α by the rule, and ln β."""
        logs = np.log(usual(self.objective, self.priors))
        if not self.noisy:
            return logs
        noise = NOISE_IF_UNKNOWN * 2.0 * self.objective.scale / self.n_numbers
        return np.append(logs, -np.log(noise))

    def unusual(self, logs: Array) -> Array:
        """Return the standard deviation of each around what is usual, on the side where it is."""
        n = len(self.priors)
        of_alpha = np.where(logs[:n] > self.usual[:n], STRONGER, WEAKER)
        return np.append(of_alpha, [UNUSUAL_NOISE] * self.noisy)

    @property
    def highest(self) -> float:
        """Ln β beyond which data are as good as free of noise."""
        least = LEAST_NOISE / self.n_numbers
        return float(on_grid(self.usual[-1] + np.log(NOISE_IF_UNKNOWN / least)))

    def split(self, logs: Array) -> tuple[Array, float]:
        """Return α and β."""
        return (np.exp(logs[:-1]), float(np.exp(logs[-1]))) if self.noisy else (np.exp(logs), 1.0)

    def at(self, logs: Array, near: Array) -> Point:
        """Return the minimum of the cost that is found from a point, and what is known there."""
        now, beta = self._now(logs)
        chosen = choose("lm" if self.noisy else "auto", now, len(near))
        in_nats = 2.0 * beta * now.scale / self.n_numbers if self.noisy else 1.0
        tol, most = TOLERANCE / max(1.0, in_nats), MOST_ITERATIONS_ON_THE_WAY[chosen.optimizer.name]
        rules = limits(tol, most, self.cancellation)
        end = descended(now, near, chosen, rules)
        # of classes rounding errors would decide where it leads, and so which evidence is found
        end = leave_saddles(now, end, chosen, rules) if self.noisy else end
        return self._known(logs, end.theta)

    def following(self, logs: Array, theta: Array) -> Point | None:
        """Return the minimum that a minimum becomes, None where it ends."""
        now, beta = self._now(logs)
        if not is_exact(now):
            return self.at(logs, theta)
        refined = _refined(now, theta, beta, self.cancellation)
        return None if refined is None else self._known(logs, *refined)

    def beginning(self, theta: Array) -> Point:
        """Return the point with the usual α, and the noise that is left by it.

        The noise is what is unexplained, over the numbers not used up: see `default_alpha`.

        Raises
        ------
        TrainingError
            If the curvature of the cost is not positive at its minimum.
        """
        try:
            point = self.at(on_grid(self.usual), theta)
            for _ in range(ROUNDS_OF_BEGINNING if self.noisy else 0):
                found = self.noise_left(point.logs, point.theta, point.laplace)
                if abs(found - point.logs[-1]) < SAME_SHARE_OF_NOISE or self.cancellation.reason:
                    break
                point = self.at(on_grid(np.append(point.logs[:-1], found)), point.theta)
        except linalg.LinAlgError:
            raise TrainingError(
                "the curvature of the cost is not positive at its minimum"
            ) from None
        return point

    def logs_at_level(self, level: Level) -> Array:
        """Return the ln α and ln β of a level."""
        logs = self.usual.copy()
        logs[: len(self.priors)] += level.log_alpha
        if self.noisy:
            logs[-1] = min(logs[-1] + np.log(NOISE_IF_UNKNOWN / level.noise), self.highest)
        return logs

    def beginning_at(self, theta: Array, level: Level) -> Point:
        """Return the minimum near a point with the penalty and the noise of a level.

        Raises
        ------
        TrainingError
            If the curvature of the cost is not positive at its minimum.
        """
        return self.among(self.logs_at_level(level), theta)

    def among(self, logs: Array, theta: Array) -> Point:
        """Return the minimum near a point, as `at`, or raise TrainingError if there is none."""
        try:
            return self.at(on_grid(logs), theta)
        except linalg.LinAlgError:
            raise TrainingError(
                "the curvature of the cost is not positive at its minimum"
            ) from None

    def noise_left(self, logs: Array, theta: Array, known: Laplace) -> float:
        """Return the ln β that is highest if neither the weights nor γ depend on it."""
        free = self.n_numbers - known.n_effective
        free = max(free, LEAST_SHARE * self.n_numbers)
        error = 2.0 * self.objective.with_decay(np.zeros(len(theta))).cost(theta)
        off = UNUSUAL_NOISE**-2 * (logs[-1] - self.usual[-1])
        found = np.log(max(free - 2.0 * off, 0.5 * free) / max(error, np.finfo(float).tiny))
        return float(min(found, self.highest))

    def cost_with(self, logs: Array) -> Objective:
        """Return the cost that belongs to ln α and ln β."""
        alpha, beta = self.split(logs)
        return self.objective.with_decay(self.priors.spread(alpha) / beta)

    def _now(self, logs: Array) -> tuple[Objective, float]:
        return self.cost_with(logs), self.split(logs)[1]

    def _known(self, logs: Array, theta: Array, exact: Array | None = None) -> Point:
        now, beta = self._now(logs)
        known = laplace(now, theta, self.priors, beta, self.n_numbers)
        return Point(self, logs, now, theta, known, exact)


@dataclass(eq=False)
class _Ascent:
    """BFGS, uphill, on a landscape with cliffs.

    The minimum ends where it turns into a saddle. Only a full step may jump to another minimum; if
    nothing is gained there, shorter ones follow this one, as far as it goes.
    """

    at: Point
    monitor: Monitor | None
    cancellation: Cancellation
    nats: float | None
    n: int = 0

    def __post_init__(self) -> None:
        self.steps = [self._step()]

    def run(self) -> str:
        """Climb; return how it ended."""
        B, fresh, again = self._first_curvature(), True, False
        small = short = 0
        while len(self.steps) <= MOST_STEPS:
            if (why := self.cancellation.reason) is not None:
                return why
            direction = B @ self.at.slope
            promised = 0.5 * float(self.at.slope @ direction)
            if promised < little(self.at.laplace, self.nats) or np.abs(direction).max() < GRID:
                return "converged"
            trials, there = self._higher(direction, promised, jump=not again)
            if there is None:
                if fresh and self.cancellation.reason is None:
                    return "edge"
                B, fresh, again = self._first_curvature(), True, True
                continue
            gained = there.height - self.at.height
            B = _updated(B, there.logs - self.at.logs, self.at.slope - there.slope)
            self.at, fresh, again = there, False, False
            self.steps.append(self._step())
            if self.monitor is not None:
                self.monitor(self.steps[-1])
            small = small + 1 if gained < little(self.at.laplace, self.nats) else 0
            short = short + 1 if trials > 2 else 0
            if small == CONVERGED_STEPS:
                return "converged"
            if short == CONVERGED_STEPS:
                return "edge"
        return "max_iter"

    def _higher(self, direction: Array, promised: float, jump: bool) -> tuple[int, Point | None]:
        """Return how many steps were tried along a direction, and a point that is higher."""
        t = min(1.0, LONGEST / float(np.abs(direction).max()))
        for trial in range(TRIALS):
            if self.cancellation.reason is not None:
                break
            self.n += 1
            there = self._attempt(self.at.logs + t * direction, jump=jump and trial == 0)
            wanted = self.at.height + SUFFICIENT * t * 2.0 * promised
            if there is not None and there.height >= wanted:
                return trial + 1, there
            t *= SHORTER
        return TRIALS, None

    def _attempt(self, logs: Array, jump: bool) -> Point | None:
        """Return the point at other α and β, None where there is none."""
        problem = self.at.problem
        if problem.noisy:
            logs[-1] = min(logs[-1], problem.highest)
        logs = on_grid(logs)
        try:
            there = problem.following(logs, self.at.theta)
            if there is None and jump:
                there = problem.at(logs, self.at.theta)
        except (linalg.LinAlgError, TrainingError):
            return None
        return there

    def _first_curvature(self) -> Array:
        return np.diag(1.0 / self.at.curvature)

    def _step(self) -> Step:
        known = self.at.laplace
        return Step(known.log_evidence, known.n_effective, known.cost)


def on_grid(logs: Array) -> Array:
    """Return ln α and ln β to three decimals.

    Where the evidence has many maxima a rounding error can decide which one is found. Forgotten at
    every step it seldom does.
    """
    return np.asarray(np.round(logs / GRID) * GRID)


def little(known: Laplace, nats: float | None = None) -> float:
    """Return how many nats are not worth another step."""
    return (CONVERGED_NATS if nats is None else nats) * max(1.0, known.n_effective)


def _updated(B: Array, s: Array, y: Array) -> Array:
    """Return the inverse curvature with what a step s has taught, along which the slope fell by y.

    BFGS: Nocedal & Wright 2006, Numerical Optimization, eq. 6.17.
    """
    ys = float(y @ s)
    if ys <= STRAIGHT * float(np.linalg.norm(y) * np.linalg.norm(s)):
        return B
    left = np.eye(len(s)) - np.outer(s, y) / ys
    return np.asarray(left @ B @ left.T + np.outer(s, s) / ys)


def _refined(
    objective: Objective, theta: Array, beta: float, cancellation: Cancellation
) -> tuple[Array, Array] | None:
    """Return the minimum that Newton's steps lead to, and its Hessian; None if one goes astray."""
    J, g = objective.evaluate(theta, 1)
    for _ in range(REFINING_STEPS):
        if cancellation.reason is not None:
            return None
        H = objective.hessian(theta)
        try:
            factor = linalg.cho_factor(H, check_finite=False)
        except linalg.LinAlgError:
            return None
        step = linalg.cho_solve(factor, g, check_finite=False)
        if 0.5 * beta * float(g @ step) < REFINED_NATS:
            return theta, H
        before = J
        J, g = objective.evaluate(theta - step, 1)
        if not J < before:
            return None
        theta = theta - step
    return None
