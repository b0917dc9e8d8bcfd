"""From a table in the user's units to a model that predicts in them."""

import time
from dataclasses import replace

import numpy as np
import pytest

from chainrule import (
    ConfigurationError,
    DataError,
    Network,
    Objective,
    TrainingError,
    minimize,
)
from chainrule.training.model import train
from chainrule.training.optimizers.stopping import Termination
from chainrule.training.restarts import agreement, minimize_from_starts

HOURS = np.array([[3.0, 5.0], [5.0, 1.0], [10.0, 2.0]])
SCORES = np.array([[75.0], [82.0], [93.0]])
NAMES = {"input_names": ("sleep", "study"), "target_names": ("score",)}


def test_raw_units_simply_work_for_every_seed():
    for seed in range(10):
        trained = train(
            HOURS, SCORES, Network([2, 3, 1]), minimize, seed=seed, n_restarts=2, **NAMES
        )
        assert np.max(np.abs(trained.model.predict(HOURS) - SCORES)) < 0.1


@pytest.mark.parametrize("unit", [1e-300, 1e-30, 1e-6, 1e6, 1e30, 1e300])
def test_units_do_not_matter(noisy_rows, unit):
    X, Y = noisy_rows
    names = {"input_names": ("a", "b"), "target_names": ("y",)}
    plain = train(X, Y, Network([2, 3, 1]), minimize, n_restarts=1, **names)
    for x_unit, y_unit in ((unit, 1.0), (1.0, unit), (unit, unit)):
        scaled = train(x_unit * X, y_unit * Y, Network([2, 3, 1]), minimize, n_restarts=1, **names)
        # different rounding on the way to the same optimum
        predicted = scaled.model.predict(x_unit * X) / y_unit
        assert predicted == pytest.approx(plain.model.predict(X), abs=1e-5)


def test_offsets_do_not_matter(noisy_rows):
    X, Y = noisy_rows
    names = {"input_names": ("a", "b"), "target_names": ("y",)}
    plain = train(X, Y, Network([2, 3, 1]), minimize, n_restarts=1, **names)
    moved = train(X + 1e6, Y - 1e6, Network([2, 3, 1]), minimize, n_restarts=1, **names)
    # adding 1e6 rounds the data to 1e-10
    assert moved.model.predict(X + 1e6) + 1e6 == pytest.approx(plain.model.predict(X), abs=1e-4)


def test_a_constant_column_is_ignored_for_good(noisy_rows):
    X, Y = noisy_rows
    wide = np.column_stack([X, np.full(len(X), 14.62)])
    names = {"input_names": ("a", "b", "c"), "target_names": ("y",)}
    model = train(wide, Y, Network([3, 3, 1]), minimize, n_restarts=1, **names).model
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
    trained = train(HOURS, Y, net, minimize, scale=scale, n_restarts=1, **NAMES)
    assert trained.model.target_scaling.kind == expected
    assert trained.model.predict(HOURS).shape == (3, 1)


def test_several_targets():
    Y = np.column_stack([SCORES, 10 - HOURS[:, :1] / 2])
    names = {"input_names": ("sleep", "study"), "target_names": ("score", "rest")}
    model = train(HOURS, Y, Network([2, 3, 2]), minimize, **names).model
    assert model.predict(HOURS) == pytest.approx(Y, abs=0.05)


def test_restart_r_does_not_depend_on_how_many_there_are(noisy_rows):
    net = Network([2, 3, 1])
    trained = [
        train(
            *noisy_rows, net, minimize, n_restarts=n, input_names=("a", "b"), target_names=("y",)
        ).restarts
        for n in (3, 6)
    ]
    assert trained[0].runs == trained[1].runs[:3]
    assert trained[1].best.cost <= trained[0].best.cost
    assert trained[1].n_agree >= 1


def test_one_failed_start_does_not_spoil_the_others(noisy_rows):
    calls = []

    def run(objective, theta, max_time):
        calls.append(theta)
        if len(calls) == 1:
            raise TrainingError("the first one fails")
        return minimize(objective, theta, max_iter=20)

    names = {"input_names": ("a", "b"), "target_names": ("y",)}
    trained = train(*noisy_rows, Network([2, 3, 1]), run, n_restarts=3, **names)
    assert trained.restarts.runs[0].termination == "failed"
    assert trained.model.training["restarts"][0]["cost"] is None


def test_if_all_starts_fail_so_does_the_fit(noisy_rows):
    def run(objective, theta, max_time):
        raise TrainingError("no luck")

    with pytest.raises(TrainingError, match="no luck"):
        train(*noisy_rows, Network([2, 3, 1]), run, input_names=("a", "b"), target_names=("y",))


