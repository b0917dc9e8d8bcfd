"""Early stopping: end a run when the cost of validation rows no longer falls.

Morgan & Bourlard (1990), NIPS 2:630; Prechelt (1998), Early Stopping - But When?, LNCS
1524:55, criterion UP: stop when the cost of the validation rows has not fallen for some
iterations, and take the weights where it was lowest.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from chainrule._contracts import Array, Evaluation
from chainrule.objectives.objective import Objective
from chainrule.optimize.certificate import certify
from chainrule.optimize.history import Iteration
from chainrule.optimize.minimize import Fit
from chainrule.optimize.stopping import Termination


@dataclass(frozen=True, eq=False)
class Validation:
    """Rows that decide when to stop.

    Attributes
    ----------
    objective : Objective
        Of the validation rows, without penalty.
    patience : int
        So many iterations without a lower cost end training.
    least : float
        A cost counts as lower only if it is so by more than this share of the cost there is
        to explain.
    """

    objective: Objective
    patience: int = 10
    least: float = 1e-6


@dataclass(eq=False)
class ValidationMonitor:
    """One start under validation: called at every iteration."""

    validation: Validation
    costs: list[float] = field(default_factory=list)
    best: Array | None = None
    _lowest: float = np.inf
    _since: int = 0

    def __call__(self, theta: Array, row: Iteration) -> Termination | None:
        """Note the cost of the validation rows; return a Termination when it is time to stop."""
        objective = self.validation.objective
        cost = objective.cost(theta)
        self.costs.append(cost)
        if self.best is None or cost < self._lowest - self.validation.least * objective.scale:
            self.best, self._lowest, self._since = theta, cost, row.iteration
        waited = row.iteration - self._since
        if waited < self.validation.patience:
            return None
        return Termination(
            "early_stopping",
            f"{waited} iterations since J = {self._lowest:.6g} of the validation rows",
        )

    def finish(self, fit: Fit, objective: Objective) -> Fit:
        """Return the fit with the weights for which the validation rows cost least."""
        curve = np.array(self.costs)
        if self.best is None or np.array_equal(self.best, fit.theta):
            return replace(fit, validation=curve)
        J, g = objective.evaluate(self.best, 1)
        at = f"iteration {self._since}, J = {self._lowest:.6g} of the validation rows"
        stopped = fit.termination.name == "early_stopping"
        return replace(
            fit,
            theta=self.best,
            cost=J,
            gradient=g,
            termination=fit.termination if stopped else Termination("early_stopping", at),
            certificate=certify(
                objective, self.best, objective.scale, Evaluation(J, g), curvature=False
            ),
            validation=curve,
        )
