"""Results of several starts: how each ended, and how many agree with the best."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from chainrule._cancellation import INTERRUPTED
from chainrule._contracts import Array
from chainrule.optimize.minimize import Fit
from chainrule.optimize.stopping import Termination


@dataclass(frozen=True, slots=True)
class Restart:
    """How one start ended.

    Attributes
    ----------
    cost : float
        NaN if it failed.
    termination : str
        The name of its Termination, "failed", or "unexamined": nobody looked whether it is a
        minimum, as there was no time left, or another start had found a lower cost. Of starts
        that agree on a cost one is looked at; for the others a vanished gradient is enough.
    n_iterations, n_evaluations : int
    log_evidence : float
        Where starts are judged by it; else NaN.
    """

    cost: float
    termination: str
    n_iterations: int
    n_evaluations: int
    log_evidence: float = float("nan")


@dataclass(frozen=True)
class Restarts:
    """The best of several fits, and how all of them ended.

    Attributes
    ----------
    best : Fit
        The lowest cost, or the highest evidence; among those that agree, the first that converged.
    runs : tuple of Restart
        One for each start, in order.
    n_agree : int
        How many starts converged to the cost of the best, to a millionth of it, or to its evidence.
    cut_short : Termination or None
        What ended the last run before all starts had been made.
    n_ended : int
        How many starts had come to an end of their own by then.
    fits : tuple of Fit or None
        All of them, None for one that failed, where they may be resumed later.
    theta : ndarray (starts, p)
        Where each ended.
    from_search : bool
        Whether the best is the minimum at which the penalty was found: no start has reached an
        evidence as high.
    """

    best: Fit
    runs: tuple[Restart, ...]
    n_agree: int
    cut_short: Termination | None = None
    n_ended: int = 0
    fits: tuple[Fit | None, ...] = field(default=(), repr=False)
    theta: Array = field(default_factory=lambda: np.zeros((0, 0)), repr=False)
    from_search: bool = False

    @property
    def interrupted(self) -> bool:
        """Whether Ctrl-C has ended training."""
        return self.cut_short is not None and self.cut_short.name == INTERRUPTED

    @property
    def ranked(self) -> list[int]:
        """The starts that ended somewhere, the best first."""
        evidence = np.array([run.log_evidence for run in self.runs])
        costs = np.array([run.cost for run in self.runs])
        scores = costs if np.all(np.isnan(evidence)) else -evidence
        order: list[int] = np.argsort(scores, kind="stable").tolist()
        return [r for r in order if np.isfinite(scores[r])]

    def why_cut_short(self, n_asked: int) -> str:
        """Return in words what ended training before all of so many starts had ended."""
        assert self.cut_short is not None
        name, when = self.cut_short.name, self.cut_short.inequality
        return f"{name} after {self.n_ended} of {n_asked} starts had ended ({when})"

    def __str__(self) -> str:
        if len(self.runs) == 1 and not self.from_search:
            return "1 start"
        judged = any(np.isfinite(run.log_evidence) for run in self.runs)
        on = "highest evidence" if judged else "lowest cost"
        return agreement(self.n_agree, len(self.runs), on, self.from_search)


def agreement(
    n_agree: int, n_starts: int, on: str = "lowest cost", from_search: bool = False
) -> str:
    """Return in words how many starts agree on the best there is."""
    if from_search and n_starts == 1:
        return f"the start did not reach the {on}: the search for the penalty found it"
    if from_search:
        return f"none of {n_starts} starts reached the {on}: the search for the penalty found it"
    if n_agree == 0:
        return f"none of {n_starts} starts has converged to the {on}"
    if n_agree == 1 < n_starts:
        return f"only 1 of {n_starts} starts reached the {on}: more may find a better one"
    return f"{n_agree} of {n_starts} starts agree on the {on}"
