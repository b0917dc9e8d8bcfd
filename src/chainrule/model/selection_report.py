"""What a fit reports of the networks that were compared: by the evidence, and by folds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from chainrule._records import ABSENT, Key
from chainrule._strict_json import one_of, require
from chainrule.bayes.model_selection import ENDS as SIZES_ENDED

MOST_NATS = 1e100  # of a log evidence


@dataclass(frozen=True)
class SizeReport:
    """One number of hidden units that was tried: see `Size`."""

    hidden: int
    differ: int
    n_weights: Annotated[int, Key("weights")]
    log_evidence: float | None
    idle: tuple[str, ...]

    def __post_init__(self) -> None:
        height = self.log_evidence
        require(height is None or abs(height) < MOST_NATS, f"a log evidence of {height} is none")


@dataclass(frozen=True)
class GrowthReport:
    """How the search for the number of hidden units ended, and on how many rows it was made."""

    ended: str
    n_rows: Annotated[int, Key("rows")]

    def __post_init__(self) -> None:
        one_of(self.ended, "end of the growth", SIZES_ENDED)


@dataclass(frozen=True)
class SkipReport:
    """The log evidence without and with a skip layer, mirror images counted, in nats."""

    without: float
    with_skip: Annotated[float, Key("with")]


@dataclass(frozen=True)
class CandidateReport:
    """A network that was compared with others on rows that it had not seen: see `Candidate`.

    Attributes
    ----------
    widths : tuple of int
    n_weights : int
    log_evidence : float or None
        None if it was given up before.
    levels : tuple of str
    explained : float or None
        The share of the cost of predicting the mean that fits without a fold explain, which is R²
        of a squared loss; None where it was given up after some folds.
    gain, standard_error : float
        By how much more is explained than by the network it was compared with.
    """

    widths: tuple[int, ...]
    n_weights: Annotated[int, Key("weights")]
    log_evidence: float | None
    levels: tuple[str, ...]
    explained: float | None
    gain: float
    standard_error: float

    def __post_init__(self) -> None:
        require(len(self.widths) >= 1 and min(self.widths) >= 1, "widths must be at least 1")


@dataclass(frozen=True)
class PathReport:
    """How depth and width were chosen, and on how many rows: see `ArchitecturePath`."""

    candidates: tuple[CandidateReport, ...]
    ended: str
    n_rows: Annotated[int, Key("rows")]

    def __post_init__(self) -> None:
        one_of(self.ended, "end of the search for depth and width", SIZES_ENDED)


@dataclass(frozen=True)
class MemberReport:
    """One of the networks that predict together: where its search began, and where it ended."""

    level: str
    start: int
    log_evidence: float | None


@dataclass(frozen=True)
class SelectionReport:
    """Which networks were compared, by the evidence and by folds, and which predict.

    Attributes
    ----------
    sizes : tuple of SizeReport or None
    growth : GrowthReport or None
    skip : SkipReport or None
    path : PathReport or None
    members : tuple of MemberReport or None
        Where each has its own penalty.
    """

    sizes: Annotated[tuple[SizeReport, ...] | None, ABSENT] = None
    growth: Annotated[GrowthReport | None, ABSENT] = None
    skip: Annotated[SkipReport | None, ABSENT] = None
    path: Annotated[PathReport | None, ABSENT] = None
    members: Annotated[tuple[MemberReport, ...] | None, ABSENT] = None

    def __post_init__(self) -> None:
        require((self.sizes is None) == (self.growth is None), "sizes and growth go together")
        found = self.sizes is None or any(of.log_evidence is not None for of in self.sizes)
        require(found, "of the sizes, one needs a log evidence")
