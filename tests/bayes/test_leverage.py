"""Every row without itself, against fits that are really made without it."""

import numpy as np
import pytest

from chainrule import Network, Objective, minimize
from chainrule.bayes.empirical_bayes import refine
from chainrule.bayes.laplace import inverse_root, laplace
from chainrule.bayes.leverage import hat_matrix, influence, jacobians
from chainrule.bayes.priors import priors_of


@pytest.fixture
def rng():
    return np.random.default_rng(5)


def fitted(objective, seed=0, theta=None):
    start = objective.net.initial(seed) if theta is None else theta
    theta = minimize(objective, start, tol=1e-12).theta
    return theta, inverse_root(objective, theta)


def without(objective, i, theta):
    """Return the weights of a fit without row i, or with one repetition less of it."""
    w = objective.w.copy()
    w[i] -= 1.0
    o = Objective(objective.net, objective.rows.X, objective.rows.Y, objective.alpha, w)
    return minimize(o, theta, tol=1e-12).theta


def line(rng, K=1):
    X = rng.standard_normal((15, 3))
    Y = X @ rng.standard_normal((3, K)) + rng.standard_normal((15, K))
    return Objective(Network([3, K]), X, Y, 0.3)


@pytest.mark.parametrize("K", [1, 2])
def test_of_a_linear_model_it_is_exact(rng, K):
    o = line(rng, K)
    theta, root = fitted(o)
    found = influence(o.net, theta, o.rows.reweighted(np.ones(15)), root)
    A = np.linalg.inv(root @ root.T)
    for i in range(15):
        alone = without(o, i, theta)
        y_hat = o.net.forward(alone, o.rows.X[i : i + 1]).y_hat[0]
        assert found.z_loo[i] == pytest.approx(y_hat, rel=1e-6, abs=1e-7)
        moved = alone - theta
        assert found.distance[i] == pytest.approx(np.sqrt(moved @ A @ moved), rel=1e-5)


def test_a_row_that_was_seen_twice_is_left_out_once(rng):
    o = line(rng)
    counts = np.where(np.arange(15) < 5, 2.0, 1.0)
    o = Objective(o.net, o.rows.X, o.rows.Y, 0.3, counts)
    theta, root = fitted(o)
    found = influence(o.net, theta, o.rows.reweighted(np.ones(15)), root)
    for i in (0, 9):
        y_hat = o.net.forward(without(o, i, theta), o.rows.X[i : i + 1]).y_hat[0]
        assert found.z_loo[i] == pytest.approx(y_hat, rel=1e-6)


@pytest.mark.parametrize(("layers", "output"), [([2, 3, 1], "identity"), ([2, 3, 3], "softmax")])
def test_leverages_add_up_to_the_weights_that_are_determined(rng, layers, output):
    X = rng.standard_normal((30, 2))
    Y = rng.standard_normal((30, 1))
    if output == "softmax":
        Y = np.eye(3)[rng.integers(0, 3, 30)]
    net = Network(layers, output=output)
    priors = priors_of(net)
    o = Objective(net, X, Y, priors.spread(np.full(len(priors), 0.5)))
    theta, root = fitted(o)
    found = influence(net, theta, o.rows.reweighted(np.ones(30)), root)
    known = laplace(o, theta, priors, 1.0, 30.0 if output == "identity" else 0.0)
    # the bias that all classes share is seen by no row, and by no prior
    shared = 1.0 if output == "softmax" else 0.0
    assert found.leverage.sum() == pytest.approx(known.n_effective - shared, rel=1e-8)
    assert np.all(found.leverage > 0.0)
    assert np.all(found.leverage < layers[-1])


def test_of_a_network_it_is_close_to_refits(rng):
    X = rng.uniform(-2, 2, (40, 1))
    Y = np.sin(2 * X) + 0.2 * rng.standard_normal((40, 1))
    o = Objective(Network([1, 4, 1]), X, Y, 0.05)
    theta, root = fitted(o, seed=2)
    found = influence(o.net, theta, o.rows.reweighted(np.ones(40)), root)
    refits = [o.net.forward(without(o, i, theta), X[i : i + 1]).y_hat[0, 0] for i in range(40)]
    theirs, ours = Y[:, 0] - np.array(refits), (Y - found.z_loo)[:, 0]
    plain = (Y - found.z)[:, 0]
    assert np.corrcoef(theirs, ours)[0, 1] > 0.99
    assert np.std(theirs - ours) < 0.3 * np.std(theirs - plain)


