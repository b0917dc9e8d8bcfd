"""Random networks with data that fits them: every activation, output and loss."""

import numpy as np

import chainrule
from chainrule.heart.activations import ACTIVATIONS
from chainrule.heart.outputs import OUTPUTS


def random_targets(rng, pair, n, K):
    """Return targets the pair accepts."""
    if pair.name == "softmax":
        classes = np.eye(K)[rng.integers(K, size=n)]
        # shares need not be all or nothing, nor sum to 1
        return classes if rng.integers(2) else rng.random((n, K))
    if pair.loss == "cross_entropy":
        return rng.random((n, K))
    if pair.loss == "poisson":
        return rng.poisson(2.0, (n, K)).astype(float)
    return rng.standard_normal((n, K))


def random_problem(seed, hidden_names=tuple(ACTIVATIONS)):
    """Return (net, theta, X, Y, w): 0 to 3 hidden layers of 1 to 8 units, some with weights."""
    rng = np.random.default_rng(seed)
    pair = list(OUTPUTS.values())[seed % len(OUTPUTS)]
    n, depth = int(rng.integers(1, 9)), int(rng.integers(0, 4))
    K = int(rng.integers(2 if pair.name == "softmax" else 1, 4))
    layers = [int(rng.integers(1, 6)), *(int(d) for d in rng.integers(1, 9, depth)), K]
    net = chainrule.Network(
        layers,
        hidden=[str(name) for name in rng.choice(hidden_names, depth)],
        output=pair.name,
        loss=pair.loss,
        bias=bool(rng.integers(2)),
        skip=depth > 0 and seed % 3 == 0,
    )
    theta = rng.standard_normal(net.n_parameters)
    X = rng.standard_normal((n, layers[0]))
    w = rng.uniform(0.1, 2.0, n) if seed % 2 else None
    return net, theta, X, random_targets(rng, pair, n, K), w


def complex_step(function, theta, h=1e-200):
    """Return the derivative of function along every θ_j, (..., p).

    In extended precision: where ŷ is near 1 the complex division that gives ŷ cancels, and
    in double the oracle would be worse than what it judges.
    """
    columns = []
    for j in range(len(theta)):
        nudged = theta.astype(np.clongdouble)
        nudged[j] += 1j * h
        columns.append(np.imag(function(nudged)) / h)
    return np.stack(columns, axis=-1).astype(np.float64)


def relative_error(found, truth):
    """Return ‖found - truth‖ / ‖truth‖, 0 where both vanish."""
    difference = np.linalg.norm(np.ravel(found) - np.ravel(truth))
    return 0.0 if difference == 0 else difference / np.linalg.norm(np.ravel(truth))
