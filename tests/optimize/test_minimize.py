"""Minimization: the tutorial's numbers, certified optima, one history for every method."""

import time
from typing import ClassVar

import numpy as np
import pytest

import chainrule
from chainrule import ConfigurationError, DataError, Network, Objective, TrainingError, minimize
from chainrule._contracts import Evaluation
from chainrule.kernels import native
from chainrule.optimize.descent import GradientDescent
from students import Student

CERTIFIED = 0.001054592236588510483480211
J_STAR = 0.0026175751
FIRST_ORDER = ["broyden", "bfgs", "lbfgs"]
METHODS = ["lm", *FIRST_ORDER]


@pytest.mark.parametrize("method", METHODS)
def test_fourteen_digits_of_the_certified_minimum(seed_net, seed_data, method):
    objective = Objective(seed_net, *seed_data, alpha=1e-4)
    fits = [minimize(objective, seed_net.initial(s, "normal"), method=method) for s in range(10)]
    best = min(fits, key=lambda fit: fit.cost)
    assert best.converged
    assert abs(best.cost / CERTIFIED - 1) < 1e-14
    # every start ends at an optimum, this one or the other that is known, at 0.00118544
    for fit in fits:
        assert fit.converged
        assert min(abs(fit.cost / known - 1) for known in (CERTIFIED, 0.0011854409)) < 1e-7


def test_two_hundred_starts_reach_zero_or_say_why_not(seed_net, seed_data):
    objective = Objective(seed_net, *seed_data)
    fits = [minimize(objective, seed_net.initial(s, "normal"), method="bfgs") for s in range(200)]
    for fit in fits:
        assert (fit.cost < 1e-8) == fit.converged, (fit.cost, str(fit.termination))
        assert fit.converged or fit.termination.name in ("flat", "saturated", "saddle")
    reached = [fit for fit in fits if fit.converged]
    assert len(reached) > 170
    assert np.median([fit.n_iterations for fit in reached]) < 80


def test_the_penalized_optimum_of_the_series(seed_net, four_rows):
    X, Y = four_rows
    objective = Objective(seed_net, X, Y, alpha=1e-4, sample_weight=np.full(4, 0.25))
    fits = [minimize(objective, seed_net.initial(s, "normal")) for s in range(10)]
    best = min(fits, key=lambda fit: fit.cost)
    assert best.cost == pytest.approx(0.002617575127, rel=1e-9)
    train = 100 * seed_net.forward(best.theta, X).y_hat.ravel()
    assert np.round(train, 3).tolist() == [74.727, 78.128, 85.740, 80.044]
    test_X = np.array([[4, 5.5], [4.5, 1], [9, 2.5], [6, 2]]) / [10, 5]
    test = 100 * seed_net.forward(best.theta, test_X).y_hat.ravel()
    assert np.round(test, 3).tolist() == [76.950, 77.141, 84.622, 80.122]


@pytest.mark.parametrize("method", [*FIRST_ORDER, GradientDescent(step=0.005)])
def test_every_method_keeps_the_same_history(noisy_rows, method):
    net = Network([2, 3, 1])
    objective, theta = Objective(net, *noisy_rows, alpha=0.1), net.initial(seed=1)
    seen = []
    fit = minimize(
        objective, theta, method=method, max_iter=30, callback=lambda t, row: seen.append((t, row))
    )
    history = fit.history
    assert len(history) == fit.n_iterations + 1 == len(seen) == 31
    assert history[0].cost == objective.cost(theta)
    assert history[0].step == history[0].change == 0.0
    assert np.array_equal(seen[0][0], theta)
    for before, (_, row), (point, _), (last, _) in zip(
        history, seen[1:], seen[1:], seen, strict=False
    ):
        J, g = objective.evaluate(point, 1)
        # the native core adds up the penalty in another order
        assert row.cost == pytest.approx(J, rel=1e-14)
        assert row.change == pytest.approx(J - before.cost, abs=1e-14 * J)
        assert row.max_gradient == pytest.approx(np.max(np.abs(g)), abs=1e-13 * J)
        assert row.step == pytest.approx(np.linalg.norm(point - last), rel=1e-14)
        assert row.n_evaluations > before.n_evaluations
        assert row.seconds >= before.seconds
    assert np.all(np.diff(history.cost) <= 0)
    assert history[-1].n_evaluations <= fit.n_evaluations
    assert fit.cost == objective.cost(fit.theta) == history.cost.min()
    assert str(history).splitlines()[0].startswith("iteration")


class _Counting(Objective):
    """An objective that writes down every point it is asked about on the way."""

    points: ClassVar[list[bytes]] = []

    def evaluate(self, theta, order=1):
        if order == 1:
            self.points.append(np.asarray(theta).tobytes())
        return super().evaluate(theta, order)


