"""Finished starts as the arrays of a checkpoint, and back.

What is kept is where a method stopped and why it says so. Examining that once more gives the same
result, to the last bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from itertools import islice

import numpy as np

from chainrule._contracts import Array
from chainrule._errors import DataError
from chainrule.objectives.objective import Objective
from chainrule.optimize.checkpoint import Arrays, require_arrays, require_whole
from chainrule.optimize.history import COLUMNS, History, Iteration
from chainrule.optimize.methods import Choice
from chainrule.optimize.minimize import Fit, finish
from chainrule.optimize.stopping import SENTENCES, Termination

FAILED = "failed"
MOST_EVALUATIONS, MOST_LETTERS = 2**53, 1_000  # that a checkpoint may hold


@dataclass(frozen=True)
class _Ended:
    """A start that has ended, as far as it has to be known to make its Fit again."""

    theta: Array
    J: float
    g: Array
    scale: float
    history: History
    n_evaluations: int
    claim: Termination


def packed(fits: Sequence[Fit | None], p: int) -> Arrays:
    """Return starts that have ended as arrays, as they claimed it; of those that failed nothing."""
    made = [fit for fit in fits if fit is not None]
    rows = [astuple(row) for fit in made for row in fit.history]
    claims = [fit.claim or fit.termination for fit in made]
    ends = [fit.theta if fit.theta_of_claim is None else fit.theta_of_claim for fit in made]
    return {
        "failed": np.array([fit is None for fit in fits], dtype=np.bool_),
        "theta": np.array(ends, dtype=np.float64).reshape(-1, p),
        "names": np.array([claim.name for claim in claims], dtype=np.str_),
        "why": np.array([claim.inequality for claim in claims], dtype=np.str_),
        "evaluations": np.array([fit.n_evaluations for fit in made], dtype=np.int64),
        "lengths": np.array([len(fit.history) for fit in made], dtype=np.int64),
        "history": np.array(rows, dtype=np.float64).reshape(-1, len(COLUMNS)),
    }


def unpacked(saved: Arrays, objective: Objective, chosen: Choice, most: int) -> list[Fit | None]:
    """Return starts that had ended: what examining their ends makes of them is the same again.

    Raises
    ------
    DataError
        If the checkpoint does not hold at most so many starts of this objective.
    """
    _require_starts(saved, objective.net.n_parameters, most)
    made = zip(
        saved["theta"],
        saved["names"].tolist(),
        saved["why"].tolist(),
        saved["evaluations"].tolist(),
        saved["lengths"].tolist(),
        strict=True,
    )
    rows = iter(saved["history"].tolist())
    fits: list[Fit | None] = []
    for failed in saved["failed"].tolist():
        if failed:
            fits.append(None)
            continue
        theta, name, why, n, length = next(made)
        history = History(
            tuple(
                Iteration(int(i), J, change, g, step, int(count), seconds)
                for i, J, change, g, step, count, seconds in islice(rows, length)
            )
        )
        J, g = objective.evaluate(theta, 1)
        claim = Termination(name, why)
        ended = _Ended(np.array(theta), J, g, objective.scale, history, n, claim)
        fits.append(finish(objective, ended, chosen))
    return fits


def _require_starts(saved: Arrays, p: int, most: int) -> None:
    n = int(np.sum(~saved["failed"])) if saved.get("failed", np.zeros(0)).dtype == bool else 0
    shapes: dict[str, tuple[str, tuple[int | None, ...]]] = {
        "failed": ("b", (None,)),
        "theta": ("f", (n, p)),
        "names": ("U", (n,)),
        "why": ("U", (n,)),
        "evaluations": ("i", (n,)),
        "lengths": ("i", (n,)),
        "history": ("f", (None, len(COLUMNS))),
    }
    require_arrays(saved, shapes)
    rows = len(saved["history"])
    require_whole(saved["lengths"], rows, "lengths")
    require_whole(saved["evaluations"], MOST_EVALUATIONS, "evaluations")
    for name in ("iteration", "n_evaluations"):
        require_whole(saved["history"][:, COLUMNS.index(name)], MOST_EVALUATIONS, "histories")
    whole = saved["lengths"].sum() == rows and np.all(saved["lengths"] > 0)
    known = set(saved["names"].tolist()) <= set(SENTENCES)
    known &= all(0 < len(why) <= MOST_LETTERS for why in saved["why"].tolist())
    finite = np.all(np.isfinite(saved["theta"])) and np.all(np.isfinite(saved["history"]))
    if not (whole and known and finite and len(saved["failed"]) <= most):
        raise DataError(
            "the checkpoint does not fit this training: it holds starts that are not of it; delete "
            "it, or name another file"
        )
