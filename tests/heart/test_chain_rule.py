"""The equations, by hand and to the limit of float64."""

from pathlib import Path

import numpy as np
import pytest

import chainrule
from chainrule.heart import chain_rule
from random_problems import complex_step, random_problem, relative_error

SMOOTH = ("sigmoid", "tanh", "softplus", "silu", "identity")


def test_the_tutorials_network_worked_by_hand(seed_net):
    # W1 = 0 makes every a2 = 1/2; W2 = (1, 2, -3) then gives z3 = 0 and yHat = 1/2
    theta = np.array([0, 0, 0, 0, 0, 0, 1, 2, -3], dtype=float)
    X, Y = np.array([[0.3, 1.0], [0.5, 0.2]]), np.array([[0.75], [0.25]])
    trace = seed_net.forward(theta, X)
    assert trace.z[2].tolist() == [[0, 0, 0], [0, 0, 0]]
    assert trace.a[2].tolist() == [[0.5, 0.5, 0.5], [0.5, 0.5, 0.5]]
    assert trace.z[3].tolist() == [[0], [0]]
    assert trace.y_hat.tolist() == [[0.5], [0.5]]
    assert seed_net.cost(theta, X, Y) == 0.5 * (0.25**2 + 0.25**2)
    # delta3 = -(y - yHat) f'(z3) = -(±1/4) (1/4)
    grads = seed_net.backward(theta, trace, Y)
    assert grads.delta[3].tolist() == [[-1 / 16], [1 / 16]]
    # dJdW2 = a2' delta3 = 1/2 (-1/16 + 1/16)
    assert grads.dJdW[2].tolist() == [[0], [0], [0]]
    # delta2 = delta3 W2' * f'(0) = ∓(1, 2, -3) / 64; dJdW1 = X' delta2
    assert grads.delta[2].tolist() == [[-1 / 64, -2 / 64, 3 / 64], [1 / 64, 2 / 64, -3 / 64]]
    expected = np.outer([-0.3 + 0.5, -1.0 + 0.2], [1, 2, -3]) / 64
    assert grads.dJdW[1] == pytest.approx(expected, rel=1e-14)


def test_biases_worked_by_hand():
    net = chainrule.Network([1, 1, 1], hidden="identity")
    theta = np.array([2.0, 1.0, 3.0, -1.0])  # W1, b1, W2, b2: ŷ = 3 (2x + 1) - 1 = 6x + 2
    trace = net.forward(theta, [[1.0], [2.0]])
    assert trace.y_hat.tolist() == [[8.0], [14.0]]
    grads = net.backward(theta, trace, [[7.0], [14.0]])
    assert grads.delta[3].tolist() == [[1.0], [0.0]]
    assert (grads.dJdW[2].item(), grads.dJdb[2].item()) == (3.0, 1.0)
    assert (grads.dJdW[1].item(), grads.dJdb[1].item()) == (3.0, 3.0)
    assert grads.vector.tolist() == [3.0, 3.0, 3.0, 1.0]


def test_shapes_of_the_tutorials_table(seed_net, seed_data):
    theta = seed_net.initial(seed=0)
    trace = seed_net.forward(theta, seed_data[0])
    grads = seed_net.backward(theta, trace, seed_data[1])
    W, b = seed_net.weights(theta)
    shapes = {
        "X": trace.a[1], "W1": W[1], "W2": W[2], "z2": trace.z[2], "a2": trace.a[2],
        "z3": trace.z[3], "yHat": trace.y_hat, "delta3": grads.delta[3], "dJdW2": grads.dJdW[2],
        "delta2": grads.delta[2], "dJdW1": grads.dJdW[1],
    }  # fmt: skip
    assert {name: A.shape for name, A in shapes.items()} == {
        "X": (3, 2), "W1": (2, 3), "W2": (3, 1), "z2": (3, 3), "a2": (3, 3), "z3": (3, 1),
        "yHat": (3, 1), "delta3": (3, 1), "dJdW2": (3, 1), "delta2": (3, 3), "dJdW1": (2, 3),
    }  # fmt: skip
    assert b == {}
    assert isinstance(seed_net.cost(theta, *seed_data), float)


@pytest.mark.parametrize("block", range(20))
def test_gradient_is_exact_on_a_thousand_networks(block):
    for seed in range(50 * block, 50 * block + 50):
        net, theta, X, Y, w = random_problem(seed)
        truth = complex_step(lambda t, net=net, X=X, Y=Y, w=w: net.cost(t, X, Y, w), theta)
        found = net.backward(theta, net.forward(theta, X), Y, w).vector
        assert relative_error(found, truth) <= 1e-13, seed


