"""The classifier."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from chainrule._contracts import Array
from chainrule._errors import ConfigurationError, DataError
from chainrule.bayes.default_alpha import row_weight_unit_of
from chainrule.bayes.leverage import unit_weights
from chainrule.estimators.base import NetworkEstimator
from chainrule.estimators.callbacks import with_callbacks
from chainrule.estimators.given import labels_of, numbered
from chainrule.estimators.parameters import is_real
from chainrule.heart.activations import Activation
from chainrule.heart.network import row_weights
from chainrule.heart.outputs import Loss
from chainrule.optimize.problem import Optimizer
from chainrule.pipeline.effort import NORMAL
from chainrule.tables import targets
from chainrule.tables.targets import Classes, Targets


class NetworkClassifier(ClassifierMixin, NetworkEstimator):
    """A network that predicts classes, as scikit-learn knows classifiers.

    Two classes, more, or several labels at once, each by its probability.

    Parameters
    ----------
    class_weight : mapping, "balanced" or None, default None
        What a row counts by its class: its weight is w_i = s_i c[y_i], with s its `sample_weight`
        and c this mapping, 1 for a class that is not in it. Whole numbers take every row of a class
        so many times, as they do in `sample_weight`: the fit is the same. Others only say how
        classes compare, and as many rows count as would be as exact without them,
        (Σ s c)² / Σ s c². "balanced" is c[k] = Σ s / (K Σ s of class k) for K classes.
    others
        As those of `NetworkRegressor`.

    Attributes
    ----------
    classes_ : ndarray
        The classes, in the order of the columns of `predict_proba`.
    others
        As those of `NetworkRegressor`.

    Examples
    --------
    >>> import chainrule
    >>> X, y = [[0.0], [1.0], [2.0], [3.0]], ["low", "low", "high", "high"]
    >>> classifier = chainrule.NetworkClassifier(hidden_layer_sizes=(2,)).fit(X, y)
    >>> classifier.predict([[-1.0], [5.0]]).tolist()
    ['low', 'high']
    >>> classifier.predict_proba([[1.5]]).shape
    (1, 2)
    """

    def __init__(
        self,
        hidden_layer_sizes: int | Sequence[int] | str | None = None,
        activation: str | Activation | Sequence[str | Activation] = "tanh",
        *,
        effort: str = NORMAL,
        output_activation: str | None = None,
        loss: str | Loss | None = None,
        bias: bool = True,
        skip: bool | str = "auto",
        alpha: float | Sequence[float] | str | None = None,
        method: str | Optimizer = "auto",
        n_restarts: int | None = None,
        ensemble: int | None = None,
        max_iter: int | None = None,
        max_time: float | None = None,
        tol: float = 1e-9,
        scale: str = "standard",
        missing: str = "error",
        fixed: Mapping[str, ArrayLike] | None = None,
        monotonic_cst: Mapping[str, int] | Sequence[int] | None = None,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 10,
        warm_start: bool = False,
        random_state: int | np.random.RandomState | None = 0,
        class_weight: Mapping[Any, float] | str | None = None,
        missing_values: Sequence[str] | None = None,
        on_interrupt: str = "raise",
        n_jobs: int | None = None,
        verbose: bool = False,
    ) -> None:
        super().__init__(
            hidden_layer_sizes=hidden_layer_sizes,
            activation=activation,
            effort=effort,
            output_activation=output_activation,
            loss=loss,
            bias=bias,
            skip=skip,
            alpha=alpha,
            method=method,
            n_restarts=n_restarts,
            ensemble=ensemble,
            max_iter=max_iter,
            max_time=max_time,
            tol=tol,
            scale=scale,
            missing=missing,
            fixed=fixed,
            monotonic_cst=monotonic_cst,
            early_stopping=early_stopping,
            validation_fraction=validation_fraction,
            n_iter_no_change=n_iter_no_change,
            warm_start=warm_start,
            random_state=random_state,
            class_weight=class_weight,
            missing_values=missing_values,
            on_interrupt=on_interrupt,
            n_jobs=n_jobs,
            verbose=verbose,
        )

    @with_callbacks
    def fit(self, X: Any, y: Any, sample_weight: ArrayLike | None = None) -> NetworkClassifier:
        """Fit the network.

        Parameters
        ----------
        X : array_like (n, features), sparse matrix or data frame
        y : array_like (n,) of labels, or (n, labels) of 0 and 1
        sample_weight : array_like (n,), optional
            A weight of 2 is the row twice, a weight of 0 is the row left out. If some are not
            whole, only how they compare counts for the penalty by rule.

        Returns
        -------
        NetworkClassifier
            Itself.
        """
        labels = labels_of(self, y)
        classes: Classes
        if labels.ndim == 2:
            self.classes_ = np.arange(labels.shape[1])
            names = numbered("label", labels.shape[1])
            classes, codes = ((0, 1),) * labels.shape[1], labels.astype(np.intp)
        else:
            self.classes_, positions = np.unique(labels, return_inverse=True)
            names = (str(getattr(y, "name", None) or "class"),)
            plain = [
                label if isinstance(label, str | int | float) else str(label)
                for label in self.classes_.tolist()
            ]
            classes, codes = (tuple(plain),), positions[:, None]
        weights = row_weights(sample_weight, len(labels))
        unit, once = None, None
        if self.class_weight is not None:
            each = self._of_classes(codes, weights)
            if np.any(each % 1.0) and weights @ each > 0.0:
                unit = row_weight_unit_of(weights[weights > 0])
                unit *= float((weights @ each**2) / (weights @ each))
                once = unit_weights(weights) * each
            weights = weights * each
        self._require_classes(codes[weights > 0])
        target = Targets(targets.one_hot(codes, classes), classes)
        strata = None if labels.ndim == 2 else codes[:, 0]
        self._fit(X, y, target, names, weights, strata, unit, once)
        return self

    def predict(self, X: Any) -> NDArray[Any]:
        """Predict the class of each row, (n,), or 0 and 1 for each label, (n, labels)."""
        outputs = self._outputs(X)
        if len(self.model_.classes) > 1:
            return np.asarray(targets.labels(outputs, self.model_.classes))
        several = outputs.shape[1] > 1
        most = outputs.argmax(axis=1) if several else (outputs[:, 0] > 0.5).astype(int)
        return np.asarray(self.classes_[most])

    def predict_proba(self, X: Any) -> Array:
        """Return the probability of each class, (n, classes), in the order of `classes_`.

        Strictly between 0 and 1.
        """
        return targets.probabilities(self._outputs(X), self.model_.classes)

    def predict_log_proba(self, X: Any) -> Array:
        """Return the logarithm of `predict_proba`."""
        return np.asarray(np.log(self.predict_proba(X)))

    def decision_function(self, X: Any) -> Array:
        """Return z[L], before it becomes a probability: (n,) for two classes, else (n, classes)."""
        check_is_fitted(self)
        z = self.model_.z_of_inputs(self._inputs(X))
        return z[:, 0] if z.shape[1] == 1 and len(self.model_.classes) == 1 else z

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags

    def _of_classes(self, codes: NDArray[np.intp], weights: Array) -> Array:
        """Return what each row counts by its class."""
        given = self.class_weight
        if isinstance(given, str) and given == "balanced":
            counts = np.ones(len(codes))
            for column in codes.T:  # several labels count by the product
                # of rows that count, so that a weight of 2 is still the row twice
                total = np.bincount(column, weights)
                counts *= (total.sum() / (len(total) * np.where(total > 0, total, 1.0)))[column]
            return counts
        known = self.classes_.tolist() if codes.shape[1] == 1 else []
        if not isinstance(given, Mapping) or not set(given) <= set(known):
            raise ConfigurationError(
                f"class_weight is {given!r}; give 'balanced' or a number for some of these classes "
                f"of one target: {known}"
            )
        if not all(is_real(value) and 0.0 <= value < np.inf for value in given.values()):
            raise ConfigurationError(f"class_weight is {given!r}; its weights must be numbers >= 0")
        each = [float(given.get(label, 1.0)) for label in self.classes_.tolist()]
        return np.array(each)[codes[:, 0]]

    def _require_classes(self, codes: NDArray[np.intp]) -> None:
        for column in codes.T:
            present = np.unique(column)
            if len(present) < 2:
                raise DataError(
                    f"y holds {len(present)} class where it counts ({self.classes_[present]}); a "
                    "classifier needs at least 2"
                )
