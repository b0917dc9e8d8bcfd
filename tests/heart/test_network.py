"""The network: θ and its views, starting points, and what it refuses."""

import pickle
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import chainrule
from chainrule import ConfigurationError, DataError, Network


def test_theta_is_raveled_row_by_row_with_the_biases_between():
    net = Network([2, 2, 1])
    W, b = net.weights(np.arange(9.0))
    assert W[1].tolist() == [[0, 1], [2, 3]]
    assert b[1].tolist() == [4, 5]
    assert W[2].tolist() == [[6], [7]]
    assert b[2].tolist() == [8]
    assert net.blocks() == {
        "W[1]": slice(0, 4), "b[1]": slice(4, 6), "W[2]": slice(6, 8), "b[2]": slice(8, 9),
    }  # fmt: skip
    assert net.is_weight().tolist() == [1, 1, 1, 1, 0, 0, 1, 1, 0]


def test_weights_are_views():
    net = Network([2, 3, 1])
    theta = net.initial(seed=0)
    W, b = net.weights(theta)
    W[1][0, 0], b[2][0] = 7.0, 8.0
    assert (theta[0], theta[-1]) == (7.0, 8.0)


@given(
    layers=st.lists(st.integers(1, 6), min_size=2, max_size=5),
    bias=st.booleans(),
    seed=st.integers(0, 9),
)
def test_gradients_have_the_shape_of_the_weights(layers, bias, seed):
    net = Network(layers, bias=bias)
    theta = net.initial(seed)
    assert theta.shape == (net.n_parameters,)
    X = np.ones((3, layers[0]))
    grads = net.backward(theta, net.forward(theta, X), np.zeros((3, layers[-1])))
    W, b = net.weights(grads.vector)
    for l in W:
        assert np.array_equal(W[l], grads.dJdW[l])
    for l in b:
        assert np.array_equal(b[l], grads.dJdb[l])


def test_initial_is_reproducible_and_scaled():
    net = Network([100, 50, 1])
    assert np.array_equal(net.initial(seed=3), net.initial(seed=3))
    assert not np.array_equal(net.initial(seed=3), net.initial(seed=4))
    W, b = net.weights(net.initial(seed=0))
    # 5000 draws of variance 1/100: the sample variance is within 5 of its errors sqrt(2/5000)
    assert W[1].var() == pytest.approx(0.01, rel=0.1)
    assert np.all(np.abs(b[1]) <= 1)
    assert len(np.unique(b[1])) == 50
    assert b[2].tolist() == [0.0]


def test_initial_as_the_tutorial_draws_it(seed_net):
    expected = np.random.default_rng(5).standard_normal(9)
    assert np.array_equal(seed_net.initial(5, scheme="normal"), expected)
    with pytest.raises(ConfigurationError, match="choose one of auto, nguyen_widrow"):
        seed_net.initial(5, scheme="xavier")


def test_cost_of_the_tutorial_never_exceeds_its_bound(seed_net, seed_data):
    # yHat lies in (0, 1), so J <= ½ (.75² + .82² + .93²): "J is 2.8" is a cartoon number
    rng = np.random.default_rng(0)
    costs = [seed_net.cost(30 * rng.standard_normal(9), *seed_data) for _ in range(1000)]
    assert max(costs) <= 1.0499 + 1e-4
    assert max(costs) > 1.0


def test_several_outputs_cost_one_number():
    net = Network([2, 3, 2], hidden="sigmoid", output="sigmoid", loss="squared", bias=False)
    J = net.cost(net.initial(seed=0), np.ones((3, 2)), np.full((3, 2), 0.5))
    assert isinstance(J, float)


def test_sample_weight_two_is_the_row_twice(noisy_rows):
    X, Y = noisy_rows
    net = Network([2, 4, 1])
    theta = net.initial(seed=0)
    w = np.ones(len(X))
    w[3] = 2.0
    twice = np.vstack([X, X[3]]), np.vstack([Y, Y[3]])
    # the same sum with one more addition
    assert net.cost(theta, X, Y, w) == pytest.approx(net.cost(theta, *twice), rel=1e-14)


