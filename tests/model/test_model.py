"""From a table in the user's units to a model that predicts in them."""

import itertools
import time
from types import SimpleNamespace

import numpy as np
import pytest

from chainrule import (
    ConfigurationError,
    DataError,
    Network,
    TrainingError,
)
from chainrule._cancellation import Cancellation
from chainrule.optimize.multistart import _best
from chainrule.optimize.scipy_ import BFGS
from chainrule.optimize.starts import agreement
from trainings import press_ctrl_c, train

HOURS = np.array([[3.0, 5.0], [5.0, 1.0], [10.0, 2.0]])
SCORES = np.array([[75.0], [82.0], [93.0]])
NAMES = {"input_names": ("sleep", "study"), "target_names": ("score",)}


def test_raw_units_simply_work_for_every_seed():
    for seed in range(10):
        trained = train(HOURS, SCORES, Network([2, 3, 1]), seed=seed, n_restarts=2, **NAMES)
        assert np.max(np.abs(trained.model.predict(HOURS) - SCORES)) < 0.1


@pytest.mark.parametrize("unit", [1e-300, 1e-30, 1e-6, 1e6, 1e30, 1e300])
def test_units_do_not_matter(noisy_rows, unit):
    X, Y = noisy_rows
    names = {"input_names": ("a", "b"), "target_names": ("y",)}
    plain = train(X, Y, Network([2, 3, 1]), n_restarts=1, **names)
    for x_unit, y_unit in ((unit, 1.0), (1.0, unit), (unit, unit)):
        scaled = train(x_unit * X, y_unit * Y, Network([2, 3, 1]), n_restarts=1, **names)
        # different rounding on the way to the same optimum
        predicted = scaled.model.predict(x_unit * X) / y_unit
        assert predicted == pytest.approx(plain.model.predict(X), abs=1e-5)


def test_offsets_do_not_matter(noisy_rows):
    X, Y = noisy_rows
    names = {"input_names": ("a", "b"), "target_names": ("y",)}
    plain = train(X, Y, Network([2, 3, 1]), n_restarts=1, **names)
    moved = train(X + 1e6, Y - 1e6, Network([2, 3, 1]), n_restarts=1, **names)
    # adding 1e6 rounds the data to 1e-10
    assert moved.model.predict(X + 1e6) + 1e6 == pytest.approx(plain.model.predict(X), abs=1e-4)


def test_a_constant_column_is_ignored_for_good(noisy_rows):
    X, Y = noisy_rows
    wide = np.column_stack([X, np.full(len(X), 14.62)])
    names = {"input_names": ("a", "b", "c"), "target_names": ("y",)}
    model = train(wide, Y, Network([3, 3, 1]), n_restarts=1, **names).model
    assert model.input_scaling.ignored.tolist() == [False, False, True]
    elsewhere = wide.copy()
    elsewhere[:, 2] = -1e9
    assert np.array_equal(model.predict(elsewhere), model.predict(wide))


@pytest.mark.parametrize(
    ("output", "loss", "scale", "expected"),
    [
        ("identity", None, "standard", "standard"),
        ("identity", None, "none", "none"),
        ("sigmoid", "squared", "standard", "max"),
        ("sigmoid", "squared", "none", "none"),
        ("exp", None, "standard", "none"),
    ],
)
def test_targets_are_scaled_as_far_as_the_output_allows(output, loss, scale, expected):
    net = Network([2, 1], output=output, loss=loss)
    Y = SCORES / 100
    trained = train(HOURS, Y, net, scale=scale, n_restarts=1, **NAMES)
    assert trained.model.target_scaling.kind == expected
    assert trained.model.predict(HOURS).shape == (3, 1)


def test_several_targets():
    Y = np.column_stack([SCORES, 10 - HOURS[:, :1] / 2])
    names = {"input_names": ("sleep", "study"), "target_names": ("score", "rest")}
    model = train(HOURS, Y, Network([2, 3, 2]), **names).model
    assert model.predict(HOURS) == pytest.approx(Y, abs=0.05)


def test_restart_r_does_not_depend_on_how_many_there_are(noisy_rows):
    net = Network([2, 3, 1])
    trained = [
        train(*noisy_rows, net, n_restarts=n, input_names=("a", "b"), target_names=("y",)).restarts
        for n in (3, 6)
    ]
    assert trained[0].runs == trained[1].runs[:3]
    assert trained[1].best.cost <= trained[0].best.cost
    assert trained[1].n_agree >= 1


class OneByOne(BFGS):
    """BFGS that does something else in its k-th run."""

    def __init__(self, k=None, otherwise=lambda: None):
        object.__setattr__(self, "runs", itertools.count())
        object.__setattr__(self, "k", k)
        object.__setattr__(self, "otherwise", otherwise)

    def run(self, problem, theta):
        if next(self.runs) == self.k or self.k is None:
            self.otherwise()
        else:
            super().run(problem, theta)


XY_NAMES = {"input_names": ("a", "b"), "target_names": ("y",)}


def test_one_failed_start_does_not_spoil_the_others(noisy_rows):
    trained = train(*noisy_rows, Network([2, 3, 1]), method=OneByOne(0), n_restarts=3, **XY_NAMES)
    assert trained.restarts.runs[0].termination == "failed"
    assert trained.model.report.optimizer.starts[0].cost is None
    assert trained.fit.cost < np.inf


