"""Scores of predictions: errors in the unit of the target, or accuracy and log loss."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from chainrule._contracts import Array

MOST_SCALED_TARGET = 1e150  # largest values of the target, of which squares are numbers


@dataclass(frozen=True)
class NumberScores:
    """Errors of predictions of a target, in its unit, and R²."""

    rmse: float
    r2: float
    max_error: float


@dataclass(frozen=True)
class ClassScores:
    """How good probabilities of classes are, beside those of always saying the same."""

    accuracy: float
    log_loss: float
    accuracy_of_constant: float
    log_loss_of_constant: float


Scores = dict[str, NumberScores | ClassScores]  # by target


def of_numbers(Y: Array, predicted: Array, names: Sequence[str], w: Array | None = None) -> Scores:
    """Return rmse and max_error, in the unit of the target, and r2 for each target.

    Parameters
    ----------
    Y, predicted : ndarray (n, targets)
    names : sequence of str
        Of the targets.
    w : ndarray (n,), optional
        The weight of each row.
    """
    share = np.full(len(Y), 1.0) if w is None else w / w.max()
    share = (share / share.sum())[:, None]
    unit = np.max(np.abs(Y), axis=0)
    unit[unit == 0] = 1.0  # computed in shares of this, so that no square over- or underflows
    truth = Y / unit
    with np.errstate(over="ignore"):  # however far off a fit is, its scores are numbers
        error = np.clip(truth - predicted / unit, -MOST_SCALED_TARGET, MOST_SCALED_TARGET)
    spread = (share * (truth - (share * truth).sum(axis=0)) ** 2).sum(axis=0)
    squares = (share * error**2).sum(axis=0)
    return {
        name: NumberScores(
            rmse=_in_unit(np.sqrt(squares[k]), unit[k]),
            r2=_explained(squares[k], spread[k]),
            max_error=_in_unit(np.abs(error[share[:, 0] > 0.0, k]).max(), unit[k]),
        )
        for k, name in enumerate(names)
    }


def _explained(squares: float, spread: float) -> float:
    """Return R², not lower than the lowest number there is."""
    if not spread > 0:
        return float("nan")
    with np.errstate(over="ignore"):
        return float(max(1.0 - squares / spread, -np.finfo(np.float64).max))


def _in_unit(share: float, unit: float) -> float:
    """Return a share of the unit as a number, the largest there is if it is larger."""
    with np.errstate(over="ignore"):
        return float(min(share * unit, np.finfo(np.float64).max))


def of_classes(
    Y: Array, probabilities: Array, names: Sequence[str], w: Array | None = None
) -> Scores:
    """Return accuracy and log_loss for each target, beside those of always saying the same.

    Parameters
    ----------
    Y : ndarray (n, outputs)
        0 and 1: one column for each class of one target, or for each target of two classes.
    probabilities : ndarray (n, outputs)
        Strictly between 0 and 1.
    names : sequence of str
        Of the targets.
    w : ndarray (n,), optional
        The weight of each row.
    """
    share = np.full(len(Y), 1.0) if w is None else w / w.max()
    share = share / share.sum()
    if len(names) < Y.shape[1]:  # one target of several classes
        parts = [(Y, probabilities)]
    else:
        columns = zip(Y.T, probabilities.T, strict=True)
        parts = [(np.column_stack([1 - y, y]), np.column_stack([1 - p, p])) for y, p in columns]
    scores: Scores = {}
    for name, (truth, p) in zip(names, parts, strict=True):
        frequency = share @ truth
        known = frequency[frequency > 0]
        right = truth[np.arange(len(p)), p.argmax(axis=1)] > 0
        scores[name] = ClassScores(
            accuracy=float(share @ right),
            log_loss=float(-share @ (truth * np.log(np.where(truth > 0, p, 1.0))).sum(axis=1)),
            accuracy_of_constant=float(frequency.max()),
            log_loss_of_constant=float(-known @ np.log(known)),
        )
    return scores
