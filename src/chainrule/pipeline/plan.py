"""Resolve what the user left open: network size, penalty, noise model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from chainrule._cancellation import Cancellation
from chainrule._contracts import Array
from chainrule._errors import ConfigurationError, TrainingError
from chainrule.bayes import default_alpha, empirical_bayes, model_selection
from chainrule.bayes.architecture import ArchitecturePath, Member
from chainrule.bayes.empirical_bayes import EVIDENCE, RULE, SearchOptions
from chainrule.bayes.laplace import Priors
from chainrule.bayes.priors import priors_of, usual
from chainrule.bayes.student_t import STUDENT, StudentTNoise, fit_student_t, robust_weights
from chainrule.heart.initialisation import Starts
from chainrule.heart.network import Network
from chainrule.model.model import Model
from chainrule.objectives.objective import Objective
from chainrule.optimize.saddles import is_saddle

LEAST_OF_NOISIEST = 1e-3  # of a target, in the noise of the noisiest
MOST_ITERATIONS_OF_REFIT = 300  # of a fit without some of the rows
ITERATIONS_OF_MEMBER = 100  # of the same, of one of several networks: it begins near its minimum
FIRST_UNITS = 5  # of the first fit where the size is to be found
STARTS_AGAIN = 3  # of a fit without some of the rows
ROUNDS_OF_NOISE, SAME_NOISE = 3, 0.1  # of several targets
# of penalty and Student-t weights in turn, until no weight moves by more
ROUNDS_OF_TAILS, SAME_COUNTS = 10, 0.1
SHARE_OF_TIME = 0.5  # that a search may take of what is left

Alpha = float | Sequence[float] | str


@dataclass(frozen=True, eq=False)
class Task:
    """A cost that is ready to be minimized, and how it was found.

    Attributes
    ----------
    model : Model
        Of the network that was chosen, without weights; its targets scaled by their noise.
    objective : Objective
    row_weight_unit : float
        The weight that counts as one row: see `default_alpha`.
    alpha : float, sequence of float or ndarray (p,)
    variance : float or None
        Of the noise that goes with a penalty by rule.
    found : EvidenceResult or None
        By the evidence.
    reason : str or None
        Why a penalty by rule is what it is.
    sizes : SelectionPath or None
        Of which the size was chosen.
    tails : StudentTNoise or None
    skip : tuple of float or None
        The log evidence without and with a skip layer, mirror images counted, by which the network
        was chosen.
    interrupted : bool
        Whether Ctrl-C has ended the search: it is what had been found.
    path : ArchitecturePath or None
        By which depth, width and levels were chosen.
    members : tuple of Member
        The networks that predict, the best first, where each has its own penalty; that of the task
        is that of the first.
    """

    model: Model
    objective: Objective
    row_weight_unit: float
    alpha: Any = 0.0
    variance: float | None = None
    found: empirical_bayes.EvidenceResult | None = None
    reason: str | None = None
    sizes: model_selection.SelectionPath | None = None
    tails: StudentTNoise | None = None
    skip: tuple[float, float] | None = None
    interrupted: bool = False
    path: ArchitecturePath | None = None
    members: tuple[Member, ...] = ()

    @property
    def criterion(self) -> Callable[[Array], float] | None:
        """What says which of several minima is the best, if the evidence does."""
        found, objective = self.found, self.objective
        return None if found is None else lambda theta: found.log_evidence(objective, theta)

    def of_members(self, members: Sequence[Member]) -> Task:
        """Return the task of networks that predict together; the first is the one that is shown."""
        found = members[0].found
        return replace(
            self,
            objective=self.objective.with_decay(found.decay),
            alpha=found.decay,
            found=found,
            members=tuple(members),
        )

    def cost_of(self, member: int) -> Objective:
        """Return the cost of one of the networks that predict together."""
        return self.objective.with_decay(self.members[member].found.decay)

    def held(self, theta: Array) -> Objective:
        """Return the cost around its minimum with biases, which a penalty leaves free, held too.

        As is usual: what no row says anything of is then not said to be without bounds.
        """
        objective = self.objective
        priors, decay = groups_of(self.model, objective.net), objective.decay
        if self.found is not None or not decay.any():
            return objective
        variance = 1.0 if self.variance is None else self.variance
        if objective.net.loss == "squared" and self.variance is None:
            of_data = 2.0 * objective.with_decay(np.zeros_like(decay)).cost(theta)
            variance = of_data / float(objective.w.sum()) / objective.net.layers[-1]
        usually = self.row_weight_unit * variance * priors.spread(usual(objective, priors))
        return objective.with_decay(np.where(decay > 0.0, decay, usually))

    def refit(
        self,
        member: int,
        w: Array,
        seed: int,
        anew: bool,
        scheme: str = "auto",
        cancellation: Cancellation | None = None,
    ) -> tuple[Objective, Objective, Array]:
        """Return the cost of some of the rows with its penalty, `held`, and its minimum.

        Parameters
        ----------
        member : int
            Of which of the networks that predict together.
        w : ndarray (n,)
            The weights of all rows, 0 for those that are left out.
        seed, scheme
            Of a start that has not seen these.
        anew : bool
            Whether the penalty is looked for from several levels: see `reestimate_hyperparameters`;
            that of several networks always is, from the level of each.
        cancellation : Cancellation, optional
            When it ends that search, the best until then is taken.

        Raises
        ------
        TrainingError
            If no minimum is found.
        """
        o, stays = self.objective, w > 0.0
        some = o.with_rows(o.rows.reweighted(w).take(stays))
        if self.members:
            options = SearchOptions(scheme, None, cancellation or Cancellation())
            of, unit = self.members[member], self.row_weight_unit
            found = empirical_bayes.hyperparameters_at_level(
                some, of.found.priors, of.level, seed, 0, options, unit
            )
            some = some.with_decay(found.decay)
            end = empirical_bayes.refine(
                some, found.best.theta, ITERATIONS_OF_MEMBER, cancellation=cancellation
            )
            return some, some, end
        if self.found is None:
            method, n = (
                ("lbfgs", 1)
                if empirical_bayes.is_costly(o) and not o.bounded
                else ("auto", STARTS_AGAIN)
            )
            starts = o.admitted(Starts(o.net, seed, scheme).take(n))
            ends = [
                empirical_bayes.refine(some, start, MOST_ITERATIONS_OF_REFIT, method, cancellation)
                for start in starts
            ]
            theta = min(ends, key=some.cost)
            return some, replace(self, objective=some).held(theta), theta
        found = empirical_bayes.reestimate_hyperparameters(
            some, self.found, seed, scheme=scheme, anew=anew, cancellation=cancellation
        )
        some = some.with_decay(found.decay)
        return some, some, found.best.theta


@dataclass(frozen=True, eq=False)
class Search:
    """How what is not given is looked for.

    Attributes
    ----------
    seed : int
    scheme : str
        Of the starts.
    cancellation : Cancellation
        Of all of it and what comes after.
    lasting : bool
        Whether what is found has to be the same however much time there is: the search is then as
        long as it is.
    skip : bool
        Whether a network with a skip layer is a candidate too, where weights are many.
    first : bool
        Whether folds compare larger networks afterwards: see `with_members`.
    brief : bool
        As `SearchOptions` takes it.
    """

    seed: int
    scheme: str = "auto"
    cancellation: Cancellation = field(default_factory=Cancellation)
    lasting: bool = False
    skip: bool = False
    first: bool = False
    brief: bool = False

    @property
    def options(self) -> SearchOptions:
        """What those who look need to know: the rest of the time is for what comes after."""
        all_of_it = self.cancellation
        mine = all_of_it.without_limit() if self.lasting else all_of_it.with_share(SHARE_OF_TIME)
        return SearchOptions(self.scheme, None, mine, self.brief)


def resolve_task(
    start: Task,
    alpha: Alpha,
    search: Search,
    *,
    sizes: Callable[[int], Objective] | None = None,
    noise: str = "varying",
) -> Task:
    """Return the cost that is to be minimized.

    Parameters
    ----------
    start : Task
        The model and the cost without what is to be found.
    alpha : float, sequence of float, "evidence" or "rule"
    search : Search
    sizes : callable, optional
        ``sizes(hidden)``: the cost of a network of that size, of which the best is to be found.
    noise : str
        "student" for heavy tails, so that rows that are far off count less.
    """
    if isinstance(alpha, str) and alpha not in (EVIDENCE, RULE):
        raise ConfigurationError(
            f"alpha is {alpha!r}; give numbers of at least 0, {EVIDENCE!r} or {RULE!r}"
        )
    net = start.objective.net
    if noise == STUDENT and (net.output, net.loss) != ("identity", "squared"):
        raise ConfigurationError(
            f"noise {STUDENT!r} is that of numbers with squared loss; output {net.output!r} "
            f"with loss {net.loss!r} has none"
        )
    w, first_sizes = start.objective.w, sizes
    if noise == STUDENT:
        # a first fit that follows rows far off would never find out which ones they are
        first = start.objective if sizes is None else sizes(FIRST_UNITS)
        unit, cancellation = start.row_weight_unit, search.cancellation
        counts = robust_weights(first, search.seed, unit, cancellation)
        start = replace(start, objective=start.objective.with_weights(w * counts))
        if sizes is not None:
            first_sizes = _counting(sizes, w * counts)
    if first_sizes is None:
        now = _with_alpha(start, alpha, search)
    else:
        now = _of_best_size(start, alpha, search, first_sizes)
    try:
        found = _as_noisy(now, search, noise, w)
        # sizes are compared again where rows or targets count otherwise now
        if sizes is None or found.objective.rows is now.objective.rows or found.interrupted:
            return found
        return _of_best_size_so_noisy(found, search, noise, sizes, w)
    except TrainingError:
        if now.found is None or not search.cancellation.interrupted:
            raise
        return replace(now, interrupted=True)


def _counting(sizes: Callable[[int], Objective], w: Array) -> Callable[[int], Objective]:
    """Return the costs of all sizes, with rows that count so much."""
    return lambda hidden: sizes(hidden).with_weights(w)


def _as_noisy(now: Task, search: Search, noise: str, w: Array) -> Task:
    """Return the cost with targets scaled by their noise, a skip layer or none, and heavy tails."""
    now = _with_targets_whitened(now, search)
    other = _or_with_skip(now, search)
    if other.model.network != now.model.network:
        other = _with_targets_whitened(other, search)
    return _with_tails(other, search, w) if noise == STUDENT and not other.interrupted else other


def _with_targets_whitened(now: Task, search: Search) -> Task:
    """Return the cost with each target scaled by the noise in it."""
    for _ in range(ROUNDS_OF_NOISE if _can_be_whitened(now) else 0):
        share = _share_of_noise(now)
        if now.interrupted or np.abs(np.log(share)).max() < SAME_NOISE:
            break
        now = _by_evidence(_whitened(now, share), search)
    return now


def _of_best_size_so_noisy(
    found: Task, search: Search, noise: str, sizes: Callable[[int], Objective], w: Array
) -> Task:
    """Return the cost of another size, if it is better once rows and targets count what they do."""

    def of_size(hidden: int) -> Objective:
        return sizes(hidden).with_rows(found.objective.rows)

    now = _of_best_size(found, EVIDENCE, search, of_size)
    if now.interrupted or now.model.network.layers == found.model.network.layers:
        return replace(found, sizes=now.sizes, interrupted=now.interrupted)
    return _as_noisy(replace(now, tails=None, skip=None), search, noise, w)


def _of_best_size(
    start: Task, alpha: Alpha, search: Search, sizes: Callable[[int], Objective]
) -> Task:
    if alpha != EVIDENCE or start.objective.is_fixed.any():
        raise ConfigurationError(
            f"how many hidden units are needed is found with alpha {EVIDENCE!r}, and no fixed "
            "weights; leave these out, or give the number of units"
        )
    found = model_selection.select_architecture(
        sizes,
        lambda of: groups_of(start.model, of.net),
        search.seed,
        start.row_weight_unit,
        search.options,
        search.first,
    )
    objective = sizes(found.chosen.hidden)
    theta = np.zeros(objective.net.n_parameters)
    model = replace(start.model, network=objective.net, theta=theta)
    now = replace(
        start, model=model, objective=objective, sizes=found, interrupted=found.interrupted
    )
    of_size = found.chosen.penalty
    assert of_size is not None
    again = of_size.n_rows < min(len(objective.w), empirical_bayes.rows_enough(objective.net))
    return _by_evidence(now, search) if again and not now.interrupted else _with(now, of_size)


def _or_with_skip(now: Task, search: Search) -> Task:
    """Return the cost of the network with a skip layer, if its evidence is higher.

    Where weights are many it says at once what is linear, and leaves the rest to the hidden units.
    Mirror images of both minima are counted, as in `growth`.
    """
    o = now.objective
    if not search.skip or now.found is None or now.interrupted or o.constrained:
        return now
    if (
        o.net.skip
        or o.net.n_layers < 3
        or not empirical_bayes.weights_are_many(o, now.row_weight_unit)
    ):
        return now
    net = replace(o.net, skip=True)
    model = replace(now.model, network=net, theta=np.zeros(net.n_parameters))
    objective = Objective.on(o.rows, net)
    if empirical_bayes.why_no_evidence(objective, now.row_weight_unit):
        return now
    # the minimum without a skip layer is one with a skip layer of zeros
    best = now.found.best
    logs = np.log(np.append(best.alpha, [best.beta] * (o.net.loss == "squared")))
    theta = np.append(np.zeros(net.n_parameters - len(best.theta)), best.theta)
    other = replace(now, model=model, objective=objective)
    try:
        other = _by_evidence(other, search, n_rows=now.found.n_rows, smaller=[(logs, theta)])
    except TrainingError:
        return replace(now, interrupted=search.cancellation.interrupted)
    assert other.found is not None
    without, with_it = (_height(of) for of in (now, other))
    # what is no minimum will not predict
    valid = not is_saddle(other.objective, other.found.best.theta)
    chosen = other if valid and with_it > without + model_selection.STRONG_EVIDENCE else now
    return replace(chosen, skip=(without, with_it), interrupted=other.interrupted)


def _height(of: Task) -> float:
    """Return the log evidence of a network that was found, mirror images counted."""
    assert of.found is not None
    *_, mirrored = model_selection.mirror_images(of.objective, of.found.best.theta)
    return of.found.best.log_evidence + mirrored


def _with_alpha(now: Task, alpha: Alpha, search: Search) -> Task:
    if not isinstance(alpha, str):
        return replace(now, alpha=alpha, objective=now.objective.with_alpha(alpha))
    reason = empirical_bayes.why_no_evidence(now.objective, now.row_weight_unit)
    if alpha == EVIDENCE and reason is None:
        return _by_evidence(now, search)
    found, variance, why = default_alpha.alpha_by_rule(
        now.objective, search.seed, now.row_weight_unit, search.cancellation
    )
    return replace(
        now,
        alpha=found,
        variance=variance,
        reason=why if alpha == RULE else f"{why} ({reason})",
        objective=now.objective.with_alpha(found),
    )


def _by_evidence(
    now: Task,
    search: Search,
    n_rows: int | None = None,
    smaller: Sequence[tuple[Array, Array]] = (),
) -> Task:
    """Return the cost with the penalty of the highest evidence: see `estimate_hyperparameters`."""
    priors = groups_of(now.model, now.objective.net)
    options = replace(search.options, n_rows=n_rows)
    found = empirical_bayes.estimate_hyperparameters(
        now.objective, priors, search.seed, now.row_weight_unit, options, smaller
    )
    return _with(replace(now, interrupted=found.interrupted), found)


def _with(now: Task, found: empirical_bayes.EvidenceResult) -> Task:
    objective = now.objective.with_decay(found.decay)
    return replace(now, alpha=found.decay, found=found, objective=objective)


def _can_be_whitened(now: Task) -> bool:
    if now.found is None or now.interrupted:
        return False
    net, kind = now.objective.net, now.model.target_scaling.kind
    return net.layers[-1] > 1 and (net.output, net.loss, kind) == (
        "identity",
        "squared",
        "standard",
    )


def _share_of_noise(now: Task) -> Array:
    """Return how much noise there is in each target, (K,), of geometric mean 1."""
    assert now.found is not None
    o = now.objective
    errors = o.errors(now.found.best.theta)
    noise = np.sqrt(o.w @ errors**2 / o.w.sum())
    noise = np.maximum(noise, LEAST_OF_NOISIEST * noise.max())
    return np.asarray(noise / np.exp(np.log(noise).mean()))


def _whitened(now: Task, share: Array) -> Task:
    """Return the cost with each target scaled by the noise in it, so that one β holds for all."""
    o, scaling = now.objective, now.model.target_scaling
    model = replace(now.model, target_scaling=replace(scaling, scale=scaling.scale * share))
    rows = o.rows.retargeted(o.targets / share)
    return replace(now, model=model, objective=o.with_rows(rows))


def _with_tails(now: Task, search: Search, w: Array) -> Task:
    """Return the cost with rows that count what heavy tails make of their weights w."""
    net = now.objective.net
    if now.found is None:
        start = net.initial(seed=search.seed)
        near = empirical_bayes.refine(now.objective, start, cancellation=search.cancellation)
    else:
        near = now.found.best.theta
    # a penalty found for noise without heavy tails is too strong, and what it cannot follow far off
    for _ in range(ROUNDS_OF_TAILS):
        all_rows = now.objective.with_weights(w)
        tails = fit_student_t(all_rows, near, now.row_weight_unit, search.cancellation)
        if search.cancellation.interrupted:
            return replace(now, interrupted=True)
        before, now = (
            now,
            replace(now, objective=now.objective.with_weights(w * tails.weights), tails=tails),
        )
        if now.found is None:
            return now
        if before.tails and np.abs(tails.weights - before.tails.weights).max() < SAME_COUNTS:
            return before
        now = _by_evidence(now, search)
        if now.interrupted:
            return now
        assert now.found is not None
        best = now.found.best.theta
        near = empirical_bayes.refine(now.objective, best, cancellation=search.cancellation)
    return now


def groups_of(model: Model, net: Network) -> Priors:
    """Return a group for each column of the table, and for the other layers."""
    of_column = np.repeat(np.arange(len(model.columns)), [len(c.inputs) for c in model.columns])
    return priors_of(net, of_column.tolist(), model.column_names)
