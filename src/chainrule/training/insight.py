"""What a model says of inputs and rows, in the user's units."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from chainrule._contracts import Array
from chainrule._errors import ConfigurationError
from chainrule.statistics import influence, sensitivity
from chainrule.training.model import Model
from chainrule.training.robust import counted

MOST_ROWS = 2_000  # for mean slopes
FIRST = slice(1)


def derivatives(model: Model, X: Array) -> Array:
    """Return dŷ/dx for inputs that `encoded` has made, (n, outputs, inputs), in users' units.

    Of the minima that predict together, the mean; an input that is ignored has none.
    """
    thetas = [model.theta] if model.posterior is None else list(model.posterior.theta)
    scaled = model.input_scaling.transform(X)
    each = [sensitivity.derivatives(model.network, theta, scaled) for theta in thetas]
    return np.asarray(np.mean(each, axis=0) * _units(model))


def _units(model: Model) -> Array:
    """Return one unit of the target over that of the input, in the scale of the network."""
    scale = model.input_scaling.scale
    inverse = np.divide(1.0, scale, out=np.zeros_like(scale), where=scale > 0.0)
    return np.asarray(model.target_scaling.scale[:, None] * inverse)


def votes(model: Model, X: Array, learned: Array, w: Array) -> Array:
    """Return dŷ/dy of inputs X with respect to the targets of rows that were learned.

    Of a squared loss, (m, outputs, n, outputs), in users' units.
    """
    net = model.network
    if (net.output, net.loss) != ("identity", "squared"):
        raise ConfigurationError(
            f"output {net.output!r} with loss {net.loss!r} has no votes; of numbers that are "
            "predicted with squared loss each row has one"
        )
    root, variance = model.known().roots[0], model.training["known"]["variance"]
    A, B = (model.input_scaling.transform(of) for of in (learned, X))
    found = influence.votes(net, model.theta, A, w / variance, root, B)
    scale = model.target_scaling.scale
    return np.asarray(found * scale[:, None, None] / scale)


def counts_of_tails(model: Model, X: Array, Y: Array | None) -> Array:
    """Return what rows that were learned count, (n,): 1, but for noise with heavy tails."""
    if "tails" not in model.training:
        return np.ones(len(X))
    if Y is None:
        raise ConfigurationError(
            "noise 'student' lets rows count by their targets; give those that were learned too"
        )
    A, B = model.input_scaling.transform(X), model.target_scaling.transform(Y)
    tails = model.training["tails"]
    errors = model.network.forward(np.array(tails["theta"]), A).y_hat - B
    return counted(errors, tails["degrees"], np.array(tails["scale"])) / float(tails["most"])


@dataclass(frozen=True, eq=False)
class OfRows:
    """What every row does to the best network.

    Attributes
    ----------
    leverage, distance : ndarray (n,)
        As `Influence` has them; the distance in standard deviations of what is known of weights.
    without : ndarray (n, outputs)
        What is predicted for each row by a fit without it, in users' units.
    """

    leverage: Array
    distance: Array
    without: Array


def of_rows(model: Model, X: Array, Y: Array, w: Array) -> OfRows:
    """Return what rows that were learned, as `encoded` has made them, do to the fit."""
    net = model.network
    root, variance = model.known().roots[0], model.training["known"]["variance"]
    A, B = model.input_scaling.transform(X), model.target_scaling.transform(Y)
    counts = w * counts_of_tails(model, X, Y)
    found = influence.influence(net, model.theta, A, B, counts, root / np.sqrt(variance))
    without = model.target_scaling.inverse(net.pair.y_hat(found.z_without))
    return OfRows(found.leverage, found.distance / np.sqrt(variance), without)


def relevance(model: Model, X: Array, w: Array) -> dict[str, dict[str, float]]:
    """Return how much each input says to the first target, as plain data.

    The mean of |dŷ/dx| over rows as `slope` with its `error`, in users' units; `of_spread` for a
    standard deviation of the input, in those of the target.
    """
    net, known = model.network, model.posterior
    rows = slice(None) if len(X) <= MOST_ROWS else slice(None, None, len(X) // MOST_ROWS + 1)
    scaled, w = model.input_scaling.transform(X)[rows], w[rows]
    slopes = sensitivity.mean_slopes(net, model.theta, scaled, w, FIRST)[0]
    errors = np.zeros_like(slopes)
    if known is not None:
        errors = sensitivity.error_of_mean_slopes(
            net, model.theta, known.roots[0], scaled, w, FIRST
        )[0]
    units, spread = _units(model)[0], model.target_scaling.scale[0]
    return {
        name: {
            "slope": float(slopes[j] * units[j]),
            "error": float(errors[j] * units[j]),
            "of_spread": float(slopes[j] * spread),
        }
        for j, name in enumerate(model.input_names)
    }
