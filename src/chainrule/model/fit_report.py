"""What a fit reports: one typed record, written by `reporting` and read wherever it is shown.

Its keys in a model file are those of docs/model-file.md, which stay as they are; its fields are
named by the terms of docs/glossary.md.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any

from chainrule._records import ABSENT, INLINED, Key, Positive, Share
from chainrule._strict_json import list_of, number, one_of, require
from chainrule.bayes.evidence import ENDS
from chainrule.model.scores import Scores
from chainrule.model.selection_report import SelectionReport
from chainrule.optimize.certificate import SENTENCES as KINDS_OF_POINTS
from chainrule.optimize.stopping import SENTENCES, Termination


def _penalty(value: Any, what: str) -> float | tuple[float, ...]:
    """Return α, or one for each layer or each weight; none is negative."""
    found = tuple(number(alpha, what) for alpha in (value if isinstance(value, list) else [value]))
    if min(found, default=0.0) < 0.0:
        raise ValueError(f"{what} must not be negative")
    return found if isinstance(value, list) else found[0]


def _signs(value: Any, what: str) -> tuple[int, ...]:
    found = tuple(list_of(value, what, lambda sign: number(sign, "sign")))
    if not set(found) <= {-1.0, 0.0, 1.0}:
        raise ValueError("a sign is -1, 0 or 1")
    return tuple(map(int, found))


@dataclass(frozen=True)
class DataReport:
    """The rows that were fitted.

    Attributes
    ----------
    n_rows : int
    baseline_cost : float
        The cost of predicting the mean.
    """

    n_rows: Annotated[int, Key("rows")]
    baseline_cost: float

    def __post_init__(self) -> None:
        require(self.n_rows >= 1, "rows must be at least 1")


@dataclass(frozen=True)
class FitOptions:
    """The options of `chainrule fit`, as they were given or left at their defaults.

    Of those that `effort` decides None is what was left out.
    """

    targets: tuple[str, ...]
    hidden: str | None
    activation: str
    output_name: str | None
    loss: str | None
    bias: bool
    skip: bool | None
    scale: str
    alpha: str | None
    method: str
    restarts: int | None
    ensemble: int | None
    noise: str
    seed: int
    init: str
    max_iter: int | None
    task: str
    drop: tuple[str, ...]
    number: tuple[str, ...]
    category: tuple[str, ...]
    dates: tuple[str, ...]
    weight: str | None
    missing: str
    effort: Annotated[str | None, ABSENT] = None


@dataclass(frozen=True)
class FitPlan:
    """What was asked of a fit, and what was resolved before the cost was minimized.

    Attributes
    ----------
    asked : FitOptions or None
        Of the command line, which `--like` takes again.
    alpha : float or tuple of float
        The penalty: one, or one for each layer or each weight.
    alpha_reason : str or None
        Why a penalty by rule is what it is.
    seed : int
    signs : tuple of int or None
        Which weights must not be negative (1) or positive (-1).
    """

    alpha: Annotated[float | tuple[float, ...], _penalty]
    seed: int
    alpha_reason: Annotated[str | None, ABSENT] = None
    signs: Annotated[tuple[int, ...] | None, _signs, ABSENT] = None
    asked: Annotated[FitOptions | None, ABSENT] = None


@dataclass(frozen=True)
class StartReport:
    """How one start ended: see `Restart`. What is not a number is None."""

    cost: float | None
    termination: str
    n_iterations: Annotated[int, Key("iterations")]
    n_evaluations: Annotated[int, Key("evaluations")]
    log_evidence: float | None = None


@dataclass(frozen=True)
class HistoryReport:
    """Cost and max |g| at every iteration of the best start, its beginning included."""

    cost: tuple[float, ...]
    max_gradient: tuple[float, ...]

    def __post_init__(self) -> None:
        same = 1 <= len(self.cost) == len(self.max_gradient)
        require(same, "the history must have at least 1 row, the start, and all its columns")


@dataclass(frozen=True)
class OptimizerReport:
    """How the cost was minimized.

    Attributes
    ----------
    method, reason : str
        Which optimizer, and why this one.
    cost, max_gradient : float
        J and max |g| at the end.
    termination : Termination
    n_evaluations : int
    starts : tuple of StartReport
    n_agree : int
        How many starts ended at the cost, or the evidence, of the best.
    from_search : bool
        Whether the best is the minimum at which the penalty was found.
    history : HistoryReport
        Of the best start.
    """

    method: str
    cost: float
    max_gradient: float
    termination: Termination
    n_evaluations: Annotated[int, Key("evaluations")]
    starts: Annotated[tuple[StartReport, ...], Key("restarts")]
    n_agree: Annotated[int, Key("agreeing")]
    history: HistoryReport
    reason: str = "as asked"
    from_search: bool = False

    def __post_init__(self) -> None:
        one_of(self.termination.name, "termination", SENTENCES)
        enough = len(self.starts) >= 1 and self.n_agree <= len(self.starts)
        require(enough, "there must be at least 1 restart, and as many as agree")


@dataclass(frozen=True)
class CertificateReport:
    """What is known of the point: see `Certificate`. What is not known is None."""

    kind: str
    relative_gradient: float | None
    decrement: float | None
    lowest_eigenvalue: float | None
    n_flat: Annotated[int, Key("flat_directions")]
    units: tuple[str, ...]
    unsettled: float | None = None

    def __post_init__(self) -> None:
        one_of(self.kind, "certificate", KINDS_OF_POINTS)


@dataclass(frozen=True)
class EvidenceReport:
    """What the evidence says of priors and noise.

    Attributes
    ----------
    groups : tuple of str
        Of weights that share a prior.
    alpha, gamma : tuple of float
        Of each group the precision of its prior, and how many weights the rows determine.
    n_weights : tuple of int
        Of each group.
    beta : float or None
        The precision of the noise; None of a loss that is the logarithm of a probability.
    log_evidence : float or None
        Of all rows at the weights of the model, in nats; None where the curvature is not positive.
    ended, within, steps
        How the search ended, within how many nats, and the log evidence after each of its steps.
    n_climbs, n_rows : int
        From how many minima it was maximized, and on how many rows.
    """

    groups: tuple[str, ...]
    alpha: tuple[float, ...]
    gamma: tuple[float, ...]
    n_weights: Annotated[tuple[int, ...], Key("weights")]
    beta: float | None
    log_evidence: float | None
    ended: str
    within: float
    steps: tuple[float, ...]
    n_climbs: Annotated[int, Key("climbs")]
    n_rows: Annotated[int, Key("rows")]

    def __post_init__(self) -> None:
        same = len({len(of) for of in (self.groups, self.alpha, self.gamma, self.n_weights)}) == 1
        enough = same and len(self.steps) >= 1
        require(enough, "the evidence needs a number of weights for each group, and a step")
        one_of(self.ended, "end of the evidence", ENDS)


@dataclass(frozen=True)
class RowWeightReport:
    """A row, counted from 1, and what it counts in a fit with Student-t noise."""

    row: int
    counts: float


@dataclass(frozen=True)
class StudentReport:
    """Student-t noise: see `StudentTNoise`; `rows` are those that count least."""

    degrees: Positive
    scale: tuple[Positive, ...]
    theta: tuple[float, ...]
    rows: tuple[RowWeightReport, ...]
    most: Positive = 1.0


@dataclass(frozen=True)
class RefitReport:
    """Into how many folds rows were divided, and whether the penalty was looked for anew."""

    n_folds: Annotated[int, Key("folds")]
    anew: bool


@dataclass(frozen=True)
class LeaveOneOutReport:
    """How good predictions of rows are by fits without them.

    Attributes
    ----------
    scores : dict
    median_error : dict or None
        Of each target that is a number, the median absolute error in its unit: outliers do not
        change it.
    coverage : float or None
        Of how many rows the targets are within 1.96 standard deviations.
    refits : RefitReport or None
        How rows were left out where first order is not enough.
    first_order : str or None
        Why first order has to do where it is not enough.
    """

    scores: Scores
    median_error: Annotated[dict[str, float] | None, ABSENT] = None
    coverage: Annotated[Share | None, ABSENT] = None
    refits: Annotated[RefitReport | None, ABSENT] = None
    first_order: Annotated[str | None, ABSENT] = None


@dataclass(frozen=True)
class SensitivityReport:
    """How much an output depends on an input, in users' units: see `relevance`."""

    effect: float
    effect_error: float
    slope: float
    error: float
    of_spread: float


