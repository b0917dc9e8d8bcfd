"""Refit without each fold of the rows where first-order leave-one-out is too optimistic.

First-order leave-one-out assumes that the refit stays near the full fit. With few rows per
effective parameter it may reach another minimum and another penalty, and the approximation is too
optimistic. Then each fold is predicted by a refit without it, whose weights start without it too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

from chainrule._cancellation import Cancellation
from chainrule._contracts import Array
from chainrule._errors import TrainingError
from chainrule.bayes.empirical_bayes import is_costly
from chainrule.bayes.minimum import Minimum, NoiseScale, minimum_at, root_of
from chainrule.bayes.posterior import Spread, spread_of_rows
from chainrule.kernels.parallel import in_parallel
from chainrule.objectives.objective import Objective
from chainrule.rows.protocol import Rows

BEARABLE = 0.1  # γ for each number that was learned, up to which first order is enough
LESS_OF_CLASSES = 0.3  # of that, where the loss is cross-entropy
FAR_BEYOND = 0.3  # the same, beyond which the penalty has to be looked for anew
FOLDS, FOLDS_IF_COSTLY = 10, 5  # as usual (Hastie, Tibshirani & Friedman 2009, section 7.10.1)

# the cost with its penalty, the same with all weights held, its minimum
Fitted = tuple[Objective, Objective, Array]
# that of the rows that remain, of one of those that predict together
Refit = Callable[[int, Array, int, bool], Fitted]


@dataclass(frozen=True, eq=False)
class FoldRefits:
    """What is predicted for each row by a fit without its fold.

    Attributes
    ----------
    n_folds : int
    anew : bool
        Whether the penalty was looked for anew.
    of : Spread
        At the output, of each of the minima that predict together.
    variance : ndarray (n,)
        Of the noise, by the fit without the row; 1 where the loss is the logarithm of a
        probability.
    """

    n_folds: int
    anew: bool
    of: Spread
    variance: Array


def gamma_per_target(objective: Objective, best: Minimum, counts: Array) -> float:
    """Return γ for each number that was learned, from 0 to 1."""
    net = objective.net
    numbers = net.layers[-1] - (net.output == "softmax")
    return float(counts @ best.rows.leverage) / (float(counts.sum()) * numbers)


def refit_folds(
    objective: Objective,
    refit: Refit,
    n_minima: int,
    unit_weight: Array,
    gamma: float,
    scale: NoiseScale,
    cancellation: Cancellation,
) -> FoldRefits | None:
    """Return what fits without each fold predict for it, None if one fails or is cancelled.

    Parameters
    ----------
    objective : Objective
        Of all rows.
    refit : callable
        ``refit(member, w, seed, anew)``: see `Task.refit`.
    n_minima : int
        How many predict together.
    unit_weight : ndarray (n,)
        The weight of each row taken once, which is what a fold is without.
    gamma : float
        As `gamma_per_target` has it.
    scale : NoiseScale
    cancellation : Cancellation
        When no fit is begun any longer.
    """
    net, w = objective.net, objective.w
    costly = is_costly(objective)
    fold, row = folds(objective.rows, FOLDS_IF_COSTLY if costly or n_minima > 1 else FOLDS)
    # of rows that are the same in all one is left out, however they are written down
    copies = np.bincount(row, w)
    once_out = np.zeros_like(copies)
    np.maximum.at(once_out, row, unit_weight)
    left = np.maximum(1.0 - once_out / copies, 0.0)[row]
    n, anew = int(fold.max()) + 1, gamma > FAR_BEYOND and not costly
    shape = n_minima, len(w), net.layers[-1]
    z, S, variance = np.empty(shape), np.empty((*shape, shape[-1])), np.zeros(shape[:2])

    def without(k: int) -> bool:
        if cancellation.reason:
            return False
        cancellation.tell(f"fold {k + 1} of {n}")
        held_out = fold == k
        remains = np.where(held_out, w * left, w)
        for m in range(n_minima):
            try:
                now, held, there = refit(m, remains, n * m + k, anew)
                stays = unit_weight[remains > 0.0]
                known = minimum_at(now, there, root_of(held, there), stays, scale)
            except (TrainingError, linalg.LinAlgError):
                return False
            if known is None:
                return False
            root = np.sqrt(known.variance * scale.row_weight_unit) * known.root
            of_fold = objective.rows.take(held_out)
            z[m, held_out], S[m, held_out] = spread_of_rows(net, there, root, of_fold)
            variance[m, held_out] = known.variance
        return not cancellation.reason

    done = in_parallel(without, n)
    if not (all(done) and np.all(np.isfinite(z)) and np.all(np.isfinite(S))):
        return None
    return FoldRefits(n, anew, Spread(z, S), variance.mean(axis=0))


def folds(rows: Rows, most: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the fold of each row, and which of the distinct rows it is, both (n,).

    The fold is by chance, but the same in whatever order the rows are, and of rows that are the
    same in all.
    """
    rng = np.random.default_rng(0)
    of_inputs, of_targets = rng.standard_normal(rows.n_inputs), rng.standard_normal(rows.n_outputs)
    # one number that tells rows apart; sums without BLAS, which may add in another order
    keys = rows.map(lambda of: (of.X * of_inputs).sum(axis=1) + (of.Y * of_targets).sum(axis=1))
    _, row = np.unique(keys, return_inverse=True)
    n = int(row.max()) + 1
    return rng.permutation(n)[row] % min(n, most), row
