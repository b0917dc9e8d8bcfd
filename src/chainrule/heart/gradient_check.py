"""Is the gradient right? Each derivative against a difference of two costs.

For every weight θ_j, with a step h::

    numeric_j = (J(θ + h e_j) - J(θ - h e_j)) / 2h
    ratio     = ‖g - numeric‖ / ‖g + numeric‖

The tutorial takes h = 1e-4 for all weights. By default the step is chosen for each
weight: of the differences at h = 1e-3, 1e-4, 1e-5, 1e-6 times max(1, |θ_j|), the
neighbours that agree best decide, and what they disagree by is the uncertainty of
the number. That avoids both rounding (h too small) and curvature or a kink of relu
between the two points (h too large).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from chainrule._contracts import Array, ObjectiveProtocol, SeedProtocol
from chainrule._errors import ConfigurationError, DataError
from chainrule.heart.blocks import layer_of
from chainrule.heart.seed_protocol import METHODS, seed_objective

Cost = Callable[[Array], float]

DIFFERENCE_STEPS = (1e-3, 1e-4, 1e-5, 1e-6)  # of central differences, of which the best is taken
SLACK = 10.0  # times the uncertainty: an estimate of an error is itself only an estimate
CLEAR = 1e-6  # relative error, above which nothing is said
_EPS = float(np.finfo(np.float64).eps)


@dataclass(frozen=True)
class GradientCheck:
    """The verdict on a gradient, block by block: W[l] and b[l] of every layer.

    With the difference ‖g - numeric‖ and the size ‖g + numeric‖ of a block:

    - it agrees if the difference is at most `tolerance` · size;
    - it is broken if the difference exceeds that by more than ten times the uncertainty;
    - in between it agrees if that slack is tiny beside the block and its curvature, and is
      undecided if not: the step is too large, the cost too rough, or the gradient too far
      below the rounding of the cost.

    The check passes if every block agrees.

    Attributes
    ----------
    gradient, numeric, uncertainty, steps : ndarray (p,)
        The gradient to be judged, its estimate by differences, the error of that
        estimate, and the step used for each weight.
    ratio : float
        ‖g - numeric‖ / ‖g + numeric‖ over all weights.
    by_layer : dict of int to float
        The same for each layer: key l stands for W[l] and b[l].
    verdicts : dict of str to str
        "agrees", "BROKEN" or "undecided" for each block, ``"W[1]"`` say.
    tolerance : float
    blocks : dict of str to slice
        Where each block lies.
    broken, undecided : tuple of int
        The layers with such a block.
    passed : bool
    """

    gradient: Array
    numeric: Array
    uncertainty: Array
    steps: Array
    ratio: float
    by_layer: dict[int, float]
    verdicts: dict[str, str]
    tolerance: float
    blocks: dict[str, slice]

    @property
    def broken(self) -> tuple[int, ...]:
        """The layers whose gradient is wrong."""
        return self._layers("BROKEN")

    @property
    def undecided(self) -> tuple[int, ...]:
        """The layers on which differences cannot decide."""
        return self._layers("undecided")

    @property
    def passed(self) -> bool:
        """Whether every block agrees."""
        return set(self.verdicts.values()) == {"agrees"}

    def _layers(self, verdict: str) -> tuple[int, ...]:
        found = {layer_of(name) for name, given in self.verdicts.items() if given == verdict}
        return tuple(sorted(found))

    def __str__(self) -> str:
        lines = ["weights      ratio      gradient    numeric     verdict"]
        for name, rows in self.blocks.items():
            g, numeric = self.gradient[rows], self.numeric[rows]
            lines.append(
                f"{name:<7} {_ratio(g, numeric):10.2e}   {np.linalg.norm(g):9.3e}   "
                f"{np.linalg.norm(numeric):9.3e}   {self.verdicts[name]}"
            )
        lines.append(f"all     {self.ratio:10.2e}   {self._sentence()}")
        return "\n".join(lines)

    def _sentence(self) -> str:
        if self.broken:
            where = ", ".join(map(str, self.broken))
            return f"the gradient is wrong in layer {where} (tolerance {self.tolerance:g})"
        if self.undecided:
            where = ", ".join(map(str, self.undecided))
            return f"differences of the cost are too coarse to decide on layer {where}"
        if self.ratio > self.tolerance:
            return "the gradient is right, as far as differences of costs this small can tell"
        return f"the gradient is right (tolerance {self.tolerance:g})"


def check_gradient(
    objective: ObjectiveProtocol | SeedProtocol,
    theta: ArrayLike,
    Y: ArrayLike | None = None,
    *,
    step: float | None = None,
    tolerance: float = 1e-8,
) -> GradientCheck:
    """Compare a gradient with central differences of the cost.

    Called as ``check_gradient(objective, theta)``, or ``check_gradient(obj, X, Y)`` for
    any object that speaks the tutorial's protocol; that one is judged at the weights
    it holds and keeps them.

    Parameters
    ----------
    objective : Objective, or an object with getParams, setParams, costFunction, computeGradients
    theta : array_like (p,)
        Where to check; the inputs X when `objective` is such an object.
    Y : array_like, optional
        The targets, for such an object.
    step : float, optional
        One step h for all weights, such as the tutorial's 1e-4; chosen per weight if
        left out.
    tolerance : float, default 1e-8
        The largest ratio of a block that agrees without further ado.

    Returns
    -------
    GradientCheck

    Raises
    ------
    DataError
        If the cost or the gradient is not finite at θ.

    Examples
    --------
    >>> import chainrule
    >>> net = chainrule.Network([2, 3, 1])
    >>> objective = chainrule.Objective(net, [[0.3, 1.0], [0.5, 0.2]], [[0.75], [0.82]])
    >>> chainrule.check_gradient(objective, net.initial(seed=0)).passed
    True
    """
    if not 0 < tolerance < 1:
        raise ConfigurationError(f"tolerance is {tolerance!r}; it must be between 0 and 1")
    if step is not None and not 0 < step < np.inf:
        raise ConfigurationError(f"step is {step!r}; it must be greater than 0, such as 1e-4")
    if Y is None:
        problem: Any = objective
        if not callable(getattr(problem, "evaluate", None)):
            raise DataError(
                f"{type(problem).__name__} has no evaluate(theta, order); pass an Objective, or "
                f"check_gradient(obj, X, Y) for an object with {', '.join(METHODS)}"
            )
        blocks = problem.blocks() if hasattr(problem, "blocks") else {}
        return _check(problem, np.array(theta, np.float64), blocks, step, tolerance)
    foreign = seed_objective(objective, theta, Y)
    here = foreign.theta
    try:
        return _check(foreign, here, foreign.blocks(), step, tolerance)
    finally:
        foreign.theta = here


def central_differences(cost: Cost, theta: Array, step: float) -> Array:
    """Return (J(θ + step e_j) - J(θ - step e_j)) / 2 step for every j, (p,)."""
    return np.array([_central(cost, theta, j, step)[0] for j in range(len(theta))])


def _check(
    objective: ObjectiveProtocol,
    theta: Array,
    blocks: dict[str, slice],
    step: float | None,
    tolerance: float,
) -> GradientCheck:
    J, g = objective.evaluate(theta, 1)
    if not (np.isfinite(J) and np.all(np.isfinite(g))):
        raise DataError(
            f"the cost ({J:g}) or its gradient is not finite at these weights, so there is "
            "nothing to check; start from smaller weights or scale the data"
        )

    def cost(theta: Array) -> float:
        return objective.evaluate(theta, 0).J

    numeric, uncertainty, steps, curvature = np.empty((4, len(theta)))
    for j in range(len(theta)):
        numeric[j], uncertainty[j], steps[j], curvature[j] = _estimate(cost, theta, j, J)
        if step is not None:
            coarse = _central(cost, theta, j, step, J)[0]
            # what the step asked for is off by shows in what the chosen one finds
            uncertainty[j] += abs(coarse - numeric[j])
            numeric[j], steps[j] = coarse, step
    blocks = blocks or {"W[1]": slice(0, len(theta))}
    # what each derivative would be if its weight were moved by its own size: how large a
    # gradient has to be to matter, also where it happens to vanish
    reach = np.abs(curvature) * np.maximum(1.0, np.abs(theta))
    verdicts = {
        name: _verdict(g[rows], numeric[rows], uncertainty[rows], reach[rows], tolerance)
        for name, rows in blocks.items()
    }
    of_layer: dict[int, list[int]] = {}
    for name, rows in blocks.items():
        of_layer.setdefault(layer_of(name), []).extend(range(rows.start, rows.stop))
    return GradientCheck(
        gradient=g,
        numeric=numeric,
        uncertainty=uncertainty,
        steps=steps,
        ratio=_ratio(g, numeric),
        by_layer={l: _ratio(g[rows], numeric[rows]) for l, rows in of_layer.items()},
        verdicts=verdicts,
        tolerance=tolerance,
        blocks=blocks,
    )


def _estimate(cost: Cost, theta: Array, j: int, J: float) -> tuple[float, float, float, float]:
    """Return dJ/dθ_j by the best of several steps: its value, error, step, and the curvature."""
    ladder = [h * max(1.0, abs(theta[j])) for h in DIFFERENCE_STEPS]
    slopes, curvatures = zip(*(_central(cost, theta, j, h, J) for h in ladder), strict=True)
    # the error of a central difference falls as h², so the finer of two neighbours is off by
    # at most about what they differ by, and by the rounding of the cost and of θ_j itself
    errors = [
        abs(slopes[k] - slopes[k - 1]) + _EPS * (abs(J) / ladder[k] + abs(theta[j] * curvatures[k]))
        for k in range(1, len(ladder))
    ]
    errors = [error if np.isfinite(error) else np.inf for error in errors]
    best = 1 + int(np.argmin(errors))
    return slopes[best], errors[best - 1], ladder[best], curvatures[best - 1]


def _central(cost: Cost, theta: Array, j: int, h: float, J: float = 0.0) -> tuple[float, float]:
    """Return the first and, given J(θ), the second difference along θ_j."""
    up, down = theta.copy(), theta.copy()
    up[j] += h
    down[j] -= h
    width = float(up[j] - down[j])
    if not 0 < width < np.inf:
        raise ConfigurationError(
            f"step {h:g} does not change a weight of {theta[j]:g} by a finite amount; take one "
            "near 1e-4"
        )
    above, below = cost(up), cost(down)
    with np.errstate(over="ignore", invalid="ignore"):
        return (above - below) / width, (above - 2 * J + below) / (0.25 * width * width)


def _verdict(g: Array, numeric: Array, uncertainty: Array, reach: Array, tolerance: float) -> str:
    difference, size = np.linalg.norm(g - numeric), np.linalg.norm(g + numeric)
    slack = SLACK * np.linalg.norm(uncertainty)
    if difference <= tolerance * size:
        return "agrees"
    if difference > tolerance * size + slack:
        return "BROKEN"
    return "agrees" if slack <= CLEAR * (size + np.linalg.norm(reach)) else "undecided"


def _ratio(g: Array, numeric: Array) -> float:
    difference = float(np.linalg.norm(g - numeric))
    return 0.0 if difference == 0 else difference / max(float(np.linalg.norm(g + numeric)), 1e-300)
