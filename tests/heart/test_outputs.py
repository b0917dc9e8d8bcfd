"""Outputs with their losses: exact in the tails, and each piece consistent with the others."""

import mpmath
import numpy as np
import pytest

import chainrule
from chainrule import ConfigurationError
from chainrule.heart.outputs import OUTPUTS, output
from random_problems import complex_step, random_problem, random_targets, relative_error

PAIRS = list(OUTPUTS.values())
ids = [f"{pair.name}-{pair.loss}" for pair in PAIRS]


@pytest.mark.parametrize("pair", PAIRS, ids=ids)
def test_delta_and_slope_are_the_derivatives(pair):
    rng = np.random.default_rng(3)
    for _ in range(20):
        z = 3 * rng.standard_normal(3)
        Y = random_targets(rng, pair, 1, 3)
        truth = complex_step(lambda z, Y=Y: pair.cost(z[None, :], Y)[0], z)
        assert relative_error(pair.delta(z[None, :], Y)[0], truth) < 1e-14
        slope = complex_step(lambda z: pair.y_hat(z[None, :])[0], z)
        # the oracle for softmax divides complex numbers, which cancels where ŷ is near 1
        bound = 1e-11 if pair.name == "softmax" else 1e-14
        assert relative_error(pair.slope(z[None, :])[0], slope) < bound


@pytest.mark.parametrize("pair", PAIRS, ids=ids)
def test_curvature_is_the_second_derivative_or_gauss_newton(pair):
    rng = np.random.default_rng(4)
    z, Y = rng.standard_normal(3), random_targets(rng, pair, 1, 3)
    if pair.name == "softmax":
        Y = np.array([[0.2, 0.9, 0.5]])
    if pair.loss == "squared":
        slope = pair.slope(z[None, :])[0]
        truth = slope.T @ slope
    else:
        truth = complex_step(lambda z: pair.delta(z[None, :], Y)[0], z)
    assert relative_error(pair.curvature(z[None, :], Y)[0], truth) < 1e-13


@pytest.mark.parametrize("z", [-745.0, -355.0, -37.0, 0.0, 37.0, 355.0, 710.0])
@pytest.mark.parametrize("y", [0.0, 1.0, 0.25])
def test_cross_entropy_has_all_digits_in_the_tails(z, y):
    mpmath.mp.dps = 700
    p = 1 / (1 + mpmath.exp(-mpmath.mpf(z)))
    truth = float(-y * mpmath.log(p) - (1 - y) * mpmath.log(1 - p))
    mpmath.mp.dps = 50
    pair = output("sigmoid")
    assert pair.cost(np.array([[z]]), np.array([[y]]))[0] == pytest.approx(truth, rel=1e-15)


def test_softmax_of_two_is_a_sigmoid():
    z = np.linspace(-30, 30, 13)
    two = np.column_stack([z, np.zeros_like(z)])
    assert output("softmax").y_hat(two)[:, 0] == pytest.approx(
        output("sigmoid").y_hat(z), rel=1e-15
    )


def test_softmax_is_finite_for_any_logits():
    z = np.array([[1e308, -1e308, 0.0]])
    pair = output("softmax")
    assert pair.y_hat(z).tolist() == [[1.0, 0.0, 0.0]]
    assert pair.cost(z, np.array([[1.0, 0.0, 0.0]])).tolist() == [0.0]


@pytest.mark.parametrize("pair", PAIRS, ids=ids)
def test_predicting_the_truth_costs_the_least(pair):
    Y = np.array([[0.2, 0.7, 0.4], [0.05, 0.9, 0.6]])
    z = {
        "identity": Y,
        "sigmoid": np.log(Y / (1 - Y)),
        "softmax": np.log(Y),  # in proportion, which is all that softmax can do
        "exp": np.log(Y),
    }[pair.name]
    assert pair.cost(z, Y) == pytest.approx(pair.least_cost(Y), abs=1e-15, rel=1e-14)


@pytest.mark.parametrize("seed", range(20))
def test_no_constant_beats_the_mean_and_nothing_beats_the_truth(seed):
    net, _, _, Y, _ = random_problem(seed)
    pair, mean = net.pair, Y.mean(axis=0)
    best = pair.cost_of_constant(Y, mean).sum()
    assert best >= pair.least_cost(Y).sum() - 1e-12
    if pair.loss == "squared":
        nearby = [pair.cost_of_constant(Y, mean + shift).sum() for shift in (-0.1, 0.1)]
    else:
        # a constant z that predicts the mean must cost the same
        z = {"sigmoid": lambda m: np.log(m / (1 - m)), "softmax": np.log, "exp": np.log}
        if np.any(mean <= 0) or (pair.name == "sigmoid" and np.any(mean >= 1)):
            return
        at = z[pair.name](mean)
        assert pair.cost(np.tile(at, (len(Y), 1)), Y).sum() == pytest.approx(best, rel=1e-12)
        nearby = [pair.cost(np.tile(at + s, (len(Y), 1)), Y).sum() for s in ([0.1], [-0.1])]
        if pair.name == "softmax":  # adding one number to all logits changes nothing
            one_logit = np.array([0.1, 0, 0])[: len(at)]
            nearby = [pair.cost(np.tile(at + one_logit, (len(Y), 1)), Y).sum()]
    assert min(nearby) > best


def test_canonical_losses():
    pairs = {name: output(name).loss for name in ("identity", "sigmoid", "softmax", "exp")}
    assert pairs == {
        "identity": "squared", "sigmoid": "cross_entropy", "softmax": "cross_entropy",
        "exp": "poisson",
    }  # fmt: skip


def test_wrong_names_are_refused_with_the_right_ones():
    with pytest.raises(ConfigurationError, match="choose one of identity, sigmoid, softmax, exp"):
        output("linear")
    with pytest.raises(ConfigurationError, match="its losses are: squared, cross_entropy"):
        output("sigmoid", "poisson")
    with pytest.raises(ConfigurationError, match="does not go with loss 'squared'"):
        chainrule.Network([2, 1], output="softmax", loss="squared")
