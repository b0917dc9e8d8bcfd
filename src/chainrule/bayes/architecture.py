"""Choose depth, width and where the search for the penalty begins, by cross-validation.

Across depths the evidence misleads, and so it does between a weak and the usual penalty of one deep
network: where the function has small features it prefers what is smooth and predicts worse. Here
they are compared by what fits without a fold predict for it. From the one hidden layer that the
evidence has chosen on, one more layer and the next larger width are tried in turn, as long as
either predicts better: by more than a standard error if it predicts alone (Breiman, Friedman,
Olshen & Stone 1984, Classification and Regression Trees, section 3.4.3).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from chainrule._contracts import Array
from chainrule._errors import TrainingError
from chainrule.bayes.empirical_bayes import (
    EvidenceResult,
    SearchOptions,
    hyperparameters_at_level,
    numbers_by_weights,
    on_some_rows,
    why_no_evidence,
)
from chainrule.bayes.evidence import LEVELS, Level
from chainrule.bayes.fold_refits import folds
from chainrule.bayes.laplace import Priors
from chainrule.bayes.model_selection import MOST_ROWS_OF_SIZE, SIZES
from chainrule.bayes.posterior import z_of
from chainrule.kernels.parallel import in_parallel
from chainrule.objectives.objective import Objective

MOST_HIDDEN_LAYERS = 3  # that are tried
COMPARED_FOLDS, FIRST_FOLDS = 5, 2  # after the first ones what is much worse is given up
MOST_WORK = 2e9  # multiplications for second derivatives of one network
STANDARD_ERRORS = 1.0  # by which a larger network that predicts alone has to be better
MUCH_WORSE = 2.0  # standard errors

Widths = tuple[int, ...]
ObjectiveOf = Callable[[Widths], Objective]
PriorsOf = Callable[[Objective], Priors]


@dataclass(frozen=True, eq=False)
class Candidate:
    """A network of given widths, and how it predicts rows that it has not seen.

    Attributes
    ----------
    widths : tuple of int
        Of the hidden layers.
    n_weights : int
    log_evidence : float
        In nats, at the level that predicts best; NaN if it was given up before.
    levels : tuple of Level
        From which networks predict best, one or together.
    costs : ndarray (n,)
        Of each row by fits without its fold, infinite where there is none.
    gain, standard_error : float
        By how much the mean cost of a row is lower than that of the network it was compared with.
    """

    widths: Widths
    n_weights: int
    log_evidence: float
    levels: tuple[Level, ...]
    costs: Array
    gain: float = 0.0
    standard_error: float = 0.0

    @property
    def cost(self) -> float:
        """The mean cost of a row that it has not seen."""
        return float(self.costs.mean())


@dataclass(frozen=True, eq=False)
class ArchitecturePath:
    """The networks that were compared in turn, and which of them was chosen.

    Attributes
    ----------
    chosen : Candidate
    tried : tuple of Candidate
    ended : str
        As that of a `SelectionPath`.
    n_rows : int
        On how many rows they were compared.
    """

    chosen: Candidate
    tried: tuple[Candidate, ...]
    ended: str
    n_rows: int


@dataclass(frozen=True, eq=False)
class Member:
    """One of several networks that predict together: where its penalty was found, and how."""

    found: EvidenceResult
    level: Level
    start: int


@dataclass(frozen=True, eq=False)
class Comparison:
    """How networks are compared.

    Attributes
    ----------
    objective_of, priors_of : callable
        The cost of a network of given widths, and which of its weights share a prior.
    seed : int
    row_weight_unit : float
        The weight that counts as one row: see `default_alpha`.
    options : SearchOptions
    joint : bool
        Whether networks from several levels may predict together.
    most_layers : int
        Hidden layers, beyond which no more are tried.
    """

    objective_of: ObjectiveOf
    priors_of: PriorsOf
    seed: int
    row_weight_unit: float
    options: SearchOptions
    joint: bool
    most_layers: int = MOST_HIDDEN_LAYERS

    @property
    def enough(self) -> float:
        """Standard errors by which a larger network has to predict better.

        Several networks average out what more weights make each of them vary: the best will do.
        """
        return 0.0 if self.joint else STANDARD_ERRORS

    def path_from(self, widths: Widths) -> ArchitecturePath:
        """Return the path from a network of so many units upwards."""
        cancellation, ended = self.options.cancellation, "settled"
        chosen = self.examine(widths)
        tried = [chosen]
        if not np.isfinite(chosen.cost):
            return self._path(chosen, tried, cancellation.reason or ended)
        while True:
            larger = _larger(chosen.widths, self.most_layers)
            ahead = [of for of in larger if self._why_not(of) is None]
            ended = next((why for of in larger if (why := self._why_not(of))), "settled")
            better = []
            for next_widths in ahead:
                if (reason := cancellation.reason) is not None:
                    return self._path(chosen, tried, reason)
                candidate = self.examine(next_widths, chosen)
                if (reason := cancellation.reason) is not None:  # some of its folds are missing
                    return self._path(chosen, tried, reason)
                tried.append(candidate)
                # a network that could not be fitted without a fold is no candidate
                known = np.isfinite(candidate.cost)
                if known and candidate.gain > self.enough * candidate.standard_error:
                    better.append(candidate)
            if not better:
                return self._path(chosen, tried, ended)
            chosen = min(better, key=lambda of: of.cost)

    def _path(self, chosen: Candidate, tried: Sequence[Candidate], ended: str) -> ArchitecturePath:
        return ArchitecturePath(chosen, tuple(tried), ended, len(chosen.costs))

    def examine(self, widths: Widths, against: Candidate | None = None) -> Candidate:
        """Return what is known of one network, compared with another one.

        No more folds are predicted once it is much worse.
        """
        objective = self._rows_of(widths)
        shown = f"{', '.join(map(str, widths))} hidden units"
        fold, _ = folds(objective.rows, COMPARED_FOLDS)
        n_folds, target, w = int(fold.max()) + 1, objective.targets, objective.w
        z = np.full((len(LEVELS), *target.shape), np.nan)
        levels: tuple[Level, ...] = LEVELS
        gain, error, costs = 0.0, 0.0, np.full(len(w), np.inf)
        for ks in (range(min(FIRST_FOLDS, n_folds)), range(FIRST_FOLDS, n_folds)):
            self.options.cancellation.tell(f"{shown}, {n_folds} folds")
            self._predict(objective, ks, fold, z)
            done = fold < ks.stop
            levels, costs[done] = self._best_levels(objective, z[:, done], target[done], w[done])
            if against is None or not np.all(np.isfinite(costs[done])):
                continue
            better = against.costs[done] - costs[done]
            gain = float(better.mean())
            error = float(better.std(ddof=1) / np.sqrt(len(better)))
            if gain < -MUCH_WORSE * error:
                break
        known = np.isfinite(costs.mean())
        evidence = self._evidence(objective, levels[0]) if known else float("nan")
        return Candidate(widths, objective.net.n_parameters, evidence, levels, costs, gain, error)

    def _rows_of(self, widths: Widths) -> Objective:
        return on_some_rows(
            self.objective_of(widths), self.row_weight_unit, MOST_ROWS_OF_SIZE, self.seed
        )

    def _why_not(self, widths: Widths) -> str | None:
        """Return why a network is not tried, None if it is."""
        objective = self.objective_of(widths)
        numbers = numbers_by_weights(objective) / self.row_weight_unit
        numbers = min(numbers, MOST_ROWS_OF_SIZE * objective.net.layers[-1])
        p = objective.net.n_parameters
        if p > numbers:
            return "rows"
        costly = (numbers + p) * p**2 > MOST_WORK
        return "work" if costly or why_no_evidence(objective, self.row_weight_unit) else None

    def _evidence(self, objective: Objective, level: Level) -> float:
        try:
            return self._at_level(objective, level, 0).best.log_evidence
        except TrainingError:
            return float("nan")

    def _at_level(self, objective: Objective, level: Level, start: int) -> EvidenceResult:
        return hyperparameters_at_level(
            objective, self.priors_of(objective), level, self.seed, start, self.options
        )

    def _predict(self, objective: Objective, ks: range, fold: NDArray[np.intp], z: Array) -> None:
        """Write down what fits without each of some folds say of it, from each level."""

        def of(r: int) -> None:
            k, m = ks[r // len(LEVELS)], r % len(LEVELS)
            if self.options.cancellation.reason is not None:
                return
            some = objective.with_rows(objective.rows.take(fold != k))
            try:
                found = self._at_level(some, LEVELS[m], k)
            except TrainingError:
                return
            z[m, fold == k] = z_of(objective.net, found.best.theta, objective.rows.take(fold == k))

        if len(ks):
            in_parallel(of, len(ks) * len(LEVELS))

    def _best_levels(
        self, objective: Objective, z: Array, target: Array, w: Array
    ) -> tuple[tuple[Level, ...], Array]:
        """Return the levels that predict rows best, and the cost of each row."""
        pair = objective.net.pair
        most = len(LEVELS) if self.joint else 1
        choices = [of for n in range(1, most + 1) for of in combinations(range(len(LEVELS)), n)]
        costs = [w / objective.w.mean() * pair.cost(z[[*of]].mean(0), target) for of in choices]
        costs = [np.where(np.isnan(of), np.inf, of) for of in costs]
        best = int(np.argmin([of.mean() for of in costs]))
        return tuple(LEVELS[m] for m in choices[best]), costs[best]


def _larger(widths: Widths, most_layers: int) -> list[Widths]:
    """Return the next larger networks: one more layer, and more units in each."""
    found = []
    if len(widths) < most_layers:
        found.append((*widths, widths[-1]))
    wider = [next((size for size in SIZES if size > width), None) for width in widths]
    if None not in wider:
        found.append(tuple(size for size in wider if size is not None))
    return found
