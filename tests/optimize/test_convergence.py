"""Honesty: what must never be called converged, and each stop reached by its own case."""

import contextlib
import time
from dataclasses import replace

import numpy as np
import pytest

from chainrule import Network, Objective, TrainingError, minimize
from chainrule._cancellation import Cancellation
from chainrule._contracts import Evaluation
from chainrule.heart.seed_protocol import seed_objective
from chainrule.optimize import convergence
from chainrule.optimize.certificate import Certificate, certify
from chainrule.optimize.convergence import nothing_to_gain, objection
from chainrule.optimize.descent import GradientDescent
from chainrule.optimize.stopping import (
    SENTENCES,
    Cancelled,
    GradientTest,
    IterationLimit,
    State,
    Termination,
    relative_gradient,
)
from students import Student, squash

HOURS = np.array([[3.0, 5.0], [5.0, 1.0], [10.0, 2.0]])
SCORES = np.array([[75.0], [82.0], [93.0]])


def examined(objective, theta, J=None):
    """Return what speaks against a minimum at theta."""
    certificate = certify(objective, theta)
    J = objective.cost(theta) if J is None else J
    return objection(objective, theta, J, objective.scale, certificate)


def outcome(objective, theta):
    """Return the name of the termination; a refusal to return anything is fine too."""
    try:
        return minimize(objective, theta).termination.name
    except TrainingError:
        return "refused"


def test_forgotten_scaling_of_the_scores_is_never_converged(seed_net):
    # the tutorial reports success 100 times of 100 here, at a cost of 10,300
    objective = Objective(seed_net, HOURS / [10, 5], SCORES)
    names = {outcome(objective, seed_net.initial(s, "normal")) for s in range(100)}
    assert names <= {"no_better_than_mean", "refused", "stalled", "max_iter"}


def test_forgotten_scaling_in_a_students_class_is_never_converged():
    for seed in range(30):
        try:
            fit = minimize(Student(seed=seed), HOURS / [10, 5], SCORES)
        except TrainingError:
            continue
        assert not fit.converged, str(fit)


def test_unscaled_hours_are_never_falsely_converged(seed_net):
    # inputs a thousand times too large: every unit saturates
    objective = Objective(seed_net, 1000 * HOURS, SCORES / 100)
    for seed in range(100):
        try:
            fit = minimize(objective, seed_net.initial(seed, "normal"))
        except TrainingError:
            continue
        assert fit.cost < 1e-8 or not fit.converged, str(fit)


def test_noise_that_inputs_cannot_explain_is_not_converged():
    # the penalty is so strong that the best network is the mean
    rng = np.random.default_rng(0)
    net = Network([1, 2, 1])
    objective = Objective(
        net, rng.standard_normal((30, 1)), rng.standard_normal((30, 1)), alpha=1e6
    )
    assert outcome(objective, net.initial(0)) in ("no_better_than_mean", "refused")


def test_the_unit_of_an_input_hides_nothing():
    # y = a + b, and b comes in a unit in which it is tiny: so is its part of the gradient
    rng = np.random.default_rng(0)
    X = rng.standard_normal((60, 2))
    objective = Objective(Network([2, 1]), X * [1.0, 1e-10], X.sum(axis=1))
    for method in ("lm", "broyden", "lbfgs"):
        fit = minimize(objective, np.zeros(3), method=method)
        assert not fit.converged or fit.cost < 1e-6 * objective.scale, str(fit)


@pytest.mark.parametrize("method", ["lm", "broyden", "lbfgs"])
def test_one_row_that_is_fitted_exactly_is_a_minimum(method):
    objective = Objective(Network([2, 2, 1]), [[1.0, 2.0]], [[1.5]])
    fit = minimize(objective, objective.net.initial(0), method=method)
    assert fit.converged, str(fit)
    assert fit.certificate.kind == "minimum"


