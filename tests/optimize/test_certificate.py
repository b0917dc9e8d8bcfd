"""What the certificate says, where it is known what it has to say."""

import numpy as np
import pytest
from scipy import optimize

from chainrule import Network, Objective, minimize
from chainrule._contracts import Evaluation
from chainrule.optimize import certificate
from chainrule.optimize.certificate import certify
from chainrule.optimize.curvature import lowest_curvature
from chainrule.optimize.idle_units import idle_units


class Quadratic:
    """½ Σ c θ², with its Hessian."""

    hessian_costs_little = True

    def __init__(self, *curvatures):
        self.H = np.diag(curvatures)

    def evaluate(self, theta, order):
        g = self.H @ theta
        return Evaluation(0.5 * float(theta @ g), g)

    def hessian(self, theta):
        return self.H


def test_numbers_by_hand():
    found = certify(Quadratic(2.0, 8.0), [1e-8, 1e-8], scale=1.0)
    assert found.kind == "minimum"
    assert found.relative_gradient == pytest.approx(8e-8)
    assert found.decrement == pytest.approx(0.5 * (2 + 8) * 1e-16, rel=1e-9, abs=0.0)
    assert found.lowest_eigenvalue == pytest.approx(2.0)
    assert certify(Quadratic(2.0, 8.0), [1.0, 0.0], scale=1.0).kind == "not_stationary"
    saddle = certify(Quadratic(2.0, -8.0), [0.0, 0.0], scale=1.0)
    assert saddle.kind == "saddle"
    assert saddle.gain == pytest.approx(4.0)  # ½ · 8 · 1², a step as long as a weight
    assert np.abs(saddle.way_down[1]) > 1e6 * np.abs(saddle.way_down[0])
    assert certify(Quadratic(1e-9, 1e-9), [0.0, 0.0], scale=1.0).kind == "flat"
    endless = Quadratic(1.0, 1.0)
    endless.hessian = lambda theta: np.full((2, 2), np.inf)
    assert certify(endless, [0.0, 0.0], scale=1.0).kind == "unknown"
    assert "minimum: The cost curves upward" in str(found)
    assert found.lowest_eigenvalue == pytest.approx(2.0)


def test_every_false_success_of_bfgs_is_named(seed_net, seed_data):
    # the tutorial's data can be fitted exactly: a minimum has cost 0
    objective = Objective(seed_net, *seed_data)
    false = 0
    for seed in range(200):
        start = np.random.RandomState(seed).randn(9)
        done = optimize.minimize(objective.cost, start, jac=objective.gradient, method="BFGS")
        found = certify(objective, done.x)
        at_a_minimum = done.fun < 1e-9 * objective.scale
        assert found.is_minimum == at_a_minimum or done.fun < 1e-6 * objective.scale
        if done.success and done.fun > 1e-4:
            false += 1
            assert found.kind in ("saddle", "flat", "not_stationary"), str(found)
    assert false > 5  # there is something to find


def test_a_fit_has_one(noisy_rows):
    net = Network([2, 3, 1])
    for method in ("lm", "broyden", "bfgs", "lbfgs"):
        fit = minimize(Objective(net, *noisy_rows, alpha=0.1), net.initial(0), method=method)
        assert fit.certificate.kind == "minimum"
        # a penalty may silence a unit: then the cost does not see its bias
        assert fit.certificate.lowest_eigenvalue > 0 or fit.certificate.n_flat
        assert fit.certificate.relative_gradient <= 1e-8
    cut = minimize(Objective(net, *noisy_rows, alpha=0.1), net.initial(0), max_iter=2)
    assert cut.certificate.kind == "not_stationary"


def test_a_bias_that_a_penalty_has_silenced_is_flat_and_of_no_concern(noisy_rows):
    net = Network([2, 12, 1])
    fit = minimize(Objective(net, *noisy_rows, alpha=2.0), net.initial(0), method="broyden")
    silenced = [unit for unit in fit.certificate.units if unit.finding == "dead"]
    assert silenced
    assert fit.certificate.n_flat == len(silenced)
    assert fit.certificate.kind == "minimum"
    # wherever it is
    unit = silenced[0].index - 1
    theta = fit.theta.copy()
    theta[net.blocks()["b[1]"]][unit] = 40.0
    assert certify(Objective(net, *noisy_rows, alpha=2.0), theta).kind == "minimum"


def test_a_bias_is_let_pass_only_if_the_others_gain_nothing_with_it():
    class OfBiasAndWeight(Quadratic):
        may_be_silent = np.array([True, False])
        can_fit_all = False
        gauge = None

        def __init__(self, curvature, coupling):
            self.H = np.array([[curvature, coupling], [coupling, 1.0]])

    # the bias alone is upward, but with w = -0.2 b the cost falls by 0.015 b²
    assert certify(OfBiasAndWeight(0.01, 0.2), np.zeros(2), scale=1.0).kind == "saddle"
    silent = certify(OfBiasAndWeight(-1e-12, 1e-7), np.zeros(2), scale=1.0)
    assert (silent.kind, silent.n_flat) == ("minimum", 1)


