"""Choose the optimizer from the size of the problem.

The choice depends on sizes alone, so that it is the same on every machine. Where the
limits lie was measured; where Broyden ends, on four tables of 178 to 768 rows only.
"""

from __future__ import annotations

from typing import NamedTuple

from chainrule._contracts import ObjectiveProtocol
from chainrule._errors import ConfigurationError
from chainrule.optimize.broyden import Broyden
from chainrule.optimize.descent import GradientDescent
from chainrule.optimize.levenberg_marquardt import LevenbergMarquardt
from chainrule.optimize.problem import Optimizer
from chainrule.optimize.scipy_ import BFGS, LBFGS

OPTIMIZERS: dict[str, Optimizer] = {
    optimizer.name: optimizer
    for optimizer in (LevenbergMarquardt(), Broyden(), BFGS(), LBFGS(), GradientDescent())
}
METHODS = ("auto", *OPTIMIZERS)

# Levenberg-Marquardt takes few steps that cost p times a gradient
MOST_FOR_LM = 150
MOST_FOR_LM_WITH_FEW_ROWS = 300  # weights
FEW_ROWS_FOR_LM = 2_000  # rows
VERY_FEW_ROWS = 100  # rows
MANY_ROWS = 100_000  # rows
# Broyden keeps a p x p matrix, which pays while a gradient costs as much as passing over it
MOST_FOR_BROYDEN = 1_000
ROWS_PER_PARAMETER_FOR_BROYDEN = 4  # beyond MOST_FOR_BROYDEN
MOST_FOR_BROYDEN_EVER = 3_000  # weights: 72 MB of inverse Hessian


class Choice(NamedTuple):
    """An optimizer, and the reason for it in words."""

    optimizer: Optimizer
    reason: str


def choose(method: str | Optimizer, objective: ObjectiveProtocol, p: int) -> Choice:
    """Return the optimizer for `method`, p parameters and this objective.

    Raises
    ------
    ConfigurationError
        If there is no such method, or it needs derivatives that the objective has not.
    """
    if getattr(objective, "bounded", False):
        if method not in ("auto", "lm") and not isinstance(method, LevenbergMarquardt):
            raise ConfigurationError(
                f"method {getattr(method, 'name', method)!r} cannot keep weights to one sign; with "
                "monotone inputs choose auto or lm"
            )
        optimizer = OPTIMIZERS["lm"] if isinstance(method, str) else method
        return Choice(_able(optimizer, objective), "weights of one sign: steps end at 0")
    if not isinstance(method, str):
        if not callable(getattr(method, "run", None)):
            raise ConfigurationError(
                f"method is {method!r}; give a name ({', '.join(METHODS)}) or an optimizer"
            )
        return Choice(_able(method, objective), "as asked")
    if method == "auto":
        name, reason = _by_size(objective, p)
        return Choice(OPTIMIZERS[name], reason)
    if method not in OPTIMIZERS:
        raise ConfigurationError(f"unknown method {method!r}; choose one of {', '.join(METHODS)}")
    return Choice(_able(OPTIMIZERS[method], objective), "as asked")


def _by_size(objective: ObjectiveProtocol, p: int) -> tuple[str, str]:
    rows, squared = getattr(objective, "size", (0, False))
    if getattr(objective, "highest_order", 1) >= 2 and squared:
        if rows <= p and (rows <= VERY_FEW_ROWS or p <= MOST_FOR_LM_WITH_FEW_ROWS):
            return "lm", f"{rows:,} numbers to fit with {p:,} weights: no step costs less"
        if p <= MOST_FOR_LM and rows <= MANY_ROWS:
            return "lm", f"squares, and {p:,} weights <= {MOST_FOR_LM}: second derivatives pay"
        if p <= MOST_FOR_LM_WITH_FEW_ROWS and rows <= FEW_ROWS_FOR_LM:
            return "lm", f"squares, {p:,} weights and {rows:,} numbers: second derivatives pay"
    limit = max(MOST_FOR_BROYDEN, rows // ROWS_PER_PARAMETER_FOR_BROYDEN)
    if squared and rows <= p:
        limit = MOST_FOR_BROYDEN_EVER  # L-BFGS takes too many steps where rows do not hold it
    limit = min(limit, MOST_FOR_BROYDEN_EVER)
    if p <= limit:
        return "broyden", f"{p:,} weights <= {limit:,}: a dense inverse Hessian pays"
    return "lbfgs", f"{p:,} weights > {limit:,}: a dense inverse Hessian costs too much"


def _able(optimizer: Optimizer, objective: ObjectiveProtocol) -> Optimizer:
    needed = getattr(optimizer, "order", 1)
    if needed > getattr(objective, "highest_order", 1):
        raise ConfigurationError(
            f"method {optimizer.name!r} needs second derivatives, which "
            f"{type(objective).__name__} does not have; choose broyden, bfgs or lbfgs"
        )
    return optimizer