@pytest.mark.parametrize("method", [*FIRST_ORDER, "gd"])
def test_nothing_is_evaluated_twice(noisy_rows, method):
    # to the floor of rounding, where line searches fail and start afresh
    net = Network([2, 3, 1])
    _Counting.points.clear()
    objective = _Counting(net, *noisy_rows, alpha=1e-4)
    fit = minimize(objective, net.initial(2), method=method, max_iter=600, tol=1e-14)
    assert len(_Counting.points) == len(set(_Counting.points)) > 100
    polish = 1  # the Newton step at the end belongs to examining it
    assert 0 <= len(_Counting.points) - fit.n_evaluations <= polish


def test_a_students_cost_is_evaluated_once_at_every_point(seed_data):
    student, points = Student(seed=2), []
    cost = student.costFunction

    def counting(X, y):
        points.append(student.getParams().tobytes())
        return cost(X, y)

    student.costFunction = counting
    fit = minimize(student, *seed_data, max_iter=5)  # stopped early, so that nothing is examined
    assert fit.termination.name == "max_iter"
    assert len(points) == len(set(points)) == fit.n_evaluations


def test_uphill_the_cost_rises_downhill_it_falls(seed_net, seed_data):
    objective = Objective(seed_net, *seed_data)
    for seed in range(1000):
        theta = seed_net.initial(seed, scheme="normal")
        J, g = objective.evaluate(theta, 1)
        assert objective.cost(theta + 3 * g) > J > objective.cost(theta - 3 * g)


def test_gradient_descent_takes_its_fixed_step(seed_net, seed_data):
    objective, theta = Objective(seed_net, *seed_data), seed_net.initial(0)
    fit = minimize(objective, theta, method=GradientDescent(step=3.0), max_iter=1)
    assert np.array_equal(fit.theta, theta - 3.0 * objective.gradient(theta))
    assert fit.termination.name == "max_iter"


def test_a_walk_uphill_returns_no_network(seed_net, seed_data):
    objective, theta = Objective(seed_net, *seed_data), seed_net.initial(0)
    with pytest.raises(TrainingError, match="nothing was learned: no step of gd lowered the cost"):
        minimize(objective, theta, method=GradientDescent(step=-3.0), max_iter=5)


class _Cosine:
    """A wave: a long step from 1 lands near the bottom at π, the next one overshoots."""

    def evaluate(self, theta, order):
        return Evaluation(float(np.cos(theta[0])), -np.sin(theta))


def test_the_best_point_seen_is_returned():
    fit = minimize(_Cosine(), np.array([1.0]), method=GradientDescent(step=3.0), max_iter=2)
    assert fit.history[2].cost > fit.history[1].cost == fit.cost
    assert fit.theta[0] == 1 + 3 * np.sin(1.0)


def test_auto_chooses_by_size(noisy_rows):
    X, Y = noisy_rows
    for width, method in ((3, "lm"), (100, "lm")):
        net = Network([2, width, 1])
        fit = minimize(Objective(net, X, Y), net.initial(0), max_iter=1)
        assert fit.method == method
        assert f"{net.n_parameters}" in fit.reason


def test_a_start_that_is_already_the_optimum(seed_net, seed_data):
    objective = Objective(seed_net, *seed_data, alpha=1e-4)
    first = minimize(objective, seed_net.initial(0))
    again = minimize(objective, first.theta, tol=1e-6)
    assert again.converged
    assert (again.n_iterations, again.n_evaluations) == (0, 1)


class _Valley:
    """A cost that is not a number beyond |θ| = 2, with its minimum at 1."""

    def evaluate(self, theta, order):
        x = float(theta[0])
        if abs(x) > 2:
            return Evaluation(np.nan, np.array([np.nan]))
        return Evaluation((x - 1) ** 4 + (x - 1) ** 2, np.array([4 * (x - 1) ** 3 + 2 * (x - 1)]))


@pytest.mark.parametrize("method", FIRST_ORDER)
def test_steps_into_nan_are_turned_back(method):
    fit = minimize(_Valley(), np.array([-1.9]), method=method)
    assert fit.converged
    assert fit.theta[0] == pytest.approx(1.0, abs=1e-6)
    assert np.isfinite(fit.history.cost[-1])


def test_a_start_that_is_not_finite_is_refused():
    with pytest.raises(TrainingError, match="not finite at the starting point"):
        minimize(_Valley(), np.array([3.0]))


@pytest.mark.parametrize("method", METHODS)
def test_limits_are_named_with_their_inequality(noisy_rows, method):
    net = Network([2, 8, 1])
    objective, theta = Objective(net, *noisy_rows, alpha=1e-3), net.initial(seed=0)
    fit = minimize(objective, theta, method=method, max_iter=5)
    assert (fit.termination.name, fit.termination.inequality) == ("max_iter", "5 iterations >= 5")
    assert not fit.converged
    fit = minimize(
        objective, theta, method=method, max_time=0.05, callback=lambda *_: time.sleep(0.02)
    )
    assert fit.termination.name == "time_limit"
    assert 1 <= fit.n_iterations <= 3
    at_once = {"method": method, "max_time": 1e-9}
    if native.build() and method in ("lm", "broyden"):  # a first step is always made there
        fit = minimize(objective, theta, **at_once)
        assert fit.termination.name in ("time_limit", "converged")
    else:
        with pytest.raises(TrainingError, match="Allow more time"):
            minimize(objective, theta, **at_once)