@pytest.mark.parametrize("searched", [False, True])
@pytest.mark.parametrize(("rising", "kind"), [(1.0, "saddle"), (-1.0, "minimum")])
def test_a_way_down_keeps_to_the_bounds(rising, kind, searched, monkeypatch):
    # y = w2 tanh(w1 x) with both weights >= 0 curves downward at 0 along (1, 1) if y rises with x,
    # and along (1, -1), which the bounds forbid, if it falls
    if searched:
        monkeypatch.setattr(certificate, "hessian_is_affordable", lambda objective, p: False)
    net = Network([1, 1, 1], bias=False)
    x = np.linspace(-1.0, 1.0, 9)[:, None]
    objective = Objective(net, x, rising * x, alpha=0.01, signs=np.ones(2))
    assert certify(objective, np.zeros(2)).kind == kind
    free = Objective(net, x, rising * x, alpha=0.01)
    assert certify(free, np.zeros(2)).kind == "saddle"


def test_a_way_down_slides_along_bounds():
    # x'Ax/2 with x >= 0: what the bounds leave of its lowest direction (-.7, .5, .5) curves
    # upward, (0, .5, .5), and sliding on finds (0, 0, 1)
    class Cone:
        bounded = True
        A = np.array([[2.0, -1.0, 16.0], [-1.0, 2.0, -4.0], [16.0, -4.0, 3.0]])

        def evaluate(self, theta, order):
            g = self.A @ theta
            return Evaluation(0.5 * float(theta @ g), g)

        def hessian(self, theta):
            return self.A

        def project(self, theta):
            return np.maximum(theta, 0.0)

    found = certify(Cone(), np.zeros(3), scale=1.0)
    assert found.kind == "saddle"
    assert np.all(found.way_down >= 0.0)
    assert found.way_down @ Cone.A @ found.way_down < 0.0


def test_what_was_only_searched_is_not_called_certain():
    net = Network([120, 10, 1])  # more weights than all curvature is computed for
    rng = np.random.default_rng(0)
    X = rng.standard_normal((300, 120))
    fit = minimize(Objective(net, X, np.tanh(X[:, :1]), alpha=1.0), net.initial(0))
    assert fit.certificate.kind == "minimum"
    assert "as far as was looked" in str(fit.certificate)


# ---------------------------------------------------------------- units


def test_idle_units_are_named():
    X = np.linspace(-1, 1, 50)[:, None]
    net = Network([1, 6, 1])
    W1 = [1.0, -1.0, 0.0, 50.0, 0.7, 2.0]
    b1 = [0.1, -0.1, 0.5, -100.0, 0.0, 1.0]
    W2 = [1.0, 1.0, 1.0, 1.0, 0.0, 1.0]
    found = idle_units(net, np.array([*W1, *b1, *W2, 0.0]), X)
    said = {(unit.index, unit.finding) for unit in found}
    # 2 is minus 1; 3 sees no input; 4 is far out on every row; nothing depends on 5
    assert said == {(2, "duplicate"), (3, "dead"), (4, "dead"), (5, "dead")}
    assert "it mirrors unit 1, correlation -1.000000" in str(next(u for u in found if u.index == 2))


def test_a_saturated_unit_still_switches():
    X = np.r_[np.full(50, -1.0), np.full(50, 1.0)][:, None]
    net = Network([1, 1, 1])
    (unit,) = idle_units(net, np.array([30.0, 0.0, 1.0, 0.0]), X)
    assert unit.finding == "saturated"
    assert idle_units(net, np.array([1.0, 0.0, 1.0, 0.0]), X) == ()
    assert idle_units(net, np.array([1.0, 0.0, 1.0, 0.0]), X[:1]) == ()


@pytest.mark.parametrize("seed", range(4))
def test_deep_networks_with_many_weights(seed):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((100, 4))
    net = Network([4, 12, 12, 1])
    assert net.n_parameters > 200
    objective = Objective(net, X, np.sin(X[:, :1]) * X[:, 1:2], alpha=1e-2)
    theta = minimize(objective, net.initial(seed), max_iter=5 + 30 * seed).theta
    values = np.linalg.eigvalsh(objective.hessian(theta))
    found = certify(objective, theta)
    assert found.lowest_eigenvalue == pytest.approx(values[0], abs=1e-6 * values[-1])
    # a search finds a curvature that is there, and never one that is lower
    lowest, _ = lowest_curvature(objective, theta)
    assert values[0] - 1e-6 * values[-1] <= lowest
    assert lowest < 0.5 * values[0] or values[0] > -1e-3 * values[-1]


def test_a_saddle_among_many_weights_is_found():
    curvatures = np.linspace(1e-4, 10.0, 1500)
    curvatures[0] = -1e-2
    found = certify(Quadratic(*curvatures), np.zeros(1500), scale=1.0)
    assert found.kind == "saddle", str(found)
    along = found.way_down @ (curvatures * found.way_down) / (found.way_down @ found.way_down)
    assert along == pytest.approx(found.lowest_eigenvalue)


@pytest.mark.parametrize("inputs", [1, 5, 250])
def test_a_newton_step_gains_all_there_is_where_the_cost_is_quadratic(inputs):
    rng = np.random.default_rng(inputs)
    X = rng.standard_normal((400, inputs))
    net = Network([inputs, 1], bias=False)
    objective = Objective(net, X, rng.standard_normal((400, 1)), alpha=0.1)
    theta = rng.standard_normal(inputs)
    H = objective.evaluate(theta, 2).H
    best = theta - np.linalg.solve(H, objective.gradient(theta))
    certificate = certify(objective, theta)
    gain = objective.cost(theta) - objective.cost(best)
    assert certificate.decrement == pytest.approx(gain / objective.scale)
    assert certificate.lowest_eigenvalue == pytest.approx(np.linalg.eigvalsh(H)[0], rel=1e-2)
    assert certificate.kind == "not_stationary"
    assert certify(objective, best).kind == "minimum"
