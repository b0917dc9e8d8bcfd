"""The gradient check: passes what is right, names the layer of what is wrong."""

import zlib
from dataclasses import dataclass

import numpy as np
import pytest

import chainrule
from chainrule import ConfigurationError, DataError, Objective, check_gradient, minimize
from chainrule._contracts import Evaluation
from chainrule.heart.seed_protocol import seed_objective
from random_problems import random_problem
from students import NotBackpropagation, Student, VectorCost, WrongPenalty


@pytest.mark.parametrize("seed", range(100))
def test_every_kind_of_network_passes(seed):
    net, theta, X, Y, w = random_problem(seed)
    check = check_gradient(Objective(net, X, Y, alpha=0.1, sample_weight=w), theta)
    assert check.passed, str(check)
    assert sorted(check.by_layer) == list(range(0 if net.skip else 1, net.n_layers))


def test_the_tutorials_step_gives_the_tutorials_ratio(seed_net, seed_data):
    objective = Objective(seed_net, *seed_data)
    ratios = []
    for seed in range(200):
        theta = np.random.RandomState(seed).randn(9)  # the starts of the published numbers
        check = check_gradient(objective, theta, step=1e-4)
        assert check.passed
        ratios.append(check.ratio)
    # published for this network: median 2.1e-10, never above 9.1e-9
    assert max(ratios) < 1e-8
    assert 1e-10 < np.median(ratios) < 4e-10


@pytest.mark.parametrize("outputs", [1, 2, 3, 5])
def test_several_outputs(outputs):
    rng = np.random.default_rng(outputs)
    net = chainrule.Network([3, 4, outputs])
    objective = Objective(net, rng.standard_normal((9, 3)), rng.standard_normal((9, outputs)))
    assert check_gradient(objective, net.initial(seed=0)).ratio < 1e-8


@dataclass
class _Spoiled:
    """An objective whose gradient is wrong by a factor in one block."""

    good: Objective
    block: str
    factor: float

    def blocks(self):
        return self.good.blocks()

    def evaluate(self, theta, order):
        found = self.good.evaluate(theta, order)
        if order == 0:
            return found
        g = found.g.copy()
        g[self.blocks()[self.block]] *= self.factor
        return Evaluation(found.J, g)


@pytest.mark.parametrize("factor", [1 + 1e-6, 0.5, -1.0, 3.0])
@pytest.mark.parametrize(("block", "layer"), [("W[1]", 1), ("b[2]", 2), ("W[3]", 3)])
def test_one_wrong_block_is_named(noisy_rows, block, layer, factor):
    net = chainrule.Network([2, 4, 3, 1])
    check = check_gradient(
        _Spoiled(Objective(net, *noisy_rows), block, factor), net.initial(seed=0)
    )
    assert check.broken == (layer,)
    assert not check.passed
    (line,) = [line for line in str(check).splitlines() if line.startswith(block)]
    assert line.endswith("BROKEN")
    assert check.verdicts[block] == "BROKEN"
    assert f"wrong in layer {layer}" in str(check)


def test_a_right_class_of_a_student_passes_and_keeps_its_weights(seed_data):
    student = Student((2, 3, 4, 1), penalty=0.1)
    before = student.getParams()
    check = check_gradient(student, *seed_data)
    assert check.passed, str(check)
    assert sorted(check.by_layer) == [1, 2, 3]
    assert np.array_equal(student.getParams(), before)


def test_the_penalty_of_the_wrong_layer_is_found(seed_data):
    check = check_gradient(WrongPenalty((2, 3, 4, 1), penalty=0.1), *seed_data)
    assert check.broken == (1, 2, 3)
    assert check_gradient(WrongPenalty((2, 3, 4, 1), penalty=0.0), *seed_data).passed


def test_what_is_not_backpropagation_is_found_in_its_layers(seed_data):
    check = check_gradient(NotBackpropagation((2, 3, 3, 1)), *seed_data)
    assert check.broken == (1, 2)  # the output layer, 3, is right
    assert "wrong in layer 1, 2" in str(check)