def test_a_large_class_with_a_wrong_gradient_is_never_converged():
    class Forgetful(Student):
        def computeGradients(self, X, y):
            gradients = super().computeGradients(X, y)
            gradients[: self.W1.size] = 0.0
            return gradients

    rng = np.random.default_rng(0)
    X = rng.standard_normal((300, 6))
    y = squash(X[:, :1] * X[:, 1:2])
    fit = minimize(Forgetful((6, 40, 1)), X, y)
    assert fit.termination.name == "wrong_gradient", str(fit)
    assert minimize(Student((6, 40, 1)), X, y).termination.name != "wrong_gradient"


def test_a_large_class_with_a_right_gradient_is_not_accused_anywhere():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((30, 6))
    objective = seed_objective(Student((6, 40, 1)), X, squash(X[:, :1]))
    theta = rng.standard_normal(280)
    assert np.max(np.abs(objective.evaluate(theta, 1).g)) > 0.01
    J = objective.evaluate(theta, 0).J
    said = objection(objective, theta, J, J, certify(objective, theta, curvature=False))
    assert said is None or said.name != "wrong_gradient"


def test_a_saturated_layer_is_named():
    X, Y = np.arange(1.0, 31.0)[:, None], np.tile([[0.0], [1.0], [0.5]], (10, 1))
    net = Network([1, 2, 1])
    theta = np.array([0.0, 0.0, 60.0, -90.0, 0.1, 0.6, 0.3])  # both tanh far out, whatever x
    objective = Objective(net, X, Y)
    found = examined(objective, theta, J=0.9 * objective.baseline)
    assert found.name == "saturated"
    assert found.inequality == "layer 2: 2 of 2 units flat on every row"


def test_a_wrong_output_that_is_flat_is_named():
    net = Network([1, 1], output="sigmoid", loss="squared")
    X, Y = np.array([[-1.0], [1.0], [2.0], [0.1]]), np.array([[0.0], [1.0], [0.9], [0.5]])
    objective = Objective(net, X, Y)
    found = examined(objective, np.array([40.0, -4.0]))
    assert found.name == "saturated"
    assert found.inequality == "output flat and wrong in 1 of 4 rows"


def test_a_saddle_is_named():
    # two units that are copies of each other at the optimum of one unit: for two, a saddle
    rng = np.random.default_rng(1)
    X = np.linspace(-3, 3, 40)[:, None]
    Y = np.sin(2 * X) + 0.01 * rng.standard_normal((40, 1))
    one, two = Network([1, 1, 1]), Network([1, 2, 1])
    small = min(
        (minimize(Objective(one, X, Y), one.initial(s)) for s in range(10)), key=lambda f: f.cost
    )
    W1, b1, W2, b2 = small.theta
    copied = np.array([W1, W1, b1, b1, W2 / 2, W2 / 2, b2])
    objective = Objective(two, X, Y)
    assert np.max(np.abs(objective.gradient(copied))) < 1e-6
    with pytest.raises(
        TrainingError, match=r"nothing was learned.*J = .* saddle: The gradient has"
    ):
        minimize(objective, copied, tol=1e-6)


@pytest.mark.parametrize("unit", [1e-5, 1.0, 1e5])
def test_a_saddle_is_one_in_any_unit(unit):
    X = np.linspace(-3, 3, 40)[:, None]
    Y = np.sin(2 * X)
    fits = [
        minimize(Objective(Network([1, 1, 1]), X, Y), Network([1, 1, 1]).initial(s))
        for s in range(5)
    ]
    W1, b1, W2, b2 = min(fits, key=lambda f: f.cost).theta
    copied = np.array([W1 / unit, W1 / unit, b1, b1, W2 / 2, W2 / 2, b2])
    objective = Objective(Network([1, 2, 1]), unit * X, Y)
    found = examined(objective, copied)
    assert found is not None
    assert found.name == "saddle"


def test_a_flat_stationary_point_with_cost_left_is_named(seed_net, seed_data):
    objective = Objective(seed_net, *seed_data)
    fit = minimize(objective, seed_net.initial(1, "normal"), method="bfgs")
    assert fit.termination.name == "flat"
    assert fit.cost == pytest.approx(0.00122618353, rel=1e-6)