@pytest.mark.parametrize("block", range(20))
def test_jacobian_is_exact_on_a_thousand_networks(block):
    for seed in range(50 * block, 50 * block + 50):
        net, theta, X, _, _ = random_problem(seed)
        truth = (
            _derivative_of_softmax(net, theta, X)
            if net.output == "softmax"
            else complex_step(lambda t, net=net, X=X: net.forward(t, X).y_hat, theta)
        )
        assert relative_error(net.jacobian(theta, X), truth) <= 1e-13, seed


def _derivative_of_softmax(net, theta, X):
    """Return dŷ/dθ without the cancellation that a probability near 1 brings.

    p_k d(log p_k), with log p_k = z_k - log Σ exp z; the most probable class, where
    that cancels too, loses what the others gain.
    """

    def log_p(t):
        z = net.forward(t, X).z[net.n_layers]
        top = z.real.max(axis=1, keepdims=True)
        return z - top - np.log(np.exp(z - top).sum(axis=1, keepdims=True))

    truth = np.exp(log_p(theta))[..., None] * complex_step(log_p, theta)
    rows, top = np.arange(len(X)), np.argmax(log_p(theta), axis=1)
    truth[rows, top] = 0.0
    truth[rows, top] = -truth.sum(axis=1)
    return truth


def test_random_problems_are_not_degenerate():
    problems = [random_problem(seed) for seed in range(100)]
    assert len({(net.output, net.loss) for net, *_ in problems}) == 5
    assert {len(net.layers) for net, *_ in problems} == {2, 3, 4, 5}
    gradients = [
        np.linalg.norm(net.backward(theta, net.forward(theta, X), Y, w).vector)
        for net, theta, X, Y, w in problems
    ]
    assert np.median(gradients) > 0.1


@pytest.mark.parametrize("seed", range(30))
def test_taylor_remainder_falls_with_the_square_of_the_step(seed):
    net, theta, X, Y, w = random_problem(seed, SMOOTH)
    v = np.random.default_rng(seed).standard_normal(len(theta))
    v /= np.linalg.norm(v)
    J = net.cost(theta, X, Y, w)
    slope = net.backward(theta, net.forward(theta, X), Y, w).vector @ v
    steps = 0.005 * 0.5 ** np.arange(6)
    remainders = np.array([abs(net.cost(theta + h * v, X, Y, w) - J - h * slope) for h in steps])
    slopes = np.log2(remainders[:-1] / remainders[1:])
    assert np.all((slopes > 1.95) & (slopes < 2.05)), slopes


@pytest.mark.parametrize("seed", range(100))
def test_backward_is_the_adjoint_of_the_jacobian(seed):
    # <J v, u> = <v, J'u>: J v by the complex step along v, J'u by backpropagating u
    net, theta, X, _, _ = random_problem(seed)
    rng = np.random.default_rng(seed)
    v = rng.standard_normal(len(theta))
    Jv = complex_step(lambda t: net.forward(theta + t[0] * v, X).y_hat, np.zeros(1))[..., 0]
    u = rng.standard_normal(Jv.shape)
    trace = net.forward(theta, X)
    W, b = net.weights(theta)
    delta_L = np.einsum("nk,nkj->nj", u, net.pair.slope(trace.z[net.n_layers]))
    Jtu = chain_rule.backward(delta_L, trace, W, b, net.functions).vector
    # each side is a sum of terms of this size, rounded
    terms = np.abs(Jv).ravel() @ np.abs(u).ravel() + np.abs(v) @ np.abs(Jtu)
    assert np.sum(Jv * u) == pytest.approx(v @ Jtu, abs=1e-14 * terms)


def test_any_depth_at_once():
    net = chainrule.Network([2, 5, 4, 3, 2, 1], hidden=["tanh", "relu", "silu", "softplus"])
    theta = net.initial(seed=1)
    trace = net.forward(theta, np.ones((7, 2)))
    grads = net.backward(theta, trace, np.ones((7, 1)))
    assert sorted(trace.z) == [2, 3, 4, 5, 6]
    assert sorted(grads.delta) == [2, 3, 4, 5, 6]
    assert [grads.dJdW[l].shape for l in range(1, 6)] == [(2, 5), (5, 4), (4, 3), (3, 2), (2, 1)]


def test_the_file_keeps_its_promise():
    lines = Path(chain_rule.__file__).read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 150
    imported = [line for line in lines if line.startswith(("import ", "from "))]
    modules = {line.split()[1].split(".")[0] for line in imported}
    assert modules <= {"__future__", "collections", "dataclasses", "typing", "numpy"}
