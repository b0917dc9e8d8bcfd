"""How sure predictions are: against Bayesian ridge regression, counts, and other fits."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats
from sklearn.linear_model import BayesianRidge

from chainrule import Network, Objective, minimize
from chainrule.bayes.laplace import inverse_root
from chainrule.bayes.posterior import Noise, Posterior, Spread, moderated, thinned


@pytest.fixture
def rng():
    return np.random.default_rng(8)


def posterior(thetas, roots, noise=None, scores=None, n_rows=10, d=2, share=1.0):
    thetas = np.array(thetas)
    scores = np.ones((10, 1)) if scores is None else scores
    low, high = -np.ones(d), np.ones(d)
    return Posterior(thetas, np.array(roots), noise, scores, n_rows, low, high, 1.0, share)


def test_of_a_linear_model_it_is_bayesian_ridge_regression(rng):
    X = rng.standard_normal((40, 3))
    X -= X.mean(axis=0)
    y = X @ [1.0, 0.0, -2.0] + 0.5 * rng.standard_normal(40)
    y -= y.mean()
    ridge = BayesianRidge(fit_intercept=False).fit(X, y)
    net = Network([3, 1], bias=False)
    o = Objective(net, X, y[:, None], ridge.lambda_ / ridge.alpha_)
    theta = minimize(o, np.zeros(3), tol=1e-13).theta
    root = inverse_root(o, theta) / np.sqrt(ridge.alpha_)
    known = posterior([theta], [root], Noise(np.array([1 / ridge.alpha_])), d=3)
    inputs = rng.standard_normal((5, 3))
    mean, std = ridge.predict(inputs, return_std=True)
    assert known.outputs(net, inputs)[:, 0] == pytest.approx(mean, rel=1e-8)
    of_y_hat, noise = known.variances(net, inputs)
    assert np.sqrt(of_y_hat + noise)[:, 0] == pytest.approx(std, rel=1e-8)


def test_minima_that_disagree_are_less_sure():
    net = Network([2, 1])
    thetas, root = [[1.0, 0.0, 0.0], [3.0, 0.0, 0.0]], np.zeros((3, 3))
    known = posterior(thetas, [root, root], Noise(np.array([0.5])))
    inputs = np.array([[1.0, 0.0], [0.0, 1.0]])
    assert known.outputs(net, inputs)[:, 0].tolist() == [2.0, 0.0]
    of_y_hat, noise = known.variances(net, inputs)
    assert of_y_hat[:, 0] == pytest.approx([1.0, 0.0])
    assert noise[:, 0].tolist() == [0.5, 0.5]


def test_probabilities_are_the_mean_over_what_weights_may_be(rng):
    net = Network([2, 1], output="sigmoid")
    theta, root = np.array([1.0, -0.5, 0.3]), np.triu(0.5 * rng.standard_normal((3, 3)))
    known = posterior([theta], [root])
    inputs = rng.standard_normal((6, 2))
    draws = theta + rng.standard_normal((200_000, 3)) @ root.T
    z = draws[:, :2] @ inputs.T + draws[:, 2:]
    exact = (1 / (1 + np.exp(-z))).mean(axis=0)
    assert known.outputs(net, inputs)[:, 0] == pytest.approx(exact, abs=0.01)
    plain = posterior([theta], [root], share=0.0)
    assert np.array_equal(plain.outputs(net, inputs), net.forward(theta, inputs).y_hat)


def test_what_all_classes_have_in_common_makes_none_less_sure(rng):
    net = Network([2, 3], output="softmax")
    z, S = rng.standard_normal((4, 3)), np.ones((4, 3, 3))
    same = net.pair.y_hat(moderated(net, z, 7.0 * S, 1.0))
    assert same == pytest.approx(net.pair.y_hat(z))
    less = net.pair.y_hat(moderated(net, z, 7.0 * np.eye(3) + S, 1.0))
    assert np.all(less.max(axis=1) < same.max(axis=1))


def test_intervals_are_as_wide_as_has_been_counted():
    scores = np.linspace(0.1, 10.0, 100)[:, None]
    known = posterior([[0.0]], [[[0.0]]], scores=scores, n_rows=100)
    assert known.multiplier(0.9) == pytest.approx([9.1])  # the 91st of 100: one more for the new
    assert known.covered(0.95) == pytest.approx(0.19)
    few = posterior([[0.0]], [[[0.0]]], scores=scores[:3], n_rows=3)
    assert few.multiplier(0.95) == pytest.approx([stats.t.ppf(0.975, 2)])


def test_scores_of_many_rows_are_thinned_and_repetitions_counted():
    many = np.random.default_rng(0).uniform(size=(50_000, 2))
    found = thinned(many, np.ones(50_000))
    assert found.shape == (1000, 2)
    assert found[949] == pytest.approx([0.95, 0.95], abs=0.01)
    twice = thinned(np.array([[1.0], [3.0], [2.0]]), np.array([2.0, 1.0, 3.0]))
    assert twice[:, 0].tolist() == [1.0, 1.0, 2.0, 2.0, 2.0, 3.0]


def test_far_is_beyond_the_range_or_less_certain_than_any_row():
    net = Network([2, 1])
    root = np.diag([1.0, 0.1, 0.1])
    known = posterior([[0.0, 0.0, 0.0]], [root], Noise(np.array([1.0])))
    inputs = np.array([[0.5, 0.5], [0.5, 1.2], [-1.05, 0.0], [-1.0, 0.0]])
    #                   near, outside, at the edge but too uncertain (1.05² + 0.01 > 1), both
    assert known.is_far(net, inputs).tolist() == [False, True, True, True]


def test_minima_that_disagree_make_classes_less_sure():
    z = np.array([[[2.0]], [[-1.0]]])
    S = np.array([[[[0.5]]], [[[0.3]]]])
    mean, spread = Spread(z, S).joint()
    assert mean == pytest.approx(np.array([[0.5]]))
    assert spread == pytest.approx(np.array([[[0.4 + 1.5**2]]]))  # within, and between
    net = Network([1, 1], output="sigmoid")
    apart = Posterior(
        np.array([[0.0, 4.0], [0.0, -4.0]]),
        np.zeros((2, 2, 2)),
        None,
        np.empty((0, 1)),
        9,
        np.zeros(1),
        np.ones(1),
        np.inf,
    )
    alike = replace(apart, theta=np.array([[0.0, 4.0], [0.0, 4.0]]))
    X = np.array([[0.5]])
    assert apart.uncertainty(net, X) > alike.uncertainty(net, X) + 15
    assert apart.outputs(net, X) == pytest.approx(np.array([[0.5]]))
    one_sure = replace(apart, theta=np.array([[0.0, 10.0], [0.0, 0.0]]))
    # the mean of what both say is .75, and so much is said by their spread: 5 / sqrt(1 + 25 pi / 8)
    assert one_sure.outputs(net, X) == pytest.approx(np.array([[0.82]]), abs=0.01)
