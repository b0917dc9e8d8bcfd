"""Choose depth and width beyond one hidden layer, and the networks that predict together.

Networks that predict together are searched for independently, from different starts and levels of
the penalty, each with its own α and β. The errors of such networks have little in common, so that
the mean of their predictions is better than any of them (Hansen & Salamon 1990, IEEE Trans. PAMI
12:993; Lakshminarayanan, Pritzel & Blundell 2017, NeurIPS).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from chainrule._cancellation import Cancellation
from chainrule._errors import TrainingError
from chainrule.bayes import empirical_bayes
from chainrule.bayes.architecture import ArchitecturePath, Comparison, Member
from chainrule.bayes.empirical_bayes import SearchOptions
from chainrule.bayes.evidence import TOLERANCE, Level
from chainrule.heart.network import Network
from chainrule.kernels.parallel import in_parallel
from chainrule.objectives.objective import Objective
from chainrule.optimize.methods import choose
from chainrule.optimize.minimize import descended
from chainrule.optimize.multistart import stopped_at
from chainrule.optimize.saddles import leave_saddles
from chainrule.optimize.starts import Restarts
from chainrule.optimize.stopping import Termination, limits
from chainrule.pipeline.plan import Search, Task, groups_of
from chainrule.pipeline.settings import FitSettings

STARTS_OF_ONE = 3  # of a network that predicts alone
SPARE = 2  # searches for each member, as some find nothing


def with_members(now: Task, search: Search, settings: FitSettings) -> Task:
    """Return the cost with the networks that predict, if more than what was found is asked for."""
    network_of, size = settings.network, settings.ensemble
    deeper = not isinstance(network_of, Network) and settings.most_layers > 1
    widths = tuple(now.model.network.layers[1:-1])
    if now.found is None or now.interrupted or not widths or not (deeper or size > 1):
        return now
    options = search.options  # one limit for all that is looked for here
    like = now.objective.net

    def objective_of(widths: Sequence[int]) -> Objective:
        net = like
        if not isinstance(network_of, Network):
            net = replace(network_of(widths), skip=like.skip)
        return Objective.on(now.objective.rows, net, signs=settings.signs_of(net))

    comparison = Comparison(
        objective_of,
        lambda of: groups_of(now.model, of.net),
        search.seed,
        now.row_weight_unit,
        options,
        size > 1,
        settings.most_layers,
    )
    if deeper:
        path = comparison.path_from(widths)
    else:
        only = comparison.examine(widths)
        path = ArchitecturePath(only, (only,), "settled", len(only.costs))
    now = replace(now, path=path)
    chosen, cancelled = path.chosen, search.cancellation.interrupted
    if cancelled or not np.isfinite(chosen.cost):
        return replace(now, interrupted=cancelled)
    if size == 1 and chosen.widths == widths:
        return now  # the evidence has looked at it from more levels
    objective = objective_of(chosen.widths)
    n = size if size > 1 else STARTS_OF_ONE
    members = _members(now, objective, search.seed, options, chosen.levels, n)[:size]
    if not members or search.cancellation.interrupted:
        return replace(now, interrupted=search.cancellation.interrupted)
    net = objective.net
    model = replace(now.model, network=net, theta=np.zeros(net.n_parameters))
    return replace(now, model=model, objective=objective).of_members(members)


def _members(
    now: Task,
    objective: Objective,
    seed: int,
    options: SearchOptions,
    levels: Sequence[Level],
    n: int,
) -> tuple[Member, ...]:
    """Return about n networks, from as many starts, the one of the highest evidence first."""
    priors = groups_of(now.model, objective.net)

    def member(start: int) -> Member | None:
        level = levels[start % len(levels)]
        if start and options.cancellation.reason:
            return None
        options.cancellation.tell(f"network {start + 1} of {n}")
        try:
            found = empirical_bayes.hyperparameters_at_level(
                objective, priors, level, seed, start, options, now.row_weight_unit
            )
        except TrainingError:
            return None
        gone = found.best.laplace.gamma.sum() <= empirical_bayes.GONE
        late = start > 0 and found.best.ended == options.cancellation.reason
        return None if gone or late else Member(found, level, start)

    found: list[Member] = []
    tried = 0
    while len(found) < n and tried < SPARE * n and not options.cancellation.reason:
        first, more = tried, n - len(found)
        found += [of for of in in_parallel(lambda k: member(first + k), more) if of is not None]  # noqa: B023
        tried += more
    return tuple(sorted(found, key=lambda of: -of.found.best.log_evidence))


def minimize_members(
    task: Task, settings: FitSettings, cancellation: Cancellation
) -> tuple[Task, Restarts]:
    """Return the minima of networks that have their own penalties, and the task of these."""
    begin = task.objective.admitted(task.objective.net.initial(seed=settings.seed))

    def minimum(m: int) -> Restarts | None:
        objective, near = task.cost_of(m), task.members[m].found.best.theta
        chosen = choose(settings.method, objective, len(near))
        rules = limits(min(settings.tol, TOLERANCE), settings.max_iter, cancellation)
        end = descended(objective, near, chosen, rules)
        end = leave_saddles(objective, end, chosen, rules)
        try:
            return stopped_at(objective, end.theta, begin, end.claim)
        except TrainingError:
            return None

    found = [(m, of) for m, of in enumerate(in_parallel(minimum, len(task.members))) if of]
    if not found:
        raise cancellation.failure("no network has come to a minimum")
    runs = []
    for m, of in found:
        evidence = task.members[m].found.log_evidence(task.cost_of(m), of.best.theta)
        runs.append(replace(of.runs[0], log_evidence=evidence))
    theta = np.array([of.best.theta for _, of in found])
    cut_short = None
    if cancellation.reason is not None:
        cut_short = Termination(cancellation.reason, "while the networks were minimized")
    restarts = Restarts(found[0][1].best, tuple(runs), 1, cut_short, len(runs), theta=theta)
    return task.of_members([task.members[m] for m, _ in found]), restarts
