"""A fitted network with everything it needs to predict in users' units."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from chainrule._contracts import Array
from chainrule._errors import ConfigurationError, DataError
from chainrule.bayes.posterior import Posterior
from chainrule.heart.chain_rule import Trace
from chainrule.heart.network import Network, real_matrix
from chainrule.model.fit_report import FitReport
from chainrule.model.scores import Scores, of_classes, of_numbers
from chainrule.objectives.objective import Objective, require_finite
from chainrule.rows.protocol import Rows
from chainrule.tables import targets
from chainrule.tables.cells import USUAL, Missing
from chainrule.tables.encoding import ColumnType, Encoded, encode, plain
from chainrule.tables.encoding import input_names as input_names_of
from chainrule.tables.frames import from_array, from_frame, is_frame
from chainrule.tables.scaling import Scaling
from chainrule.tables.table import Table
from chainrule.tables.targets import Classes

Data = ArrayLike | Table
"""A matrix of numbers, a Table, or a data frame of any library that narwhals knows."""

SAME_VALUE = 1e-9  # of a value, that makes no other of it


@dataclass(frozen=True, eq=False)
class Model:
    """A network, its weights, and how the columns of a table become its inputs and targets.

    Attributes
    ----------
    network : Network
    theta : ndarray (p,)
    input_scaling, target_scaling : Scaling
    input_names, target_names : tuple of str
        A category is several inputs.
    columns : tuple of ColumnType
        The columns of a table that are its inputs; one number for each input if left out.
    classes : tuple of tuple
        The classes of each target; empty where targets are numbers.
    posterior : Posterior or None
        What is known of weights and noise. With it probabilities allow for what is not known of
        the weights; and several minima, if there are, predict together. `theta` is the best.
    report : FitReport or None
        What its fit says of itself; None if it was not fitted.
    missing : Missing
        Which words of a text marked a missing value.
    weight_name : str or None
        The column that said how much a row counts.
    """

    network: Network
    theta: Array = field(repr=False)
    input_scaling: Scaling
    target_scaling: Scaling
    input_names: tuple[str, ...]
    target_names: tuple[str, ...]
    columns: tuple[ColumnType, ...] = ()
    classes: Classes = ()
    posterior: Posterior | None = field(default=None, repr=False)
    report: FitReport | None = field(default=None, repr=False)
    missing: Missing = USUAL
    weight_name: str | None = None

    def __post_init__(self) -> None:
        if not self.columns:
            object.__setattr__(self, "columns", plain(self.input_names))
        elif input_names_of(self.columns) != self.input_names:
            raise ConfigurationError("the inputs are not those that the columns become")

    @property
    def column_names(self) -> tuple[str, ...]:
        """The columns that a table must have."""
        return tuple(column.name for column in self.columns)

    @property
    def output_names(self) -> tuple[str, ...]:
        """What each output of the network is: a target, or the probability of a class."""
        if not self.classes:
            return self.target_names
        if len(self.classes) == 1 and len(self.classes[0]) > 2:
            return tuple(f"p({self.target_names[0]}={label})" for label in self.classes[0])
        pairs = zip(self.target_names, self.classes, strict=True)
        return tuple(f"p({name}={of[1]})" for name, of in pairs)

    def encoded(self, data: Data) -> Encoded:
        """Return the inputs of a table, a data frame or a matrix, in the user's units.

        Columns are taken by name, those of a matrix by position.

        Raises
        ------
        DataError
            If a column is missing, or a value cannot be used: with its place.
        """
        if isinstance(data, Table):
            return encode(self.columns, data)
        if is_frame(data):
            return encode(self.columns, from_frame(data, missing=self.missing))
        if self.columns == plain(self.input_names):
            X = self.network.inputs(data)
            require_finite(X, "X")
            return Encoded(X, ())
        X = real_matrix(data, len(self.columns), "X", "columns")
        return encode(self.columns, from_array(X, self.column_names))

    def outputs(self, data: Data) -> Array:
        """Return what the network says, (n, outputs): targets in their unit, or probabilities.

        Raises
        ------
        DataError
            As `encoded` does, or if a prediction is not finite.
        """
        return self.outputs_of_inputs(self.encoded(data).X)

    def outputs_of_inputs(self, X: Array) -> Array:
        """Return what the network says to inputs that `encoded` has made: see `outputs`."""
        known = self.posterior
        if known is None or not (self.classes or len(known) > 1):
            y_hat = self.trace_of_inputs(X).y_hat
        else:
            y_hat = known.outputs(self.network, self._scaled(X))
        with np.errstate(over="ignore", invalid="ignore"):
            Y = self.target_scaling.inverse(y_hat)
        require_predictable(Y)
        return Y

    def z_of_inputs(self, X: Array) -> Array:
        """Return z[L], before it becomes a probability, (n, outputs); as `outputs_of_inputs`."""
        trace = self.trace_of_inputs(X)
        if self.posterior is None:
            return np.asarray(trace.z[self.network.n_layers])
        return self.posterior.z(self.network, self._scaled(X))

    def certainty(self, X: Array) -> Certainty:
        """Return how sure predictions for inputs are that `encoded` has made.

        Raises
        ------
        ConfigurationError
            If nothing is known of it.
        """
        known = self.known()
        if self.network.loss == "cross_entropy":
            raise ConfigurationError(
                "this model learns probabilities: they are the uncertainty, and there are no "
                "intervals"
            )
        scaled = self._scaled(X)
        with np.errstate(over="ignore", invalid="ignore"):
            of_y_hat, noise = known.variances(self.network, scaled)
            scale = self.target_scaling.scale
            std_of_mean, std = np.sqrt(of_y_hat) * scale, np.sqrt(of_y_hat + noise) * scale
        require_predictable(std_of_mean, std, what="standard deviation")
        return Certainty(self.outputs_of_inputs(X), std_of_mean, std, self.is_far(X))

    def interval(self, certainty: Certainty, coverage: float) -> tuple[Array, Array]:
        """Return between what a target lies with so much probability, two (n, targets)."""
        known = self.known()
        number = isinstance(coverage, int | float | np.number)
        if not (number and 0.0 < coverage < 1.0 and np.isfinite(known.multiplier(coverage)).all()):
            raise ConfigurationError(
                f"coverage is {coverage!r}; it must be a number between 0 and 1, as 0.95 is"
            )
        with np.errstate(over="ignore"):
            half = known.multiplier(coverage) * certainty.std
            lower, upper = certainty.mean - half, certainty.mean + half
        require_predictable(lower, upper, what="interval")
        if self.network.output == "exp":  # what it says is never less
            lower = np.maximum(lower, 0.0)
        return lower, upper

    def is_far(self, X: Array) -> NDArray[np.bool_]:
        """Return which inputs, that `encoded` has made, are far from those that were learned."""
        same, center = self.input_scaling.ignored, self.input_scaling.center
        # a column that never varied says nothing, and nothing is known of other values
        other = np.abs(X - center) > SAME_VALUE * np.maximum(np.abs(center), 1.0)
        other &= same & (self.input_scaling.kind == "standard")
        return self.known().is_far(self.network, self._scaled(X)) | other.any(axis=1)

    def known(self) -> Posterior:
        """Return what is known of weights and noise.

        Raises
        ------
        ConfigurationError
            If nothing is, with the reason.
        """
        if self.posterior is None:
            why = None if self.report is None else self.report.no_posterior
            raise ConfigurationError(
                f"this model does not know how sure it is: {why or 'it was made without its data'}"
            )
        return self.posterior

    def _scaled(self, X: Array) -> Array:
        scaled = self.input_scaling.transform(X)
        require_predictable(scaled)
        return scaled

    def trace_of_inputs(self, X: Array) -> Trace:
        """Return the forward pass of inputs that `encoded` has made."""
        scaled = self.input_scaling.transform(X)
        with np.errstate(over="ignore", invalid="ignore"):
            trace = self.network.forward(self.theta, scaled)
        require_predictable(scaled, *trace.z.values())
        return trace

    def predict(self, data: Data) -> NDArray[Any]:
        """Predict the targets in their own unit, (n, targets), or the class of each row.

        Parameters
        ----------
        data : array_like (n, columns), Table or data frame
            In the user's units.

        Returns
        -------
        ndarray
            Numbers (n, targets). Classes in their own type, (n,) of one target and
            (n, targets) of several.

        Raises
        ------
        DataError
            If a column is missing, a value cannot be used, or a prediction is not finite.
        """
        outputs = self.outputs(data)
        return targets.labels(outputs, self.classes) if self.classes else outputs

    def probabilities(self, data: Data) -> Array:
        """Return the probability of each class, (n, classes), strictly between 0 and 1.

        Of several targets, (n, targets), that of the second class of each.
        """
        if not self.classes:
            raise ConfigurationError("the targets of this model are numbers and have no classes")
        return targets.probabilities(self.outputs(data), self.classes)

    def targets(self, table: Table) -> Array:
        """Return the target columns of a table as the network learns them, (n, outputs)."""
        return targets.read_targets(table, self.target_names, classes=self.classes).Y

    def scores(self, X: Array, Y: Array, w: Array | None = None) -> Scores:
        """Return how good it is on inputs (n, inputs) and outputs (n, outputs), in users' units."""
        return self.scores_of(self.outputs_of_inputs(X), Y, w)

    def scores_of(self, outputs: Array, Y: Array, w: Array | None = None) -> Scores:
        """Return how good outputs are, (n, outputs), where the truth is Y."""
        if not self.classes:
            return of_numbers(Y, outputs, self.target_names, w)
        inside = np.clip(outputs, *targets.INSIDE)
        return of_classes(Y, inside, self.target_names, w)

    def scaled(self, rows: Rows) -> Rows:
        """Return rows in the user's units in the scale of the network."""
        return rows.transformed(self.input_scaling.transform, self.target_scaling.transform)

    def objective(
        self,
        X: ArrayLike,
        Y: ArrayLike,
        alpha: float | Sequence[float] | None = None,
        sample_weight: ArrayLike | None = None,
        fixed: ArrayLike | None = None,
        signs: ArrayLike | None = None,
    ) -> Objective:
        """Return the cost of this network on inputs and outputs in the user's units.

        `alpha` is the one it was trained with if left out.
        """
        if alpha is None:
            alpha = 0.0 if self.report is None else self.report.plan.alpha
        return Objective(
            self.network,
            self.input_scaling.transform(self.network.inputs(X)),
            self.target_scaling.transform(self.network.targets(Y, len(np.asarray(X)))),
            alpha,
            sample_weight,
            fixed,
            signs,
        )


@dataclass(frozen=True, eq=False)
class Certainty:
    """Predictions and how sure they are, in the unit of the target.

    Attributes
    ----------
    mean : ndarray (n, targets)
    std_of_mean, std : ndarray (n, targets)
        Standard deviation of what is predicted, and of the target itself, noise included.
    is_far : ndarray of bool (n,)
        Which rows are far from those that were learned from.
    """

    mean: Array
    std_of_mean: Array
    std: Array
    is_far: NDArray[np.bool_]


def require_predictable(*matrices: Array, what: str = "prediction") -> None:
    """Raise DataError, with the row, if a number of some rows, (n, …) each, is not finite."""
    finite = np.all([np.isfinite(A).reshape(len(A), -1).all(axis=1) for A in matrices], axis=0)
    bad = np.flatnonzero(~finite)
    if len(bad):
        raise DataError(
            f"the {what} for row {bad[0] + 1} is not finite; its inputs are too far from "
            "those the network was trained on"
        )
