"""What a model says of inputs and rows, in the user's units."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import optimize

from chainrule._contracts import Array
from chainrule._errors import ConfigurationError
from chainrule.statistics import influence, sensitivity
from chainrule.training.model import Model
from chainrule.training.robust import counted

CANDIDATES, FOLLOWED = 2_000, 10  # of inputs tried for the best one
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


@dataclass(frozen=True, eq=False)
class Best:
    """The inputs for which a prediction is highest, or lowest.

    Attributes
    ----------
    inputs : dict of str to float
        In users' units.
    prediction : float
    std : float or None
        How sure that is, noise included; None for classes, or where it is not known.
    at_edge : tuple of str
        Inputs that are at an end of their range: beyond it might be better.
    """

    inputs: dict[str, float]
    prediction: float
    std: float | None
    at_edge: tuple[str, ...]


def best_input(
    model: Model,
    fixed: Mapping[str, float],
    *,
    minimize: bool = False,
    target: int | str = 0,
) -> Best:
    """Return the inputs, within the range of the data, for which a prediction is highest.

    Many are tried, and the best of them followed uphill with the exact derivatives.

    Raises
    ------
    ConfigurationError
        If an input or a target has not that name, or a value is far from the data.
    """
    known = model.known()
    names, k = model.input_names, _place(target, model.output_names)
    low, high = (_unscaled(model, bound) for bound in (known.lowest.copy(), known.highest.copy()))
    for name, value in fixed.items():
        if name not in names:
            raise ConfigurationError(
                f"there is no input {name!r}; the inputs are {', '.join(map(repr, names))}"
            )
        if not np.isfinite(value):
            raise ConfigurationError(f"input {name!r} is given as {value}; give a finite number")
        low[names.index(name)] = high[names.index(name)] = float(value)
    groups = [
        [names.index(name) for name in column.inputs]
        for column in model.columns
        if column.kind == "category"
    ]
    sign = 1.0 if minimize else -1.0

    def height(X: Array) -> Array:
        return sign * model.outputs_of_inputs(np.atleast_2d(X))[:, k]

    tried = _candidates(low, high, groups, set(fixed), names)
    order = np.argsort(height(tried), kind="stable")[:FOLLOWED]
    free = np.flatnonzero(high > low)
    plain = np.array([j for j in free if not any(j in of for of in groups)], dtype=int)
    best = tried[order[0]]
    for start in tried[order] if len(plain) else ():
        moved = _followed(model, start, plain, low, high, sign, k)
        if height(moved)[0] < height(best)[0]:
            best = moved
    edge = [j for j in plain if min(best[j] - low[j], high[j] - best[j]) <= 1e-6 * (high - low)[j]]
    std = None
    if not model.classes:
        std = float(model.certainty(best[None, :]).std[0, k])
    return Best(
        dict(zip(names, best.tolist(), strict=True)),
        float(sign * height(best)[0]),
        std,
        tuple(names[j] for j in edge),
    )


def _place(target: int | str, names: Sequence[str]) -> int:
    if target in names:
        return list(names).index(str(target))
    if isinstance(target, int) and 0 <= target < len(names):
        return target
    raise ConfigurationError(f"there is no output {target!r}; they are {', '.join(names)}")


def _unscaled(model: Model, row: Array) -> Array:
    return np.array(model.input_scaling.inverse(row[None, :])[0])


def _candidates(
    low: Array, high: Array, groups: list[list[int]], fixed: set[str], names: Sequence[str]
) -> Array:
    """Return inputs spread over their ranges; of a category one input is 1, the others 0."""
    rng = np.random.default_rng(0)
    tried = low + (high - low) * rng.uniform(size=(CANDIDATES, len(low)))
    tried[: CANDIDATES // 4] = np.where(
        rng.uniform(size=tried[: CANDIDATES // 4].shape) < 0.5, low, high
    )
    for group in groups:
        if any(names[j] in fixed for j in group):
            continue
        tried[:, group] = 0.0
        tried[np.arange(CANDIDATES), rng.choice(group, CANDIDATES)] = 1.0
    return np.asarray(tried)


def _followed(
    model: Model, start: Array, free: Any, low: Array, high: Array, sign: float, k: int
) -> Array:
    """Return where the prediction leads uphill from one input, within bounds."""
    width = high[free] - low[free]

    def inputs(share: Array) -> Array:
        X = start.copy()
        X[free] = low[free] + share * width
        return X[None, :]

    def cost(share: Array) -> tuple[float, Array]:
        X = inputs(share)
        value = sign * float(model.outputs_of_inputs(X)[0, k])
        return value, sign * derivatives(model, X)[0, k, free] * width

    share = (start[free] - low[free]) / width
    found = optimize.minimize(
        cost, share, jac=True, method="L-BFGS-B", bounds=[(0.0, 1.0)] * len(free)
    )
    return np.asarray(inputs(found.x)[0])


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