def test_a_cost_that_is_not_one_number_is_explained(seed_data):
    X, _ = seed_data
    with pytest.raises(DataError, match="returned 2 numbers; a cost is one number, so sum over"):
        check_gradient(VectorCost((2, 3, 2)), X, np.full((3, 2), 0.5))


def test_a_gradient_of_the_wrong_length_is_explained(seed_data):
    student = Student()
    student.computeGradients = lambda X, y: np.zeros(4)
    with pytest.raises(DataError, match="returned 4 numbers for 9 weights"):
        check_gradient(student, *seed_data)


def test_the_optimum_itself_is_not_called_wrong(seed_net, seed_data):
    # there the gradient is zero, a ratio means nothing, and the differences say so
    objective = Objective(seed_net, *seed_data, alpha=1e-4)
    fit = chainrule.minimize(objective, seed_net.initial(0))
    check = check_gradient(objective, fit.theta)
    assert check.ratio > 1e-8
    assert check.passed, str(check)
    assert "as far as differences of costs this small can tell" in str(check)


def test_kinks_of_relu_are_stepped_around():
    rng = np.random.default_rng(0)
    net = chainrule.Network([3, 20, 1], hidden="relu")
    objective = Objective(net, rng.standard_normal((500, 3)), rng.standard_normal((500, 1)))
    theta = net.initial(seed=0)
    assert check_gradient(objective, theta).passed
    assert not check_gradient(objective, theta, step=1e-2).by_layer[1] < 1e-8


def test_a_cost_too_rough_to_differentiate_is_undecided_not_passed():
    class Rough:
        def evaluate(self, theta, order):
            noise = np.random.default_rng(zlib.crc32(theta.tobytes())).random()
            return Evaluation(noise, np.ones(3) if order else None)

    check = check_gradient(Rough(), np.zeros(3))
    assert not check.passed
    assert check.verdicts == {"W[1]": "undecided"}
    assert "too coarse to decide on layer 1" in str(check)


def test_a_step_as_large_as_the_weights_is_undecided_not_agreeing(noisy_rows):
    net = chainrule.Network([2, 3, 1])
    check = check_gradient(Objective(net, *noisy_rows), net.initial(seed=0), step=1.0)
    assert 1 in check.undecided
    assert not check.broken


@pytest.mark.parametrize("factor", [-1.0, 2.0, 1 + 1e-5])
def test_wrong_is_found_also_where_the_gradient_is_small(noisy_rows, factor):
    net = chainrule.Network([2, 4, 1])
    objective = Objective(net, *noisy_rows, alpha=0.1)
    near = minimize(objective, net.initial(0)).theta + 1e-3
    check = check_gradient(_Spoiled(objective, "W[1]", factor), near)
    assert check.broken == (1,)


def test_a_network_trained_to_an_exact_fit_passes(seed_net, seed_data):
    objective = Objective(seed_net, *seed_data)
    fit = minimize(objective, seed_net.initial(0, "normal"))
    assert fit.cost < 1e-18
    assert check_gradient(objective, fit.theta).passed


def test_large_and_small_weights_get_their_own_step():
    rng = np.random.default_rng(0)
    net = chainrule.Network([2, 3, 1], hidden="identity")
    theta = net.initial(seed=0)
    theta[:3] *= 1e7
    objective = Objective(net, [1e-7, 1] * rng.standard_normal((20, 2)), rng.random((20, 1)))
    check = check_gradient(objective, theta)
    assert check.passed, str(check)
    assert np.all(check.steps[:3] >= 0.99e-6 * np.abs(theta[:3]))


def test_a_dead_layer_does_not_spoil_the_verdict():
    net = chainrule.Network([2, 3, 1], hidden="relu")
    theta = net.initial(seed=0)
    _, b = net.weights(theta)
    b[1][:] = -100.0
    check = check_gradient(Objective(net, np.ones((3, 2)), np.arange(3.0)), theta)
    assert check.passed, str(check)


