"""What a fitted estimator knows besides its predictions."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_is_fitted

from chainrule._contracts import Array
from chainrule._records import to_json
from chainrule.heart.network import row_weights
from chainrule.model import diagnostics
from chainrule.model.model import Model
from chainrule.model.optimum import Best, best_input
from chainrule.objectives.objective import require_finite
from chainrule.pipeline.fit import Trained
from chainrule.report.knowledge import MOST_NAMED


@dataclass(frozen=True, eq=False)
class _Diagnostics:
    """What is known after training; empty or None where it is not.

    Attributes
    ----------
    log_evidence : float or None
    alpha : dict of str to float
        The precision of the prior of each group of weights, in the scale of the network.
    gamma : float or None
        How many weights the data determine.
    noise : ndarray (targets,) or None
        Standard deviation of the noise in each target, in its unit: the root of the mean variance.
    coefs_std, intercepts_std : list of ndarray
    skip_coef_std : ndarray or None
        Standard errors of the weights, as `coefs_`, `intercepts_` and `skip_coef_`.
    leverage, influence : ndarray (n,) or None
        Of each row that was learned: how far its own target decides what is predicted for it, and
        how far the weights would move without it, in standard deviations.
    without : ndarray (n, outputs) or None
        What is predicted for each row by a fit without it.
    scores : dict
        How good that is.
    relevance : dict of str to dict
        By output and input: see `chainrule.model.diagnostics.relevance`.
    """

    log_evidence: float | None
    alpha: dict[str, float]
    gamma: float | None
    noise: Array | None
    coefs_std: list[Array]
    intercepts_std: list[Array]
    skip_coef_std: Array | None
    leverage: Array | None
    influence: Array | None
    without: Array | None
    scores: dict[str, Any]
    relevance: dict[str, dict[str, dict[str, float]]]


def _of_training(trained: Trained) -> _Diagnostics:
    """Return what is known after a training."""
    model, belief = trained.model, trained.posterior
    assert model.report is not None
    found, said = model.report.evidence, model.report.posterior
    alpha = {} if found is None else dict(zip(found.groups, found.alpha, strict=True))
    height = None if found is None else found.log_evidence
    if belief is None or said is None:
        return _Diagnostics(height, alpha, None, None, [], [], None, None, None, None, {}, {})
    known = belief.posterior
    W, b = diagnostics.errors_of_weights(model)
    scale = model.target_scaling.scale
    return _Diagnostics(
        height,
        alpha,
        belief.n_effective,
        None if known.noise is None else np.sqrt(known.noise.variance) * scale,
        [W[l] for l in sorted(W) if l],
        [b[l] for l in sorted(b)],
        W.get(0),
        belief.leverage,
        belief.distance,
        model.target_scaling.inverse(belief.without),
        to_json(said.leave_one_out.scores),
        to_json(said.sensitivity),
    )


class DiagnosticsMixin:
    """What regressor and classifier know of weights, rows and inputs."""

    model_: Model

    def derivatives(self, X: Any) -> Array:
        """Return the exact dŷ/dx of each row, (n, inputs), or (n, outputs, inputs) of several.

        In the unit of the target over that of the input; categories are several inputs, those of
        `model_.input_names`. Of classes they are those of the probabilities.
        """
        check_is_fitted(self)
        found = diagnostics.derivatives(self.model_, self._inputs(X))
        return found[:, 0] if found.shape[1] == 1 else found

    def votes(
        self,
        X: Any,
        learned: Any,
        sample_weight: ArrayLike | None = None,
        y: ArrayLike | None = None,
    ) -> Array:
        """Return about how far each prediction follows each target that was learned.

        dŷ(x)/dy with the network taken as linear in its weights (Gauss-Newton).

        Parameters
        ----------
        X : array_like (m, features) or data frame
            What to predict.
        learned : array_like (n, features) or data frame
            The rows that it was fitted to.
        sample_weight : array_like (n,), optional
            As it was given to `fit`.
        y : array_like (n,) or (n, targets), optional
            Their targets: only noise "student" asks for them.

        Returns
        -------
        ndarray (m, n), or (m, targets, n, targets) of several
            dŷ(x)/dy: by how much a prediction would rise if a target had been higher by 1. Of the
            best network, without what a change of the penalty would do.
        """
        check_is_fitted(self)
        inputs = self._inputs(learned)
        Y = None
        if y is not None:
            Y = self.model_.network.targets(y, len(inputs))
            require_finite(Y, "y")
        weights = row_weights(sample_weight, len(inputs))
        weights = weights * diagnostics.counts_of_tails(self.model_, inputs, Y)
        found = diagnostics.hat_matrix(self.model_, self._inputs(X), inputs, weights)
        return found[:, 0, :, 0] if found.shape[1] == 1 else found

    def is_far(self, X: Any) -> NDArray[np.bool_]:
        """Return which rows are far from those that were learned from, (n,)."""
        check_is_fitted(self)
        return self.model_.is_far(self._inputs(X))

    def best_input(
        self,
        fixed: Mapping[str, Any] | None = None,
        *,
        minimize: bool = False,
        target: int | str = 0,
    ) -> Best:
        """Return the input for which the prediction is highest, within the range of the data.

        Parameters
        ----------
        fixed : mapping of str to float or str, optional
            Columns that are given, by the names in `model_.column_names`.
        minimize : bool, default False
            Whether to look for the lowest prediction.
        target : int or str, default 0
            Which output, by its place or name.

        Returns
        -------
        Best
            `inputs` by column, `prediction`, the `std` of a new row there, the columns that are
            `at_edge` of their range, and whether it is `far` from the rows that were learned.
        """
        check_is_fitted(self)
        return best_input(self.model_, dict(fixed or {}), minimize=minimize, target=target)

    def _remember_what_is_known(self, trained: Trained) -> None:
        known = _of_training(trained)
        self.log_evidence_ = known.log_evidence
        self.alpha_ = known.alpha
        self.gamma_ = known.gamma
        self.noise_ = known.noise
        self.coefs_std_, self.intercepts_std_ = known.coefs_std, known.intercepts_std
        self.skip_coef_std_ = known.skip_coef_std
        self.leverage_, self.influence_ = known.leverage, known.influence
        self.loo_predictions_ = known.without
        self.loo_scores_ = known.scores
        self.relevance_ = known.relevance

    def _warn_of_far(self, is_far: NDArray[np.bool_]) -> None:
        rows = np.flatnonzero(is_far)
        if len(rows):
            named = ", ".join(str(i) for i in rows[:MOST_NAMED]) + " …" * (len(rows) > MOST_NAMED)
            warnings.warn(
                f"{len(rows)} of {len(is_far)} rows are far from those that were learned from "
                f"(row {named}, counted from 0): what is said of them is extrapolated",
                UserWarning,
                stacklevel=4,
            )

    def _inputs(self, X: Any) -> Array:
        raise NotImplementedError
