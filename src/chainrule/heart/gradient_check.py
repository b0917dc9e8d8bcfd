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

from chainrule._contracts import Array, Evaluation, ObjectiveProtocol, SeedProtocol
from chainrule._errors import ConfigurationError, DataError
from chainrule.heart.seed_protocol import seed_objective

_STEPS = (1e-3, 1e-4, 1e-5, 1e-6)
CLEAR = 1e-3
_EPS = float(np.finfo(np.float64).eps)


@dataclass(frozen=True)
class GradientCheck:
    """The verdict on a gradient, weight by weight and layer by layer.

    A layer passes if ‖g - numeric‖ ≤ tolerance · ‖g + numeric‖ + 10 ‖uncertainty‖: the
    two agree as far as differences of costs can tell. The check passes if every
    layer does that the differences can judge, and if there is one.

    Attributes
    ----------
    gradient, numeric, uncertainty, steps : ndarray (p,)
        The gradient to be judged, its estimate by differences, the error of that
        estimate, and the step used for each weight.
    ratio : float
        ‖g - numeric‖ / ‖g + numeric‖ over all weights.
    by_layer : dict of int to float
        The same for each layer: key l stands for W[l] and b[l].
    broken : tuple of int
        The layers that fail.
    undecided : tuple of int
        The layers where the differences are too coarse to judge by: the step is too large,
        the cost too rough, or the gradient far below the rounding of the cost.
    tolerance : float
    names : dict of str to slice
        Where each block of weights lies.
    passed : bool
    """

    gradient: Array
    numeric: Array
    uncertainty: Array
    steps: Array
    ratio: float
    by_layer: dict[int, float]
    broken: tuple[int, ...]
    undecided: tuple[int, ...]
    tolerance: float
    names: dict[str, slice]

    @property
    def passed(self) -> bool:
        """Whether no layer is broken and at least one could be judged."""
        return not self.broken and len(self.undecided) < len(self.by_layer)

    def __str__(self) -> str:
        lines = ["layer  weights        ratio      gradient    numeric     verdict"]
        for l, ratio in self.by_layer.items():
            rows, names = _layer_rows(self.names, len(self.gradient))[l]
            lines.append(
                f"{l:>5}  {', '.join(names):<12} {ratio:9.2e}   "
                f"{np.linalg.norm(self.gradient[rows]):9.3e}   "
                f"{np.linalg.norm(self.numeric[rows]):9.3e}   "
                f"{self._verdict_on(l)}"
            )
        lines.append(f"  all  {'':<12} {self.ratio:9.2e}   {self._verdict()}")
        return "\n".join(lines)

    def _verdict_on(self, l: int) -> str:
        if l in self.broken:
            return "BROKEN"
        return "undecided" if l in self.undecided else "agrees"

    def _verdict(self) -> str:
        if self.broken:
            where = ", ".join(map(str, self.broken))
            return f"the gradient is wrong in layer {where} (tolerance {self.tolerance:g})"
        if not self.passed:
            return "undecided: differences of the cost are too coarse here to judge by"
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
        The largest ratio of a layer that passes.

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
    if step is not None and not step > 0:
        raise ConfigurationError(f"step is {step!r}; it must be greater than 0, such as 1e-4")
    if Y is None:
        problem: Any = objective
        blocks = problem.net.blocks() if hasattr(problem, "net") else {}
        return _check(problem.evaluate, np.asarray(theta, np.float64), blocks, step, tolerance)
    foreign = seed_objective(objective, theta, Y)
    here = foreign.theta
    try:
        return _check(foreign.evaluate, here, foreign.blocks(), step, tolerance)
    finally:
        foreign.theta = here


def _check(
    evaluate: Callable[[Array, int], Evaluation],
    theta: Array,
    blocks: dict[str, slice],
    step: float | None,
    tolerance: float,
) -> GradientCheck:
    J, g = evaluate(theta, 1)
    if not (np.isfinite(J) and np.all(np.isfinite(g))):
        raise DataError(
            f"the cost ({J:g}) or its gradient is not finite at these weights, so there is "
            "nothing to check; start from smaller weights or scale the data"
        )

    def central(j: int, h: float) -> tuple[float, float]:
        """Return the first and the second difference."""
        up, down = theta.copy(), theta.copy()
        up[j] += h
        down[j] -= h
        above, below, width = evaluate(up, 0).J, evaluate(down, 0).J, float(up[j] - down[j])
        return (above - below) / width, (above - 2 * J + below) / (0.25 * width**2)

    numeric, uncertainty, steps, curvature = np.empty((4, len(theta)))
    for j, size in enumerate(np.maximum(1.0, np.abs(theta))):
        ladder = [2 * step, step] if step is not None else [h * size for h in _STEPS]
        estimates, curvatures = zip(*(central(j, h) for h in ladder), strict=True)
        curvature[j] = curvatures[0]
        rounding = [_EPS * abs(J) / h for h in ladder]
        # the error of a central difference falls as h², so the finer of two neighbours
        # is off by at most about what they differ by, and by its own rounding
        errors = [abs(estimates[k] - estimates[k - 1]) + rounding[k] for k in range(1, len(ladder))]
        best = 1 + int(np.argmin(errors))
        numeric[j], uncertainty[j], steps[j] = estimates[best], errors[best - 1], ladder[best]

    # what a derivative would be if its weight were moved by its own size: how large a
    # gradient has to be to matter, also where it happens to vanish
    reach = np.abs(curvature) * np.maximum(1.0, np.abs(theta))
    layers = _layer_rows(blocks, len(theta))
    broken, undecided = [], []
    for l, (rows, _) in layers.items():
        difference = np.linalg.norm(g[rows] - numeric[rows])
        size = np.linalg.norm(g[rows] + numeric[rows])
        noise = 10 * np.linalg.norm(uncertainty[rows])
        if not difference <= tolerance * size + noise:
            broken.append(l)
        elif difference > 0 and not noise <= CLEAR * (size + np.linalg.norm(reach[rows])):
            undecided.append(l)
    return GradientCheck(
        gradient=g,
        numeric=numeric,
        uncertainty=uncertainty,
        steps=steps,
        ratio=_ratio(g, numeric),
        by_layer={l: _ratio(g[rows], numeric[rows]) for l, (rows, _) in layers.items()},
        broken=tuple(broken),
        undecided=tuple(undecided),
        tolerance=tolerance,
        names=blocks,
    )


def _ratio(g: Array, numeric: Array) -> float:
    difference = float(np.linalg.norm(g - numeric))
    return 0.0 if difference == 0 else difference / max(float(np.linalg.norm(g + numeric)), 1e-300)


def _layer_rows(blocks: dict[str, slice], p: int) -> dict[int, tuple[slice, list[str]]]:
    """Join the blocks of each layer: ``{1: (slice, ["W[1]", "b[1]"]), …}``."""
    layers: dict[int, tuple[slice, list[str]]] = {}
    for name, block in blocks.items():
        l = int(name[2:-1])
        start, names = (layers[l][0].start, layers[l][1]) if l in layers else (block.start, [])
        layers[l] = (slice(start, block.stop), [*names, name])
    return layers or {1: (slice(0, p), ["all"])}
