"""MacKay's fixed point: α and β are re-estimated while the weights are still on their way.

    α_c = γ_c / Σ_c θ²        β = (N - γ) / 2 E_D

After a few iterations of the weights both are set to what they would be if neither the minimum nor
γ depended on them (MacKay 1992, Neural Computation 4:415; during training: Foresee & Hagan 1997,
Proc. ICNN, p. 1930). Where this ends depends on where it begins, more than on the weights' seed:
with a weak penalty and little noise it ends at functions that follow the data more closely, which
the evidence of a deep network puts below smoother ones and which may predict better.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import linalg

from chainrule._contracts import Array
from chainrule._errors import TrainingError
from chainrule.bayes.default_alpha import NOISE_IF_UNKNOWN
from chainrule.bayes.evidence import (
    TOLERANCE,
    Evidence,
    EvidenceProblem,
    Point,
    Step,
)
from chainrule.bayes.laplace import Laplace, laplace
from chainrule.optimize.methods import choose
from chainrule.optimize.minimize import descended
from chainrule.optimize.stopping import limits

ITERATIONS = {"lm": 10, "broyden": 30, "lbfgs": 100}  # of the weights, between two estimates
MOST_ROUNDS, FEWEST_ROUNDS = 15, 8  # more make no difference to rows that were not fitted
SETTLED_ROUNDS, SETTLED_NATS = 3, 1.0  # rounds in which less is gained
LONGEST_UPDATE = 3.0  # of a ln α
LEAST_GAMMA = 1e-3  # of a group, so that its α stays finite


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
LEVELS = (STRONG, USUAL, WEAK)


def settle(problem: EvidenceProblem, level: Level, theta: Array) -> Evidence:
    """Return the fixed point that is reached from a level and a start.

    The weights are near the minimum that belongs to it, but not yet there.

    Parameters
    ----------
    problem : EvidenceProblem
    level : Level
    theta : ndarray (p,)

    Raises
    ------
    TrainingError
        If the curvature of the cost is not positive on the way.
    """
    logs = problem.usual.copy()
    logs[: len(problem.priors)] += level.log_alpha
    if problem.noisy:
        logs[-1] = min(logs[-1] + np.log(NOISE_IF_UNKNOWN / level.noise), problem.highest)
    steps: list[Step] = []
    heights: list[float] = []
    while True:
        theta, known = _round(problem, logs, theta)
        steps.append(Step(known.log_evidence, known.n_effective, known.cost))
        heights.append(Point(problem, logs, problem.cost_with(logs), theta, known).height)
        if problem.cancellation.reason or len(steps) == MOST_ROUNDS or _has_settled(heights):
            break
        logs = _updated(problem, logs, theta, known)
    alpha, beta = problem.split(logs)
    ended = problem.cancellation.reason or "fixed_point"
    return Evidence(problem.priors, theta, alpha, beta, known, ended, tuple(steps), len(steps))


def _round(problem: EvidenceProblem, logs: Array, theta: Array) -> tuple[Array, Laplace]:
    """Return the weights some iterations further on, and what is known there."""
    now, beta = problem.cost_with(logs), problem.split(logs)[1]
    chosen = choose("lm" if problem.noisy else "auto", now, len(theta))
    rules = limits(TOLERANCE, ITERATIONS[chosen.optimizer.name], problem.cancellation)
    theta = descended(now, theta, chosen, rules).theta
    try:
        return theta, laplace(now, theta, problem.priors, beta, problem.n_numbers)
    except linalg.LinAlgError:
        raise TrainingError("the curvature of the cost is not positive on the way") from None


def _has_settled(heights: list[float]) -> bool:
    if len(heights) <= max(FEWEST_ROUNDS, SETTLED_ROUNDS):
        return False
    return abs(heights[-1] - heights[-1 - SETTLED_ROUNDS]) < SETTLED_NATS


def _updated(problem: EvidenceProblem, logs: Array, theta: Array, known: Laplace) -> Array:
    """Return ln α and ln β as they would be if neither the minimum nor γ depended on them."""
    n = len(problem.priors)
    # the slope of the evidence and of what is usual is 0: γ - α Σ θ² = 2 (ln α - usual) / unusual²
    pull = 2.0 * (logs - problem.usual)[:n] / problem.unusual(logs)[:n] ** 2
    squares = np.maximum(problem.priors.sums(theta**2), np.finfo(np.float64).tiny)
    log_alpha = np.log(np.maximum(known.gamma - pull, LEAST_GAMMA) / squares)
    found = np.clip(log_alpha, logs[:n] - LONGEST_UPDATE, logs[:n] + LONGEST_UPDATE)
    return np.append(found, problem.noise_left(logs, theta, known)) if problem.noisy else found
