"""Model selection: the number of hidden units by the evidence (MacKay 1992, Neural Comp. 4:448).

One hidden layer grows until two sizes in a row have gained nothing that counts, and the smallest
that is as good as the best is taken; no hidden layer is one of the sizes. They are compared on the
same rows, with as many mirror images of a minimum counted as there are: H units that differ can
change places in H! ways, and where f is odd, or a sigmoid, each can change its sign.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from chainrule._cancellation import INTERRUPTED, TIME_LIMIT
from chainrule._contracts import Array
from chainrule._errors import ConfigurationError, TrainingError
from chainrule.bayes import empirical_bayes
from chainrule.bayes.empirical_bayes import SearchOptions
from chainrule.bayes.evidence import STRONG, USUAL, Level
from chainrule.bayes.laplace import Priors
from chainrule.objectives.objective import Objective
from chainrule.optimize.idle_units import Unit, idle_units_of_rows

SIZES = (0, 1, 2, 3, 5, 8, 12, 18, 27, 40)  # hidden units, each about half as large again
FIRST_SIZES = (0, 1, 2, 3, 5, 8)  # where folds compare larger ones afterwards
PATIENCE = 2  # sizes that gain nothing
STRONG_EVIDENCE = 3.0  # strong evidence: a ratio of 20 (Kass & Raftery 1995, JASA 90:773)
MOST_ROWS_OF_SIZE = 5_000  # on which sizes are compared
MOST_WORK_OF_SIZE = 5e8  # multiplications for second derivatives
ODD = ("tanh", "identity")


@dataclass(frozen=True)
class Size:
    """One size that was tried.

    Attributes
    ----------
    hidden, differ, weights : int
        Units, and how many of them do something that no other does.
    log_evidence : float
        In nats, mirror images counted.
    idle : tuple of str
        Units that do nothing, or what another one does.
    penalty : EvidenceResult or None
        For which that is the evidence, None if it was not found.
    """

    hidden: int
    differ: int
    weights: int
    log_evidence: float
    idle: tuple[str, ...]
    penalty: empirical_bayes.EvidenceResult | None = field(default=None, repr=False)


ENDS = {
    "settled": "",
    "work": "larger ones were not tried: second derivatives would take too long",
    TIME_LIMIT: "larger ones were not tried: there was no time",
    "largest": "larger ones were not tried",
    INTERRUPTED: "larger ones were not tried: interrupted",
    "rows": "larger ones were not tried: they have more weights than there are numbers",
}


@dataclass(frozen=True)
class SelectionPath:
    """The size that was chosen, all that were tried in turn, and why no other was.

    Attributes
    ----------
    chosen : Size
    tried : tuple of Size
    ended : str
        One of `ENDS`.
    """

    chosen: Size
    tried: tuple[Size, ...]
    ended: str

    @property
    def interrupted(self) -> bool:
        """Whether Ctrl-C has ended it."""
        return self.ended == INTERRUPTED


def select_architecture(
    objective_of: Callable[[int], Objective],
    priors_of: Callable[[Objective], Priors],
    seed: int,
    row_weight_unit: float = 1.0,
    options: SearchOptions | None = None,
    first: bool = False,
) -> SelectionPath:
    """Return the number of hidden units that the evidence is highest for.

    Parameters
    ----------
    objective_of : callable
        ``objective_of(hidden)``: the cost of a network of that size, with any penalty.
    priors_of : callable
        ``priors_of(objective)``: which of its weights share a prior.
    seed : int
        Of the starts.
    row_weight_unit : float
        The weight that counts as one row: see `default_alpha`.
    options : SearchOptions, optional
        After its time no larger size is tried.
    first : bool
        Whether it is only where a longer search begins: from one start, at two levels of α.

    Raises
    ------
    ConfigurationError
        If the evidence is not available.
    """
    options = options or SearchOptions()
    cancellation = options.cancellation

    def attempt(objective: Objective, hidden: int) -> Size:
        cancellation.tell(f"{hidden} hidden units")
        of_size = replace(options, n_rows=MOST_ROWS_OF_SIZE)
        way = _quickly if first else None
        return _trial(objective, hidden, priors_of(objective), seed, row_weight_unit, of_size, way)

    tried: list[Size] = []
    ended = "largest"
    for hidden in SIZES if not first else FIRST_SIZES:
        objective = objective_of(hidden)
        if (reason := empirical_bayes.why_no_evidence(objective, row_weight_unit)) and not tried:
            raise ConfigurationError(
                f"how many hidden units are needed cannot be found ({reason}); give their number"
            )
        if reason or (tried and _work(objective) > MOST_WORK_OF_SIZE):
            ended = "work"
            break
        if tried and (reason := cancellation.reason):
            ended = reason
            break
        tried.append(attempt(objective, hidden))
        if cancellation.interrupted:
            ended = INTERRUPTED
            break
        if _sizes_without_gain(tried) == PATIENCE:
            ended = "settled"
            break
    best = max(size.log_evidence for size in tried)
    chosen = next(size for size in tried if size.log_evidence >= best - STRONG_EVIDENCE)
    # units that do nothing are taken away, if the evidence agrees
    smaller, known = chosen.differ, {size.hidden for size in tried}
    may_shrink = 1 <= smaller < chosen.hidden and smaller not in known
    if may_shrink and not cancellation.interrupted:
        size = attempt(objective_of(smaller), smaller)
        tried.append(size)
        chosen = size if size.log_evidence > chosen.log_evidence - STRONG_EVIDENCE else chosen
    if chosen.penalty is None:
        raise cancellation.failure(
            "the evidence was not found for any size; give the number of units"
        )
    return SelectionPath(chosen, tuple(tried), ended)


def _sizes_without_gain(tried: Sequence[Size]) -> int:
    """Return how many of the last sizes have gained nothing that counts."""
    worse = 0
    for k, size in enumerate(tried):
        # a linear function may be better than few units, and worse than many
        best = max((one.log_evidence for one in tried[:k] if one.hidden), default=-np.inf)
        worse = 0 if size.log_evidence > best + STRONG_EVIDENCE or not size.hidden else worse + 1
    return worse


def _trial(
    objective: Objective,
    hidden: int,
    priors: Priors,
    seed: int,
    row_weight_unit: float,
    options: SearchOptions,
    way: Callable[..., empirical_bayes.EvidenceResult] | None = None,
) -> Size:
    net = objective.net
    try:
        way = way or empirical_bayes.estimate_hyperparameters
        found = way(objective, priors, seed, row_weight_unit, options)
    except TrainingError:
        return Size(hidden, hidden, net.n_parameters, -np.inf, ())
    idle, differ, mirrored = mirror_images(objective, found.best.theta)
    height = found.best.log_evidence + mirrored
    return Size(hidden, differ, net.n_parameters, height, tuple(map(str, idle)), found)


def _quickly(
    objective: Objective, priors: Priors, seed: int, unit: float, options: SearchOptions
) -> empirical_bayes.EvidenceResult:
    """Return the penalty that is found from one start, from the better of two levels."""

    def of(level: Level) -> empirical_bayes.EvidenceResult:
        return empirical_bayes.hyperparameters_at_level(
            objective, priors, level, seed, 0, options, unit
        )

    strong, usual = map(of, (STRONG, USUAL))
    return strong if strong.best.log_evidence > usual.best.log_evidence else usual


def mirror_images(objective: Objective, theta: Array) -> tuple[tuple[Unit, ...], int, float]:
    """Return idle units, how many of all differ, and ln of the number of images of a minimum."""
    net = objective.net
    idle = idle_units_of_rows(net, theta, objective.rows)
    n_differ, mirrored = 0, 0.0
    for l in range(2, net.n_layers):
        differ = net.layers[l - 1] - len({unit.index for unit in idle if unit.layer == l})
        n_differ += differ
        mirrored += math.lgamma(differ + 1.0)
        # the sign of a unit: f(-z) is -f(z), or 1 - f(z), and the next bias makes up for the 1
        f = net.hidden[l - 2]
        if (f in ODD or (f == "sigmoid" and net.bias)) and not objective.constrained:
            mirrored += differ * float(np.log(2.0))
    return idle, n_differ, mirrored


def _work(objective: Objective) -> float:
    net = objective.net
    return float(min(len(objective.w), MOST_ROWS_OF_SIZE) * net.layers[-1] * net.n_parameters**2)
