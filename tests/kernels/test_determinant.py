"""The slope of the log determinant, against complex steps and differences of the determinant."""

import numpy as np
import pytest

from chainrule import Activation, Network
from chainrule.kernels import determinant, reference
from chainrule.kernels.determinant import slope_of_log_determinant

RNG = np.random.default_rng(3)


def half_log_determinant(net, theta, X, Y, w, D):
    A = reference.evaluate(net, theta, X, Y, w, 2).H + D
    return 0.5 * np.linalg.slogdet(A)[1]


@pytest.mark.parametrize(
    ("layers", "options"),
    [
        ([2, 3, 1], {}),
        ([2, 3, 1], {"bias": False, "hidden": "sigmoid"}),
        ([2, 3, 2], {"skip": True}),
        ([2, 4, 3, 2], {"hidden": ["tanh", "softplus"]}),
        ([2, 3, 1], {"output": "sigmoid"}),
        ([2, 3, 3], {"output": "softmax", "skip": True}),
        ([2, 3, 2], {"output": "exp"}),
        ([2, 3, 5], {"output": "softmax", "skip": True}),
        ([2, 3, 3, 5], {"output": "softmax", "bias": False}),
        ([2, 3, 2, 2, 4], {"skip": True, "hidden": "sigmoid"}),
        ([2, 4], {"output": "softmax"}),
        ([2, 3, 1], {"output": "sigmoid", "loss": "squared"}),
        ([2, 1], {}),
        ([2, 3, 1], {"hidden": Activation("own", np.arctan, lambda z: 1 / (1 + z * z))}),
    ],
)
@pytest.mark.parametrize("together", [False, True])
def test_it_is_the_slope_of_the_determinant(layers, options, together, monkeypatch):
    monkeypatch.setattr(determinant, "outputs_together", lambda net: together)
    net = Network(layers, **options)
    n, p = 12, net.n_parameters
    X = RNG.standard_normal((n, 2))
    Y = RNG.uniform(0.1, 0.9, (n, layers[-1]))
    if net.output == "softmax":
        Y /= Y.sum(axis=1, keepdims=True)
    w = RNG.uniform(0.5, 2.0, n)
    D = np.diag(RNG.uniform(0.3, 3.0, p))
    theta = 0.5 * RNG.standard_normal(p)
    inverse = np.linalg.inv(reference.evaluate(net, theta, X, Y, w, 2).H + D)
    found = slope_of_log_determinant(net, theta, X, Y, w, inverse)
    for j in range(p):
        step = np.zeros(p)
        step[j] = 1e-5
        up, down = (half_log_determinant(net, theta + s * step, X, Y, w, D) for s in (1, -1))
        assert found[j] == pytest.approx((up - down) / 2e-5, rel=1e-6, abs=1e-7)
