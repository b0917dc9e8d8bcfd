"""Fit a network to rows: prepare, choose, minimize, posterior, report."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import pairwise
from typing import Any, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import linalg

from chainrule._blas import one_thread
from chainrule._contracts import Array
from chainrule._errors import ConfigurationError, DataError
from chainrule._interrupts import interrupts_wait
from chainrule.bayes import default_alpha, empirical_bayes, model_selection
from chainrule.bayes.fitted_posterior import FittedPosterior, fit_posterior
from chainrule.bayes.leverage import unit_weights
from chainrule.bayes.student_t import STUDENT
from chainrule.heart.network import Network, row_weights
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
from chainrule.optimize.history import Iteration
from chainrule.optimize.minimize import CUT_SHORT, Fit
from chainrule.optimize.starts import Restarts
from chainrule.optimize.stopping import Termination
from chainrule.pipeline.minimization import minimize_task, predicting
from chainrule.pipeline.plan import EVIDENCE, Search, Task, resolve_task
from chainrule.pipeline.reporting import is_sound, posterior_report, report_of
from chainrule.rows.memory import MemoryRows
from chainrule.rows.protocol import Rows
from chainrule.tables.encoding import ColumnType
from chainrule.tables.encoding import input_names as input_names_of
from chainrule.tables.scaling import Scaling, fit_robust_scaling, scaling_of, standard_scalings
from chainrule.tables.targets import Targets

MOST_WORK = 1e11  # multiplications for second derivatives
STOPPED = ("max_iter", *CUT_SHORT)
LITTLE = 1e-3  # of the cost there is to explain
FARTHEST = 1e100  # scales
MOST_SEED = 2**63  # that a model file holds
Watcher = Callable[[int, "Model", Iteration], Termination | None]


@dataclass(frozen=True, eq=False)
class Trained:
    """A model, how it came about, and what every row has done to it.

    `belief` is None where second derivatives take too long, or do not exist. `passes` says how
    often each stage has looked at all rows.
    """

    model: Model
    restarts: Restarts
    belief: FittedPosterior | None = None
    passes: dict[str, float] = field(default_factory=dict)

    @property
    def fit(self) -> Fit:
        """The best of the starts."""
        return self.restarts.best


@one_thread()
def train(
    X: ArrayLike | Rows,
    Y: ArrayLike | Targets | None,
    network: Network | Callable[[int], Network],
    *,
    target_names: tuple[str, ...],
    input_names: tuple[str, ...] = (),
    columns: tuple[ColumnType, ...] = (),
    scale: str = "standard",
    alpha: float | Sequence[float] | str = EVIDENCE,
    sample_weight: ArrayLike | None = None,
    row_weight_unit: float | None = None,
    unit_weight: ArrayLike | None = None,
    row_numbers: ArrayLike | None = None,
    fixed: ArrayLike | None = None,
    signs: ArrayLike | Callable[[Network], ArrayLike | None] | None = None,
    validation: NDArray[np.bool_] | None = None,
    patience: int = 10,
    skip: bool = False,
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
    X : array_like (n, inputs) or Rows
        In the user's units; rows have their targets and weights.
    Y : array_like (n, outputs) or Targets, optional
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
    row_weight_unit : float, optional
        The weight that counts as one row, found from them if left out: see `penalty`.
    unit_weight : array_like (n,), optional
        The weight of each row taken once; if left out 1 where all weights are whole numbers, which
        say how often, else all of it.
    row_numbers : array_like of int (n,), optional
        By which rows are named, if some have been left out: counted from 0.
    fixed, signs : array_like (p,), optional
        As `Objective` takes them; of several sizes ``signs(network)``.
    validation : ndarray of bool (n,), optional
        Rows that are not trained on but decide when to stop: see `early_stopping`.
    patience : int
        For how many iterations these may cost no less.
    skip : bool
        Whether the network with a skip layer is a candidate too: see `resolve_task`.
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
        If a function of your own has a derivative that is wrong, or more are to predict together
        than there are starts.
    TrainingError
        If every start failed.
    """
    if not 0 <= seed < MOST_SEED:
        raise ConfigurationError(f"seed is {seed}; it must be from 0 to {MOST_SEED - 1:,}")
    if ensemble > n_restarts >= 1:
        raise ConfigurationError(
            f"ensemble is {ensemble}, and there are only {n_restarts} starts; give as many starts, "
            "or a smaller ensemble"
        )
    if ensemble > 1 and validation is not None:
        raise ConfigurationError(
            f"ensemble is {ensemble}, and training is stopped early: what is not a minimum says "
            "nothing of how sure it is, and predicts alone; leave one of them out"
        )
    network_of, signs_of = network, signs if callable(signs) else lambda _: signs
    network = network if isinstance(network, Network) else network(model_selection.SIZES[1])
    data, aside = _data(X, Y, network, sample_weight, unit_weight, row_numbers, validation)
    rows, classes = data.rows, Y.classes if isinstance(Y, Targets) else ()
    passes = {"before": rows.n_passes}  # at the end of each stage
    names = input_names_of(columns) if columns else input_names
    of_inputs, of_targets = standard_scalings(rows)
    if not classes:
        require_variation(of_targets, target_names)
    if of_inputs.ignored.all():
        raise DataError(f"no input varies ({', '.join(map(repr, names))}); give a column that does")
    model = Model(
        network,
        np.zeros(network.n_parameters),
        like.input_scaling if like else _input_scaling(scale, rows, of_inputs),
        like.target_scaling if like else _target_scaling(network, scale, rows, of_targets, noise),
        names,
        target_names,
        columns,
        classes,
    )
    if noise == STUDENT and model.target_scaling.kind == "standard":
        # what is farther off says no more than what is that far, and has squares
        center, size = model.target_scaling.center, model.target_scaling.scale
        Y = np.clip(data.targets, center - FARTHEST * size, center + FARTHEST * size)
        data = replace(data, rows=rows.retargeted(Y))
    require_usable(network)
    scaled = model.scaled(data.rows)
    objective = Objective.on(scaled, network, fixed=fixed, signs=signs_of(network))
    require_squares(objective, names, model.output_names)
    require_right_derivatives(objective)
    require_reachable(objective, target_names)

    def of_size(hidden: int) -> Objective:
        assert not isinstance(network_of, Network)
        net = network_of(hidden) if hidden else network.without_hidden_layers
        return Objective.on(objective.rows, net, signs=signs_of(net))

    passes["prepare"] = rows.n_passes
    kept = {name: options[name] for name in ("scheme", "max_time", "progress") if name in options}
    # what is taken up again has to be the same task
    search = Search(seed, **kept, lasting=options.get("checkpoint") is not None, skip=skip)
    row_weight_unit = (
        default_alpha.row_weight_unit_of(scaled.w) if row_weight_unit is None else row_weight_unit
    )
    sizes = None if isinstance(network_of, Network) else of_size
    start = Task(model, objective, row_weight_unit)
    task = resolve_task(start, alpha, search, sizes=sizes, noise=noise)
    model, objective = task.model, task.objective
    passes["choose"] = rows.n_passes
    if "max_time" in options:
        options["max_time"] = search.left
    if aside is not None:
        held_out = Objective.on(model.scaled(aside.rows), model.network)
        options["validation"] = Validation(held_out, patience)
    else:
        options["criterion"] = task.criterion
    if watch is not None:
        see = watch
        options["watch"] = lambda r, theta, row: see(r, replace(model, theta=theta), row)
    restarts = minimize_task(task, n_restarts, seed, options)
    passes["minimize"] = rows.n_passes
    with interrupts_wait() as waiting:
        model = replace(model, theta=restarts.best.theta)
        report, known = report_of(task, restarts, seed, data.number), None
        minima = predicting(restarts, ensemble)
        stopped = aside is not None or task.interrupted or _is_on_its_way(restarts.best)
    try:
        if waiting.interrupted:
            raise KeyboardInterrupt
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            belief, why_not = _belief(task, minima, data, noise, search, stopped)
            if belief is not None:
                model = replace(model, posterior=belief.posterior)
                known = posterior_report(task, model, belief, data.rows, data.number, seed)
        if known is not None and not is_sound(known):
            belief, why_not = None, "its numbers are too large; a penalty, alpha, keeps them small"
    except KeyboardInterrupt:  # the minima are there
        belief, why_not = None, "it was interrupted"
        cut_short = Termination("interrupted", "what is known was not found")
        restarts = replace(restarts, cut_short=cut_short)
    except (linalg.LinAlgError, MemoryError) as error:
        belief, why_not = None, f"it could not be computed ({error})"
    with interrupts_wait() as waiting:
        if belief is None:
            model, known = replace(model, posterior=None), None
        if belief is not None and classes:
            outputs = belief.outputs
        else:
            outputs = data.rows.map(lambda of: model.outputs_of_inputs(of.X))
        scores = model.scores_of(outputs, data.targets, data.rows.w)
        no_posterior = why_not if belief is None else None
        report = replace(report, fitted=scores, posterior=known, no_posterior=no_posterior)
        passes["posterior"] = rows.n_passes
    if waiting.interrupted and restarts.cut_short is None:
        restarts = replace(restarts, cut_short=Termination("interrupted", "when all was found"))
    stages = {name: after - before for (_, before), (name, after) in pairwise(passes.items())}
    return Trained(replace(model, report=report), restarts, belief, stages)


