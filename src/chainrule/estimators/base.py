"""What regressor and classifier have in common."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import joblib
import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from chainrule._contracts import Array
from chainrule._errors import ConfigurationError, DataError
from chainrule.bayes.architecture import MOST_HIDDEN_LAYERS
from chainrule.estimators.callbacks import CallbackSupportMixin, Tasks, has_callbacks
from chainrule.estimators.diagnostics import DiagnosticsMixin
from chainrule.estimators.given import free_name, numbered, require_present, require_whole
from chainrule.estimators.parameters import require_parameters
from chainrule.heart.activations import Activation
from chainrule.heart.network import Network, row_weights
from chainrule.kernels import native
from chainrule.model.model import Model
from chainrule.objectives.constraints import fixed_weights, monotone_signs
from chainrule.optimize.checkpoint import fingerprint
from chainrule.optimize.history import COLUMNS, Iteration
from chainrule.optimize.minimize import Fit
from chainrule.optimize.stopping import Termination
from chainrule.pipeline.effort import UNITS, Work, resolved
from chainrule.pipeline.fit import Trained, train
from chainrule.pipeline.settings import FitControl, FitData, FitSettings
from chainrule.report.knowledge import outlier_line
from chainrule.report.summary import summary
from chainrule.tables import targets
from chainrule.tables.cells import Missing
from chainrule.tables.encoding import ColumnType, encode, find_types, input_names
from chainrule.tables.frames import collected, from_array, from_frame, is_frame
from chainrule.tables.number_format import PLAIN
from chainrule.tables.table import Table
from chainrule.tables.targets import Targets

MEANT = ("converged", "early_stopping", "stopped")  # ends that need no warning
MOST_SEED = np.iinfo(np.int32).max


@dataclass(frozen=True, eq=False)
class _Warm:
    """Where an earlier fit stopped: of which data, from which starts, under which constraints."""

    of_data: str
    seed: int
    constraints: tuple[Array, ...]
    fits: tuple[Fit | None, ...] = ()


class NetworkEstimator(
    DiagnosticsMixin,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    CallbackSupportMixin,
    BaseEstimator,
):
    """What regressor and classifier have in common."""

    def __init__(self, **parameters: Any) -> None:
        for name, value in parameters.items():
            setattr(self, name, value)

    # ------------------------------------------------------------ what can be asked of a fit

    def summary(self) -> str:
        """Return one page about the fit: columns, network, scores, cost, stop, weights."""
        check_is_fitted(self)
        return summary(self.model_)

    def transform(self, X: Any) -> Array:
        """Return what the last hidden layer says, a[L-1], (n, units): features that were learned.

        Without a hidden layer these are the scaled inputs.
        """
        trace = self._trace(X)
        features: Array = trace.a[max(trace.a) - 1]
        return features

    @property
    def _n_features_out(self) -> int:
        return int(self.model_.network.layers[-2])

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.input_tags.allow_nan = self.missing == "indicator"
        tags.transformer_tags.preserves_dtype = []
        return tags

    def _trace(self, X: Any) -> Any:
        check_is_fitted(self)
        return self.model_.trace_of_inputs(self._inputs(X))

    def _outputs(self, X: Any) -> Array:
        check_is_fitted(self)
        return self.model_.outputs_of_inputs(self._inputs(X))

    def _inputs(self, X: Any) -> Array:
        """Return the inputs of rows to predict, with what was remarkable about them as warnings."""
        encoded = self.model_.encoded(self._checked(X, reset=False))
        for remark in encoded.remarks:
            warnings.warn(remark, UserWarning, stacklevel=4)
        return encoded.X

    # ------------------------------------------------------------ fitting

    def _fit(
        self,
        X: Any,
        y: Any,
        target: Targets,
        names: tuple[str, ...],
        sample_weight: Any,
        strata: Any = None,
        row_weight_unit: float | None = None,
        unit_weight: Array | None = None,
    ) -> None:
        table = self._checked(X, reset=True)
        if len(target.Y) != len(table):
            raise DataError(
                f"Found input variables with inconsistent numbers of samples: X has {len(table)} "
                f"rows and y has {len(target.Y)}"
            )
        require_parameters(self)
        require_whole(sample_weight, "sample_weight")
        weights = row_weights(sample_weight, len(table))
        counts = np.flatnonzero(weights)
        if not weights.all():  # a weight of 0 is the row left out, whatever is in it
            table, weights = table.rows(counts), weights[counts]
            target = replace(target, Y=target.Y[counts])
            strata = None if strata is None else strata[counts]
            unit_weight = None if unit_weight is None else unit_weight[counts]
        names = tuple(free_name(name, table.names) for name in names)
        types = self._types(table, weights)
        settings = self._settings(types, table, target)
        data = FitData(
            encode(types, table).X,
            target,
            names,
            columns=types,
            sample_weight=weights,
            row_weight_unit=row_weight_unit,
            unit_weight=unit_weight,
            row_numbers=counts,
            validation=self._held_out(len(table), strata, settings.seed),
        )
        settings, warm = self._warm_settings(settings, data)
        n_starts = settings.n_restarts
        tasks = Tasks(self, n_starts, self.max_iter) if has_callbacks(self) else None
        control = FitControl(
            self.max_time,
            print if self.verbose else None,
            monitor=None if tasks is None else self._watcher(tasks, X, y),
            resume=None if warm is None else warm.fits,
        )
        with native.at_most(self._threads()):
            trained = train(data, settings, control)
        trained = replace(trained, model=replace(trained.model, missing=self._missing()))
        self._remember(trained)
        if tasks is not None:
            tasks.end()
        if warm is not None:
            self._warm = replace(warm, fits=trained.restarts.fits)
        self._warn_of_end(trained, settings.n_restarts)
        self._warn_of_far_off(trained)

    def _settings(
        self, types: tuple[ColumnType, ...], table: Table, target: Targets
    ) -> FitSettings:
        """Return what was asked of the fit, by the names of the pipeline."""
        n_inputs, directions = len(input_names(types)), self._directions(types, table.names)
        work = self._work()
        auto = isinstance(work.hidden, str)
        if self.warm_start and auto:
            raise ConfigurationError(
                "warm_start goes on with the weights there are; give hidden_layer_sizes as numbers"
            )
        network = self._network(n_inputs, target, [1] if auto else work.hidden)
        by_effort = auto and self.hidden_layer_sizes is None
        one_for_all = isinstance(self.activation, str | Activation)
        signs = monotone_signs(network, directions)
        return FitSettings(
            (lambda widths: self._network(n_inputs, target, widths)) if auto else network,
            scale=self.scale,
            alpha=work.alpha,
            noise=getattr(self, "noise", "constant"),
            skip=isinstance(self.skip, str) and not self.warm_start,
            fixed=fixed_weights(network, self.fixed),
            signs=(lambda net: monotone_signs(net, directions)) if auto else signs,
            ensemble=work.ensemble,
            brief=work.brief,
            most_layers=MOST_HIDDEN_LAYERS if one_for_all else 1,
            or_else_ensemble=self.ensemble or 1,
            or_else=self._network(n_inputs, target, UNITS) if by_effort else None,
            patience=self.n_iter_no_change,
            n_restarts=work.n_restarts,
            seed=self._seed(),
            method=self.method,
            tol=self.tol,
            max_iter=self.max_iter,
        )

    def _work(self) -> Work:
        """Return what is to be done: what was given, and what the effort says of the rest."""
        return resolved(
            self.effort,
            hidden=self.hidden_layer_sizes,
            alpha=self.alpha,
            n_restarts=self.n_restarts,
            ensemble=self.ensemble,
            single=self.warm_start or self.early_stopping or self.fixed is not None,
        )

    def _warm_settings(
        self, settings: FitSettings, data: FitData
    ) -> tuple[FitSettings, _Warm | None]:
        """Return the settings of a fit that may go on from an earlier one, and that one."""
        if not self.warm_start:
            return settings, None
        before: _Warm | None = getattr(self, "_warm", None)
        network = settings.first_network
        if before is not None:  # it goes on from the same starts
            settings = replace(settings, seed=before.seed)
        given = (settings.fixed, settings.signs)
        constraints = tuple(np.asarray(A) for A in given if A is not None)
        assert isinstance(data.Y, Targets)
        rest = network, data.Y.classes, settings.alpha, self.scale, self.method, settings.n_restarts
        rows = np.asarray(data.X), data.Y.Y, np.asarray(data.sample_weight)
        of_data = fingerprint(*rows, *constraints, *rest, settings.seed, self.tol)
        now = _Warm(of_data, settings.seed, constraints)
        if before is None:
            return settings, now
        if not _alike(constraints, before.constraints):
            raise ConfigurationError(
                "warm_start goes on with the weights there are, but fixed or monotonic_cst has "
                "changed; fit a clone to begin anew"
            )
        fits = before.fits
        if self.model_.network != network or len(fits) != settings.n_restarts:
            raise ConfigurationError(
                f"warm_start goes on from {len(fits)} starts of a network with layers "
                f"{list(self.model_.network.layers)}; fit a clone to begin anew with another one"
            )
        if of_data != before.of_data:
            # other rows, or another cost: the weights are a start, the curvature says nothing
            anew = Termination("max_iter", "other rows, or another tolerance")
            fits = tuple(fit and replace(fit, memory=None, termination=anew) for fit in fits)
        return replace(settings, like=self.model_), replace(now, fits=fits)

    def _checked(self, X: Any, reset: bool) -> Table:
        """Return X as a table, of a data frame or of numbers."""
        if is_frame(X):
            X = collected(X)
            table = from_frame(X, "X", self._missing())
            validate_data(self, X, reset=reset, skip_check_array=True)
            if len(table) < 1 + reset:
                raise DataError(
                    f"Found array with {len(table)} sample(s) while a minimum of {1 + reset} is "
                    "required"
                )
            if reset:
                self._names = table.names
            return table.called(self._names)  # scikit-learn has compared the names there are
        require_whole(X, "X")
        require_present(X, self.missing)
        X = validate_data(
            self,
            X,
            reset=reset,
            accept_sparse="csr",
            dtype=np.float64,
            ensure_all_finite="allow-nan" if self.missing == "indicator" else True,
            ensure_min_samples=1 + reset,
        )
        if hasattr(X, "toarray"):
            X = X.toarray()
        if reset:
            self._names = numbered("x", self.n_features_in_)
        return from_array(X, self._names)

    def _missing(self) -> Missing:
        words = self.missing_values
        return Missing() if words is None else Missing(tuple(words))

    def _types(self, table: Table, weights: Array) -> tuple[ColumnType, ...]:
        types, remarks = find_types(table, table.names, missing=self.missing, weights=weights)
        for column in types:
            text = table.columns[column.name].kind == "text"
            commas = column.levels and all(map(PLAIN[","].fullmatch, column.levels))
            if text and ("/" in column.style or commas):  # which may be meant otherwise
                remarks = (*remarks, f"column {column.name!r} is text and taken as {column}")
        for remark in remarks:
            warnings.warn(remark, UserWarning, stacklevel=5)
        if not types:
            raise DataError("no column of X holds anything; give at least one that does")
        return types

    def _network(self, n_inputs: int, target: Targets, sizes: Any) -> Network:
        several = isinstance(sizes, Sequence | np.ndarray) and not isinstance(sizes, str)
        hidden = list(sizes) if several else [sizes]
        output, units = "identity", target.Y.shape[1]
        if target.classes:
            output, _ = targets.layer_for(target.classes)
            if self.output_activation not in (None, output):
                raise ConfigurationError(
                    f"output_activation is {self.output_activation!r}; of these classes only "
                    f"{output} gives probabilities"
                )
        return Network(
            [n_inputs, *(hidden if hidden != [0] else []), units],
            hidden=self.activation,
            output=self.output_activation or output,
            loss=self.loss,
            bias=self.bias,
            skip=self.skip not in (False, "auto"),
        )

    def _directions(self, types: Sequence[ColumnType], names: Sequence[str]) -> list[int]:
        """Return 1, -1 or 0 for each input."""
        asked = self.monotonic_cst
        if asked is None:
            asked = [0] * len(names)
        if isinstance(asked, Mapping):
            unknown = sorted(set(asked) - set(names))
            if unknown:
                raise ConfigurationError(
                    f"monotonic_cst names {unknown[0]!r}; the columns are {', '.join(names)}"
                )
            asked = [asked.get(name, 0) for name in names]
        each = list(asked)
        if len(each) != len(names) or not set(each) <= {-1, 0, 1}:
            raise ConfigurationError(
                f"monotonic_cst is {asked!r}; give 1, -1 or 0 for each of {len(names)} columns"
            )
        directions = []
        of_name = dict(zip(names, each, strict=True))
        for column in types:
            direction = of_name[column.name]
            if direction and column.kind == "category":
                raise ConfigurationError(
                    f"column {column.name!r} holds categories, which have no order; a monotone "
                    "input must be a number, a date or yes/no"
                )
            # whether a value is missing says nothing about direction
            directions += [direction, *[0] * (len(column.inputs) - 1)]
        return directions

    def _seed(self) -> int:
        if isinstance(self.random_state, int | np.integer):
            return int(self.random_state)
        return int(check_random_state(self.random_state).randint(MOST_SEED))

    def _held_out(self, n: int, strata: Any, seed: int) -> NDArray[np.bool_] | None:
        if not self.early_stopping:
            return None
        if self.warm_start:
            raise ConfigurationError(
                "early_stopping and warm_start do not go together: with the one training ends by "
                "itself, with the other it is resumed"
            )
        fraction: Any = self.validation_fraction
        if not (isinstance(fraction, float) and 0.0 < fraction < 1.0):
            raise ConfigurationError(
                f"validation_fraction is {fraction!r}; it must be between 0 and 1"
            )
        try:
            _, rows = train_test_split(
                np.arange(n), test_size=fraction, random_state=seed, stratify=strata
            )
        except ValueError as error:
            raise DataError(f"no rows can be held out for early stopping: {error}") from None
        return np.isin(np.arange(n), rows)

    def _threads(self) -> int | None:
        """Return how many threads to use: all by default, but one inside of joblib's workers."""
        if self.n_jobs is not None:
            return int(joblib.effective_n_jobs(self.n_jobs))
        backend, _ = joblib.parallel.get_active_backend()
        if not backend.nesting_level:
            return None
        share = os.environ.get("OMP_NUM_THREADS", "1")  # what loky leaves to each of its workers
        return int(share) if share.isdecimal() and int(share) else 1

    def _watcher(self, tasks: Tasks, X: Any, y: Any) -> Any:
        def monitor(start: int, model: Model, row: Iteration) -> Termination | None:
            stop = tasks.after(start, {"model_": model, **self._of_targets()}, X=X, y=y)
            return Termination("stopped", f"iteration {row.iteration}") if stop else None

        return monitor

    # ------------------------------------------------------------ what is kept

    def _remember(self, trained: Trained) -> None:
        model, fit = trained.model, trained.fit
        W, b = model.network.weights(model.theta)
        self.model_ = model
        self.restarts_ = replace(trained.restarts, fits=())
        self.passes_ = trained.passes
        self.coefs_ = [W[l].copy() for l in sorted(W) if l]
        self.skip_coef_ = W[0].copy() if 0 in W else None
        self.intercepts_ = [b[l].copy() for l in sorted(b)]
        self.n_layers_ = model.network.n_layers
        self.n_outputs_ = model.network.layers[-1]
        self.out_activation_ = model.network.output
        self.n_iter_ = max(1, fit.n_iterations)
        self.loss_ = fit.cost
        self.loss_curve_ = fit.history.cost.tolist()
        self.history_ = {name: fit.history.column(name) for name in COLUMNS}
        if fit.validation is not None:
            self.history_["validation_cost"] = fit.validation
        self.termination_ = fit.termination
        self.certificate_ = fit.certificate
        self._remember_what_is_known(trained)

    def _warn_of_end(self, trained: Trained, n_starts: int) -> None:
        """Say what was not as it should be, and hand an interrupt on: it was meant for all."""
        fit = trained.fit
        if trained.restarts.interrupted and self.on_interrupt == "raise":
            raise KeyboardInterrupt(
                f"{trained.restarts.why_cut_short(n_starts)}; the best fit so far is kept "
                "in this estimator, which can predict; on_interrupt='keep' returns it instead"
            )
        if fit.termination.name not in MEANT:
            warnings.warn(str(fit.termination), ConvergenceWarning, stacklevel=4)
        cut_short = trained.restarts.cut_short
        if cut_short is not None and fit.termination.name != cut_short.name:
            remark = trained.restarts.why_cut_short(n_starts)
            warnings.warn(remark, ConvergenceWarning, stacklevel=4)

    def _warn_of_far_off(self, trained: Trained) -> None:
        """Name rows whose targets are far off, unless they are meant to count less."""
        report = trained.model.report
        if report is not None and report.outliers and report.student is None:
            warnings.warn(
                f"{outlier_line(report.outliers, first=0)}; row numbers start at 0. Check these "
                "rows, or let them count less with noise='student'",
                UserWarning,
                stacklevel=4,
            )

    def _of_targets(self) -> dict[str, Any]:
        """Return the fitted attributes that predictions need besides the model."""
        return {name: getattr(self, name) for name in ("classes_", "_one") if hasattr(self, name)}


def _alike(some: Sequence[Array], others: Sequence[Array]) -> bool:
    pairs = zip(some, others, strict=False)
    same = all(np.array_equal(A, B, equal_nan=True) for A, B in pairs)
    return same and len(some) == len(others)
