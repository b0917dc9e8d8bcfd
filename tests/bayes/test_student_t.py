"""Noise with heavy tails: what is far off, by however much, leaves the fit where it was."""

import re

import numpy as np
import pytest

from chainrule import Network, NetworkRegressor, Objective
from chainrule.bayes.student_t import fit_student_t, robust_weights
from chainrule.tables.scaling import fit_robust_scaling, fit_scaling

RNG = np.random.default_rng(0)
X = RNG.uniform(-2, 2, (120, 2))
TRUTH = np.sin(2 * X[:, 0]) + X[:, 1]
Y = TRUTH + 0.1 * RNG.standard_normal(120)
FRESH = RNG.uniform(-2, 2, (500, 2))
OPTIONS = {"hidden_layer_sizes": (4,), "noise": "student", "n_restarts": 1}


def error(model):
    truth = np.sin(2 * FRESH[:, 0]) + FRESH[:, 1]
    return float(np.sqrt(np.mean((model.predict(FRESH) - truth) ** 2)))


CLEAN = error(NetworkRegressor(**OPTIONS).fit(X, Y))


@pytest.mark.parametrize("size", [10.0, 1e5, 1e8, 1e100])
def test_one_row_of_any_size_leaves_the_fit_where_it_was(size):
    wild = Y.copy()
    wild[17] -= size
    model = NetworkRegressor(**OPTIONS).fit(X, wild)
    assert error(model) < 1.3 * CLEAN
    assert 0.07 < model.noise_[0] < 0.14
    least = model.model_.report.student.rows[0]
    assert least.row == 18
    assert least.counts < 0.01


@pytest.mark.parametrize("size", [1.0, 12.0])  # of ten deviations of the noise, of the truth
@pytest.mark.parametrize("signs", [[1.0], [-1.0, 1.0]])
def test_a_fifth_of_the_rows_leave_the_fit_where_it_was(size, signs):
    rng = np.random.default_rng(1)
    wild, rows = Y.copy(), rng.choice(120, 24, replace=False)
    wild[rows] += size * rng.choice(signs, 24)
    assert error(NetworkRegressor(**OPTIONS).fit(X, wild)) < 2.0 * CLEAN


def test_a_first_fit_lets_rows_count_that_say_what_others_say():
    net = Network([2, 4, 1])
    wild = Y.copy()
    wild[5], wild[6] = 1e6, -1e6
    counts = robust_weights(Objective(net, X, wild[:, None]), seed=0)
    assert counts[5] < 1e-6
    assert counts[6] < 1e-6
    assert np.mean(np.delete(counts, [5, 6]) > 0.5) > 0.9


@pytest.mark.filterwarnings("ignore:the target is far")
def test_the_answer_is_not_that_of_the_outliers():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((80, 2))
    y = X[:, 0] + 0.2 * rng.standard_normal(80)
    y[[3, 40]] += [40.0, -60.0]
    options = {"hidden_layer_sizes": (2,), "n_restarts": 2, "alpha": 1.0}
    robust = NetworkRegressor(noise="student", **options).fit(X, y).summary()
    assert float(re.search(r"to within ±(\S+) for half of the rows", robust)[1]) < 0.3
    plain = NetworkRegressor(**options).fit(X, y).summary()
    assert "row 41 is an outlier" in plain.replace("\n", " ")


def test_a_perfect_fit_has_a_scale():
    net = Network([1, 1])
    line = np.linspace(-1, 1, 30)[:, None]
    tails = fit_student_t(Objective(net, line, 2.0 * line), np.array([2.0, 0.0]))
    assert tails.scale[0] > 0.0
    assert tails.weights == pytest.approx(np.ones(30), rel=0.02)  # (ν + 1) / ν of the highest ν


def test_a_robust_scaling_is_that_of_a_gaussian_and_stays_where_it_is():
    rng = np.random.default_rng(2)
    A = 5.0 + 3.0 * rng.standard_normal((20_000, 1))
    usual, robust = fit_scaling("standard", A), fit_robust_scaling(A, np.ones(20_000))
    assert robust.center == pytest.approx(usual.center, rel=0.02)
    assert robust.scale == pytest.approx(usual.scale, rel=0.03)
    A[:4_000] = 1e300
    again = fit_robust_scaling(A, np.ones(20_000))
    assert again.center == pytest.approx(usual.center, rel=0.3)
    assert again.scale == pytest.approx(usual.scale, rel=0.5)
    # half of a column one number: as usual
    A[:10_001] = 7.0
    assert fit_robust_scaling(A, np.ones(20_000)).scale == fit_scaling("standard", A).scale


@pytest.mark.filterwarnings("ignore:no_better_than_mean")
def test_a_plain_fit_names_the_rows_that_are_far_off():
    wild = Y.copy()
    wild[17] += 1e5
    with pytest.warns(UserWarning, match=r"row 17 \(.*noise='student'"):
        model = NetworkRegressor((4,), n_restarts=1).fit(X, wild)
    assert [row.row for row in model.model_.report.outliers] == [18]


def test_the_size_is_found_for_two_targets_of_which_one_has_rows_far_off():
    rng = np.random.default_rng(0)
    A = rng.standard_normal((60, 3))
    clean = A[:, :2] + 0.1 * rng.standard_normal((60, 2))
    wild = clean.copy()
    wild[:12, 0] += 1e4 * rng.standard_normal(12)
    model = NetworkRegressor("auto", noise="student").fit(A, wild)
    assert model.model_.network.layers[1] >= 2
    assert np.sqrt(np.mean((model.predict(A) - clean)[12:] ** 2)) < 0.2


@pytest.mark.filterwarnings("ignore:the target is far")
@pytest.mark.parametrize("unit", [1e-6, 1e6])
def test_the_rows_that_are_named_are_the_same_in_any_unit(unit):
    wild = Y.copy()
    wild[17] += 50.0
    model = NetworkRegressor((4,), n_restarts=1).fit(X, unit * wild)
    assert [row.row for row in model.model_.report.outliers] == [18]
    # without noise the hardest rows are far more than usual, and not far off
    smooth = X[:50, 0] ** 2 + X[:50, 1]
    model = NetworkRegressor((4,), n_restarts=1).fit(X[:50], unit * smooth)
    assert model.model_.report.outliers == ()
