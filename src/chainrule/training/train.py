"""Training: scale, find the penalty, start several times, minimize, and say what is known."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from chainrule._contracts import Array
from chainrule._errors import ConfigurationError, DataError
from chainrule.heart.gradient_check import check_gradient
from chainrule.heart.network import Network, row_weights
from chainrule.heart.own_functions import require_usable
from chainrule.statistics.evidence import Priors
from chainrule.tables.encoding import ColumnType
from chainrule.tables.encoding import input_names as input_names_of
from chainrule.tables.scaling import fit_scaling
from chainrule.tables.targets import Targets
from chainrule.training import bayes, growth, penalty
from chainrule.training.belief import Belief, believed
from chainrule.training.early_stopping import Validation
from chainrule.training.evidence import priors_of
from chainrule.training.history import Iteration
from chainrule.training.insight import relevance
from chainrule.training.minimize import Fit
from chainrule.training.model import Model
from chainrule.training.objective import Objective, decay_of, require_finite
from chainrule.training.optimizers.stopping import Termination
from chainrule.training.restarts import minimize_from_starts
from chainrule.training.robust import STUDENT, heavy_tails
from chainrule.training.starts import Restarts

ROWS_FOR_A_CHECK = 200
MOST_WORK = 1e11  # multiplications for second derivatives
COVERAGE = 0.95
MOST_INFLUENTIAL = 10  # rows that are named
LEAST_NOISE = 1e-3  # of a target, in the noise of the noisiest
EVIDENCE, RULE = "evidence", "rule"
Watcher = Callable[[int, "Model", Iteration], Termination | None]


@dataclass(frozen=True, eq=False)
class Trained:
    """A model, how it came about, and what every row has done to it.

    `belief` is None where second derivatives take too long, or do not exist.
    """

    model: Model
    restarts: Restarts
    belief: Belief | None = None

    @property
    def fit(self) -> Fit:
        """The best of the starts."""
        return self.restarts.best


def train(
    X: ArrayLike,
    Y: ArrayLike | Targets,
    network: Network | Callable[[int], Network],
    *,
    target_names: tuple[str, ...],
    input_names: tuple[str, ...] = (),
    columns: tuple[ColumnType, ...] = (),
    scale: str = "standard",
    alpha: float | Sequence[float] | str = EVIDENCE,
    sample_weight: ArrayLike | None = None,
    weight_unit: float | None = None,
    once: ArrayLike | None = None,
    fixed: ArrayLike | None = None,
    signs: ArrayLike | Callable[[Network], ArrayLike | None] | None = None,
    validation: NDArray[np.bool_] | None = None,
    patience: int = 10,
    like: Model | None = None,
    watch: Watcher | None = None,
    ensemble: int = 1,
    noise: str = "varying",
    n_restarts: int = 10,
    seed: int = 0,
    **options: Any,
) -> Trained:
    """Scale, start several times, minimize, and keep the best.

    Parameters
    ----------
    X : array_like (n, inputs)
        In the user's units.
    Y : array_like (n, outputs) or Targets
        In the user's units.
    network : Network or callable
        Or ``network(hidden)`` for each number of hidden units, of which the best is found: see
        `growth`.
    target_names, input_names : tuple of str
    columns : tuple of ColumnType, optional
        What the inputs were made from; numbers called `input_names` if left out.
    scale : {"standard", "max", "none"}
        Scaling of the inputs, and of the targets as far as the output allows: a sigmoid
        with squared loss takes max, and the others without a scale take none.
    alpha : float, sequence of float, "evidence" or "rule"
        The penalty ½ Σ α W², in the scale of the network: see `Objective`; "evidence": see
        `bayes`, and where there is none, as with "rule": see `penalty`.
    sample_weight : array_like (n,), optional
        A weight of 2 is the row twice, a weight of 0 is the row left out.
    weight_unit : float, optional
        The weight that counts as one row, found from them if left out: see `penalty`.
    once : array_like (n,), optional
        The weight of each row taken once; if left out 1 where all weights are whole numbers, which
        say how often, else all of it.
    fixed, signs : array_like (p,), optional
        As `Objective` takes them; of several sizes ``signs(network)``.
    validation : ndarray of bool (n,), optional
        Rows that are not trained on but decide when to stop: see `early_stopping`.
    patience : int
        For how many iterations these may cost no less.
    like : Model, optional
        Whose scaling to take, instead of measuring it.
    watch : callable, optional
        Called as ``watch(start, model, iteration)`` at every iteration of every start; a
        Termination that it returns ends that start.
    ensemble : int
        How many of the starts predict together, the best ones.
    noise : {"varying", "constant", "student"}
        Whether the noise may differ from row to row: see `belief`; or has heavy tails, so that rows
        that are far off count less: see `robust`.
    n_restarts, seed, **options
        As `minimize_from_starts` takes them.

    Returns
    -------
    Trained

    Raises
    ------
    DataError
        If no input varies, a target does not, or the output cannot reach it.
    ConfigurationError
        If a function of your own has a derivative that is wrong.
    TrainingError
        If every start failed.
    """
    network_of, signs_of = network, signs if callable(signs) else lambda _: signs
    network = network if isinstance(network, Network) else network(growth.SIZES[0])
    classes = Y.classes if isinstance(Y, Targets) else ()
    X = network.inputs(X)
    Y = network.targets(Y.Y if isinstance(Y, Targets) else Y, len(X))
    require_finite(X, "X")
    require_finite(Y, "Y")
    w = row_weights(sample_weight, len(X))
    counted = np.ones(len(w)) if not np.any(w % 1.0) else w
    v = counted if once is None else np.asarray(once, dtype=np.float64)
    trained_on = w > 0 if validation is None else (w > 0) & ~validation
    held_out = (w > 0) & ~trained_on
    aside = X[held_out], Y[held_out], w[held_out]
    X, Y, w, v = X[trained_on], Y[trained_on], w[trained_on], v[trained_on]
    names = input_names_of(columns) if columns else input_names
    if len(X) < 2:
        raise DataError(f"there is {len(X)} row; a fit needs at least 2")
    if not classes:
        _require_variation(Y, target_names)
    if fit_scaling("standard", X).ignored.all():
        raise DataError(f"no input varies ({', '.join(map(repr, names))}); give a column that does")
    model = Model(
        network,
        np.zeros(network.n_parameters),
        like.input_scaling if like else fit_scaling(scale, X, w),
        like.target_scaling if like else fit_scaling(_target_scale(network, scale), Y, w),
        names,
        target_names,
        {},
        columns,
        classes,
    )
    began = time.monotonic()
    require_usable(network)
    given = 0.0 if isinstance(alpha, str) else alpha
    objective = model.objective(X, Y, given, w, fixed, signs_of(network))
    _require_right_derivatives(objective)
    _require_reachable(objective, target_names)
    found, reason = None, None
    penalties: Any = alpha
    unit = penalty.unit_of_weights(w) if weight_unit is None else weight_unit
    variance = None
    sizes: tuple[growth.Size, ...] = ()
    if not isinstance(network_of, Network):
        if alpha != EVIDENCE or fixed is not None:
            raise ConfigurationError(
                f"how many hidden units are needed is found with alpha {EVIDENCE!r}, and no fixed "
                "weights; leave these out, or give the number of units"
            )

        def objective_of(hidden: int) -> Objective:
            net = network_of(hidden)
            return Objective(net, objective.X, objective.Y, 0.0, w, None, signs_of(net))

        kept = {name: options[name] for name in ("max_time", "progress") if name in options}
        hidden, sizes = growth.grown(
            objective_of, lambda of: _priors(model, of.net), seed, unit, **kept
        )
        network = network_of(hidden)
        model = replace(model, network=network, theta=np.zeros(network.n_parameters))
        objective = objective_of(hidden)
    if isinstance(alpha, str):
        said, reason = alpha, bayes.impossible(objective, unit)
        if said not in (EVIDENCE, RULE):
            raise ConfigurationError(
                f"alpha is {alpha!r}; give numbers of at least 0, {EVIDENCE!r} or {RULE!r}"
            )
        if said == EVIDENCE and reason is None:
            model, objective, found = _by_evidence(model, objective, X, Y, w, unit, seed, options)
            penalties = found.decay
        else:
            penalties, variance, why = penalty.by_rule(
                objective, seed, unit, options.get("max_time")
            )
            reason = why if said == RULE else f"{why} ({reason})"
        objective = objective.with_decay(decay_of(network, penalties))
        if (options.get("max_time") or 0.0) > 0.0:
            options["max_time"] = max(options["max_time"] - (time.monotonic() - began), 1e-3)
    counted, tails = w, None
    if noise == STUDENT:
        _require_square(network)
        near = found.best.theta if found else bayes.settled(objective, network.initial(seed=seed))
        tails = heavy_tails(objective, near)
        w, v = w * tails.weights, v * tails.weights
        objective = replace(objective, sample_weight=w)
        if found is not None:
            again = {name: options[name] for name in ("scheme", "progress") if name in options}
            found = bayes.by_evidence(objective, _priors(model, network), seed, unit, **again)
            penalties = found.decay
            objective = objective.with_decay(penalties)
    if held_out.any():
        rows = model.objective(*aside[:2], 0.0, aside[2])
        options["validation"] = Validation(rows, patience)
    if watch is not None:
        see = watch
        options["watch"] = lambda r, theta, row: see(r, replace(model, theta=theta), row)
    if found is not None and not held_out.any():
        options["judge"] = lambda theta: found.log_evidence(objective, theta)
    restarts = minimize_from_starts(objective, n_restarts, seed, **options)
    model = replace(model, theta=restarts.best.theta)
    record = _record(objective, restarts, penalties, seed)
    if found is not None:
        record["evidence"] = _evidence_record(found, objective, restarts)
    if reason is not None:
        record["alpha_reason"] = reason
    if sizes:
        record["sizes"] = [size.as_dict() for size in sizes]
    belief, why_not = None, _unknowable(objective)
    if why_not is None:
        minima = [restarts.best.theta, *(restarts.theta[r] for r in restarts.in_turn)]
        chosen = minima[:1] if ensemble == 1 else _different(minima)[:ensemble]
        belief = believed(
            objective,
            chosen,
            unit=unit,
            once=v,
            variance=variance,
            noise="constant" if tails else noise,
            stretch=tails.stretch if tails else 1.0,
            seed=seed,
        )
        why_not = "the curvature of its cost is not positive"
    if belief is None:
        record["no_posterior"] = why_not
    else:
        model = replace(model, posterior=belief.posterior)
        record["known"] = {
            **_known(model, belief, Y, counted),
            "relevance": relevance(model, X, counted),
        }
    record["scores"] = model.scores(X, Y, counted)
    if tails is not None:
        record["tails"] = {"degrees": tails.degrees, "least": float(tails.weights.min())}
    return Trained(replace(model, training=record), restarts, belief)


def _require_square(network: Network) -> None:
    if (network.output, network.loss) != ("identity", "squared"):
        raise ConfigurationError(
            f"noise {STUDENT!r} is that of numbers with squared loss; output {network.output!r} "
            f"with loss {network.loss!r} has none"
        )


def _unknowable(objective: Objective) -> str | None:
    """Return why it cannot be said how sure a fit is, None if it can."""
    p, rows, K = objective.net.n_parameters, len(objective.w), objective.net.layers[-1]
    if objective.highest_order < 2:
        return "its loss has no second derivatives"
    if p > bayes.MOST_WEIGHTS or rows * K * p * p > MOST_WORK:
        return f"second derivatives of {p:,} weights on {rows:,} rows take too long"
    return None


def _different(minima: list[Array]) -> list[Array]:
    """Return the first, which comes again, and the others."""
    first = minima[0]
    again = next((k for k, at in enumerate(minima[1:], 1) if np.allclose(at, first, atol=1e-6)), 1)
    return [first, *minima[1:again], *minima[again + 1 :]]


def _known(model: Model, belief: Belief, Y: Array, w: Array) -> dict[str, Any]:
    """Return what is known of fits without each row, and of each row, as plain data."""
    without = model.target_scaling.inverse(belief.without)
    known: dict[str, Any] = {
        "scores": model.scores_of(without, Y, w),
        "gamma": belief.n_effective,
        "variance": belief.variance,
        "leverage": float(belief.leverage.max()),
    }
    if not model.classes:
        known["coverage"] = belief.posterior.covered(COVERAGE)
    order = np.argsort(-belief.distance, kind="stable")[:MOST_INFLUENTIAL]
    known["influential"] = [
        {
            "row": int(i) + 1,
            "leverage": float(belief.leverage[i]),
            "distance": float(belief.distance[i]),
            "target": Y[i].tolist(),
            "without": without[i].tolist(),
        }
        for i in order
    ]
    return known


def _by_evidence(
    model: Model,
    objective: Objective,
    X: Array,
    Y: Array,
    w: Array,
    unit: float,
    seed: int,
    options: dict[str, Any],
) -> tuple[Model, Objective, bayes.Penalty]:
    """Return the penalty by the evidence, and the model and cost that it belongs to.

    Several targets are each scaled by the noise in it, so that one β holds for all.
    """
    net = model.network
    priors = _priors(model, net)
    kept = {name: options[name] for name in ("scheme", "max_time", "progress") if name in options}
    found = bayes.by_evidence(objective, priors, seed, unit, **kept)
    if net.layers[-1] == 1 or (net.output, net.loss) != ("identity", "squared"):
        return model, objective, found
    errors = net.forward(found.best.theta, objective.X).y_hat - np.asarray(objective.Y)
    noise = np.sqrt(w @ errors**2 / w.sum())
    noise = np.maximum(noise, LEAST_NOISE * noise.max())
    scaling = model.target_scaling
    share = noise / np.exp(np.log(noise).mean())
    model = replace(model, target_scaling=replace(scaling, scale=scaling.scale * share))
    objective = model.objective(X, Y, 0.0, w, objective.fixed, objective.signs)
    return model, objective, bayes.by_evidence(objective, priors, seed, unit, **kept)


def _priors(model: Model, net: Network) -> Priors:
    """Return a group for each column of the table, and for the other layers."""
    of_column = np.repeat(np.arange(len(model.columns)), [len(c.inputs) for c in model.columns])
    return priors_of(net, of_column.tolist(), model.column_names)


def _evidence_record(
    found: bayes.Penalty, objective: Objective, restarts: Restarts
) -> dict[str, Any]:
    """Return what is known of the penalty, and of the best of the starts, as plain data."""
    evidence = found.log_evidence(objective, restarts.best.theta)
    return {**found.as_dict(), "log_evidence": evidence if np.isfinite(evidence) else None}


def _target_scale(network: Network, scale: str) -> str:
    if network.output == "identity":
        return scale
    if (network.output, network.loss) == ("sigmoid", "squared") and scale != "none":
        return "max"
    return "none"


def _require_variation(Y: Array, target_names: tuple[str, ...]) -> None:
    for j in np.flatnonzero(fit_scaling("standard", Y).ignored):
        raise DataError(
            f"target {target_names[j]!r} is {Y[0, j]:g} in every row; there is nothing to learn"
        )


def _require_right_derivatives(objective: Objective) -> None:
    """Refuse a function of one's own whose derivative is wrong, naming its layer."""
    net = objective.net
    if not net.foreign:
        return
    few = slice(0, ROWS_FOR_A_CHECK)
    sample = Objective(net, np.asarray(objective.X)[few], np.asarray(objective.Y)[few])
    check = check_gradient(sample, net.initial(seed=0))
    if check.broken:
        l = max(check.broken) + 1
        function = net.loss if l == net.n_layers else net.hidden[l - 2]
        name = getattr(function, "name", function)
        raise ConfigurationError(
            f"the derivative of {name!r} in layer {l} is wrong: it does not agree with differences "
            f"of the cost. Correct its df.\n{check}"
        )


