"""Scores against those of scikit-learn, and the error of a mean over folds by hand."""

import numpy as np
import pytest
from sklearn import metrics

from chainrule.comparison import Comparison, Result, error_of_mean
from chainrule.model.scores import of_classes, of_numbers

RNG = np.random.default_rng(0)
W = RNG.uniform(0.5, 2.0, 30)


def test_numbers():
    Y = RNG.standard_normal((30, 2)) * [1.0, 1e200]
    predicted = Y + 0.3 * RNG.standard_normal((30, 2)) * [1.0, 1e200]
    found = of_numbers(Y, predicted, ("a", "b"), W)
    for k, (name, unit) in enumerate((("a", 1.0), ("b", 1e200))):
        y, p = Y[:, k] / unit, predicted[:, k] / unit
        rmse = metrics.root_mean_squared_error(y, p, sample_weight=W)
        assert found[name].rmse / unit == pytest.approx(rmse, rel=1e-13)
        r2 = metrics.r2_score(y, p, sample_weight=W)
        assert found[name].r2 == pytest.approx(r2, rel=1e-12)
        assert found[name].max_error / unit == pytest.approx(np.abs(y - p).max(), rel=1e-13)


@pytest.mark.parametrize("K", [2, 3])
def test_classes(K):
    codes = RNG.integers(K, size=30)
    p = RNG.dirichlet(np.ones(K), 30)
    one_hot = np.eye(K)[codes]
    columns = slice(None) if K > 2 else slice(1, 2)
    found = of_classes(one_hot[:, columns], p[:, columns], ("y",), W)["y"]
    loss = metrics.log_loss(codes, p, sample_weight=W)
    accuracy = metrics.accuracy_score(codes, p.argmax(axis=1), sample_weight=W)
    frequency = np.bincount(codes, W) / W.sum()
    assert found.log_loss == pytest.approx(loss, rel=1e-12)
    assert found.accuracy == pytest.approx(accuracy, rel=1e-12)
    assert found.accuracy_of_constant == pytest.approx(frequency.max(), rel=1e-12)
    entropy = -(frequency * np.log(frequency)).sum()
    assert found.log_loss_of_constant == pytest.approx(entropy, rel=1e-12)


def test_the_error_of_a_mean_over_folds():
    # Nadeau & Bengio: variance 1 of three folds, times 1/3 + 1/2
    assert error_of_mean(np.array([1.0, 2.0, 3.0])) == pytest.approx(np.sqrt(5 / 6))


@pytest.mark.parametrize(
    ("ours", "said"),
    [
        ([0.9, 0.91, 0.92], "more than 4.3 standard errors"),
        ([0.5, 0.9, 0.4], "less than 4.3 standard errors"),
        ([0.1, 0.12, 0.11], "behind line: more"),
    ],
)
def test_the_verdict(ours, said):
    results = [
        Result(name, {"r2": np.array(r2)}, 0.1, 0)
        for name, r2 in (("chainrule", ours), ("line", [0.5, 0.52, 0.51]), ("mean", [0, 0, 0.0]))
    ]
    results.sort(key=lambda result: -result.scores["r2"].mean())
    verdict = Comparison(tuple(results), "r2", 3, 30).verdict
    assert said.replace(": more", ",") in verdict
    assert ("more than" in verdict) == ("less than" not in said)


def test_a_row_that_counts_nothing_has_no_largest_error():
    Y, found = np.array([[0.0], [1.0], [2.0]]), np.array([[0.1], [1.2], [9.0]])
    scores = of_numbers(Y, found, ["y"], np.array([1.0, 1.0, 0.0]))
    assert scores["y"].max_error == pytest.approx(0.2)


def test_however_far_off_a_fit_is_its_scores_are_numbers():
    for far in (1e160, 1e300, 1.7e308):
        (found,) = of_numbers(np.array([[1e-9], [2e-9]]), np.full((2, 1), far), ["y"]).values()
        assert all(np.isfinite(value) for value in vars(found).values())
        assert found.r2 < -1e100
