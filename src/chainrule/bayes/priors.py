"""Priors: which weights share a precision, and its usual value."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from chainrule._contracts import Array
from chainrule.bayes.default_alpha import LOG_ODDS, WIDEST
from chainrule.bayes.laplace import Priors
from chainrule.heart.activations import Activation
from chainrule.heart.blocks import is_matrix, layer_of
from chainrule.heart.network import Network
from chainrule.objectives.objective import Objective


def priors_of(
    net: Network, inputs: Sequence[int] | None = None, names: Sequence[str] | None = None
) -> Priors:
    """Return a group for each input, for the hidden biases of each layer, and for its weights.

    Weights to outputs that are numbers have a group for each output.

    Parameters
    ----------
    net : Network
    inputs : sequence of int, optional
        The group of each input, counted from 0; each its own if left out.
    names : sequence of str, optional
        Of these groups.
    """
    of = np.full(net.n_parameters, -1, dtype=np.intp)
    groups = np.arange(net.layers[0]) if inputs is None else np.asarray(inputs)
    count = int(groups.max()) + 1
    found = [f"input {k + 1}" for k in range(count)] if names is None else list(names)
    last, K = net.n_layers - 1, net.layers[-1]
    for name, block in net.blocks().items():
        l = layer_of(name)
        if is_matrix(name) and l <= 1:
            of[block] = np.repeat(groups, net.shapes()[name][1])
        elif is_matrix(name) and l == last and net.loss == "squared" and K > 1:
            of[block] = np.tile(len(found) + np.arange(K), net.layers[l - 1])
            found += [f"{name} to output {k + 1}" for k in range(K)]
        elif is_matrix(name) or l < last:
            of[block] = len(found)
            found.append(name)
    return Priors(tuple(found), of)


def usual(objective: Objective, priors: Priors) -> Array:
    """Return α for each group as `default_alpha` has it, (groups,)."""
    net = objective.net
    of_inputs, of_targets = (of.variance for of in objective.rows.moments)
    widest = of_targets if net.loss == "squared" else np.full(net.layers[-1], LOG_ODDS**2)
    # where a function is flatter than the identity, weights into and out of it have to be larger
    steep = {l: _steepness(net.functions[l]) for l in range(2, net.n_layers)}
    precision = np.ones(net.n_parameters)  # of the prior of each weight
    for name, block in net.blocks().items():
        l = layer_of(name)
        if name[0] == "b":
            precision[block] = steep.get(l + 1, 1.0)
            continue
        d_in, d_out = net.shapes()[name]
        enters = of_inputs if l <= 1 else np.ones(d_in)
        leaves = widest if l in (0, net.n_layers - 1) else np.ones(d_out)
        wide = float(d_in if l <= 1 else min(d_in, WIDEST))
        wide *= steep.get(l, 1.0) * steep.get(l + 1, 1.0) if l else 1.0
        precision[block] = (wide * enters[:, None] / _positive(leaves)).ravel()
    counts = priors.sums(np.ones(net.n_parameters))
    return _positive(priors.sums(precision) / counts)


def _steepness(f: Activation) -> float:
    """Return f'(0), 1 if that says nothing."""
    slope = abs(float(f.prime(np.zeros(1))[0]))
    return slope if 0.0 < slope < 1.0 else 1.0


def _positive(values: Array) -> Array:
    """Return the values, with 1 for those that are 0: of a column that does not vary."""
    return np.where(values > 0.0, values, 1.0)