def test_ordinary_fits_are_called_converged(noisy_rows):
    # honesty must not turn into never saying yes
    X, Y = noisy_rows
    for hidden in ("tanh", "sigmoid", "silu"):
        net = Network([2, 4, 1], hidden=hidden)
        fits = [minimize(Objective(net, X, Y, alpha=0.01), net.initial(s)) for s in range(5)]
        assert all(fit.converged for fit in fits), [str(fit.termination) for fit in fits]


def test_a_redundant_unit_does_not_veto_a_minimum(noisy_rows):
    # with a penalty an unused unit rests at zero weights, and the cost rises from there
    X, Y = noisy_rows
    net = Network([2, 6, 1])
    fits = [minimize(Objective(net, X, Y, alpha=1e-2), net.initial(s)) for s in range(10)]
    assert all(fit.converged for fit in fits), [str(fit.termination) for fit in fits]


def test_a_start_that_is_saturated_is_refused_not_returned():
    net = Network([2, 3, 1])
    theta = net.initial(0)
    _, b = net.weights(theta)
    b[1][:] = 1e3
    objective = Objective(net, HOURS, SCORES)
    theta[-1] = SCORES.mean()
    W, _ = net.weights(theta)
    W[2][:] = 0.0
    with pytest.raises(TrainingError, match="nothing was learned"):
        minimize(objective, theta)


def test_examining_warns_of_nothing():
    # weights so large that the second derivatives overflow
    net = Network([1, 2, 1], hidden="identity")
    objective = Objective(net, [[1e150], [2e150], [-1e150]], [[1.0], [2.0], [3.0]])
    with contextlib.suppress(TrainingError):
        minimize(objective, net.initial(0), max_iter=50)


def test_large_networks_are_examined_too(noisy_rows):
    X, Y = noisy_rows
    net = Network([2, 80, 1])
    objective = Objective(net, X, Y, alpha=1e-2)
    copies = minimize(
        objective, np.full(net.n_parameters, 0.3), method="lbfgs"
    )  # all units alike, for ever
    assert copies.method == "lbfgs"
    assert copies.termination.name == "saddle"
    ordinary = minimize(objective, net.initial(0))
    assert ordinary.converged, str(ordinary)
    assert ordinary.cost < copies.cost


class Bare:
    """A student's class with the four methods of the protocol and nothing else."""

    def __init__(self, seed):
        self.student = Student(seed=seed)

    def getParams(self):
        return self.student.getParams()

    def setParams(self, params):
        self.student.setParams(params)

    def costFunction(self, X, y):
        return self.student.costFunction(X, y)

    def computeGradients(self, X, y):
        return self.student.computeGradients(X, y)


@pytest.mark.filterwarnings("ignore:overflow")
@pytest.mark.parametrize(
    ("X", "Y"),
    [(HOURS / [10, 5], SCORES), (1000 * HOURS, SCORES / 100), (HOURS / [10, 5], SCORES / 100)],
    ids=["scores in points", "hours too large", "as it should be"],
)
def test_four_methods_are_enough_to_be_honest(X, Y):
    for seed in range(40):
        try:
            fit = minimize(Bare(seed), X, Y)
        except TrainingError:
            continue
        assert fit.cost < 1e-8 or not fit.converged, str(fit)


def test_a_class_whose_gradient_is_wrong_is_told_so(noisy_rows):
    X, Y = noisy_rows

    class Half(Bare):
        def computeGradients(self, X, y):
            g = super().computeGradients(X, y)
            g[6:] = 0.0
            return g

    fit = minimize(Half(0), X, 0.5 + 0.1 * np.tanh(Y))
    assert fit.termination.name == "wrong_gradient"
    assert "check_gradient names the layer" in fit.termination.sentence


def test_an_objective_without_a_scale_cannot_buy_convergence_with_a_bad_start():
    class Quartic:
        def evaluate(self, theta, order):
            x = theta[0] - 1
            return Evaluation(float(x**4 + x**2), np.array([4 * x**3 + 2 * x]))

    fit = minimize(Quartic(), np.array([1000.0]))
    assert fit.converged
    assert fit.theta[0] == pytest.approx(1.0, abs=1e-5)


