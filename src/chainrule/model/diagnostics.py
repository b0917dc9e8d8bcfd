"""Diagnostics of a fitted model in users' units: sensitivity, leverage, influence."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from chainrule._cancellation import Cancellation
from chainrule._contracts import Array
from chainrule._errors import ConfigurationError
from chainrule.bayes import leverage
from chainrule.bayes.leverage import unit_weights
from chainrule.bayes.loo import loo, sample
from chainrule.bayes.posterior import Posterior
from chainrule.bayes.student_t import inefficiency, student_t_weights
from chainrule.model import sensitivity
from chainrule.model.fit_report import Sensitivities, SensitivityReport, StudentReport
from chainrule.model.model import Model, require_predictable
from chainrule.rows.protocol import Rows

MOST_ROWS_OF_SLOPES = 2_000  # for mean slopes
NUMBERS, FEWEST_FOR_ERRORS = 100_000, 200  # for their errors, which are known to a tenth only
INPUT_STEP = 1e-3  # of a scaled input
LARGEST_SLOPE = 1e300  # in users' units


def derivatives(model: Model, X: Array) -> Array:
    """Return dŷ/dx for inputs that `encoded` has made, (n, outputs, inputs), in users' units.

    Of the minima that predict together, the mean; an input that is ignored has none. Probabilities
    that allow for what is not known have no short formula: theirs are differences.
    """
    known = model.posterior
    plain = known is None or (known.moderation == 0.0 and len(known) == 1)
    if known is not None and model.network.loss == "cross_entropy" and not plain:
        return _of_probabilities(model, known, X)
    thetas = [model.theta] if model.posterior is None else list(model.posterior.theta)
    scaled = model.input_scaling.transform(X)
    each = [sensitivity.derivatives(model.network, theta, scaled) for theta in thetas]
    return np.asarray(np.mean(each, axis=0) * _units(model))


def _of_probabilities(model: Model, known: Posterior, X: Array) -> Array:
    """Return dŷ/dx by central differences of the fourth order: ten digits."""
    net, scaled = model.network, model.input_scaling.transform(X)
    found = np.empty((len(X), net.layers[-1], scaled.shape[1]))
    for j, step in enumerate(INPUT_STEP * np.eye(scaled.shape[1])):
        one, two = (
            known.outputs(net, scaled + k * step) - known.outputs(net, scaled - k * step)
            for k in (1.0, 2.0)
        )
        found[:, :, j] = (8.0 * one - two) / (12.0 * INPUT_STEP)
    return found * _units(model)


def _units(model: Model) -> Array:
    """Return one unit of the target over that of the input, in the scale of the network."""
    with np.errstate(over="ignore"):
        found = model.target_scaling.scale[:, None] * _inverse(model.input_scaling.scale)
    return np.clip(found, -LARGEST_SLOPE, LARGEST_SLOPE)


def _inverse(scale: Array) -> Array:
    """Return one over it, 0 for what is ignored."""
    return np.divide(1.0, scale, out=np.zeros_like(scale), where=scale > 1.0 / LARGEST_SLOPE)


def hat_matrix(model: Model, X: Array, learned: Array, w: Array) -> Array:
    """Return dŷ/dy of inputs X with respect to the targets of rows that were learned.

    Of a squared loss, (m, outputs, n, outputs), in users' units.
    """
    net = model.network
    if (net.output, net.loss) != ("identity", "squared"):
        raise ConfigurationError(
            f"output {net.output!r} with loss {net.loss!r} has no votes; of numbers that are "
            "predicted with squared loss each row has one"
        )
    root, variance = model.known().roots[0], _variance(model)
    A, B = (model.input_scaling.transform(of) for of in (learned, X))
    found = leverage.hat_matrix(net, model.theta, A, w / variance, root, B)
    scale = model.target_scaling.scale
    return np.asarray(found * scale[:, None, None] / scale)


def _variance(model: Model) -> float:
    """Return that of the noise, which the covariance of the weights was multiplied by."""
    report = model.report
    if report is None or report.posterior is None:
        raise ConfigurationError(
            "this model does not say how it was trained, so that rows cannot be judged"
        )
    return report.posterior.variance


def counts_of_tails(model: Model, X: Array, Y: Array | None) -> Array:
    """Return what rows that were learned count, (n,): 1, but for noise with heavy tails."""
    student = _student(model)
    if student is None:
        return np.ones(len(X))
    if Y is None:
        raise ConfigurationError(
            "noise 'student' lets rows count by their targets; give those that were learned too"
        )
    A, B = model.input_scaling.transform(X), model.target_scaling.transform(Y)
    errors = model.network.forward(np.array(student.theta), A).y_hat - B
    return student_t_weights(errors, student.degrees, np.array(student.scale)) / student.most


def _student(model: Model) -> StudentReport | None:
    return None if model.report is None else model.report.student


@dataclass(frozen=True, eq=False)
class OfRows:
    """What every row does to the best network.

    Attributes
    ----------
    leverage, distance : ndarray (n,)
        As `RowInfluence` has them; the distance in standard deviations of what is known of weights.
    decides : ndarray of bool (n,)
        Whether a row decides by itself.
    without : ndarray (n, outputs)
        What is predicted for each row by a fit without it, in users' units.
    gamma : float
        The sum of leverages, each as often as the row counts.
    """

    leverage: Array
    distance: Array
    decides: NDArray[np.bool_]
    without: Array
    gamma: float


def of_rows(model: Model, X: Array, Y: Array, w: Array) -> OfRows:
    """Return what rows that were learned, as `encoded` has made them, do to the fit.

    Raises
    ------
    ConfigurationError
        If nothing is known of the weights.
    """
    net, tails = model.network, counts_of_tails(model, X, Y)
    root, variance = model.known().roots[0], _variance(model)
    # a weight of which nothing is uncertain was fixed, or pressed against its bound
    held = np.diag(root) == 0.0
    fixed = np.where(held, model.theta, np.nan) if held.any() else None
    signs = None if model.report is None else model.report.plan.signs
    objective = model.objective(X, Y, None, w * tails, fixed, signs)
    unit_weight = unit_weights(w)
    unit_weight_now, given = unit_weight * tails, root / np.sqrt(variance)
    student = _student(model)
    further = 1.0 if student is None else inefficiency(student.degrees)
    with np.errstate(all="ignore"):  # what is not finite is refused
        rows = objective.rows.reweighted(unit_weight_now)
        found = leverage.influence(net, model.theta, rows, given, further)
        again = sample(objective, found.max_leverage).rows
        whole = Cancellation()  # nobody ends it
        found = loo(objective, model.theta, unit_weight_now, given, found, again, whole)
        without = model.target_scaling.inverse(net.pair.y_hat(found.z_loo))
    require_predictable(found.leverage, found.distance, without, what="influence")
    gamma = float(w / unit_weight @ found.leverage)
    decides = found.max_leverage > leverage.REFIT_ABOVE
    return OfRows(found.leverage, found.distance / np.sqrt(variance), decides, without, gamma)


def errors_of_weights(model: Model) -> tuple[dict[int, Array], dict[int, Array]]:
    """Return the standard errors of W and b of the best network, empty if nothing is known of them.

    In the scale of the network. That of a weight that is fixed, or held at 0 by its sign, is 0.
    """
    if model.posterior is None:
        return {}, {}
    return model.network.weights(np.sqrt(np.sum(model.posterior.roots[0] ** 2, axis=1)))


def average_partial_effects(model: Model, rows: Rows) -> Sensitivities:
    """Return how much each input says to each output, by output and input.

    In users' units: the mean of dŷ/dx over rows as `effect` with its `effect_error`, for words of
    a category against the mean of all its words; the mean of |dŷ/dx| as `slope` with its `error`,
    which is never 0 and no test of whether an input matters. `of_spread` is the slope for one
    scale of the input, with scale "standard" its standard deviation, in the unit of the target.
    Errors take noise as the same everywhere. The rows are in the scale of the network.
    """
    net, known = model.network, model.posterior
    contrasts = _contrasts(model)

    def slopes(theta: Array, most: int = MOST_ROWS_OF_SLOPES) -> Array:
        some = rows.take(slice(None, None, -(-rows.n_rows // most)))
        return sensitivity.mean_slopes(net, theta, some, contrasts)

    found = slopes(model.theta)
    errors = np.zeros_like(found)
    if known is not None:
        few = max(FEWEST_FOR_ERRORS, NUMBERS // (net.layers[0] * net.layers[-1]))
        of = partial(slopes, most=min(few, MOST_ROWS_OF_SLOPES))
        errors = sensitivity.standard_error(of, model.theta, known.roots[0])
    of_spread = found[1] * model.target_scaling.scale[:, None]
    units = _units(model)
    (effect, slope), (effect_error, error) = found * units, errors * units
    columns = {
        "effect": effect,
        "effect_error": effect_error,
        "slope": slope,
        "error": error,
        "of_spread": of_spread,
    }
    return {
        output: {
            name: SensitivityReport(**{key: float(of[k, j]) for key, of in columns.items()})
            for j, name in enumerate(model.input_names)
        }
        for k, output in enumerate(model.output_names)
    }


def _contrasts(model: Model) -> Array:
    """Return what takes slopes in the scale of the network less the mean of their category."""
    found, first = np.eye(len(model.input_names)), 0
    scale = model.input_scaling.scale
    inverse = _inverse(scale)
    for column in model.columns:
        if column.kind == "category":
            words = slice(first, first + len(column.levels))
            found[words, words] -= np.outer(inverse[words], scale[words]) / len(column.levels)
        first += len(column.inputs)
    return found