@dataclass(frozen=True, eq=False)
class _Data:
    """Rows in users' units: how much each weighs taken once, and which ones they were."""

    rows: Rows
    unit_weight: Array
    number: NDArray[np.intp]

    @property
    def targets(self) -> Array:
        """What is to be learned of each row, (n, K)."""
        found: Array = self.rows.map(lambda of: of.Y)
        return found

    def some(self, mask: NDArray[np.bool_]) -> _Data:
        """Return some of the rows."""
        if mask.all():
            return self
        return _Data(self.rows.take(mask), self.unit_weight[mask], self.number[mask])


def _data(
    X: ArrayLike | Rows,
    Y: ArrayLike | Targets | None,
    network: Network,
    sample_weight: ArrayLike | None,
    unit_weight: ArrayLike | None,
    row_numbers: ArrayLike | None,
    validation: NDArray[np.bool_] | None,
) -> tuple[_Data, _Data | None]:
    """Return the rows to train on, and those that are held out, if there are any."""
    if Y is None:
        rows = cast(Rows, X)
    else:
        X = network.inputs(cast(ArrayLike, X))
        Y = network.targets(Y.Y if isinstance(Y, Targets) else Y, len(X))
        require_finite(X, "X")
        require_finite(Y, "Y")
        rows = MemoryRows(X, Y, row_weights(sample_weight, len(X)))
    w = rows.w
    v = unit_weights(w) if unit_weight is None else np.asarray(unit_weight, dtype=np.float64)
    number = np.arange(len(w)) if row_numbers is None else np.asarray(row_numbers)
    data = _Data(rows, v, number)
    held_out = np.zeros(len(w), dtype=bool) if validation is None else validation
    n = int(((w > 0) & ~held_out).sum())
    if n < 2:
        raise DataError(f"there is {n} row; a fit needs at least 2")
    aside = (w > 0) & held_out
    return data.some((w > 0) & ~held_out), data.some(aside) if aside.any() else None