def test_continuing_from_an_optimum_is_no_failure(noisy_rows):
    net = Network([2, 3, 1])
    objective = Objective(net, *noisy_rows, alpha=1e-4)
    for seed in range(5):
        first = minimize(objective, net.initial(seed))
        again = minimize(objective, first.theta, tol=1e-13)
        assert first.converged
        assert again.converged, str(again)


@pytest.mark.parametrize("method", ["bfgs", "lbfgs"])
def test_at_the_floor_of_rounding_it_ends_at_once(noisy_rows, method):
    net = Network([2, 3, 1])
    objective = Objective(net, *noisy_rows, alpha=1e-4)
    for seed in (1, 3):
        fit = minimize(objective, net.initial(seed), method=method, tol=1e-13)
        assert fit.converged, str(fit)
        assert np.sum(np.diff(fit.history.cost) == 0) < 20
        assert fit.n_evaluations < 3000


def test_the_inequality_holds_at_the_point_returned(noisy_rows):
    net = Network([2, 3, 1])
    objective = Objective(net, *noisy_rows, alpha=1e-3)
    for seed in range(16):
        fit = minimize(objective, net.initial(seed))
        if fit.termination.inequality.startswith("relative gradient"):
            assert relative_gradient(fit.theta, fit.gradient, objective.scale) <= 1e-9


@pytest.mark.parametrize("method", ["bfgs", "lbfgs", "gd"])
def test_nothing_to_explain_is_no_crash(noisy_rows, method):
    net = Network([2, 3, 1])
    one_row = Objective(net, [[0.5, 0.1]], [[1.0]])
    constant = Objective(net, noisy_rows[0], np.full((60, 1), 3.0))
    zeros = Objective(net, noisy_rows[0], np.zeros((60, 1)))
    for objective in (one_row, constant, zeros):
        assert objective.scale > 0
        assert not objective.varies
        fit = minimize(objective, net.initial(0), method=method, max_iter=300)
        assert fit.cost < fit.history[0].cost


def test_the_unit_of_the_cost_does_not_matter(noisy_rows):
    # a quasi-Newton method's first step does depend on it; dividing by the scale removes that
    net = Network([2, 3, 1])
    iterations = [
        minimize(
            Objective(net, *noisy_rows, sample_weight=np.full(60, w), alpha=1e-3 * w),
            net.initial(0),
        ).n_iterations
        for w in (1.0, 2.0**-20, 2.0**-40)
    ]
    assert len(set(iterations)) == 1


# ---------------------------------------------------------------- the rules, without a problem


def state(**changes):
    plain = {
        "iteration": 3,
        "theta": np.ones(2),
        "J": 1.0,
        "g": np.full(2, 1e-3),
        "scale": 1.0,
    }
    return State(**(plain | changes))


def test_gradient_test():
    rule = GradientTest(tol=1e-3)
    assert rule(state()).name == "converged"
    assert rule(state()).inequality == "relative gradient 1.00e-03 <= 0.001"
    assert rule(state(theta=np.full(2, 2.0))) is None
    assert rule(state(g=np.full(2, np.nan))) is None
    assert rule(state(scale=0.5)) is None
    assert rule(state(scale=np.nan, g=np.zeros(2))) is None


def test_limits():
    assert IterationLimit(4)(state()) is None
    assert IterationLimit(3)(state()).name == "max_iter"
    assert Cancelled(Cancellation(60.0))(state()) is None
    over = Cancellation(2.0, began=time.monotonic() - 2.5)
    assert Cancelled(over)(state()).inequality == "2.50 s >= 2 s"
    over.interrupt()
    assert Cancelled(over)(state()) == Termination("interrupted", "iteration 3")