def test_if_all_starts_fail_so_does_the_fit(noisy_rows):
    with pytest.raises(TrainingError, match="nothing was learned"):
        train(*noisy_rows, Network([2, 3, 1]), method=OneByOne(), **XY_NAMES)


def test_of_costs_that_agree_the_first_that_converged_is_best():
    names = np.array(["max_iter", "converged", "converged", "saddle"], dtype=object)
    failure = TrainingError("none")
    cancellation = Cancellation()
    task = SimpleNamespace(agreeing_with=lambda lowest: lowest + 1e-6, cancellation=cancellation)
    costs = np.array([1 - 1e-9, 1.0, 1 - 1e-8, 0.999999999])
    assert _best(task, costs, names, failure) == (1, 2)
    assert _best(task, np.array([1.0, 2.0, 0.5, np.nan]), names, failure) == (2, 1)
    assert _best(task, np.array([0.1, 2.0, 0.5, np.nan]), names, failure) == (0, 0)
    with pytest.raises(TrainingError, match="none"):
        _best(task, np.full(4, np.nan), names, failure)
    cancellation.interrupt()
    with pytest.raises(TrainingError) as error:
        _best(task, np.full(4, np.nan), names, failure)
    assert error.value.reason == "interrupted"
    assert agreement(2, 4) == "2 of 4 starts agree on the lowest cost"
    assert "only 1 of 9 starts" in agreement(1, 9)


@pytest.mark.parametrize(
    ("X", "Y", "options", "error", "message"),
    [
        (HOURS, np.full((3, 1), 75.0), {}, DataError, "target 'score' is 75 in every row"),
        (HOURS[:1], SCORES[:1], {}, DataError, "there is 1 row; a fit needs at least 2"),
        (np.ones((3, 2)), SCORES, {}, DataError, r"no input varies \('sleep', 'study'\)"),
        (HOURS, SCORES, {"n_restarts": 0}, ConfigurationError, "restarts is 0"),
        (HOURS, SCORES, {"seed": -1}, ConfigurationError, "seed is -1"),
        (HOURS, SCORES, {"scale": "minmax"}, ConfigurationError, "unknown scaling 'minmax'"),
        (HOURS, SCORES, {"alpha": -0.1}, ConfigurationError, r"alpha is -0\.1"),
        (HOURS[:0], SCORES[:0], {}, DataError, "there is 0 row"),
        (HOURS, [[1.0], [np.nan], [2.0]], {}, DataError, "Y has 1 values that are not finite"),
    ],
)
def test_what_cannot_be_trained_is_explained(X, Y, options, error, message):
    with pytest.raises(error, match=message):
        train(X, Y, Network([2, 3, 1]), **NAMES, **options)


def test_predictions_too_far_out_are_refused_by_row():
    model = train(1e-9 * HOURS, SCORES, Network([2, 3, 1]), **NAMES).model
    for far in ([1e308, 1e308], [-1e308, 0.0]):
        with pytest.raises(DataError, match="the prediction for row 2 is not finite"):
            model.predict([[3e-9, 5e-9], far])


def test_a_sigmoid_refuses_targets_it_cannot_reach():
    net = Network([2, 3, 1], output="sigmoid", loss="squared")
    with pytest.raises(DataError, match=r"'score', scaled, has values from -1 to -0\.8.*0 to 1"):
        train(HOURS, -SCORES, net, **NAMES)


def test_flat_targets_are_columns():
    trained = train(HOURS, SCORES[:, 0], Network([2, 3, 1]), n_restarts=1, **NAMES)
    assert trained.model.predict(HOURS).shape == (3, 1)


def test_missing_numbers_are_refused_by_predict():
    model = train(HOURS, SCORES, Network([2, 3, 1]), n_restarts=1, **NAMES).model
    with pytest.raises(DataError, match="X has 1 values that are not finite"):
        model.predict([[np.nan, 1.0]])


@pytest.mark.parametrize("method", ["lm", "bfgs"])
def test_one_deadline_for_a_million_million_starts(noisy_rows, method):
    net, began = Network([2, 3, 1]), time.monotonic()
    trained = train(*noisy_rows, net, method=method, n_restarts=10**12, max_time=0.3, **XY_NAMES)
    assert time.monotonic() - began < 20
    assert trained.restarts.cut_short.name == "time_limit"
    assert len(trained.restarts.runs) >= 1


def test_what_interrupts_a_start_ends_all(noisy_rows):
    net = Network([2, 3, 1])
    method = OneByOne(1, press_ctrl_c)
    trained = train(*noisy_rows, net, method=method, n_restarts=10**12, **XY_NAMES)
    assert [run.termination for run in trained.restarts.runs] == ["converged", "failed"]
    assert trained.restarts.cut_short.name == "interrupted"
    method = OneByOne(0, press_ctrl_c)
    with pytest.raises(KeyboardInterrupt):  # before any fit is there
        train(*noisy_rows, net, method=method, n_restarts=5, alpha=0.1, **XY_NAMES)
