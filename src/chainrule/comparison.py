"""Ours against what else there is, on one table: the same folds, honest errors, times."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.compose import TransformedTargetRegressor
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import accuracy_score, log_loss, r2_score, root_mean_squared_error
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.multioutput import MultiOutputRegressor
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from chainrule._contracts import Array
from chainrule._errors import ConfigurationError, DataError
from chainrule.estimators import NetworkClassifier, NetworkRegressor
from chainrule.tables.encoding import ColumnType, encode, learn_types
from chainrule.tables.table import Table
from chainrule.tables.targets import Targets

OURS = "chainrule"
DEFAULT_FOLDS = 10  # as usual (Hastie, Tibshirani & Friedman 2009, section 7.10.1)
CONFIDENCE = 0.95  # that a difference is more than chance
Progress = Callable[[str], None]


@dataclass(frozen=True, eq=False)
class Result:
    """How one way of predicting has done.

    Attributes
    ----------
    name : str
    scores : dict of str to ndarray (folds,)
        r2 and rmse, or log_loss and accuracy.
    seconds : float
        Of one fit, the median over the folds.
    unconverged : int
        Fits that warned that they had not converged.
    """

    name: str
    scores: dict[str, Array]
    seconds: float
    unconverged: int

    def mean_and_error(self, measure: str) -> tuple[float, float]:
        """Return the mean over the folds and its standard error."""
        values = self.scores[measure]
        return float(values.mean()), float(error_of_mean(values))


@dataclass(frozen=True, eq=False)
class Comparison:
    """All results on one table, the best first.

    Attributes
    ----------
    results : tuple of Result
    measure : {"r2", "log_loss"}
        By which they are put in order.
    folds, rows : int
    """

    results: tuple[Result, ...]
    measure: str
    folds: int
    rows: int

    @property
    def verdict(self) -> str:
        """Who is the best, and whether that means anything."""
        best, second = self.results[:2]
        ours = next(result for result in self.results if result.name == OURS)
        other = second if best is ours else best
        gain = ours.scores[self.measure] - other.scores[self.measure]
        gain = -gain if self.measure == "log_loss" else gain
        mean, error = float(gain.mean()), float(error_of_mean(gain))
        words = {"r2": "R²", "log_loss": "log loss"}[self.measure]
        who = f"{OURS} is the best by {words}" if best is ours else f"{other.name} is the best"
        against = f"ahead of {other.name}" if mean >= 0 else f"behind {other.name}"
        how = f"{OURS} is {abs(mean):.4f} ± {error:.4f} {against}"
        from scipy import special  # late: loading it takes longer than most fits

        clear = float(special.stdtrit(self.folds - 1, 0.5 + 0.5 * CONFIDENCE))
        errors = f"{clear:.2g} standard errors"
        if abs(mean) > clear * error:
            return f"{who}: {how}, more than {errors}, so it is not chance alone."
        return (
            f"{who}, but that means little: {how}, less than {errors}, which the choice of rows "
            "alone can make."
        )


def compare(
    table: Table,
    types: Sequence[ColumnType],
    target: Targets,
    *,
    folds: int | None = None,
    seed: int = 0,
    progress: Progress | None = None,
    **options: Any,
) -> Comparison:
    """Cross-validate ours and others on the same folds.

    The others are the mean (or the frequencies of the classes), linear or logistic
    regression, scikit-learn's networks by lbfgs and by adam, with inputs and targets
    standardized for them, and its gradient boosting, all as they come.

    Parameters
    ----------
    table : Table
    types : sequence of ColumnType
        Of the columns to predict from. Their categories, and what stands for what is missing,
        are learned anew in every fold.
    target : Targets
    folds : int, optional
        10 if left out, or fewer so that 2 rows, and one of each class, are in every fold.
    seed : int
    progress : callable, optional
        Called with a line of text before every fit.
    **options
        Of our estimator.

    Raises
    ------
    DataError
        If there are fewer rows, or fewer of a class, than folds.
    """
    n = len(table)
    y, strata = _as_given(target)
    most = n // 2 if strata is None else min(n // 2, int(np.bincount(strata).min()))
    if most < 2:
        what = "rows" if strata is None else "rows, or too few of a class,"
        raise DataError(f"{n} {what} are too few to compare on: every fold needs 2 of them")
    folds = min(DEFAULT_FOLDS, most) if folds is None else folds
    if not 2 <= folds <= most:
        raise ConfigurationError(f"folds is {folds}; for this table it can be 2 to {most}")
    ways = _ways(target, seed, options)
    found: dict[str, list[tuple[dict[str, float], float, bool]]] = {name: [] for name in ways}
    for k, (train, test) in enumerate(_folds(n, strata, folds, seed)):
        learned = table.rows(train)
        learned_types = learn_types(types, learned)
        seen = encode(learned_types, learned).X, y[train]
        unseen = encode(learned_types, table.rows(test)).X, y[test]
        for name, make in ways.items():
            if progress is not None:
                progress(f"fold {k + 1} of {folds}: {name}")
            found[name].append(_one(name, make(), seen, unseen, bool(target.classes)))
    measure = "log_loss" if target.classes else "r2"
    results = [
        Result(
            name,
            {key: np.array([scores[key] for scores, _, _ in runs]) for key in runs[0][0]},
            float(np.median([seconds for _, seconds, _ in runs])),
            sum(unconverged for _, _, unconverged in runs),
        )
        for name, runs in found.items()
    ]
    sign = 1.0 if measure == "log_loss" else -1.0
    results.sort(key=lambda result: sign * float(result.scores[measure].mean()))
    return Comparison(tuple(results), measure, folds, n)


def error_of_mean(values: Array) -> float:
    """Return the standard error of a mean over folds, whose training rows overlap.

    Nadeau & Bengio (2003), Machine Learning 52:239, eq. 9: the variance times 1/k and the
    rows that are tested over those that are trained on, 1 / (k - 1).
    """
    k = len(values)
    return float(np.sqrt((1.0 / k + 1.0 / (k - 1)) * values.var(ddof=1)))


def _as_given(target: Targets) -> tuple[NDArray[Any], NDArray[np.intp] | None]:
    """Return the target as scikit-learn takes it, and classes to be kept in proportion."""
    Y = target.Y
    if not target.classes:
        return (Y[:, 0] if Y.shape[1] == 1 else Y), None
    if len(target.classes) > 1:
        raise ConfigurationError("compare takes one target of classes; give one --target")
    codes = Y.argmax(axis=1) if Y.shape[1] > 1 else Y[:, 0].astype(np.intp)
    return codes, codes


def _folds(
    n: int, strata: NDArray[np.intp] | None, folds: int, seed: int
) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    kind = KFold if strata is None else StratifiedKFold
    splitter = kind(folds, shuffle=True, random_state=seed)
    yield from splitter.split(np.zeros(n), np.zeros(n) if strata is None else strata)


def _ways(target: Targets, seed: int, options: dict[str, Any]) -> dict[str, Callable[[], Any]]:
    def scaled(model: Any) -> Any:
        return make_pipeline(StandardScaler(), model)

    if target.classes:
        return {
            OURS: lambda: NetworkClassifier(random_state=seed, **options),
            "frequencies": lambda: DummyClassifier(strategy="prior"),
            "logistic regression": lambda: scaled(LogisticRegression(max_iter=1000)),
            "MLP, lbfgs": lambda: scaled(MLPClassifier(solver="lbfgs", random_state=seed)),
            "MLP, adam": lambda: scaled(MLPClassifier(random_state=seed)),
            "gradient boosting": lambda: HistGradientBoostingClassifier(random_state=seed),
        }

    def both(model: Any) -> Any:
        return TransformedTargetRegressor(scaled(model), transformer=StandardScaler())

    def boosted() -> Any:
        model = HistGradientBoostingRegressor(random_state=seed)
        return model if target.Y.shape[1] == 1 else MultiOutputRegressor(model)

    return {
        OURS: lambda: NetworkRegressor(random_state=seed, **options),
        "mean": DummyRegressor,
        "linear regression": lambda: scaled(LinearRegression()),
        "MLP, lbfgs": lambda: both(MLPRegressor(solver="lbfgs", random_state=seed)),
        "MLP, adam": lambda: both(MLPRegressor(random_state=seed)),
        "gradient boosting": boosted,
    }


def _one(
    name: str, model: Any, seen: tuple[Array, Any], unseen: tuple[Array, Any], classes: bool
) -> tuple[dict[str, float], float, bool]:
    """Return the scores of one fit, its seconds, and whether it warned of its convergence."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        began = time.perf_counter()
        try:
            model.fit(*seen)
        except ValueError as error:
            raise DataError(
                f"{name} cannot be fitted to these numbers ({str(error).splitlines()[0]}); use "
                "other units"
            ) from None
        seconds = time.perf_counter() - began
        X, y = unseen
        if classes:
            p = model.predict_proba(X)
            scores = {
                "log_loss": float(log_loss(y, p, labels=model.classes_)),
                "accuracy": float(accuracy_score(y, model.classes_[p.argmax(axis=1)])),
            }
        else:
            predicted = model.predict(X)
            scores = {
                "r2": float(r2_score(y, predicted)),
                "rmse": float(root_mean_squared_error(y, predicted)),
            }
    return scores, seconds, any(issubclass(w.category, ConvergenceWarning) for w in caught)
