"""The recorder: what an optimizer sees, and what is kept."""

import numpy as np
import pytest

from chainrule._contracts import Evaluation
from chainrule.optimize.descent import GradientDescent
from chainrule.optimize.recorder import Recorder
from chainrule.optimize.stopping import IterationLimit, Termination


class Hole:
    """A parabola with a hole of NaN around 2."""

    def __init__(self):
        self.calls = 0

    def evaluate(self, theta, order):
        self.calls += 1
        x = float(theta[0])
        return Evaluation(np.nan if abs(x - 2) < 0.5 else x * x, np.array([2 * x]))


def test_what_is_not_finite_looks_far_worse_and_flat():
    recorder = Recorder(Hole(), np.array([3.0]), [])
    J, g = recorder.evaluate(np.array([2.0]))
    assert J == 9 + 10 * (1 + 9)
    assert g.tolist() == [0.0]
    assert recorder.theta.tolist() == [3.0]


def test_the_best_finite_point_is_kept_and_known_points_are_not_asked_again():
    hole = Hole()
    recorder = Recorder(hole, np.array([3.0]), [])
    for x in (1.0, 4.0, 1.0, 3.0, 2.0):
        recorder.evaluate(np.array([x]))
    assert recorder.theta.tolist() == [1.0]
    assert recorder.J == 1.0
    assert hole.calls == recorder.n_evaluations == 4


def test_a_point_for_which_a_claim_holds_is_returned_not_one_that_is_lower_by_a_rounding():
    def claim(state):
        return Termination("converged", "as it is") if state.iteration == 1 else None

    recorder = Recorder(Hole(), np.array([3.0]), [claim])
    recorder.evaluate(np.array([1.0]))
    assert recorder.accept(np.array([1.0 + 1e-15]))
    assert recorder.theta[0] == 1.0 + 1e-15


def test_rules_are_asked_and_the_first_that_answers_counts():
    recorder = Recorder(Hole(), np.array([3.0]), [IterationLimit(1), IterationLimit(2)])
    assert recorder.termination is None
    assert recorder.accept(np.array([1.0]))
    assert recorder.termination == Termination("max_iter", "1 iterations >= 1")
    assert [row.cost for row in recorder.history] == [9.0, 1.0]
    assert recorder.history[1].step == 2.0


@pytest.mark.parametrize("J", [0.0, -3.0, 1e-300])
def test_the_scale_is_never_zero(J):
    class Flat:
        def evaluate(self, theta, order):
            return Evaluation(J, np.zeros(1))

    assert Recorder(Flat(), np.zeros(1), []).scale > 0


def test_a_claim_at_a_point_worse_than_the_best_is_not_taken():
    def claim(state):
        return Termination("converged", "as it is") if state.iteration == 1 else None

    recorder = Recorder(Hole(), np.array([3.0]), [claim])
    recorder.evaluate(np.array([1.0]))
    assert recorder.accept(np.array([4.0]))
    assert recorder.termination.name == "stalled"
    assert recorder.theta.tolist() == [1.0]


def test_gradient_descent_stops_before_a_cost_that_is_not_finite():
    recorder = Recorder(Hole(), np.array([3.0]), [IterationLimit(9)])
    GradientDescent(step=1 / 6).run(recorder, np.array([3.0]))  # lands on 2, in the hole
    assert [row.cost for row in recorder.history] == [9.0]