def test_a_one_column_target_may_be_flat():
    net = Network([2, 3, 1])
    theta, X = net.initial(seed=0), np.ones((4, 2))
    assert net.cost(theta, X, np.arange(4.0)) == net.cost(theta, X, np.arange(4.0)[:, None])


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ([3], "give at least inputs and outputs"),
        (5, "is not a network"),
        ([2, 0, 1], "layer width 0 in .* must be a whole number of at least 1"),
        ([2, -3, 1], "layer width -3"),
        ([2, 2.5, 1], "layer width 2.5"),
        ([2, True, 1], "layer width True"),
        ([10**6, 10**6, 1], r"need 1,000,00.,00.,00. weights \(7,451 GiB\)"),
    ],
)
def test_impossible_layers_are_refused(layers, message):
    with pytest.raises(ConfigurationError, match=message):
        Network(layers)


def test_one_activation_for_all_or_one_for_each():
    assert Network([1, 2, 3, 1], hidden="relu").hidden == ("relu", "relu")
    assert Network([1, 2, 3, 1], hidden=["relu", "tanh"]).hidden == ("relu", "tanh")
    with pytest.raises(ConfigurationError, match="3 activations for 2 hidden layers"):
        Network([1, 2, 3, 1], hidden=["relu", "tanh", "tanh"])


def test_equal_networks_are_equal():
    assert Network([2, 3, 1]) == Network((2, 3, 1), hidden=["tanh"], loss="squared")
    assert Network([2, 3, 1]) != Network([2, 3, 1], bias=False)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda net: net.weights(np.zeros(5)), r"theta has shape \(5,\); .* take \(13,\)"),
        (lambda net: net.forward(np.zeros(13), np.ones((3, 4))), r"X has shape \(3, 4\); .* 2 inp"),
        (lambda net: net.forward(np.zeros(13), np.ones(2)), r"X has shape \(2,\)"),
        (lambda net: net.forward(np.zeros(13), [["a", "b"]]), "X holds str32; convert it"),
        (
            lambda net: net.cost(np.zeros(13), np.ones((3, 2)), np.ones((2, 1))),
            "X has 3 rows and Y",
        ),
        (lambda net: net.cost(np.zeros(13), np.ones((3, 2)), np.ones((3, 2))), "1 outputs"),
    ],
)
def test_wrong_shapes_are_named(call, message):
    with pytest.raises(DataError, match=message):
        call(chainrule.Network([2, 3, 1]))


def test_networks_and_objectives_travel(noisy_rows):
    net = Network([2, 3, 1], hidden="silu", bias=False)
    objective = chainrule.Objective(net, *noisy_rows, alpha=0.1)
    again = pickle.loads(pickle.dumps((net, objective)))
    assert again[0] == net
    assert again[1].cost(net.initial(0)) == objective.cost(net.initial(0))
    assert Network(**net.as_dict()) == net
    assert replace(net, bias=True).bias


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"layers": [2] * 65}, "65 layers; at most 64"),
        ({"bias": "no"}, "bias is 'no'; it must be True or False"),
        ({"output": []}, "unknown output"),
        ({"loss": []}, "does not go with loss"),
        ({"hidden": [3]}, "unknown activation 3"),
        ({"output": "softmax"}, "softmax over 1 output is always 1"),
    ],
)
def test_impossible_options_are_refused(options, message):
    with pytest.raises(ConfigurationError, match=message):
        Network(**({"layers": [2, 3, 1]} | options))


def test_what_would_be_lost_in_silence_is_refused():
    net, theta = Network([1, 1]), np.ones(2)
    with pytest.raises(DataError, match="its mask would be lost"):
        net.forward(theta, np.ma.masked_equal([[1.0], [999.0]], 999.0))
    with pytest.raises(DataError, match="X holds complex128"):
        net.forward(theta, np.array([[1j]]))
    with pytest.raises(DataError, match=r"sample_weight has shape \(3,\); 2 rows"):
        net.cost(theta, [[1.0], [2.0]], [1.0, 2.0], sample_weight=[1, 2, 3])
    with pytest.raises(DataError, match="sample_weight is not a list of numbers"):
        net.cost(theta, [[1.0]], [1.0], sample_weight="heavy")
    with pytest.raises(ConfigurationError, match="seed is -1"):
        net.initial(-1)
