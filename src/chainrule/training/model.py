"""A trained network with everything it needs to predict in the user's own units."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from chainrule._contracts import Array
from chainrule._errors import DataError
from chainrule.heart.network import Network
from chainrule.tables.scaling import Scaling, fit_scaling
from chainrule.training.minimize import Fit
from chainrule.training.objective import Objective, require_finite
from chainrule.training.restarts import Restarts, minimize_from_starts


@dataclass(frozen=True, eq=False)
class Model:
    """A network, its weights, the scaling of its columns, and their names.

    Attributes
    ----------
    network : Network
    theta : ndarray (p,)
    input_scaling, target_scaling : Scaling
    input_names, target_names : tuple of str
    training : dict
        How it was trained, as plain data: see docs/model-file.md.
    """

    network: Network
    theta: Array
    input_scaling: Scaling
    target_scaling: Scaling
    input_names: tuple[str, ...]
    target_names: tuple[str, ...]
    training: dict[str, Any] = field(default_factory=dict)

    def predict(self, X: ArrayLike) -> Array:
        """Predict the targets, (n, targets), in their own unit, from inputs in theirs.

        Parameters
        ----------
        X : array_like (n, inputs)

        Raises
        ------
        DataError
            If the number of columns differs, or a prediction is not finite.
        """
        X = self.network.inputs(X)
        require_finite(X, "X")
        scaled = self.input_scaling.transform(X)
        with np.errstate(over="ignore", invalid="ignore"):
            Y = self.target_scaling.inverse(self.network.forward(self.theta, scaled).y_hat)
        finite = np.isfinite(scaled).all(axis=1) & np.isfinite(Y).all(axis=1)
        bad = np.flatnonzero(~finite)
        if len(bad):
            raise DataError(
                f"the prediction for row {bad[0] + 1} is not finite; its inputs are too far from "
                "those the network was trained on"
            )
        return Y

    def objective(self, X: ArrayLike, Y: ArrayLike, alpha: float | None = None) -> Objective:
        """Return the cost of this network on a table in the user's units.

        `alpha` is the one it was trained with if left out.
        """
        alpha = self.training.get("alpha", 0.0) if alpha is None else alpha
        return Objective(
            self.network,
            self.input_scaling.transform(self.network.inputs(X)),
            self.target_scaling.transform(Y),
            alpha=alpha,
        )


@dataclass(frozen=True, eq=False)
class Trained:
    """A model and how it came about."""

    model: Model
    restarts: Restarts

    @property
    def fit(self) -> Fit:
        """The best of the starts."""
        return self.restarts.best


def train(
    X: ArrayLike,
    Y: ArrayLike,
    network: Network,
    *,
    input_names: tuple[str, ...],
    target_names: tuple[str, ...],
    scale: str = "standard",
    alpha: float = 1e-4,
    n_restarts: int = 10,
    seed: int = 0,
    **options: Any,
) -> Trained:
    """Scale, start several times, minimize, and keep the best.

    Parameters
    ----------
    X : array_like (n, inputs)
        In the user's units.
    Y : array_like (n, targets)
        In the user's units.
    network : Network
    input_names, target_names : tuple of str
    scale : {"standard", "max", "none"}
        Scaling of the inputs, and of the targets as far as the output allows: a sigmoid
        with squared loss takes max, and the others without a scale take none.
    alpha : float
        The penalty ½ α Σ W², in the scale of the network.
    n_restarts, seed, **options
        As `minimize_from_starts` takes them.

    Returns
    -------
    Trained

    Raises
    ------
    DataError
        If no input varies, a target does not, or the output cannot reach it.
    TrainingError
        If every start failed.
    """
    X = network.inputs(X)
    Y = network.targets(Y, len(X))
    require_finite(X, "X")
    require_finite(Y, "Y")
    _require_variation(X, Y, input_names, target_names)
    input_scaling = fit_scaling(scale, X)
    model = Model(
        network,
        np.zeros(network.n_parameters),
        input_scaling,
        fit_scaling(_target_scale(network, scale), Y),
        input_names,
        target_names,
    )
    objective = model.objective(X, Y, alpha)
    _require_reachable(objective, target_names)
    restarts = minimize_from_starts(objective, n_restarts, seed, **options)
    record = _record(objective, restarts, alpha, seed)
    return Trained(replace(model, theta=restarts.best.theta, training=record), restarts)


def _target_scale(network: Network, scale: str) -> str:
    if network.output == "identity":
        return scale
    if (network.output, network.loss) == ("sigmoid", "squared") and scale != "none":
        return "max"
    return "none"


def _require_variation(
    X: Array, Y: Array, input_names: tuple[str, ...], target_names: tuple[str, ...]
) -> None:
    if len(X) < 2:
        raise DataError(f"there is {len(X)} row; a fit needs at least 2")
    for j in np.flatnonzero(fit_scaling("standard", Y).ignored):
        raise DataError(
            f"target {target_names[j]!r} is {Y[0, j]:g} in every row; there is nothing to learn"
        )
    if fit_scaling("standard", X).ignored.all():
        raise DataError(
            f"no input varies ({', '.join(map(repr, input_names))}); give a column that does"
        )


def _require_reachable(objective: Objective, target_names: tuple[str, ...]) -> None:
    """A sigmoid with squared loss accepts any target, but reaches only those from 0 to 1."""
    net, Y = objective.net, np.asarray(objective.Y)
    if (net.output, net.loss) != ("sigmoid", "squared"):
        return
    for k in np.flatnonzero(((Y < 0) | (Y > 1)).any(axis=0)):
        raise DataError(
            f"target {target_names[k]!r}, scaled, has values from {Y[:, k].min():.6g} to "
            f"{Y[:, k].max():.6g}; a sigmoid reaches 0 to 1, so choose output identity or scale max"
        )


def _record(objective: Objective, restarts: Restarts, alpha: float, seed: int) -> dict[str, Any]:
    fit = restarts.best
    return {
        "rows": len(objective.w),
        "alpha": float(alpha),
        "seed": int(seed),
        "method": fit.method,
        "reason": fit.reason,
        "certificate": fit.certificate.as_dict(),
        "cost": fit.cost,
        "baseline_cost": objective.baseline,
        "max_gradient": float(np.max(np.abs(fit.gradient))),
        "termination": {"name": fit.termination.name, "inequality": fit.termination.inequality},
        "evaluations": fit.n_evaluations,
        "restarts": [
            {
                "cost": run.cost if np.isfinite(run.cost) else None,
                "termination": run.termination,
                "iterations": run.n_iterations,
                "evaluations": run.n_evaluations,
            }
            for run in restarts.runs
        ],
        "agreeing": restarts.n_agree,
        "history": {
            "cost": fit.history.cost.tolist(),
            "max_gradient": fit.history.column("max_gradient").tolist(),
        },
    }
