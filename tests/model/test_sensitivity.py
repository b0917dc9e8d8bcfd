"""Derivatives with respect to inputs, against differences."""

import numpy as np
import pytest

from chainrule import Network
from chainrule.model.sensitivity import derivatives, mean_slopes, standard_error
from chainrule.rows.memory import MemoryRows


@pytest.fixture
def rng():
    return np.random.default_rng(2)


@pytest.mark.parametrize(
    ("layers", "options"),
    [
        ([3, 1], {}),
        ([3, 4, 1], {}),
        ([3, 4, 3, 2], {"skip": True, "hidden": "sigmoid"}),
        ([3, 4, 3], {"output": "softmax"}),
        ([3, 4, 1], {"output": "exp", "bias": False}),
    ],
)
def test_they_are_those_of_differences(rng, layers, options):
    net = Network(layers, **options)
    theta, X = net.initial(3), rng.standard_normal((6, 3))
    found = derivatives(net, theta, X)
    assert found.shape == (6, layers[-1], 3)
    for j in range(3):
        step = np.zeros(3)
        step[j] = 1e-6
        up, down = (net.forward(theta, X + s * step).y_hat for s in (1, -1))
        assert found[:, :, j] == pytest.approx((up - down) / 2e-6, rel=1e-6, abs=1e-8)


def test_the_error_of_mean_slopes_is_that_of_draws(rng):
    net = Network([2, 3, 1])
    theta, X = net.initial(1), rng.standard_normal((50, 2))
    rows = MemoryRows(X, np.zeros((50, 1)), np.ones(50))
    root = 0.02 * np.triu(rng.standard_normal((net.n_parameters, net.n_parameters)))
    draws = theta + rng.standard_normal((3000, len(theta))) @ root.T

    def slopes(theta):
        return mean_slopes(net, theta, rows)

    spread = np.std([slopes(draw) for draw in draws], axis=0)
    assert standard_error(slopes, theta, root) == pytest.approx(spread, rel=0.35)