def test_of_costs_that_agree_a_converged_one_is_best(noisy_rows):
    net = Network([2, 3, 1])
    objective = Objective(net, *noisy_rows, alpha=0.1)
    full = minimize(objective, net.initial(0))
    unfinished = replace(
        full, cost=full.cost * (1 - 1e-9), termination=Termination("max_iter", "2 >= 2")
    )
    worse = replace(full, cost=1.1 * full.cost)
    for fits, n_agree in (([unfinished, full], 1), ([full, unfinished, full, worse], 2)):
        ready = iter(fits)
        restarts = minimize_from_starts(
            objective, lambda *_, ready=ready, **__: next(ready), len(fits), seed=0
        )
        assert restarts.best is full
        assert restarts.n_agree == n_agree
    assert str(restarts) == "2 of 4 starts agree on the lowest cost"
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
        train(X, Y, Network([2, 3, 1]), minimize, **NAMES, **options)


def test_predictions_too_far_out_are_refused_by_row():
    model = train(1e-9 * HOURS, SCORES, Network([2, 3, 1]), minimize, **NAMES).model
    for far in ([1e308, 1e308], [-1e308, 0.0]):
        with pytest.raises(DataError, match="the prediction for row 2 is not finite"):
            model.predict([[3e-9, 5e-9], far])


def test_a_sigmoid_refuses_targets_it_cannot_reach():
    net = Network([2, 3, 1], output="sigmoid", loss="squared")
    with pytest.raises(DataError, match=r"'score', scaled, has values from -1 to -0\.8.*0 to 1"):
        train(HOURS, -SCORES, net, minimize, **NAMES)


def test_flat_targets_are_columns():
    trained = train(HOURS, SCORES[:, 0], Network([2, 3, 1]), minimize, n_restarts=1, **NAMES)
    assert trained.model.predict(HOURS).shape == (3, 1)


def test_missing_numbers_are_refused_by_predict():
    model = train(HOURS, SCORES, Network([2, 3, 1]), minimize, n_restarts=1, **NAMES).model
    with pytest.raises(DataError, match="X has 1 values that are not finite"):
        model.predict([[np.nan, 1.0]])


def test_a_million_million_starts_cost_nothing_in_advance(noisy_rows):
    def stop(*_):
        raise StopIteration

    def run(objective, theta, max_time):
        return minimize(objective, theta, callback=lambda _, row: row.iteration > 3 and stop())

    names = {"input_names": ("a", "b"), "target_names": ("y",)}
    trained = train(*noisy_rows, Network([2, 3, 1]), run, n_restarts=10**12, **names)
    assert len(trained.restarts.runs) == 1
    assert trained.restarts.cut_short.name == "interrupted"


def test_one_deadline_for_all_starts(noisy_rows):
    names = {"input_names": ("a", "b"), "target_names": ("y",)}

    def slow(objective, theta, max_time):
        time.sleep(0.05)
        if max_time < 0.15:  # not enough for anything
            raise TrainingError("no time")
        return minimize(objective, theta, max_iter=20)

    trained = train(*noisy_rows, Network([2, 3, 1]), slow, n_restarts=10**9, max_time=0.3, **names)
    assert trained.restarts.cut_short.name == "time_limit"
    assert 1 <= len(trained.restarts.runs) < 10
    with pytest.raises(TrainingError, match="no time"):
        train(*noisy_rows, Network([2, 3, 1]), slow, n_restarts=10**9, max_time=0.1, **names)


@pytest.mark.parametrize("reason", ["interrupted", "time_limit"])
def test_what_cuts_a_start_short_cuts_all(noisy_rows, reason):
    names = {"input_names": ("a", "b"), "target_names": ("y",)}
    starts = []

    def run(objective, theta, max_time):
        starts.append(theta)
        if len(starts) == 2:
            error = TrainingError("before the first step")
            error.reason = reason
            raise error
        return minimize(objective, theta)

    trained = train(*noisy_rows, Network([2, 3, 1]), run, n_restarts=5, **names)
    assert len(starts) == 2
    assert len(trained.restarts.runs) == 1
    assert trained.restarts.cut_short.name == reason
    starts[:] = starts[:1]  # and now before any fit is there
    with pytest.raises(KeyboardInterrupt if reason == "interrupted" else TrainingError):
        train(*noisy_rows, Network([2, 3, 1]), run, n_restarts=5, **names)
