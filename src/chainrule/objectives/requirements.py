"""Check data and custom derivatives before anything is minimized."""

from __future__ import annotations

import numpy as np

from chainrule._errors import ConfigurationError, DataError
from chainrule.heart.gradient_check import check_gradient
from chainrule.objectives.objective import Objective
from chainrule.tables.scaling import Scaling

ROWS_FOR_A_CHECK = 200  # the first ones
LARGEST_VALUE = 1e140  # of an input or target in the scale of the network


def require_variation(scaling: Scaling, target_names: tuple[str, ...]) -> None:
    """Refuse a target that is the same in every row, by its standard scaling."""
    for j in np.flatnonzero(scaling.ignored):
        raise DataError(
            f"target {target_names[j]!r} is {scaling.center[j]:g} in every row; there is nothing "
            "to learn"
        )


def require_squares(
    objective: Objective, input_names: tuple[str, ...], output_names: tuple[str, ...]
) -> None:
    """Refuse values of which squares overflow: then no cost and no penalty is a number."""
    for of, names in zip(objective.rows.moments, (input_names, output_names), strict=True):
        largest = np.maximum(np.abs(of.lowest), np.abs(of.highest))
        for j in np.flatnonzero(largest > LARGEST_VALUE):
            raise DataError(
                f"{names[j]!r} has values up to {largest[j]:.3g} in the scale of the network, and "
                "their squares are larger than any float64; choose scale 'standard', or another "
                "unit"
            )


def require_right_derivatives(objective: Objective) -> None:
    """Refuse a function of one's own whose derivative is wrong, naming its layer."""
    net = objective.net
    if not net.foreign:
        return
    sample = Objective.on(objective.rows.take(slice(0, ROWS_FOR_A_CHECK)), net)
    check = check_gradient(sample, net.initial(seed=0))
    if check.broken:
        l = max(check.broken) + 1
        function = net.loss if l == net.n_layers else net.hidden[l - 2]
        name = getattr(function, "name", function)
        raise ConfigurationError(
            f"the derivative of {name!r} in layer {l} is wrong: it does not agree with differences "
            f"of the cost. Correct its df.\n{check}"
        )


def require_reachable(objective: Objective, target_names: tuple[str, ...]) -> None:
    """A sigmoid with squared loss accepts any target, but reaches only those from 0 to 1."""
    net, of = objective.net, objective.rows.moments[1]
    if (net.output, net.loss) != ("sigmoid", "squared"):
        return
    for k in np.flatnonzero((of.lowest < 0) | (of.highest > 1)):
        raise DataError(
            f"target {target_names[k]!r}, scaled, has values from {of.lowest[k]:.6g} to "
            f"{of.highest[k]:.6g}; a sigmoid reaches 0 to 1, so choose output identity or scale max"
        )
