"""The penalty by rule: against least squares, by position of the layer, in any unit."""

import time

import numpy as np
import pytest

from chainrule import Network, Objective
from chainrule._cancellation import Cancellation
from chainrule.bayes import default_alpha
from chainrule.bayes.default_alpha import alpha_by_rule, row_weight_unit_of
from chainrule.optimize.multistart import minimize_from_starts
from chainrule.optimize.steps import Normal
from trainings import press_ctrl_c

RNG = np.random.default_rng(5)


def problem(n=200, d=5, hidden=(), **options):
    X = RNG.standard_normal((n, d))
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    Y = X @ RNG.standard_normal((d, 1)) + RNG.standard_normal((n, 1))
    net = Network([d, *hidden, 1], **options)
    Y = (Y - Y.mean()) / Y.std() if not options else (Y > 0).astype(float)
    return Objective(net, X, Y)


def test_the_noise_of_a_straight_line_is_what_least_squares_leaves():
    o = problem(n=60, d=20)  # so that it matters that weights use numbers up
    A = np.column_stack([o.rows.X, np.ones(60)])
    left = np.sum((o.rows.Y - A @ np.linalg.lstsq(A, o.rows.Y, rcond=None)[0]) ** 2)
    (alpha,), _, reason = alpha_by_rule(o, seed=0)
    # the penalty uses up a little less than all of the 21 weights
    assert left / 60 * 1.15 < alpha / 20 < left / (60 - 21) * 1.15
    assert "noise found to be" in reason


@pytest.mark.parametrize(
    ("d", "hidden", "expected"),
    [(10, (10,), [10, 1.6]), (4, (6, 3), [4, 6, 3 / 6.25]), (10, (10, 10), [10, 10, 1.6])],
)
def test_classes_by_the_position_of_the_layer(d, hidden, expected):
    alpha, *_ = alpha_by_rule(problem(d=d, hidden=hidden, output="sigmoid"), seed=0)
    assert alpha == pytest.approx(expected, rel=1e-12)


def test_few_rows_are_taken_as_free_of_noise():
    alpha, _, reason = alpha_by_rule(problem(n=49, d=5, hidden=(3,)), seed=0)
    assert alpha == pytest.approx([5e-4, 3e-4], rel=1e-10)
    assert "fewer than 50 rows" in reason


def test_the_unit_of_the_target_is_that_of_the_penalty():
    o = problem()
    (alpha,), *_ = alpha_by_rule(o, seed=0)
    (same,), *_ = alpha_by_rule(Objective(o.net, 10 * o.rows.X, 3 * o.rows.Y), seed=0)
    # W is 3/10 of what it was, and the cost 9 times
    assert same * 0.3**2 == pytest.approx(9 * alpha, rel=1e-6)


def test_what_counts_as_one_row():
    assert row_weight_unit_of(np.array([1.0, 2.0, 3.0])) == 1.0
    assert row_weight_unit_of(np.array([0.5, 0.5, 0.5])) == 0.5
    assert row_weight_unit_of(np.array([0.5, 1.5, 4.0])) == pytest.approx(18.5 / 6.0)
    o = problem()
    w = RNG.uniform(0.5, 1.5, 200)
    found = [
        alpha_by_rule(
            Objective(o.net, o.rows.X, o.rows.Y, 0.0, w * k), 0, row_weight_unit_of(w * k)
        )[0][0]
        / k
        for k in (1.0, 1e-3)
    ]
    assert found[0] == pytest.approx(found[1], rel=1e-6)


def test_a_step_cut_short_is_predicted_by_the_whole_model():
    A = RNG.standard_normal((4, 4))
    g, H, s = RNG.standard_normal(4), A @ A.T + np.eye(4), RNG.standard_normal(4)
    model = Normal(g, H)
    assert model.fall(s) == pytest.approx(-g @ s - 0.5 * s @ H @ s, rel=1e-13)
    whole = model.step(0.3)
    assert model.fall(whole) == pytest.approx(model.predicted(whole, 0.3), rel=1e-12)


def test_weights_that_are_not_learned_use_nothing_up():
    rng = np.random.default_rng(1)
    X = rng.standard_normal((200, 5))
    net = Network([5, 30, 1])
    theta = net.initial(0)
    fixed = np.full(net.n_parameters, np.nan)
    for name in ("W[1]", "b[1]"):
        fixed[net.blocks()[name]] = theta[net.blocks()[name]]
    truth = np.tanh(X @ rng.standard_normal((5, 3))).sum(axis=1, keepdims=True)
    Y = truth + 0.4 * truth.std() * rng.standard_normal((200, 1))
    Y = (Y - Y.mean()) / Y.std()
    alpha, *_ = alpha_by_rule(Objective(net, X, Y, fixed=fixed), 0)
    assert 0.05 < alpha[-1] / 10.0 < 0.3  # of the variance; it was 1 when all were counted


def test_control_c_while_the_noise_is_looked_for_is_heard(monkeypatch):
    def struck(*arguments):
        press_ctrl_c()
        return minimize_from_starts(*arguments)

    monkeypatch.setattr(default_alpha, "minimize_from_starts", struck)
    cancellation = Cancellation()
    with pytest.raises(KeyboardInterrupt), cancellation.listening():
        alpha_by_rule(problem(), 0, 1.0, cancellation)


def test_no_time_for_the_noise():
    over = Cancellation(1.0, began=time.monotonic() - 2.0)
    assert alpha_by_rule(problem(), 0, 1.0, over)[2].startswith("noise taken as")