def test_of_classes_it_is_close_to_refits(rng):
    X = rng.standard_normal((60, 2))
    Y = (X @ [[1.0], [-1.0]] + 0.7 * rng.standard_normal((60, 1)) > 0).astype(float)
    o = Objective(Network([2, 1], output="sigmoid"), X, Y, 0.2)
    theta, root = fitted(o)
    found = influence(o.net, theta, o.rows.reweighted(np.ones(60)), root)
    refits = [o.net.forward(without(o, i, theta), X[i : i + 1]).z[2][0, 0] for i in range(60)]
    ours, theirs = (z - found.z[:, 0] for z in (found.z_loo[:, 0], np.array(refits)))
    assert np.corrcoef(ours, theirs)[0, 1] > 0.99
    assert np.median(np.abs(ours - theirs)) < 0.05 * np.median(np.abs(theirs))


def test_votes_are_what_a_target_does_to_a_prediction(rng):
    o = line(rng)
    theta, root = fitted(o)
    inputs = rng.standard_normal((4, 3))
    found = hat_matrix(o.net, theta, o.rows.X, o.w, root, inputs)[:, 0, :, 0]
    before = o.net.forward(theta, inputs).y_hat[:, 0]
    Y = np.array(o.rows.Y)
    Y[3] += 0.5
    after = o.net.forward(fitted(Objective(o.net, o.rows.X, Y, 0.3))[0], inputs).y_hat[:, 0]
    assert found[:, 3] == pytest.approx((after - before) / 0.5, rel=1e-6, abs=1e-8)
    assert found.sum(axis=1) == pytest.approx(np.ones(4))
    at_home = hat_matrix(o.net, theta, o.rows.X, o.w, root, o.rows.X)[:, 0, :, 0]
    leverage = influence(o.net, theta, o.rows.reweighted(o.w), root).leverage
    assert np.diag(at_home) == pytest.approx(leverage)


def test_votes_of_a_network_are_close_to_refits(rng):
    X = rng.uniform(-2, 2, (30, 1))
    Y = np.sin(2 * X) + 0.05 * rng.standard_normal((30, 1))
    o = Objective(Network([1, 3, 1]), X, Y, 0.01)
    theta, root = fitted(o, seed=1)
    inputs = np.array([[-1.0], [0.3]])
    found = hat_matrix(o.net, theta, o.rows.X, o.w, root, inputs)[:, 0, :, 0]
    differences = []
    for i in range(30):
        up = Y.copy()
        up[i] += 1e-3
        moved = fitted(Objective(o.net, X, up, 0.01), theta=theta)[0]
        y_hats = [o.net.forward(at, inputs).y_hat[:, 0] for at in (moved, theta)]
        differences.append((y_hats[0] - y_hats[1]) / 1e-3)
    theirs = np.array(differences).T
    assert np.corrcoef(theirs.ravel(), found.ravel())[0, 1] > 0.97
    assert found.sum(axis=1) == pytest.approx(theirs.sum(axis=1), abs=1e-3)


def test_of_a_softmax_too_a_row_can_decide_by_itself(rng):
    net = Network([2, 3], output="softmax")
    X = np.vstack([rng.standard_normal((30, 2)) * 0.3, [[8.0, -8.0]]])
    Y = np.eye(3)[[0, 1] * 15 + [2]]
    objective = Objective(net, X, Y, 1e-2)
    theta = refine(objective, net.initial(0))
    found = influence(net, theta, objective.rows, inverse_root(objective, theta))
    assert np.all(found.max_leverage <= found.leverage + 1e-12)
    assert np.all(found.leverage <= 2.0)  # not 3: what all classes have in common is not seen
    assert np.all(found.leverage <= 2.0 * found.max_leverage + 1e-12)
    assert found.max_leverage.max() <= 1.0
    root = inverse_root(objective, theta)
    dz = np.concatenate([block for _, _, block in jacobians(net, theta, X)])
    own = net.pair.curvature(net.forward(theta, X).z[2], Y) @ dz @ root @ root.T @ dz.swapaxes(1, 2)
    assert found.max_leverage == pytest.approx(np.linalg.eigvals(own).real.max(axis=1))
