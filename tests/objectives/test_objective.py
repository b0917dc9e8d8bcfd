"""The objective: a pure sum over rows plus penalty, the same in blocks, exact at order 2."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import chainrule
from chainrule import ConfigurationError, DataError, Network, Objective
from chainrule._contracts import Evaluation
from chainrule.kernels import reference
from chainrule.optimize.curvature import hessian
from chainrule.rows import memory
from chainrule.rows.sums import tree_sum
from random_problems import complex_step, random_problem, relative_error


def test_evaluations_unpack_to_what_was_asked(seed_net, seed_data):
    objective, theta = Objective(seed_net, *seed_data), seed_net.initial(0)
    (J,) = objective.evaluate(theta, order=0)
    J1, g = objective.evaluate(theta, order=1)
    J2, g2, H = objective.evaluate(theta, order=2)
    assert J == J1 == J2 == objective.cost(theta) == seed_net.cost(theta, *seed_data)
    assert np.array_equal(g, g2)
    assert np.array_equal(g, objective.gradient(theta))
    assert H.shape == (9, 9)


@pytest.mark.parametrize("seed", range(50))
def test_penalty_spares_the_biases(seed):
    net, theta, X, Y, w = random_problem(seed)
    plain, penalized = (Objective(net, X, Y, alpha=a, sample_weight=w) for a in (0.0, 0.7))
    W, _ = net.weights(theta)
    squares = sum(np.sum(W[l] ** 2) for l in W)
    assert penalized.cost(theta) - plain.cost(theta) == pytest.approx(
        0.35 * squares, abs=1e-13 * penalized.cost(theta)
    )
    difference = penalized.gradient(theta) - plain.gradient(theta)
    assert difference == pytest.approx(
        0.7 * theta * net.is_weight(),
        abs=1e-13 * np.linalg.norm(penalized.gradient(theta)) + 1e-15,
    )


@pytest.mark.parametrize("seed", range(60))
def test_gauss_newton_is_the_exact_hessian_of_a_network_without_hidden_layers(seed):
    # there z is linear in θ, so the two differ only where the loss is not canonical
    net, theta, X, Y, w = random_problem(seed)
    flat = Network([net.layers[0], net.layers[-1]], output=net.output, loss=net.loss)
    theta = flat.initial(seed)
    objective = Objective(flat, X, Y, alpha=0.1, sample_weight=w)
    H = objective.evaluate(theta, order=2).H
    if (flat.output, flat.loss) == ("sigmoid", "squared"):
        J = flat.jacobian(theta, X).reshape(-1, len(theta))
        exact = (J * np.repeat(objective.w, flat.layers[-1])[:, None]).T @ J
        exact += np.diag(objective.decay)
    else:
        exact = hessian(objective, theta)
    assert relative_error(H, exact) < 1e-13
    assert np.array_equal(H, H.T)


@pytest.mark.parametrize("seed", range(20))
def test_gauss_newton_of_squares_is_the_jacobian_squared(seed):
    net, theta, X, _, w = random_problem(5 * seed)  # identity output, squared loss
    assert (net.output, net.loss) == ("identity", "squared")
    Y = np.zeros((len(X), net.layers[-1]))
    objective = Objective(net, X, Y, sample_weight=w)
    J = net.jacobian(theta, X).reshape(-1, len(theta))
    weights = np.repeat(objective.w, net.layers[-1])
    assert relative_error(objective.evaluate(theta, 2).H, (J * weights[:, None]).T @ J) < 1e-13
    # g = J' r, r the weighted residuals
    r = weights * net.forward(theta, X).y_hat.ravel()
    assert relative_error(objective.gradient(theta), J.T @ r) < 1e-13


@pytest.mark.parametrize("seed", range(20))
def test_exact_hessian_is_the_derivative_of_the_gradient(seed):
    net, theta, X, Y, w = random_problem(seed, ("sigmoid", "tanh", "softplus", "silu"))
    objective = Objective(net, X, Y, alpha=0.3, sample_weight=w)
    h = 1e-5
    rows = [
        (objective.gradient(theta + h * e) - objective.gradient(theta - h * e)) / (2 * h)
        for e in np.eye(len(theta))
    ]
    # a central difference is off by h² times a third derivative, plus rounding / h
    assert relative_error(hessian(objective, theta), rows) < 1e-7


@given(seed=st.integers(0, 200), block=st.sampled_from([1, 7, 16, 1000]), order=st.integers(0, 2))
def test_blocks_do_not_change_the_sum(seed, block, order):
    net, theta, X, Y, w = random_problem(seed)
    X, Y, w = (np.repeat(A, 5, axis=0) for A in (X, Y, np.ones(len(X)) if w is None else w))
    whole = reference.evaluate(net, theta, X, Y, w, order)
    before, memory.BLOCK_ROWS = memory.BLOCK_ROWS, block
    try:
        summed = memory.MemoryRows(X, Y, w).sum(
            lambda of: reference.evaluate(net, theta, of.X, of.Y, of.w, order)
        )
    finally:
        memory.BLOCK_ROWS = before
    # the same terms added in another order; each gradient entry may cancel, so the bound is
    # relative to the norm
    assert pytest.approx(whole.J, rel=1e-13) == summed.J
    if order >= 1:
        size = np.linalg.norm(net.backward(theta, net.forward(theta, X), Y, w).vector)
        assert np.linalg.norm(summed.g - whole.g) <= 1e-12 * max(size, 1e-3)
    if order == 2:
        assert relative_error(summed.H, whole.H) < 1e-12


def test_evaluating_changes_nothing(seed_net, seed_data):
    objective, theta = Objective(seed_net, *seed_data), seed_net.initial(0)
    kept = theta.copy()
    first = objective.evaluate(theta, 1)
    objective.evaluate(seed_net.initial(1), 2)
    again = objective.evaluate(theta, 1)
    assert np.array_equal(theta, kept)
    assert (first.J, first.g.tobytes()) == (again.J, again.g.tobytes())


def test_baseline_and_scale(seed_net, seed_data):
    X, Y = seed_data
    objective = Objective(seed_net, X, Y)
    assert objective.baseline == pytest.approx(0.5 * np.sum((Y - Y.mean()) ** 2), rel=1e-14)
    assert objective.scale == objective.baseline
    counts = Objective(Network([2, 1], output="exp"), X, [[1.0], [2.0], [6.0]])
    # deviance of the mean, 3: Σ y log(y / 3)
    deviance = sum(y * np.log(y / 3) for y in (1, 2, 6))
    assert counts.scale == pytest.approx(deviance, rel=1e-14)


def test_baseline_counts_the_weights():
    net, X, Y = Network([1, 1]), np.zeros((3, 1)), np.array([[1.0], [2.0], [6.0]])
    weighted = Objective(net, X, Y, sample_weight=[2.0, 1.0, 3.0])
    repeated = Objective(net, np.zeros((6, 1)), np.repeat(Y, [2, 1, 3], axis=0))
    assert weighted.baseline == pytest.approx(repeated.baseline, rel=1e-14)
    assert weighted.scale == pytest.approx(repeated.scale, rel=1e-14)


def test_overflow_is_a_number_not_a_warning(seed_data):
    net = Network([2, 3, 1])
    objective = Objective(net, *seed_data)
    assert not np.isfinite(objective.evaluate(np.full(13, 1e300), 1).J)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (
            {"X": [[1.0, np.nan]]},
            DataError,
            r"X has 1 values that are not finite, the first \(nan\)",
        ),
        ({"Y": [[np.inf]]}, DataError, "in row 0, column 0, counted from 0"),
        ({"X": np.empty((0, 2)), "Y": np.empty((0, 1))}, DataError, "X has no rows"),
        ({"alpha": -1.0}, ConfigurationError, "alpha is -1.0; it must be a number of at least 0"),
        ({"alpha": np.nan}, ConfigurationError, "alpha is nan"),
        ({"sample_weight": [-1.0]}, DataError, "sample_weight must be finite, not negative"),
        ({"sample_weight": [0.0]}, DataError, "not all be zero"),
        ({"sample_weight": [1.0, 2.0]}, DataError, r"shape \(2,\); 1 rows take \(1,\)"),
    ],
)
def test_bad_arguments_are_named(arguments, error, message):
    good = {"net": Network([2, 3, 1]), "X": [[1.0, 2.0]], "Y": [[1.0]]}
    with pytest.raises(error, match=message):
        Objective(**(good | arguments))


@pytest.mark.parametrize(
    ("output", "loss", "Y", "domain"),
    [
        ("sigmoid", "cross_entropy", 1.5, "numbers from 0 to 1"),
        ("exp", "poisson", -1.0, "numbers that are not negative"),
    ],
)
def test_targets_outside_the_loss_are_refused(output, loss, Y, domain):
    with pytest.raises(DataError, match=domain):
        Objective(Network([1, 1], output=output, loss=loss), [[1.0]], [[Y]])


def test_complex_step_and_objective_agree(seed_net, seed_data):
    theta = seed_net.initial(3)
    truth = complex_step(lambda t: seed_net.cost(t, *seed_data), theta)
    assert relative_error(chainrule.Objective(seed_net, *seed_data).gradient(theta), truth) < 1e-14


def test_it_keeps_its_own_data(seed_net, seed_data):
    X, Y = seed_data[0].copy(), seed_data[1].copy()
    objective, theta = chainrule.Objective(seed_net, X, Y), seed_net.initial(0)
    before = objective.cost(theta)
    X[:], Y[:] = 9.0, 9.0
    assert objective.cost(theta) == before
    with pytest.raises(ValueError, match="read-only"):
        objective.rows.X[0, 0] = 1.0


@pytest.mark.parametrize("order", [-1, 3, 1.5, None])
def test_orders_are_0_1_and_2(seed_net, seed_data, order):
    objective = chainrule.Objective(seed_net, *seed_data)
    with pytest.raises(ConfigurationError, match="it must be 0, 1 or 2"):
        objective.evaluate(seed_net.initial(0), order)


def test_an_exponential_that_overflows_is_not_finite():
    net = Network([1, 1], output="exp")
    objective = Objective(net, [[1.0], [2.0]], [[1.0], [2.0]])
    for weight in (720.0, 1e300):
        assert not np.isfinite(objective.cost([weight, 0.0]))
    with pytest.raises(chainrule.TrainingError, match="not finite at the starting point"):
        chainrule.minimize(objective, [720.0, 0.0])


def test_one_and_many_blocks_make_the_same_tree():
    def pairwise(parts):
        while len(parts) > 1:
            pairs = [parts[i : i + 2] for i in range(0, len(parts), 2)]
            parts = [sum(pair[1:], start=pair[0]) for pair in pairs]
        return parts[0]

    values = np.random.default_rng(0).standard_normal(100) * 10.0 ** np.arange(-50, 50)
    for n in range(1, 100):
        assert pairwise(list(values[:n])) == tree_sum(Evaluation(float(x)) for x in values[:n]).J