def _is_on_its_way(fit: Fit) -> bool:
    """Return whether a fit was cut short where there was still something to gain."""
    return fit.termination.name in STOPPED and not fit.certificate.decrement <= LITTLE


def _belief(
    task: Task, minima: list[Array], data: _Data, noise: str, search: Search, stopped: bool
) -> tuple[FittedPosterior | None, str]:
    """Return what is known around minima, or why nothing is."""
    net, n = task.objective.net, data.rows.n_rows
    if task.objective.highest_order < 2:
        return None, "its loss has no second derivatives"
    if (
        net.n_parameters > empirical_bayes.MOST_WEIGHTS
        or n * net.layers[-1] * net.n_parameters**2 > MOST_WORK
    ):
        return (
            None,
            f"second derivatives of {net.n_parameters:,} weights on {n:,} rows take too long",
        )
    if stopped:
        return None, "training was stopped before it came to a minimum"
    # with a given penalty and no hidden layer first order is all there is
    exact = task.found is None and net.n_layers == 2 and net.output == "identity"
    until = time.monotonic() + (search.left or np.inf)
    belief = fit_posterior(
        task.objective,
        minima,
        held=task.held(minima[0]),
        row_weight_unit=task.row_weight_unit,
        unit_weight=data.unit_weight
        if task.tails is None
        else data.unit_weight * task.tails.weights,
        variance=task.variance,
        noise=noise if task.tails is None else "constant",
        tails=task.tails,
        seed=search.seed,
        refit=None if exact else partial(task.refit, scheme=search.scheme, until=until),
        until=until,
        progress=search.progress,
    )
    return belief, "the curvature of its cost is not positive"


def _input_scaling(kind: str, rows: Rows, standard: Scaling) -> Scaling:
    return standard if kind == "standard" else scaling_of(kind, rows, lambda of: of.X)


def _target_scaling(
    network: Network, scale: str, rows: Rows, standard: Scaling, noise: str
) -> Scaling:
    kind = _target_scale(network, scale)
    if kind == "standard":
        robust = noise == STUDENT
        return fit_robust_scaling(rows.map(lambda of: of.Y), rows.w) if robust else standard
    return scaling_of(kind, rows, lambda of: of.Y)


def _target_scale(network: Network, scale: str) -> str:
    if network.output == "identity":
        return scale
    if (network.output, network.loss) == ("sigmoid", "squared") and scale != "none":
        return "max"
    return "none"