def _require_reachable(objective: Objective, target_names: tuple[str, ...]) -> None:
    """A sigmoid with squared loss accepts any target, but reaches only those from 0 to 1."""
    net, Y = objective.net, np.asarray(objective.Y)
    if (net.output, net.loss) != ("sigmoid", "squared"):
        return
    for k in np.flatnonzero(((Y < 0) | (Y > 1)).any(axis=0)):
        raise DataError(
            f"target {target_names[k]!r}, scaled, has values from {Y[:, k].min():.6g} to "
            f"{Y[:, k].max():.6g}; a sigmoid reaches 0 to 1, so choose output identity or scale max"
        )


def _record(
    objective: Objective, restarts: Restarts, alpha: float | Sequence[float], seed: int
) -> dict[str, Any]:
    fit = restarts.best
    return {
        "rows": len(objective.w),
        "alpha": np.asarray(alpha, dtype=np.float64).tolist(),
        "seed": int(seed),
        "method": fit.method,
        "reason": fit.reason,
        "certificate": fit.certificate.as_dict(),
        "cost": fit.cost,
        "baseline_cost": objective.baseline,
        "max_gradient": float(np.max(np.abs(fit.gradient))),
        "termination": {"name": fit.termination.name, "inequality": fit.termination.inequality},
        "evaluations": fit.n_evaluations,
        "restarts": [
            {
                "cost": run.cost if np.isfinite(run.cost) else None,
                "termination": run.termination,
                "iterations": run.n_iterations,
                "evaluations": run.n_evaluations,
                "log_evidence": run.log_evidence if np.isfinite(run.log_evidence) else None,
            }
            for run in restarts.runs
        ],
        "agreeing": restarts.n_agree,
        "history": {
            "cost": fit.history.cost.tolist(),
            "max_gradient": fit.history.column("max_gradient").tolist(),
        },
    }