class _Bowl:
    """½ θ'Hθ, for the claims alone."""

    def __init__(self, *curvatures):
        self.H = np.diag(curvatures)

    def evaluate(self, theta, order):
        g = self.H @ theta
        return Evaluation(0.5 * float(theta @ g), g)


def test_nothing_to_gain():
    theta = np.array([1e-7, 1e-7])
    bowl = _Bowl(1.0, 4.0)
    assert nothing_to_gain(certify(bowl, theta, 1.0)).converged
    # far out on a slope that hardly bends, much is to be gained
    valley, out = _Bowl(1.0, 1e-9), np.array([0.0, 1.0])
    assert nothing_to_gain(certify(valley, out, 1e-3)) is None
    assert nothing_to_gain(certify(_Bowl(1.0, np.nan), theta, 1.0)) is None


def test_every_name_has_a_sentence_and_only_one_is_converged():
    stops = [Termination(name, "x > y") for name in SENTENCES]
    assert {stop.name for stop in stops if stop.converged} == {"converged"}
    for stop in stops:
        assert str(stop) == f"{stop.name}: {stop.sentence} (x > y)"
        assert stop.sentence.endswith(".")


def test_a_large_offset_is_not_a_constant():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((50, 1))
    Y = 1.7e9 + 60 * X + 0.1 * rng.standard_normal((50, 1))
    objective = Objective(Network([1, 1]), X, Y)
    assert objective.varies
    for start in ([0.0, float(Y.mean())], [3.0, 1.7e9]):
        fit = minimize(objective, start)
        assert not fit.converged or fit.cost < 0.01 * objective.baseline


def test_large_counts_are_not_constant():
    X = np.linspace(-1, 1, 40)[:, None]
    objective = Objective(Network([1, 1], output="exp"), X, np.round(1e9 * np.exp(3e-3 * X)))
    assert objective.varies


def test_a_large_saturated_network_is_refused_without_a_crash():
    net = Network([1, 100, 1], hidden="sigmoid", output="sigmoid", loss="squared")
    theta = net.initial(0)
    _, b = net.weights(theta)
    b[2][:] = 1e4
    objective = Objective(net, [[0.1], [0.5], [0.9]], [[0.1], [0.9], [0.3]])
    with pytest.raises(TrainingError, match="nothing was learned"):
        minimize(objective, theta)


def test_a_forward_of_another_kind_does_no_harm(seed_data):
    class Own(Bare):
        def forward(self):
            return "my own business"

    assert minimize(Own(3), *seed_data).converged


def test_the_best_point_survives_a_claim_made_at_a_worse_one(seed_net, seed_data):
    objective = Objective(seed_net, seed_data[0], [[0.1], [0.9], [0.3]])
    for seed in range(8):
        with contextlib.suppress(TrainingError):
            fit = minimize(objective, seed_net.initial(seed), method=GradientDescent(step=1000.0))
            assert fit.cost <= fit.history.cost.min() * (1 + 1e-12)


@pytest.mark.parametrize(("size", "converged"), [(1e-8, True), (2e-8, False)])
def test_a_gradient_whose_square_is_lost_in_rounding_has_vanished(size, converged):
    # decrement unknown, as it is for very many weights
    certificate = Certificate("upward", False, size, float("nan"), 1.0)
    assert (nothing_to_gain(certificate) is not None) == converged
    assert nothing_to_gain(replace(certificate, decrement=1e-6)) is None


# ---------------------------------------------------------------- weights that never come to rest


def test_a_valley_that_leads_to_infinity_is_named_and_a_penalty_ends_it():
    X = np.linspace(-1, 1, 20)[:, None]
    Y = (X > 0.05).astype(float)  # told apart without an error: the best odds have no end
    net = Network([1, 2, 1], output="sigmoid", loss="cross_entropy")
    X = np.vstack([X, [[0.3]]])
    Y = np.vstack([Y, [[0.0]]])  # but one, so that there is cost left
    fit = minimize(Objective(net, X, Y), net.initial(seed=1), method="bfgs")
    assert fit.termination.name == "diverging"
    assert "infinity" in fit.termination.sentence
    assert "penalty" in fit.termination.sentence
    assert "one weight changes what enters a unit of layer 2" in fit.termination.inequality
    held = minimize(Objective(net, X, Y, 0.01), net.initial(seed=1))
    assert held.converged
    assert np.abs(held.theta).max() < 100


