"""Silent units: where Gauss-Newton sees a minimum and there is a way down."""

import numpy as np
import pytest

from chainrule import Network, Objective
from chainrule.optimize.methods import choose
from chainrule.optimize.minimize import descended
from chainrule.optimize.saddles import is_saddle, leave_saddles
from chainrule.optimize.stopping import limits

X = np.linspace(-1.0, 1.0, 21)[:, None]


def silent(alpha, units=1):
    """Return a cost with a tanh unit for y = x, and the point at which all units are silent."""
    objective = Objective(Network([1, units, 1]), X, X, alpha)
    return objective, np.zeros(objective.net.n_parameters)


def ended(objective, theta):
    return descended(
        objective, theta, choose("lm", objective, len(theta)), limits(1e-9, None, None)
    )


# H of the two weights is [[alpha, -Σ x y], [-Σ x y, alpha]]: a saddle if alpha < Σ x²
@pytest.mark.parametrize(("times", "saddle"), [(0.5, True), (0.99, True), (1.01, False)])
def test_silent_units_are_a_saddle_where_the_penalty_is_weaker_than_what_they_could_say(
    times, saddle
):
    objective, theta = silent(times * float(np.sum(X**2)))
    assert np.abs(objective.gradient(theta)).max() < 1e-12
    assert np.linalg.eigvalsh(objective.evaluate(theta, 2).H)[0] >= 0.0  # Gauss-Newton sees none
    assert is_saddle(objective, theta) == saddle


@pytest.mark.parametrize("units", [1, 4])
def test_the_way_down_ends_at_a_minimum(units):
    objective, theta = silent(1.0, units)
    there = ended(objective, theta)
    assert np.abs(there.theta).max() < 1e-12  # Levenberg-Marquardt stays
    chosen = choose("lm", objective, len(theta))
    found = leave_saddles(objective, there, chosen, limits(1e-9, None, None))
    assert objective.cost(found.theta) < 0.9 * objective.cost(theta)
    assert not is_saddle(objective, found.theta)
    again = leave_saddles(objective, found, chosen, limits(1e-9, None, None))
    assert np.array_equal(again.theta, found.theta)


def test_what_is_flat_is_no_way_down():
    c = np.eye(3)[np.arange(21) % 3]
    objective = Objective(Network([1, 2, 3], output="softmax"), X, c, 0.5)
    theta = ended(objective, objective.net.initial(0)).theta
    assert np.linalg.eigvalsh(objective.hessian(theta))[0] < 1e-9  # the biases of all classes
    assert not is_saddle(objective, theta)
