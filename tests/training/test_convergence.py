"""Honesty: what must never be called converged, and each stop reached by its own case."""

import numpy as np
import pytest

from chainrule import Network, Objective, TrainingError, minimize
from chainrule.training.convergence import below_rounding, objection
from chainrule.training.optimizers.stopping import (
    SENTENCES,
    GradientTest,
    IterationLimit,
    State,
    Termination,
    TimeLimit,
    relative_gradient,
)
from students import Student

HOURS = np.array([[3.0, 5.0], [5.0, 1.0], [10.0, 2.0]])
SCORES = np.array([[75.0], [82.0], [93.0]])


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


def test_a_saturated_layer_is_named():
    X, Y = np.array([[1.0], [2.0], [3.0]]), np.array([[0.0], [1.0], [0.5]])
    net = Network([1, 2, 1])
    W1, b1 = [-40.0, 60.0], [60.0, -90.0]  # both steps of tanh: exact between the rows
    found = objection(Objective(net, X, Y), np.array([*W1, *b1, 0.1, 0.6, 0.3]), J=0.12)
    assert found.name == "saturated"
    assert found.inequality == "layer 2: 2 of 2 units flat on every row"


def test_a_wrong_output_that_is_flat_is_named():
    net = Network([1, 1], output="sigmoid", loss="squared")
    X, Y = np.array([[-1.0], [1.0], [2.0]]), np.array([[0.0], [1.0], [0.9]])
    found = objection(Objective(net, X, Y), np.array([40.0, 0.0]), J=0.005)
    assert found.name == "saturated"
    assert found.inequality == "output flat and wrong in 1 of 3 rows"


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
    fit = minimize(objective, copied, tol=1e-6)
    assert (fit.n_iterations, fit.termination.name) == (0, "saddle")
    assert not fit.converged


def test_a_flat_stationary_point_with_cost_left_is_named(seed_net, seed_data):
    objective = Objective(seed_net, *seed_data)
    fit = minimize(objective, seed_net.initial(2, "normal"), method="bfgs")
    assert fit.termination.name == "flat"
    assert fit.cost == pytest.approx(0.00122618353, rel=1e-6)


def test_ordinary_fits_are_called_converged(noisy_rows):
    # honesty must not turn into never saying yes
    X, Y = noisy_rows
    for hidden in ("tanh", "sigmoid", "silu"):
        net = Network([2, 4, 1], hidden=hidden)
        fits = [minimize(Objective(net, X, Y, alpha=0.01), net.initial(s)) for s in range(5)]
        assert all(fit.converged for fit in fits), [str(fit.termination) for fit in fits]


def test_convergence_does_not_depend_on_the_unit_of_the_targets(noisy_rows):
    X, Y = noisy_rows
    net = Network([2, 3, 1])
    sizes = []
    for unit in (1e-6, 1.0, 1e6):
        objective = Objective(net, X, unit * Y)
        W, b = net.weights(net.initial(0))
        theta = net.initial(0)
        W, b = net.weights(theta)
        W[2] *= unit
        b[2] *= unit
        # the same network in another unit: only the first layer's gradient is comparable
        g = objective.gradient(theta)[net.blocks()["W[1]"]]
        sizes.append(relative_gradient(theta[net.blocks()["W[1]"]], g, objective.scale))
    assert sizes == pytest.approx([sizes[0]] * 3, rel=1e-9)


# ---------------------------------------------------------------- the rules, without a problem


def state(**changes):
    plain = {"iteration": 3, "theta": np.ones(2), "J": 1.0, "g": np.full(2, 1e-3), "seconds": 2.0}
    return State(**(plain | changes))


def test_gradient_test():
    rule = GradientTest(tol=1e-3, scale=1.0)
    assert rule(state()).name == "converged"
    assert rule(state()).inequality == "relative gradient 1.00e-03 <= 0.001"
    assert rule(state(theta=np.full(2, 2.0))) is None
    assert rule(state(g=np.full(2, np.nan))) is None
    assert GradientTest(tol=1e-3, scale=0.0)(state(g=np.zeros(2))) is None
    assert GradientTest(tol=1e-3, scale=np.nan)(state(g=np.zeros(2))) is None


def test_limits():
    assert IterationLimit(4)(state()) is None
    assert IterationLimit(3)(state()).name == "max_iter"
    assert TimeLimit(2.5)(state()) is None
    assert TimeLimit(2.0)(state()).inequality == "2.00 s >= 2 s"


def test_rounding_claim():
    g, theta = np.array([1e-9]), np.ones(1)
    assert below_rounding(theta, 1.0, g, 1.0, lambda g: g).converged
    assert below_rounding(theta, 1.0, g, 1.0, None) is None
    assert below_rounding(theta, 1.0, g, 1.0, lambda g: 1e9 * g) is None
    assert below_rounding(theta, 1.0, g, 1.0, lambda g: g * np.nan) is None
    # a nearly singular estimate of the inverse promises nothing, but the gradient is large
    assert below_rounding(theta, 1.0, np.ones(1), 1.0, lambda g: 1e-20 * g) is None


def test_every_name_has_a_sentence_and_only_one_is_converged():
    stops = [Termination(name, "x > y") for name in SENTENCES]
    assert {stop.name for stop in stops if stop.converged} == {"converged"}
    for stop in stops:
        assert str(stop) == f"{stop.name}: {stop.sentence} (x > y)"
        assert stop.sentence.endswith(".")
