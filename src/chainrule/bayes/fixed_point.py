"""MacKay's fixed point: α and β are re-estimated while the weights are still on their way.

    α_c = γ_c / Σ_c θ²        β = (N - γ) / 2 E_D

After a few iterations of the weights both are set to what they would be if neither the minimum nor
γ depended on them (MacKay 1992, Neural Computation 4:415; during training: Foresee & Hagan 1997,
Proc. ICNN, p. 1930). Where this ends depends on where it begins, more than on the weights' seed:
with a weak penalty and little noise it ends at functions that follow the data more closely, which
the evidence of a deep network puts below smoother ones and which may predict better.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy import linalg

from chainrule._contracts import Array
from chainrule._errors import TrainingError
from chainrule.bayes.evidence import (
    TOLERANCE,
    Evidence,
    EvidenceProblem,
    Level,
    Point,
    Step,
    on_grid,
)
from chainrule.bayes.laplace import Laplace, laplace
from chainrule.optimize.methods import choose
from chainrule.optimize.minimize import descended
from chainrule.optimize.stopping import limits

FIXED_POINT = "fixed_point"
ITERATIONS = {"lm": 10, "broyden": 30, "lbfgs": 100}  # of the weights, between two estimates
FIRST_ROUND = 3  # times as many, from weights by chance
MOST_ROUNDS, FEWEST_ROUNDS = 15, 8  # more make no difference to rows that were not fitted
SAME_ROUNDS, SAME_NATS = 3, 1.0  # rounds in which less is gained
LONGEST_UPDATE = 3.0  # of a ln α
NEWTON_STEPS = 20  # of one equation for each ln α, from above


def fixed_point_from_level(
    problem: EvidenceProblem, level: Level, theta: Array, fewest: int = FEWEST_ROUNDS
) -> Evidence:
    """Return the fixed point that is reached from a level and a start."""
    return fixed_point_from(problem, problem.logs_at_level(level), theta, fewest)


def fixed_point_from(
    problem: EvidenceProblem, logs: Array, theta: Array, fewest: int = FEWEST_ROUNDS
) -> Evidence:
    """Return the best round on the way to the fixed point from ln α, ln β and weights.

    The weights are near the minimum that belongs to it, but not yet there.

    Parameters
    ----------
    problem : EvidenceProblem
    logs : ndarray (groups,) or (groups + 1,)
        Ln α, and ln β where there is noise.
    theta : ndarray (p,)
    fewest : int
        Rounds, before it may have settled.

    Raises
    ------
    TrainingError
        If the curvature of the cost is not positive on the way.
    """
    steps: list[Step] = []
    points: list[Point] = []
    while True:
        theta, known = _round(problem, logs, theta, 1 if steps else FIRST_ROUND)
        steps.append(Step(known.log_evidence, known.n_effective, known.cost))
        points.append(Point(problem, logs, problem.cost_with(logs), theta, known))
        enough = len(steps) == MOST_ROUNDS or _has_converged(points, fewest)
        if enough or problem.cancellation.reason:
            break
        logs = _updated(problem, logs, theta, known)
    # where rows are few it may leave again what was better
    best = max(points, key=lambda of: of.height)
    alpha, beta = problem.split(best.logs)
    ended = problem.cancellation.reason or FIXED_POINT
    n = len(steps)
    return Evidence(problem.priors, best.theta, alpha, beta, best.laplace, ended, tuple(steps), n)


def at_minimum(problem: EvidenceProblem, found: Evidence) -> Evidence:
    """Return what was found at the minimum of the cost that belongs to it, off all saddles."""
    logs = np.log(np.append(found.alpha, [found.beta] * problem.noisy))
    end = problem.among(on_grid(logs), found.theta)
    alpha, beta = problem.split(end.logs)
    return replace(found, theta=end.theta, alpha=alpha, beta=beta, laplace=end.laplace)


def _round(
    problem: EvidenceProblem, logs: Array, theta: Array, longer: int
) -> tuple[Array, Laplace]:
    """Return the weights some iterations further on, and what is known there."""
    now, beta = problem.cost_with(logs), problem.split(logs)[1]
    chosen = choose("lm" if problem.noisy else "auto", now, len(theta))
    n_iterations = longer * ITERATIONS[chosen.optimizer.name]
    rules = limits(TOLERANCE, n_iterations, problem.cancellation)
    theta = descended(now, theta, chosen, rules).theta
    try:
        return theta, laplace(now, theta, problem.priors, beta, problem.n_numbers)
    except linalg.LinAlgError:
        raise TrainingError("the curvature of the cost is not positive on the way") from None


def _has_converged(points: list[Point], fewest: int) -> bool:
    if len(points) <= max(fewest, SAME_ROUNDS):
        return False
    return abs(points[-1].height - points[-1 - SAME_ROUNDS].height) < SAME_NATS


def _updated(problem: EvidenceProblem, logs: Array, theta: Array, known: Laplace) -> Array:
    """Return ln α and ln β as they would be if neither the minimum nor γ depended on them."""
    n = len(problem.priors)
    squares, gamma = problem.priors.sums(theta**2), known.gamma.clip(0.0)
    usual = problem.usual[:n]
    # the slope of what is maximized is 0: γ = α Σ θ² + 2 (ln α - usual) / unusual², which rises
    above = np.exp(usual) * squares <= gamma
    stiffness = 2.0 / problem.unusual(np.where(above, usual + 1.0, usual - 1.0))[:n] ** 2
    with np.errstate(divide="ignore", invalid="ignore"):  # of a group that is held at 0
        where = np.maximum(usual, np.log(gamma) - np.log(squares))
    found = np.where(above, np.fmin(where, usual + gamma / stiffness), usual)
    for _ in range(NEWTON_STEPS):  # convex: from above no step goes too far
        alpha_squares = np.exp(found) * squares
        excess = alpha_squares + stiffness * (found - usual) - gamma
        found = found - excess / (alpha_squares + stiffness)
    found = np.clip(found, logs[:n] - LONGEST_UPDATE, logs[:n] + LONGEST_UPDATE)
    if problem.noisy:
        found = np.append(found, problem.noise_left(logs, theta, known))
    return on_grid(found)
