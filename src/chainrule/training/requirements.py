"""What has to hold of data and functions before there is anything to train."""

from __future__ import annotations

import numpy as np

from chainrule._contracts import Array
from chainrule._errors import ConfigurationError, DataError
from chainrule.heart.gradient_check import check_gradient
from chainrule.tables.scaling import fit_scaling
from chainrule.training.objective import Objective

ROWS_FOR_A_CHECK = 200
LARGEST_VALUE = 1e140  # of an input or target in the scale of the network


def require_variation(Y: Array, target_names: tuple[str, ...]) -> None:
    """Refuse a target that is the same in every row."""
    for j in np.flatnonzero(fit_scaling("standard", Y).ignored):
        raise DataError(
            f"target {target_names[j]!r} is {Y[0, j]:g} in every row; there is nothing to learn"
        )


def require_squares(
    objective: Objective, input_names: tuple[str, ...], output_names: tuple[str, ...]
) -> None:
    """Refuse values of which squares overflow: then no cost and no penalty is a number."""
    for A, names in ((objective.X, input_names), (objective.Y, output_names)):
        largest = np.abs(np.asarray(A)).max(axis=0)
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
    few = slice(0, ROWS_FOR_A_CHECK)
    sample = Objective(net, np.asarray(objective.X)[few], np.asarray(objective.Y)[few])
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
    net, Y = objective.net, np.asarray(objective.Y)
    if (net.output, net.loss) != ("sigmoid", "squared"):
        return
    for k in np.flatnonzero(((Y < 0) | (Y > 1)).any(axis=0)):
        raise DataError(
            f"target {target_names[k]!r}, scaled, has values from {Y[:, k].min():.6g} to "
            f"{Y[:, k].max():.6g}; a sigmoid reaches 0 to 1, so choose output identity or scale max"
        )
