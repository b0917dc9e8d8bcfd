"""The penalty by the evidence: as strong as makes the data most probable.

ln p(y | α, β) of `statistics.evidence` is maximized over ln α of every group of weights and ln β,
each time at the minimum of the cost that belongs to them, by L-BFGS with its exact slope.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from scipy import linalg, optimize

from chainrule._contracts import Array
from chainrule._errors import TrainingError
from chainrule.heart.network import Network
from chainrule.statistics.evidence import Laplace, Priors, laplace
from chainrule.training.blas import one_thread
from chainrule.training.methods import choose
from chainrule.training.minimize import descended
from chainrule.training.objective import Objective
from chainrule.training.optimizers.stopping import limits
from chainrule.training.penalty import (
    LEAST_SHARE,
    LOG_ODDS,
    NOISE_IF_UNKNOWN,
    ROUNDS,
    SAME,
    WIDEST,
)

TOLERANCE = 1e-9  # of the minima on the way
NATS, STEPS = 1e-3, 3  # converged when so many steps in a row gain less
MOST_STEPS, TURNS = 100, 5
UNUSUAL = 1.0  # standard deviation of ln α around what is usual, before any data
FAR = 12.0  # of ln α from its beginning: beyond, a group is as good as 0, or as free


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
    converged : bool
    n_steps, n_evaluations : int
        Steps of α and β, and minima that were looked for.
    """

    priors: Priors
    theta: Array
    alpha: Array
    beta: float
    laplace: Laplace
    converged: bool
    n_steps: int
    n_evaluations: int

    @property
    def log_evidence(self) -> float:
        """Ln p(y | α, β), in nats."""
        return self.laplace.log_evidence


def priors_of(net: Network, inputs: tuple[int, ...] | None = None) -> Priors:
    """Return a group for each input, for the hidden biases of each layer, and for its weights.

    Parameters
    ----------
    net : Network
    inputs : tuple of int, optional
        The group of each input, counted from 0; each its own if left out.
    """
    of = np.full(net.n_parameters, -1, dtype=np.intp)
    groups = np.arange(net.layers[0]) if inputs is None else np.asarray(inputs)
    names = [f"input {k + 1}" for k in range(int(groups.max()) + 1)]
    last = net.n_layers - 1
    for name, block in net.blocks().items():
        l = int(name[2:-1])
        if name[0] == "W" and l <= 1:
            of[block] = np.repeat(groups, net.shapes()[name][1])
        elif name[0] == "W" or l < last:
            of[block] = len(names)
            names.append(name)
    return Priors(tuple(names), of)


def usual(net: Network, priors: Priors) -> Array:
    """Return α for each group as the rule of `penalty` has it."""
    alpha = np.ones(len(priors))
    last = net.n_layers - 1
    widest = 1.0 if net.loss == "squared" else LOG_ODDS**2
    for name, block in net.blocks().items():
        l = int(name[2:-1])
        for c in np.unique(priors.of[block]):
            if name[0] == "W" and c >= 0:
                d = net.layers[0] if l <= 1 else min(net.layers[l - 1], WIDEST)
                alpha[c] = d / (widest if l == last else 1.0)
    return alpha


def maximize(
    objective: Objective,
    theta: Array,
    priors: Priors | None = None,
    callback: Callable[[Laplace, Array], None] | None = None,
) -> Evidence:
    """Maximize the evidence from one start.

    Parameters
    ----------
    objective : Objective
        With any penalty: it is not looked at.
    theta : ndarray (p,)
        The start.
    priors : Priors, optional
        Which weights share one; `priors_of` the network if left out.
    callback : callable, optional
        Called as ``callback(laplace, theta)`` after every step.

    Raises
    ------
    TrainingError
        If no point was found where the curvature is positive.
    """
    priors = priors or priors_of(objective.net)
    problem = _Problem(objective, priors)
    with one_thread():
        at = problem.beginning(theta)
        ways = _Ways(problem, at, callback)
        bounds = [(value - FAR, value + FAR) for value in at.logs]
        # the minimum may jump to another one, which no line search expects: then from there again
        for _ in range(TURNS):
            before, _ = problem.height(ways.best)
            optimize.minimize(
                ways,
                ways.best.logs,
                jac=True,
                method="L-BFGS-B",
                bounds=bounds,
                callback=ways.step,
                options={"maxiter": MOST_STEPS, "ftol": 0.0, "gtol": 0.0},
            )
            height, slope = problem.height(ways.best)
            # that no step was found says nothing; that the slope promises nothing does
            ways.ended = ways.ended or 0.5 * float(slope @ slope) < NATS
            if ways.ended or height - before < NATS:
                break
    best = ways.best
    alpha, beta = problem.split(best.logs)
    return Evidence(
        priors, best.theta, alpha, beta, best.laplace, ways.ended, len(ways.gains), ways.n
    )