def test_interruption_keeps_the_best(noisy_rows):
    net = Network([2, 3, 1])

    def stop(_, row):
        if row.iteration == 10:
            raise KeyboardInterrupt

    fit = minimize(Objective(net, *noisy_rows), net.initial(0), callback=stop)
    assert fit.termination.name == "interrupted"
    assert fit.cost < fit.history[0].cost


def test_a_callback_may_stop(noisy_rows):
    net = Network([2, 3, 1])

    def stop(_, row):
        if row.iteration == 7:
            raise StopIteration

    fit = minimize(Objective(net, *noisy_rows), net.initial(0), callback=stop)
    assert (fit.termination.name, fit.n_iterations) == ("interrupted", 7)
    assert fit.termination.inequality == "the callback, iteration 7"


def test_gradient_descent_finds_a_step_for_any_number_of_rows():
    rng = np.random.default_rng(0)
    net = Network([2, 3, 1])
    for n in (3, 30, 1000):
        X = rng.standard_normal((n, 2))
        objective = Objective(net, X, np.sin(X[:, :1]))
        fit = minimize(objective, net.initial(0), method="gd", max_iter=200)
        assert fit.cost < 0.3 * objective.baseline


def test_a_students_own_class_is_trained(seed_data):
    student = Student(seed=3)
    fit = minimize(student, *seed_data)
    assert fit.converged
    assert fit.cost < 1e-15
    assert np.array_equal(student.getParams(), fit.theta)
    assert student.forward(seed_data[0]) == pytest.approx(seed_data[1], abs=1e-7)
    kept = fit.theta.copy()
    student.W1[0, 0] = 99.0  # it keeps views of what it is given, but never of the result
    assert np.array_equal(fit.theta, kept)


def test_a_student_and_the_network_agree(seed_net, seed_data):
    student = Student(seed=4)
    theta = student.getParams()
    ours = Objective(seed_net, *seed_data).evaluate(theta, 1)
    assert student.costFunction(*seed_data) == pytest.approx(ours.J, rel=1e-14)
    assert student.computeGradients(*seed_data) == pytest.approx(ours.g, rel=1e-12)


def test_wrong_calls_are_explained(seed_net, seed_data):
    objective, theta = Objective(seed_net, *seed_data), seed_net.initial(0)
    for options, message in (
        (
            {"method": "sgd"},
            "unknown method 'sgd'; choose one of auto, lm, broyden, bfgs",
        ),
        ({"max_iter": 0}, "max_iter is 0; it must be at least 1"),
        ({"max_iter": "5"}, "max_iter is '5'"),
        ({"max_iter": float("nan")}, "max_iter is nan"),
        ({"max_time": float("nan")}, "max_time is nan; it must be a number greater than 0"),
        ({"tol": 0.0}, r"tol is 0\.0; it must be a number greater than 0"),
        ({"tol": "tight"}, "tol is 'tight'"),
        ({"method": None}, r"method is None; give a name \(auto, lm, broyden"),
    ):
        with pytest.raises(ConfigurationError, match=message):
            minimize(objective, theta, **options)
    with pytest.raises(DataError, match="list has no evaluate"):
        minimize([1, 2], theta)
    with pytest.raises(DataError, match="lacks getParams, setParams, costFunction"):
        minimize(object(), *seed_data)
    with pytest.raises(DataError, match=r"minimize\(obj, X, Y\)"):
        minimize(Student(), theta)


def test_classification_and_counts_reach_their_optimum():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((80, 2))
    classes = np.eye(3)[(X[:, 0] + 0.5 * rng.standard_normal(80) > 0).astype(int) + (X[:, 1] > 1)]
    counts = rng.poisson(np.exp(0.5 + 0.7 * X[:, :1])).astype(float)
    for output, Y in (("softmax", classes), ("exp", counts), ("sigmoid", classes[:, :1])):
        net = Network([2, 3, Y.shape[1]], output=output)
        fit = minimize(Objective(net, X, Y, alpha=0.1), net.initial(0))
        assert fit.converged, str(fit)
        assert isinstance(fit.cost, float)


def test_exports():
    assert chainrule.Fit is type(
        minimize(Objective(Network([1, 1]), [[0.0], [1]], [[0], [1]]), [0, 0])
    )


def test_a_newton_step_ends_a_fit(noisy_rows):
    objective = Objective(Network([2, 4, 1]), *noisy_rows, alpha=0.1)
    fit = minimize(objective, objective.net.initial(seed=0), method="broyden", tol=1e-6)
    assert fit.converged
    # quadratic: a gradient of 1e-6 becomes one of about its square
    assert np.max(np.abs(fit.gradient)) < 1e-3 * fit.history[-1].max_gradient
