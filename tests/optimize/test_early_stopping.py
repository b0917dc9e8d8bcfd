"""When the validation rows have had enough, iteration by iteration."""

import numpy as np

from chainrule import Network, Objective
from chainrule.optimize.early_stopping import Validation, ValidationMonitor
from chainrule.optimize.history import Iteration


def stops_after(costs, patience=3):
    """Return at which iteration a row of validation costs ends training, and the best one."""
    # y = w x with one row: the cost of weight w is half its square
    objective = Objective(Network([1, 1], bias=False), [[1.0], [0.0]], [[0.0], [0.0]])
    monitor = ValidationMonitor(Validation(objective, patience))
    for i, cost in enumerate(costs):
        theta = np.array([np.sqrt(2 * cost * objective.scale)])
        row = Iteration(i, 0.0, 0.0, 0.0, 0.0, i, 0.0)
        cost_there = objective.cost(theta)
        assert abs(cost_there - cost * objective.scale) < 1e-12
        if monitor(theta, row) is not None:
            return i, round(float(monitor.best[0] ** 2 / 2 / objective.scale), 9)
    return None


def test_it_waits_for_as_many_iterations_as_it_is_told():
    assert stops_after([3, 2, 1, 1.1, 1.2, 1.3, 1.4]) == (5, 1.0)
    assert stops_after([3, 2, 1, 1.1, 0.9, 1.0, 1.1]) is None
    assert stops_after([1, 2, 3], patience=2) == (2, 1.0)


def test_a_trace_lower_does_not_count():
    assert stops_after([1, 1 - 1e-7, 1 - 2e-7, 1 - 3e-7]) == (3, 1.0)
    assert stops_after([1, 1 - 1e-5, 1 - 2e-5, 1 - 3e-5]) is None