Sensitivities = dict[str, dict[str, SensitivityReport]]  # by output and input


@dataclass(frozen=True)
class InfluentialRow:
    """A row that moves the weights far.

    Attributes
    ----------
    row : int
        Counted from 1.
    leverage : float
    decides : bool
        Whether it decides by itself what is predicted for it.
    distance : float
        How far the weights move without it, in standard deviations.
    target, without : tuple of float
        Its outputs, and what is predicted for it by a fit without it.
    """

    row: int
    leverage: float
    decides: bool
    distance: float
    target: tuple[float, ...]
    without: tuple[float, ...]


@dataclass(frozen=True)
class InfluenceReport:
    """The highest leverage, and the rows that move the weights farthest."""

    leverage: Positive
    rows: Annotated[tuple[InfluentialRow, ...], Key("influential")]


@dataclass(frozen=True)
class OutlierReport:
    """A row, counted from 1, and how many standard deviations its target is off."""

    row: int
    off: Positive


@dataclass(frozen=True)
class PosteriorReport:
    """What is known around the minimum.

    Attributes
    ----------
    gamma : float
        How many weights the rows determine.
    variance : float
        What the inverse of the curvature is multiplied by: that of the noise of a row of weight 1.
    gamma_per_observation : float
        γ for each number that was learned.
    leave_one_out : LeaveOneOutReport
    sensitivity : dict
        By output and input.
    influence : InfluenceReport
    outliers : tuple of OutlierReport
        Rows whose targets are far from what others predict.
    """

    gamma: Positive
    variance: Positive
    leave_one_out: Annotated[LeaveOneOutReport, INLINED]
    sensitivity: Annotated[Sensitivities, Key("relevance")]
    influence: Annotated[InfluenceReport, INLINED]
    gamma_per_observation: Annotated[Share, Key("share")] = 0.0
    outliers: Annotated[tuple[OutlierReport, ...], Key("far_off")] = ()


