"""Empirical Bayes: estimate the hyperparameters by maximizing the evidence from several starts.

The evidence is maximized from several levels of penalty and noise, from the best linear function
and from the first few starts. The penalty of the highest is the one from which every start is then
minimized. Minima are ranked by evidence, not by cost: the cost omits the Occam factor, the volume
of the posterior.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from scipy import linalg

from chainrule._blas import one_thread
from chainrule._cancellation import INTERRUPTED, Cancellation
from chainrule._contracts import Array
from chainrule._errors import TrainingError
from chainrule.bayes.evidence import (
    STRONG,
    STRONGEST,
    TOLERANCE,
    USUAL,
    Evidence,
    EvidenceProblem,
    Level,
    Point,
    Step,
    maximize_evidence,
)
from chainrule.bayes.fixed_point import (
    FIXED_POINT,
    SAME_ROUNDS,
    at_minimum,
    fixed_point_from,
    fixed_point_from_level,
)
from chainrule.bayes.laplace import Priors, laplace
from chainrule.bayes.linear_start import linear_start
from chainrule.heart.initialisation import Starts
from chainrule.heart.network import Network
from chainrule.kernels.parallel import in_parallel
from chainrule.objectives.objective import Objective
from chainrule.optimize.methods import choose
from chainrule.optimize.minimize import descended
from chainrule.optimize.stopping import limits

MOST_WEIGHTS_FOR_EVIDENCE = 2_000  # beyond, second derivatives take minutes
FEWEST_ROWS = 10  # with fewer, noise cannot be told from signal
BEGINNINGS, CLIMBS = 3, 2  # minima at which it is looked at, and from which it is maximized
GONE = 0.5  # of all weights that have a prior, how many the data determine
SAME_HEIGHT, AS_GOOD, EDGE = 1e-3, 1.0, 3.0  # nats
ROWS_PER_WEIGHT, FEWEST_IN_SAMPLE = 20, 2_000  # rows that are enough to find α
PERCENT = 0.01  # of α and β, better than they are known
REFIT_NATS = 1e-3  # nats for each weight: enough for a fit without some of the rows
EVIDENCE, RULE = "evidence", "rule"  # of alpha: by what it is found
LEAST_GAMMA = 1e-3  # of a group, in a mean over groups
ENDED = ("converged", FIXED_POINT)
# where weights are many the evidence has many maxima, and where the search begins decides which of
# them is found
LEVELS_ABOVE = (STRONG, STRONGEST)
SMALLER = 0.5  # of the starting weights there
ROWS_PER_COLUMN = 4  # below which α of all rows tells a fit without some of them what to look for
COSTLY = 2e8  # multiplications for second derivatives: beyond, one climb has to do
NUMBERS_PER_WEIGHT = 5.0  # below which weights are many for a fixed point
LITTLE_WORK = 0.1 * COSTLY  # up to which the evidence is maximized from a fixed point on


def why_no_evidence(objective: Objective, row_weight_unit: float = 1.0) -> str | None:
    """Return why the evidence cannot be had, or None if it can."""
    p, rows = objective.net.n_parameters, float(objective.w.sum()) / row_weight_unit
    if p > MOST_WEIGHTS_FOR_EVIDENCE:
        most = f"{MOST_WEIGHTS_FOR_EVIDENCE:,}"
        return f"{p:,} weights > {most}: second derivatives take too long for the evidence"
    if rows < FEWEST_ROWS:
        return f"fewer than {FEWEST_ROWS} rows: too few to tell noise"
    if objective.highest_order < 2:
        return "the loss has no second derivatives"
    return None


@dataclass(frozen=True, eq=False)
class EvidenceResult:
    """What the evidence says about all weights, and how well it says it.

    Attributes
    ----------
    priors : Priors
    best : Evidence
        Of all searches.
    row_weight_unit : float
        The weight that counts as one row.
    n_climbs, n_rows : int
        From how many minima, and on how many rows, it was found.
    """

    priors: Priors
    best: Evidence
    row_weight_unit: float
    n_climbs: int
    n_rows: int
    noisy: bool = field(repr=False)

    @property
    def interrupted(self) -> bool:
        """Whether Ctrl-C has ended the search: it is what had been found."""
        return self.best.ended == INTERRUPTED

    @property
    def decay(self) -> Array:
        """The penalty for an `Objective`, (p,)."""
        return self.row_weight_unit * self.best.priors.spread(self.best.alpha) / self.best.beta

    def log_evidence(self, objective: Objective, theta: Array) -> float:
        """Return ln p(y | α, β) at a minimum, NaN where the curvature is not positive."""
        now = _in_rows(objective, self.row_weight_unit).with_decay(
            self.decay / self.row_weight_unit
        )
        n_numbers = EvidenceProblem(now, self.priors).n_numbers
        try:
            known = laplace(now, theta, self.priors, self.best.beta, n_numbers)
        except linalg.LinAlgError:
            return float("nan")
        return known.log_evidence


@dataclass(frozen=True, eq=False)
class SearchOptions:
    """How the hyperparameters are looked for.

    Attributes
    ----------
    scheme : str
        Of the starts, as `minimize_from_starts` takes it.
    n_rows : int, optional
        On about how many rows, if there are more; as many as `rows_enough` says if left out.
    cancellation : Cancellation
        When it ends the search, what has been found is taken.
    brief : bool
        Whether MacKay's fixed point from one start will do: it costs a tenth, and ends some nats
        below the highest evidence.
    """

    scheme: str = "auto"
    n_rows: int | None = None
    cancellation: Cancellation = field(default_factory=Cancellation)
    brief: bool = False


def estimate_hyperparameters(
    objective: Objective,
    priors: Priors,
    seed: int,
    row_weight_unit: float = 1.0,
    options: SearchOptions | None = None,
    smaller: Sequence[tuple[Array, Array]] = (),
) -> EvidenceResult:
    """Return the hyperparameters for which the evidence is highest.

    Parameters
    ----------
    objective : Objective
        With any penalty: it is not looked at.
    priors : Priors
    seed : int
        Of the starts.
    row_weight_unit : float
        The weight that counts as one row: see `default_alpha`.
    options : SearchOptions, optional
    smaller : sequence of tuple
        Of smaller networks ln α and ln β, and their weights as those of this one: the search begins
        there too.

    Raises
    ------
    TrainingError
        If it was not found from any start, or interrupted before that.
    """
    options = options or SearchOptions()
    enough = rows_enough(objective.net) if options.n_rows is None else options.n_rows
    sample = on_some_rows(objective, row_weight_unit, enough, seed)
    with one_thread():
        search = _Search.of(sample, priors, seed, options, smaller)
        found = search.fixed_points() if options.brief and not _needs_whole_search(sample) else []
        points = [] if found else search.points()
        if not (found or points):
            raise options.cancellation.failure(
                "the evidence was not found: the curvature of the cost is not positive at any "
                'minimum; give alpha as a number, or "rule"'
            )
        found = found or search.maximized(points)
    best = _rounded(_best(found))
    if options.cancellation.interrupted:
        best = replace(best, ended=INTERRUPTED)
    noisy = objective.net.loss == "squared"
    return EvidenceResult(priors, best, row_weight_unit, len(found), len(sample.w), noisy)


@dataclass(frozen=True, eq=False)
class _Search:
    """Where the evidence is maximized from: random starts, levels of α and β, smaller networks."""

    problem: EvidenceProblem
    starts: Array
    levels: Sequence[Level]
    nested: Sequence[tuple[Array, Array]]
    costly: bool
    nested_given: bool

    @classmethod
    def of(
        cls,
        sample: Objective,
        priors: Priors,
        seed: int,
        options: SearchOptions,
        smaller: Sequence[tuple[Array, Array]],
    ) -> _Search:
        p, K = sample.net.n_parameters, sample.net.layers[-1]
        costly = len(sample.w) * K * p * p > COSTLY
        scheme = Starts(sample.net, seed, options.scheme)
        starts = sample.admitted(scheme.take(1 if costly else BEGINNINGS))
        problem = EvidenceProblem(sample, priors, options.cancellation)
        many = weights_are_many(sample)
        linear = linear_start(problem) if many else None
        nested = [*smaller, *([] if linear is None else [linear])]
        levels = LEVELS_ABOVE if many else ()
        return cls(problem, starts, levels, nested, costly, bool(smaller))

    def points(self) -> list[Point]:
        """Return the points from which the evidence is maximized, the distinct ones of starts."""
        n_starts = len(self.starts)
        n = n_starts + len(self.levels) + len(self.nested)
        found = in_parallel(self._point, n)
        points = [of for of in found[n_starts:] if of is not None]
        points += _distinct(found[:n_starts])[:CLIMBS]
        return _distinct(points)[:1] if self.costly else points

    def fixed_points(self) -> list[Evidence]:
        """Return the fixed points from smaller networks, and from the first start at two levels."""
        problem, n = self.problem, len(self.nested)
        # what begins at a minimum without a skip layer needs no other start
        several = (STRONG, USUAL)[: 1 if self.costly else 2]
        levels = () if self.nested_given else several

        def of(r: int) -> Evidence | None:
            try:
                if r < n:
                    logs, theta = self.nested[r]
                    # rounding errors of where that search has ended are forgotten
                    found = fixed_point_from(problem, np.round(logs, 1), theta, SAME_ROUNDS)
                else:
                    found = fixed_point_from_level(
                        problem, levels[r - n], self.starts[0], SAME_ROUNDS
                    )
                return at_minimum(problem, found)
            except (TrainingError, linalg.LinAlgError):
                return None

        return [of for of in in_parallel(of, n + len(levels)) if of is not None]

    def maximized(self, points: Sequence[Point]) -> list[Evidence]:
        """Return where the evidence is highest near each point."""
        cancellation = self.problem.cancellation

        def maximize(r: int) -> Evidence:
            def monitor(step: Step) -> None:
                found = f"log evidence {step.log_evidence:.6g} nats, γ = {step.n_effective:.1f}"
                cancellation.tell(f"priors, start {r + 1} of {len(points)}: {found}")

            return maximize_evidence(points[r], monitor=monitor, cancellation=cancellation)

        return in_parallel(maximize, len(points))

    def _point(self, r: int) -> Point | None:
        n, problem = len(self.starts), self.problem
        try:
            if problem.cancellation.reason and r:
                return None
            if r < n:
                return problem.beginning(self.starts[r])
            if r < n + len(self.levels):
                start = problem.objective.admitted(SMALLER * self.starts[0])
                return problem.beginning_at(start, self.levels[r - n])
            return problem.among(*self.nested[r - n - len(self.levels)])
        except TrainingError:
            return None


def reestimate_hyperparameters(
    objective: Objective,
    found: EvidenceResult,
    seed: int,
    *,
    scheme: str = "auto",
    anew: bool = False,
    cancellation: Cancellation | None = None,
) -> EvidenceResult:
    """Return the penalty for which the evidence of fewer rows is highest.

    The weights begin at a start that has not seen the other rows. Nor do α of columns know them
    where there are few rows for each: all begin at their mean, since which columns matter by all
    rows is chosen by the rows that are left out too (Hastie, Tibshirani & Friedman 2009, Elements
    of Statistical Learning, section 7.10.2).

    Parameters
    ----------
    objective : Objective
        Of these rows.
    found : EvidenceResult
        Of all rows.
    seed, scheme
        Of the start, as `estimate_hyperparameters` takes them.
    anew : bool
        Whether the search begins not only where all rows have ended, but also at the usual α and β,
        and above them; a fixed point is then looked for from above only.
    cancellation : Cancellation, optional
        When it ends the search, that is where it is.

    Raises
    ------
    TrainingError
        If it was not found.
    """
    cancellation = cancellation or Cancellation()
    rows = _in_rows(objective, found.row_weight_unit)
    problem = EvidenceProblem(rows, found.priors, cancellation)
    start = objective.admitted(Starts(objective.net, seed, scheme).take(1))[0]
    best = found.best
    logs = np.log(np.append(best.alpha, [best.beta] * problem.noisy))
    if float(problem.objective.w.sum()) < ROWS_PER_COLUMN * objective.net.layers[0]:
        into = np.unique(found.priors.of[objective.net.blocks()["W[1]"]])
        mean = np.average(logs[into], weights=best.laplace.gamma[into].clip(LEAST_GAMMA))
        logs[into] = np.round(mean, 1)  # rounding errors are forgotten
    if best.ended == FIXED_POINT:
        if anew:
            again = fixed_point_from_level(problem, STRONG, start, SAME_ROUNDS)
        else:
            again = fixed_point_from(problem, logs, start, SAME_ROUNDS)
        again = at_minimum(problem, again)
        return replace(found, best=again, n_climbs=1, n_rows=len(objective.w))
    begin: list[Callable[[], Point]] = [lambda: problem.among(logs, start)]
    if anew:  # first what has seen no other row: of two as good the first is taken
        begin = [
            lambda: problem.beginning_at(objective.admitted(SMALLER * start), STRONG),
            lambda: problem.beginning(start),
            *begin,
        ]

    ends: list[Evidence] = []
    failure: TrainingError | None = None
    for point in begin:
        try:
            ends.append(maximize_evidence(point(), cancellation=cancellation, nats=REFIT_NATS))
        except TrainingError as error:
            failure = error
    if not ends:
        assert failure is not None
        raise failure
    return replace(found, best=_best(ends), n_climbs=len(ends), n_rows=len(objective.w))


def _needs_whole_search(objective: Objective) -> bool:
    """Return whether rows are so few that a fixed point may lie far off, and all else is cheap."""
    few = numbers_by_weights(objective) < NUMBERS_PER_WEIGHT * objective.net.n_parameters
    return few and work_by_weights(objective) <= LITTLE_WORK


def numbers_by_weights(objective: Objective) -> float:
    """Return how many numbers there are to fit: a row of weight 2 is the row written twice."""
    return float(objective.w.sum()) * objective.net.layers[-1]


def work_by_weights(objective: Objective) -> float:
    """Return the multiplications that one step with second derivatives takes on so many numbers."""
    p = objective.net.n_parameters
    return (numbers_by_weights(objective) + p) * p**2


def hyperparameters_at_level(
    objective: Objective,
    priors: Priors,
    level: Level,
    seed: int,
    start: int = 0,
    options: SearchOptions | None = None,
    row_weight_unit: float = 1.0,
) -> EvidenceResult:
    """Return the α and β that are reached from one start and one level.

    That is MacKay's fixed point; with one hidden layer, where it costs little, the maximum of the
    evidence near it.

    Parameters
    ----------
    objective, priors, seed, options, row_weight_unit
        As `estimate_hyperparameters` takes them.
    level : Level
    start : int
        Which of the starts, counted from 0.

    Raises
    ------
    TrainingError
        If the curvature of the cost is not positive on the way.
    """
    options = options or SearchOptions()
    enough = rows_enough(objective.net) if options.n_rows is None else options.n_rows
    sample = on_some_rows(objective, row_weight_unit, enough, seed)
    begin = Starts(sample.net, seed, options.scheme).take(start + 1)[start]
    with one_thread():
        problem = EvidenceProblem(sample, priors, options.cancellation)
        best = fixed_point_from_level(problem, level, sample.admitted(begin))
        if sample.net.n_layers <= 3 and work_by_weights(sample) <= LITTLE_WORK:
            logs = np.log(np.append(best.alpha, [best.beta] * problem.noisy))
            near = problem.among(logs, best.theta)
            best = maximize_evidence(near, cancellation=options.cancellation, nats=REFIT_NATS)
    noisy = objective.net.loss == "squared"
    return EvidenceResult(priors, _rounded(best), row_weight_unit, 1, len(sample.w), noisy)


def on_some_rows(objective: Objective, row_weight_unit: float, enough: int, seed: int) -> Objective:
    """Return the objective on about so many rows, with weights in rows."""
    return _on_rows(_in_rows(objective, row_weight_unit), enough, seed)


def weights_are_many(objective: Objective, row_weight_unit: float = 1.0) -> bool:
    """Return whether weights are many for so few rows, so that more has to be tried."""
    numbers = numbers_by_weights(objective) / row_weight_unit
    return numbers < ROWS_PER_WEIGHT * objective.net.n_parameters


def rows_enough(net: Network) -> int:
    """Return how many rows tell the priors of a network."""
    return max(FEWEST_IN_SAMPLE, ROWS_PER_WEIGHT * net.n_parameters // net.layers[-1])


def refine(
    objective: Objective,
    theta: Array,
    max_iter: int | None = None,
    method: str = "auto",
    cancellation: Cancellation | None = None,
) -> Array:
    """Return the minimum near a point."""
    chosen = choose(method, objective, len(theta))
    return descended(objective, theta, chosen, limits(TOLERANCE, max_iter, cancellation)).theta


def is_costly(objective: Objective) -> bool:
    """Return whether one step with second derivatives is many multiplications."""
    p = objective.net.n_parameters
    return bool((objective.size[0] + p) * p**2 > COSTLY)


def _distinct(points: Sequence[Point | None]) -> list[Point]:
    """Return the points at which different minima were found, the highest first."""
    kept: list[Point] = []
    for point in sorted((of for of in points if of is not None), key=lambda of: -of.height):
        if not kept or kept[-1].height - point.height > SAME_HEIGHT:
            kept.append(point)
    return kept


def _best(found: Sequence[Evidence]) -> Evidence:
    """Return the first of those whose evidence is as good as the highest.

    Which of these is a little higher is chance, and so is where a search ends that has not
    converged: it has to be better by `EDGE`. One at whose end all weights have gone is the last.
    """
    heights = [e.log_evidence - EDGE * (e.ended not in ENDED) for e in found]
    enough = max(heights) - AS_GOOD
    alike = [e for e, height in zip(found, heights, strict=True) if height >= enough]
    return next((e for e in alike if e.laplace.gamma.sum() > GONE), alike[0])


def _rounded(found: Evidence) -> Evidence:
    """Return α and β to a percent, better than they are known: rounding errors are forgotten."""
    alpha, beta = (
        np.exp(PERCENT * np.round(np.log(of) / PERCENT)) for of in (found.alpha, found.beta)
    )
    return replace(found, alpha=alpha, beta=float(beta))


def _in_rows(objective: Objective, row_weight_unit: float) -> Objective:
    """Return the objective with weights in rows."""
    return (
        objective
        if row_weight_unit == 1.0
        else objective.with_weights(objective.w / row_weight_unit)
    )


def _on_rows(objective: Objective, enough: int, seed: int) -> Objective:
    """Return the objective on about so many rows, chosen at random, all if there are few more."""
    if len(objective.w) <= 1.5 * enough:
        return objective
    return objective.with_rows(objective.rows.sample(enough, seed))