def test_no_fit_that_is_called_converged_can_be_lowered_by_a_nudge():
    lowered, ended = 0, set()
    for seed in range(30):
        rng = np.random.default_rng(seed)
        net = Network([2, int(rng.integers(1, 5)), 1], hidden=str(rng.choice(["tanh", "sigmoid"])))
        X = rng.standard_normal((int(rng.integers(10, 50)), 2))
        Y = np.sin(2 * X[:, :1]) + 0.3 * rng.standard_normal((len(X), 1))
        objective = Objective(net, X, Y)
        try:
            fit = minimize(objective, net.initial(seed=seed), method="bfgs", max_iter=3_000)
        except TrainingError:
            continue
        ended.add(fit.termination.name)
        if not fit.converged:
            continue
        size = np.maximum(1.0, np.abs(fit.theta))
        near = fit.theta + 1e-6 * size * rng.standard_normal(len(size))
        again = minimize(objective, near, method="lm", tol=1e-13, max_iter=300)
        lowered += fit.cost - again.cost > 1e-3 * fit.cost + 1e-9 * objective.scale
    assert "diverging" in ended
    assert lowered == 0


def test_weights_are_as_exact_as_a_newton_step_can_make_them():
    """The cost of a nearly perfect fit is at its minimum long before the weights are."""
    rng = np.random.default_rng(3)
    X = rng.standard_normal((40, 2))
    net = Network([2, 3, 1])
    Y = net.forward(net.initial(seed=9), X).y_hat
    objective = Objective(net, X, Y, 1e-7)
    fit = minimize(objective, net.initial(seed=0), method="lbfgs")
    assert fit.converged
    assert fit.certificate.unsettled < 1e-5
    exact = minimize(objective, fit.theta, method="lm", tol=1e-15)
    assert fit.theta == pytest.approx(exact.theta, rel=1e-5, abs=1e-5)


def test_it_is_said_of_which_quantity_it_is_true():
    claim = Termination("converged", "relative gradient 1e-10 <= 1e-09")
    flat = Certificate("upward", False, 1e-10, 1e-12, 0.0, n_flat=2, unsettled=float("nan"))
    theta = np.zeros(5)
    objective = Objective(Network([2, 1, 1]), np.eye(2), [[0.0], [1.0]], 0.1)
    found = convergence.of_weights(objective, claim, theta, flat)
    assert found.converged
    said = "; true of the cost, not of the weights: weights can move along 2 of 5 directions that"
    assert f"{said} are flat" in found.inequality
    moving = replace(flat, n_flat=0, unsettled=0.62)
    found = convergence.of_weights(objective, claim, theta, moving)
    assert (
        "not of the weights: another Newton step would move a weight by 62.0%" in found.inequality
    )
    nearly = replace(flat, n_flat=0)
    found = convergence.of_weights(objective, claim, theta, nearly)
    assert "nearly flat" in found.inequality
    refine = replace(flat, n_flat=0, unsettled=1e-9)
    assert convergence.of_weights(objective, claim, theta, refine) is claim


def test_large_weights_that_a_penalty_holds_do_not_run_away():
    net = Network([1, 2, 1])
    X, Y = np.linspace(-1, 1, 9)[:, None], np.sign(np.linspace(-1, 1, 9))[:, None]
    theta = np.array([5e3, 1.0, 0.0, 0.0, 1.0, 1.0, 0.0])
    assert "what enters a unit of layer 2" in Objective(net, X, Y).running_away(theta)
    assert Objective(net, X, Y, 0.1).running_away(theta) is None
    theta[0], theta[4] = 1.0, 5e3
    assert "ranges of the target" in Objective(net, X, Y).running_away(theta)
    assert Objective(net, X, Y, [0.1, 0.0]).running_away(theta) is not None
