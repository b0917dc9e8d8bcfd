"""Fit a network to rows: prepare, choose, minimize, posterior, report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import cast

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import linalg

from chainrule._blas import one_thread
from chainrule._cancellation import INTERRUPTED, Cancellation
from chainrule._contracts import Array
from chainrule._errors import ConfigurationError, DataError
from chainrule.bayes import default_alpha, empirical_bayes
from chainrule.bayes.fitted_posterior import FittedPosterior, Given, fit_posterior
from chainrule.bayes.fold_refits import Fitted
from chainrule.bayes.leverage import unit_weights
from chainrule.bayes.student_t import STUDENT
from chainrule.heart.network import Network, row_weights
from chainrule.model.fit_report import PosteriorReport
from chainrule.model.model import Model
from chainrule.objectives.custom_functions import require_usable
from chainrule.objectives.objective import Objective, require_finite
from chainrule.objectives.requirements import (
    require_reachable,
    require_right_derivatives,
    require_squares,
    require_variation,
)
from chainrule.optimize.early_stopping import Validation
from chainrule.optimize.minimize import CUT_SHORT, Fit
from chainrule.optimize.starts import Restarts
from chainrule.optimize.stopping import Termination
from chainrule.pipeline.members import minimize_members, with_members
from chainrule.pipeline.minimization import minimize_task, predicting
from chainrule.pipeline.plan import Search, Task, resolve_task
from chainrule.pipeline.reporting import is_sound, posterior_report, report_of
from chainrule.pipeline.settings import FitControl, FitData, FitSettings
from chainrule.rows.memory import MemoryRows
from chainrule.rows.protocol import Rows
from chainrule.tables.encoding import input_names as input_names_of
from chainrule.tables.scaling import Scaling, fit_robust_scaling, scaling_of, standard_scalings
from chainrule.tables.targets import Targets

MOST_WORK_OF_POSTERIOR = 1e11  # multiplications for second derivatives
STOPPED = ("max_iter", *CUT_SHORT)
LITTLE = 1e-3  # of the cost there is to explain
FARTHEST_TARGET = 1e100  # scales


@dataclass(frozen=True, eq=False)
class Trained:
    """A model, how it was minimized, its posterior, and the passes over the rows by stage.

    `posterior` is None where second derivatives take too long, or do not exist.
    """

    model: Model
    restarts: Restarts
    posterior: FittedPosterior | None = None
    passes: dict[str, float] = field(default_factory=dict)

    @property
    def fit(self) -> Fit:
        """The best of the starts."""
        return self.restarts.best


@one_thread()
def train(data: FitData, settings: FitSettings, control: FitControl | None = None) -> Trained:
    """Fit a network to rows, stage by stage.

    Parameters
    ----------
    data : FitData
    settings : FitSettings
    control : FitControl, optional

    Returns
    -------
    Trained

    Raises
    ------
    DataError
        If no input varies, a target does not, or the output cannot reach it.
    ConfigurationError
        If a custom function has a wrong derivative, or settings contradict each other.
    TrainingError
        If every start failed.
    KeyboardInterrupt
        At Ctrl-C before anything was found that could be kept.
    """
    control = control or FitControl()
    cancellation = Cancellation(control.max_time, control.progress)
    with cancellation.listening():
        return _train(data, settings, control, cancellation)


def _train(
    data: FitData, settings: FitSettings, control: FitControl, cancellation: Cancellation
) -> Trained:
    prepared = _prepare(data, settings)
    if settings.or_else is not None and _cannot_search(prepared, data):
        ensemble = settings.or_else_ensemble
        settings = replace(settings, network=settings.or_else, ensemble=ensemble)
        prepared = _prepare(data, settings)
    passes = prepared.passes
    # what is resumed from a checkpoint has to be the same task
    lasting = control.checkpoint is not None
    # what is watched, stopped early or resumed are starts of one network
    single = lasting or control.monitor is not None or control.resume is not None
    single = single or prepared.held_out is not None or settings.fixed is not None
    deeper = not isinstance(settings.network, Network) and settings.most_layers > 1
    first = settings.ensemble > 1 and deeper and not single
    search = Search(
        settings.seed,
        settings.scheme,
        cancellation,
        lasting,
        settings.skip,
        first,
        settings.brief,
    )
    task = _choose(prepared, data, settings, search)
    if not single:
        task = with_members(task, search, settings)
    passes.note("choose")
    held = prepared.validation(task.model)
    if task.members and not task.interrupted:
        task, restarts = minimize_members(task, settings, cancellation)
    else:
        restarts = minimize_task(task, settings, control, cancellation, held)
    passes.note("minimize")
    trained = _with_posterior(task, restarts, prepared, settings, search)
    passes.note("posterior")
    return replace(trained, passes=passes.by_stage)


# ---------------------------------------------------------------- prepare


@dataclass(frozen=True, eq=False)
class _Data:
    """Rows in users' units: how much each weighs taken once, and which ones they were."""

    rows: Rows
    unit_weight: Array
    numbers: NDArray[np.intp]

    @property
    def targets(self) -> Array:
        """What is to be learned of each row, (n, K)."""
        found: Array = self.rows.map(lambda of: of.Y)
        return found

    def some(self, mask: NDArray[np.bool_]) -> _Data:
        """Return some of the rows."""
        if mask.all():
            return self
        return _Data(self.rows.take(mask), self.unit_weight[mask], self.numbers[mask])