def test_wrong_calls_are_explained(seed_net, seed_data):
    objective = Objective(seed_net, *seed_data)
    theta = seed_net.initial(0)
    with pytest.raises(ConfigurationError, match=r"step is -1\.0; it must be greater"):
        check_gradient(objective, theta, step=-1.0)
    with pytest.raises(DataError, match="object lacks getParams, setParams, costFunction"):
        check_gradient(object(), *seed_data)
    with pytest.raises(DataError, match="not finite at these weights"):
        check_gradient(objective, np.full(9, np.nan))


class _SmallSecondLayer:
    """Two layers that do not speak to each other; the second, a billion times smaller, is wrong."""

    W1, W2 = np.array([[0.7]]), np.array([[0.3]])

    def getParams(self):
        return np.array([self.W1.item(), self.W2.item()])

    def setParams(self, params):
        self.W1, self.W2 = params[:1, None], params[1:, None]

    def costFunction(self, X, y):
        return 0.5 * np.sum((X @ self.W1 - y) ** 2) + 0.5e-5 * np.sum(self.W2**2)

    def computeGradients(self, X, y):
        return np.array([(X.T @ (X @ self.W1 - y)).item(), -1e-5 * self.W2.item()])


def test_a_wrong_layer_too_small_to_see_is_undecided_not_passed():
    check = check_gradient(_SmallSecondLayer(), np.ones((5, 1)), np.full((5, 1), 1e4))
    assert check.verdicts == {"W[1]": "agrees", "W[2]": "undecided"}
    assert not check.passed


@pytest.mark.parametrize("step", [1e-2, 1e-3])
def test_a_coarse_step_certifies_nothing_wrong(noisy_rows, step):
    net = chainrule.Network([2, 4, 1])
    spoiled = _Spoiled(Objective(net, *noisy_rows), "W[1]", 1 + 1e-5)
    assert not check_gradient(spoiled, net.initial(0), step=step).passed


@pytest.mark.parametrize("seed", range(60))
def test_corrupted_blocks_never_pass(seed):
    net, theta, X, Y, w = random_problem(seed)
    objective = Objective(net, X, Y, alpha=0.01, sample_weight=w)
    g = objective.gradient(theta)
    for block, rows in net.blocks().items():
        for factor in (-1.0, 0.0, 1.01, 1 + 1e-4):
            if np.any(g[rows]):
                check = check_gradient(_Spoiled(objective, block, factor), theta)
                assert not check.passed, (block, factor, str(check))


def test_the_edge_of_the_domain_is_stepped_around():
    class Log:
        def evaluate(self, theta, order):
            with np.errstate(invalid="ignore"):
                return Evaluation(float(np.log(theta[0])), 1 / theta if order else None)

    assert check_gradient(Log(), np.array([5e-4]), tolerance=1e-4).passed


@pytest.mark.parametrize("step", [1e-17, 1e-300, np.inf, 1e300, np.nan])
def test_impossible_steps_are_refused_or_undecided(noisy_rows, step):
    net = chainrule.Network([2, 3, 1])
    try:
        check = check_gradient(Objective(net, *noisy_rows), net.initial(0), step=step)
    except ConfigurationError:
        return
    assert not check.broken
    assert not check.passed


def test_a_class_with_slots_and_one_that_returns_a_tuple(seed_data):
    class Slotted(Student):
        __slots__ = ()

    assert check_gradient(Slotted(), *seed_data).passed
    student = Student()
    student.computeGradients = lambda X, y: (np.zeros((2, 3)), np.zeros((3, 1)))
    with pytest.raises(DataError, match="did not return one vector of numbers; unroll"):
        check_gradient(student, *seed_data)


def test_the_callers_data_are_his(seed_data):
    class Careless(Student):
        def costFunction(self, X, y):
            X -= 0.001
            return super().costFunction(X, y)

    X, Y = seed_data[0].copy(), seed_data[1].copy()
    check_gradient(Careless(), X, Y)
    assert np.array_equal(X, seed_data[0])
    objective = seed_objective(Careless(), X, Y)
    assert objective.evaluate(objective.theta, 0).J == objective.evaluate(objective.theta, 0).J


def test_without_targets_or_methods_it_says_what_to_pass(seed_data):
    with pytest.raises(DataError, match=r"Student has no evaluate.*check_gradient\(obj, X, Y\)"):
        check_gradient(Student(), seed_data[0])
