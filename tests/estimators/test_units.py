"""Units do not matter: powers of ten, offsets, the tutorial's hours and points."""

import numpy as np
import pytest

from chainrule import NetworkClassifier, NetworkRegressor

RNG = np.random.default_rng(0)
X = RNG.standard_normal((60, 2))
Y = np.sin(2 * X[:, 0]) + 0.5 * X[:, 1] + 0.1 * RNG.standard_normal(60)
FITTED = NetworkRegressor((4,)).fit(X, Y)
SCORE = FITTED.score(X, Y)
SAME = 1e-4  # of R²: the evidence has maxima within a nat, and rounding errors may choose another
POWERS = range(-300, 301, 100)


def test_the_tutorials_rows_in_their_own_units():
    hours, points = np.array([[3, 5], [5, 1], [10, 2]]), np.array([75, 82, 93])
    for seed in range(50):
        predicted = NetworkRegressor(random_state=seed).fit(hours, points).predict(hours)
        # scikit-learn's default is off by 92 points in the median
        assert np.abs(predicted - points).max() < 0.1, seed


@pytest.mark.parametrize("k", POWERS)
def test_any_power_of_ten(k):
    for X_k, Y_k in ((X * 10.0**k, Y), (X, Y * 10.0**k)):
        fitted = NetworkRegressor((4,)).fit(X_k, Y_k)
        assert fitted.score(X_k, Y_k) == pytest.approx(SCORE, abs=SAME)
        assert np.all(np.isfinite(fitted.predict(X_k)))


def test_an_offset_of_a_billion_spreads():
    for X_far, Y_far in ((X + 1e9 * X.std(axis=0), Y), (X, Y + 1e9 * Y.std())):
        fitted = NetworkRegressor((4,)).fit(X_far, Y_far)
        # what is left of a number after 1e9 has been added to it is right to 1e-7
        assert fitted.score(X_far, Y_far) == pytest.approx(SCORE, abs=SAME)


def test_classes_in_any_unit():
    y = Y > 0
    p = NetworkClassifier((3,)).fit(X, y).predict_proba(X)
    assert NetworkClassifier((3,)).fit(X * 1e200, y).predict_proba(X * 1e200) == pytest.approx(
        p, abs=1e-6
    )


def test_one_column_in_other_units_than_the_rest():
    fitted = NetworkRegressor((4,)).fit(X * [1.0, 1e8], Y)
    assert fitted.score(X * [1.0, 1e8], Y) == pytest.approx(SCORE, abs=SAME)