@dataclass(frozen=True)
class FitReport:
    """Everything a fit says of itself.

    Attributes
    ----------
    data : DataReport
    plan : FitPlan
    optimizer : OptimizerReport
    selection : SelectionReport
    certificate : CertificateReport or None
    evidence : EvidenceReport or None
        If the penalty was found by it.
    student : StudentReport or None
        If the noise is Student-t.
    fitted : dict
        Scores on the rows that were fitted.
    posterior : PosteriorReport or None
    no_posterior : str or None
        Why nothing is known around the minimum.
    """

    data: Annotated[DataReport, INLINED]
    plan: Annotated[FitPlan, INLINED]
    optimizer: Annotated[OptimizerReport, INLINED]
    selection: Annotated[SelectionReport, INLINED]
    certificate: Annotated[CertificateReport | None, ABSENT] = None
    evidence: Annotated[EvidenceReport | None, ABSENT] = None
    student: Annotated[StudentReport | None, Key("tails"), ABSENT] = None
    fitted: Annotated[Scores, Key("scores")] = field(default_factory=dict)
    posterior: Annotated[PosteriorReport | None, Key("known"), ABSENT] = None
    no_posterior: Annotated[str | None, ABSENT] = None

    @property
    def outliers(self) -> tuple[OutlierReport, ...]:
        """Rows whose targets are far from what others predict, as far as that is known."""
        return () if self.posterior is None else self.posterior.outliers