@dataclass(frozen=True, eq=False)
class _Prepared:
    """Rows that are fitted and held out, the model without weights, and its cost."""

    data: _Data
    held_out: _Data | None
    model: Model
    objective: Objective
    patience: int
    passes: _Passes

    def validation(self, model: Model) -> Validation | None:
        """Return the rows that decide when to stop the chosen network, if there are any."""
        if self.held_out is None:
            return None
        rows = model.scaled(self.held_out.rows)
        return Validation(Objective.on(rows, model.network), self.patience)


class _Passes:
    """Passes over the rows, counted by stage."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self._before = rows.n_passes
        self.by_stage: dict[str, float] = {}

    def note(self, stage: str) -> None:
        """End a stage."""
        self.by_stage[stage] = self._rows.n_passes - self._before
        self._before = self._rows.n_passes


def _prepare(given: FitData, settings: FitSettings) -> _Prepared:
    """Return rows, scaling and cost, checked."""
    if settings.ensemble > 1 and given.validation is not None:
        raise ConfigurationError(
            f"ensemble is {settings.ensemble}, and training is stopped early: a fit that is not at "
            "a minimum has no posterior, and predicts alone; leave one of them out"
        )
    network = settings.first_network
    data, held_out = _data(given, network)
    passes = _Passes(data.rows)
    classes = given.Y.classes if isinstance(given.Y, Targets) else ()
    names = input_names_of(given.columns) if given.columns else given.input_names
    of_inputs, of_targets = standard_scalings(data.rows)
    if not classes:
        require_variation(of_targets, given.target_names)
    if of_inputs.ignored.all():
        raise DataError(f"no input varies ({', '.join(map(repr, names))}); give a column that does")
    like = settings.like
    model = Model(
        network,
        np.zeros(network.n_parameters),
        like.input_scaling if like else _input_scaling(settings.scale, data.rows, of_inputs),
        like.target_scaling if like else _target_scaling(network, settings, data.rows, of_targets),
        names,
        given.target_names,
        given.columns,
        classes,
    )
    if settings.noise == STUDENT and model.target_scaling.kind == "standard":
        # what is farther off says no more than what is that far, and has squares
        center, size = model.target_scaling.center, model.target_scaling.scale
        Y = np.clip(data.targets, center - FARTHEST_TARGET * size, center + FARTHEST_TARGET * size)
        data = replace(data, rows=data.rows.retargeted(Y))
    require_usable(network)
    signs = settings.signs_of(network)
    rows = model.scaled(data.rows)
    objective = Objective.on(rows, network, fixed=settings.fixed, signs=signs)
    require_squares(objective, names, model.output_names)
    require_right_derivatives(objective)
    require_reachable(objective, given.target_names)
    passes.note("prepare")
    return _Prepared(data, held_out, model, objective, settings.patience, passes)


def _data(given: FitData, network: Network) -> tuple[_Data, _Data | None]:
    """Return the rows to fit, and those that are held out, if there are any."""
    if given.Y is None:
        rows = cast(Rows, given.X)
    else:
        X = network.inputs(cast(ArrayLike, given.X))
        Y = network.targets(given.Y.Y if isinstance(given.Y, Targets) else given.Y, len(X))
        require_finite(X, "X")
        require_finite(Y, "Y")
        rows = MemoryRows(X, Y, row_weights(given.sample_weight, len(X)))
    w = rows.w
    once = (
        unit_weights(w) if given.unit_weight is None else np.asarray(given.unit_weight, dtype=float)
    )
    numbers = np.arange(len(w)) if given.row_numbers is None else np.asarray(given.row_numbers)
    data = _Data(rows, once, numbers)
    held_out = np.zeros(len(w), dtype=bool) if given.validation is None else given.validation
    n = int(((w > 0) & ~held_out).sum())
    if n < 2:
        raise DataError(f"there is {n} row; a fit needs at least 2")
    aside = (w > 0) & held_out
    return data.some((w > 0) & ~held_out), data.some(aside) if aside.any() else None


def _input_scaling(kind: str, rows: Rows, standard: Scaling) -> Scaling:
    return standard if kind == "standard" else scaling_of(kind, rows, lambda of: of.X)


def _target_scaling(
    network: Network, settings: FitSettings, rows: Rows, standard: Scaling
) -> Scaling:
    kind = _target_scale(network, settings.scale)
    if kind == "standard":
        robust = settings.noise == STUDENT
        return fit_robust_scaling(rows.map(lambda of: of.Y), rows.w) if robust else standard
    return scaling_of(kind, rows, lambda of: of.Y)


def _target_scale(network: Network, scale: str) -> str:
    if network.output == "identity":
        return scale
    if (network.output, network.loss) == ("sigmoid", "squared") and scale != "none":
        return "max"
    return "none"


# ---------------------------------------------------------------- choose


def _cannot_search(prepared: _Prepared, data: FitData) -> bool:
    """Return whether there is no evidence by which sizes could be compared."""
    unit = _row_weight_unit(prepared, data)
    return empirical_bayes.why_no_evidence(prepared.objective, unit) is not None


def _row_weight_unit(prepared: _Prepared, data: FitData) -> float:
    """Return the weight that counts as one row, as it was given or by the weights."""
    given = data.row_weight_unit
    return default_alpha.row_weight_unit_of(prepared.objective.w) if given is None else given


def _choose(prepared: _Prepared, data: FitData, settings: FitSettings, search: Search) -> Task:
    """Return the cost that is to be minimized, with what was left open resolved."""
    objective, network_of = prepared.objective, settings.network
    start = Task(prepared.model, objective, _row_weight_unit(prepared, data))
    sizes = None
    if not isinstance(network_of, Network):

        def sizes(hidden: int) -> Objective:
            net = network_of((hidden,)) if hidden else settings.first_network.without_hidden_layers
            return Objective.on(objective.rows, net, signs=settings.signs_of(net))

    return resolve_task(start, settings.alpha, search, sizes=sizes, noise=settings.noise)


# ---------------------------------------------------------------- posterior and report


def _with_posterior(
    task: Task, restarts: Restarts, prepared: _Prepared, settings: FitSettings, search: Search
) -> Trained:
    """Return the model with its posterior, if there is one, and its report."""
    data, seed, cancellation = prepared.data, settings.seed, search.cancellation
    model = replace(task.model, theta=restarts.best.theta)
    report = report_of(task, restarts, seed, data.numbers)
    if task.members:
        fits = [(of := task.cost_of(m), of, at) for m, at in enumerate(restarts.theta)]
    else:
        fits = [
            (task.objective, task.held(at), at) for at in predicting(restarts, settings.ensemble)
        ]
    stopped = prepared.held_out is not None or task.interrupted
    stopped = stopped or _is_on_its_way(restarts.best)
    posterior: FittedPosterior | None = None
    known: PosteriorReport | None = None
    why_not = None
    try:
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            posterior, why_not = _posterior(task, fits, data, settings.noise, search, stopped)
            if posterior is not None:
                model = replace(model, posterior=posterior.posterior)
                known = posterior_report(task, model, posterior, data.rows, data.numbers, seed)
        if known is not None and not is_sound(known):
            known, why_not = None, "its numbers are too large; a penalty, alpha, keeps them small"
    except KeyboardInterrupt:  # pressed again: the minima are there
        known, why_not = None, "it was interrupted"
    except (linalg.LinAlgError, MemoryError) as error:
        known, why_not = None, f"it could not be computed ({error})"
    if known is None or posterior is None:
        model, posterior, known = replace(model, posterior=None), None, None
    if posterior is not None and model.classes:
        outputs = posterior.outputs
    else:
        outputs = data.rows.map(lambda of: model.outputs_of_inputs(of.X))
    scores = model.scores_of(outputs, data.targets, data.rows.w)
    why_not = why_not if posterior is None else None
    report = replace(report, fitted=scores, posterior=known, no_posterior=why_not)
    if cancellation.interrupted and restarts.cut_short is None:
        cut_short = Termination(INTERRUPTED, "while the posterior was computed")
        restarts = replace(restarts, cut_short=cut_short)
    return Trained(replace(model, report=report), restarts, posterior)


def _is_on_its_way(fit: Fit) -> bool:
    """Return whether a fit was cut short where there was still something to gain."""
    return fit.termination.name in STOPPED and not fit.certificate.decrement <= LITTLE


def _posterior(
    task: Task, fits: Sequence[Fitted], data: _Data, noise: str, search: Search, stopped: bool
) -> tuple[FittedPosterior | None, str]:
    """Return what is known around minima, or why nothing is."""
    net, n = task.objective.net, data.rows.n_rows
    if task.objective.highest_order < 2:
        return None, "its loss has no second derivatives"
    if (
        net.n_parameters > empirical_bayes.MOST_WEIGHTS_FOR_EVIDENCE
        or n * net.layers[-1] * net.n_parameters**2 > MOST_WORK_OF_POSTERIOR
    ):
        return (
            None,
            f"second derivatives of {net.n_parameters:,} weights on {n:,} rows take too long",
        )
    if stopped:
        return None, "training was stopped before it came to a minimum"
    if search.cancellation.interrupted:
        return None, "it was interrupted"
    # with a given penalty and no hidden layer first order is all there is
    exact = task.found is None and net.n_layers == 2 and net.output == "identity"
    once = data.unit_weight if task.tails is None else data.unit_weight * task.tails.weights
    given = Given(
        task.row_weight_unit,
        once,
        task.variance,
        noise if task.tails is None else "constant",
        task.tails,
        search.seed,
    )
    cancellation = search.cancellation
    refit = partial(task.refit, scheme=search.scheme, cancellation=cancellation)
    found = fit_posterior(
        fits,
        given,
        refit=None if exact else refit,
        cancellation=cancellation,
    )
    return found, "the curvature of its cost is not positive"
