"""Noise that varies from row to row: a network for its precision.

The noise is allowed to differ from row to row. A network with an exp output learns its precision
β(x): the log likelihood of a residual r is ½ ln β - ½ β r², which is that of Poisson's loss for the
target 1/r² with weight r²/2. Its penalty is found by the evidence, and the evidence says how large
it has to be, or that the noise is the same everywhere. Residuals are too small by what a row has
done to its own prediction, so that r times r without the row itself stands for r².
"""

from __future__ import annotations

import numpy as np

from chainrule._cancellation import Cancellation
from chainrule._contracts import Array
from chainrule._errors import TrainingError
from chainrule.bayes import empirical_bayes
from chainrule.bayes.empirical_bayes import SearchOptions
from chainrule.bayes.posterior import Noise, Precision
from chainrule.bayes.priors import priors_of
from chainrule.heart.network import Network
from chainrule.objectives.objective import Objective
from chainrule.rows.protocol import Block, Rows

# hidden units of networks that are tried, the smallest first
SIZES_OF_NOISE: tuple[tuple[int, ...], ...] = ((), (3,), (8,))
FEWEST_FOR_VARYING = 50  # rows
WORTH = 2.0  # nats that a larger network for the noise has to gain
SIGNIFICANT = 0.99  # that noise varies, before a network is fitted to it
LEAST_SQUARE = 1e-6  # of the mean square: residuals of 0 say nothing of a precision without end


def varying_noise(
    rows: Rows,
    squares: Array,
    times: Array,
    least: float,
    kind: str,
    seed: int,
    cancellation: Cancellation,
) -> Noise:
    """Return the variance of the noise from squared residuals, (n, K), not less than assumed."""
    mean = np.maximum(times @ squares / times.sum(), max(least, np.finfo(np.float64).tiny))
    if kind == "constant" or times.sum() < FEWEST_FOR_VARYING:
        return Noise(mean)
    relative = np.maximum(squares / mean, LEAST_SQUARE)
    options = SearchOptions(cancellation=cancellation)
    found = [
        _network_of_precision(rows, relative[:, k], times, seed, options)
        for k in range(squares.shape[1])
    ]
    if all(of is None for of in found):
        return Noise(mean)
    flat = Network([rows.n_inputs, 1], output="exp")
    same = Precision(flat, np.zeros(flat.n_parameters), 1.0, 1.0)
    return Noise(mean, tuple(of or same for of in found))


def _network_of_precision(
    rows: Rows, squares: Array, times: Array, seed: int, options: SearchOptions
) -> Precision | None:
    """Return how the precision of the noise varies, None if it is the same everywhere."""
    weights = 0.5 * times * squares
    inverse = rows.retargeted(1.0 / squares[:, None]).reweighted(weights)
    best, found = _evidence_of_one_level(float(weights.sum()), 0.5 * float(times.sum())), None
    for hidden in SIZES_OF_NOISE:
        if options.cancellation.reason:
            break
        net = Network([rows.n_inputs, *hidden, 1], output="exp")
        objective = Objective.on(inverse, net)
        try:
            penalty = empirical_bayes.estimate_hyperparameters(
                objective, priors_of(net), seed, options=options
            )
        except TrainingError:
            break
        theta = empirical_bayes.refine(objective.with_decay(penalty.decay), penalty.best.theta)
        height = penalty.log_evidence(objective, theta)
        if not height > best + WORTH:
            if hidden or not _varies(rows, squares, times):
                break
            continue  # what is symmetric has no slope
        y_hat = objective.y_hat(theta)
        best, found = height, Precision(net, theta, float(y_hat.min()), float(y_hat.max()))
    return found


def _varies(rows: Rows, squares: Array, times: Array) -> bool:
    """Return whether relative squared residuals, (n,), depend on the squares of the inputs.

    White's test, of which the terms without a slope are asked here (White 1980, Econometrica
    48:817): n R² of their regression is chi-square.
    """

    def features(of: Block) -> Array:
        return np.column_stack([np.ones(len(of.X)), of.X, of.X**2])

    A = rows.map(features)
    w = times / times.sum()
    if len(w) <= 2 * A.shape[1]:
        return False
    # few large squares would decide by themselves
    u = np.log(np.maximum(squares, LEAST_SQUARE))
    root = np.sqrt(w)
    fitted = A @ np.linalg.lstsq(root[:, None] * A, root * u, rcond=None)[0]
    mean = float(w @ u)
    explained = float(w @ (fitted - mean) ** 2) / max(float(w @ (u - mean) ** 2), 1e-300)
    n = float(times.sum())
    from scipy import special  # late: loading it takes longer than most fits

    return n * explained > float(special.chdtri(A.shape[1] - 1, 1.0 - SIGNIFICANT))


def _evidence_of_one_level(total: float, half: float) -> float:
    """Return that of a precision that is the same everywhere: exp of a bias with no prior.

    Its cost is J = total exp(b) - half b; the curvature at its minimum is half.
    """
    level = np.log(half / total)
    return float(half * level - half - 0.5 * np.log(half))