@dataclass(frozen=True, eq=False)
class _Point:
    logs: Array
    theta: Array
    laplace: Laplace


@dataclass(frozen=True, eq=False)
class _Problem:
    """The log evidence as a function of ln α and ln β."""

    objective: Objective
    priors: Priors

    @property
    def noisy(self) -> bool:
        """Whether the noise is to be found too."""
        return bool(self.objective.net.loss == "squared")

    @property
    def n_numbers(self) -> float:
        return float(self.objective.w.sum()) * self.objective.net.layers[-1] if self.noisy else 0.0

    def height(self, point: _Point) -> tuple[float, Array]:
        """Return what is maximized, and its slope: the evidence, and how usual α is."""
        off = (point.logs - self.usual) / UNUSUAL
        off[len(self.priors) :] = 0.0
        log_evidence = point.laplace.log_evidence
        return log_evidence - 0.5 * float(off @ off), point.laplace.slope - off / UNUSUAL

    @property
    def usual(self) -> Array:
        """Ln α by the rule, and 0 for ln β."""
        logs = np.log(usual(self.objective.net, self.priors))
        return np.append(logs, 0.0) if self.noisy else logs

    def split(self, logs: Array) -> tuple[Array, float]:
        """Return α and β."""
        if not self.noisy:
            return np.exp(logs), 1.0
        return np.exp(logs[:-1]), float(np.exp(logs[-1]))

    def at(self, logs: Array, near: Array) -> _Point:
        """Return the minimum of the cost near a point, and what is known there."""
        alpha, beta = self.split(logs)
        now = replace(self.objective, alpha=self.priors.spread(alpha) / beta)
        chosen = choose("auto", now, len(near))
        theta = descended(now, near, chosen, limits(TOLERANCE, None, None)).theta
        return _Point(logs, theta, laplace(now, theta, self.priors, beta, self.n_numbers))

    def beginning(self, theta: Array) -> _Point:
        """Return a point with the usual α, and the noise that is left by it."""
        logs = self.usual
        if not self.noisy:
            return self.at(logs, theta)
        logs[-1] = -np.log(NOISE_IF_UNKNOWN * 2.0 * self.objective.scale / self.n_numbers)
        for _ in range(ROUNDS):
            point = self.at(logs, theta)
            theta = point.theta
            free = max(self.n_numbers - point.laplace.n_effective, LEAST_SHARE * self.n_numbers)
            found = -np.log(2.0 * replace(self.objective, alpha=0.0).cost(theta) / free)
            if abs(found - logs[-1]) < SAME:
                return point
            logs = np.append(logs[:-1], found)
        return self.at(logs, theta)


@dataclass(eq=False)
class _Ways:
    """What the search over ln α and ln β has seen."""

    problem: _Problem
    best: _Point
    callback: Callable[[Laplace, Array], None] | None
    n: int = 0
    ended: bool = False
    gains: list[float] = field(default_factory=list)
    before: float = -np.inf

    def __call__(self, logs: Array) -> tuple[float, Array]:
        self.n += 1
        try:
            point = self.problem.at(logs, self.best.theta)
        except (linalg.LinAlgError, TrainingError):
            return np.inf, np.zeros_like(logs)
        height, slope = self.problem.height(point)
        if height > self.problem.height(self.best)[0]:
            self.best = point
        return -height, -slope

    def step(self, _: Any) -> None:
        now, _ = self.problem.height(self.best)
        self.gains.append(now - self.before)
        self.before = now
        if self.callback is not None:
            self.callback(self.best.laplace, self.best.theta)
        if len(self.gains) > STEPS and max(self.gains[-STEPS:]) < NATS:
            self.ended = True
            raise StopIteration
