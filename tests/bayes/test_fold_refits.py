"""What is left out is predicted by fits that have not seen it, and scales noise and posterior."""

import json
import time
import warnings
from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from chainrule import (
    Network,
    NetworkClassifier,
    NetworkRegressor,
    Objective,
    TrainingError,
    load_model,
    save_model,
)
from chainrule._cancellation import Cancellation
from chainrule.bayes import empirical_bayes, fitted_posterior, fold_refits
from chainrule.bayes.calibration import calibrated
from chainrule.bayes.evidence import EvidenceProblem
from chainrule.bayes.fold_refits import folds
from chainrule.bayes.minimum import NoiseScale
from chainrule.bayes.priors import priors_of
from chainrule.kernels import native
from chainrule.model import diagnostics
from chainrule.optimize.stopping import Termination
from chainrule.pipeline import minimization
from chainrule.report.summary import summary
from chainrule.rows.memory import MemoryRows
from trainings import press_ctrl_c, train


def table(n, d, seed, truth=lambda X: X[:, 0] - X[:, 1] + 0.5 * X[:, -1]):
    rng = np.random.default_rng([n, d, seed])
    X = rng.standard_normal((n, d))
    return X, truth(X) + 0.3 * rng.standard_normal(n)


def bent(X):
    return np.sin(2 * X[:, 0]) + 0.5 * X[:, 1] ** 2


def none(X):
    return np.zeros(len(X))


def of_fresh(model, X, y):
    """Return the error, and how many rows ± 1.96 standard deviations and the interval hold."""
    mean, std = model.predict(X, return_std=True)
    lower, upper = model.predict_interval(X)
    off = np.abs(mean - y)
    return (
        np.sqrt(np.mean(off**2)),
        np.mean(off <= 1.96 * std),
        np.mean((lower <= y) & (y <= upper)),
    )


@pytest.mark.in_c
@pytest.mark.filterwarnings("ignore:no_better_than_mean")
@pytest.mark.filterwarnings("ignore:.*far from those that were learned")
@pytest.mark.parametrize("truth", [lambda X: X[:, 0] - X[:, 1] + 0.5 * X[:, -1], bent, none])
def test_what_is_said_of_fresh_rows_is_true(truth):
    ratios, within, held = [], [], []
    for seed, (n, d) in enumerate([(50, 5), (100, 10), (60, 3), (40, 10)]):
        X, y = table(n + 1_000, d, seed, truth)
        model = NetworkRegressor(5).fit(X[:n], y[:n])
        error, *shares = of_fresh(model, X[n:], y[n:])
        ratios.append(np.log(model.loo_scores_["y"]["rmse"] / error))
        within.append(shares[0])
        held.append(shares[1])
    # of four tables an average is as good as it is: benchmarks/honesty.py has 2,000
    assert np.mean(ratios) > np.log(0.85)
    assert 0.90 < np.mean(within) < 0.985
    assert 0.90 < np.mean(held) < 0.985


@pytest.mark.in_c
@pytest.mark.filterwarnings("ignore:.*far from those that were learned")
def test_as_many_columns_as_rows_do_not_make_it_too_sure():
    within, held = [], []
    for seed in range(5):
        X, y = table(1_020, 20, seed)
        model = NetworkRegressor(3).fit(X[:20], y[:20])
        _, *shares = of_fresh(model, X[20:], y[20:])
        within.append(shares[0])
        held.append(shares[1])
    assert 0.88 < np.mean(within) < 0.995
    assert 0.9 < np.mean(held) < 0.995


@pytest.mark.in_c
def test_classes_say_what_fresh_rows_say():
    ratios = []
    for seed in range(4):
        X, y = table(1_080, 5, seed)
        c = y > 0.4 * np.random.default_rng(seed).standard_normal(len(y))
        model = NetworkClassifier(5).fit(X[:80], c[:80])
        p = model.predict_proba(X[80:])[np.arange(1_000), c[80:].astype(int)]
        ratios.append(np.log(model.loo_scores_["class"]["log_loss"] / -np.mean(np.log(p))))
    assert abs(np.mean(ratios)) < 0.15


@pytest.mark.in_c
def test_first_order_is_too_sure_where_weights_are_many(monkeypatch):
    X, y = table(60, 10, 0, bent)
    model = NetworkRegressor((5,), n_restarts=1).fit(X, y)
    known = model.model_.report.posterior
    assert known.gamma_per_observation > 0.1
    assert known.leave_one_out.refits.n_folds == 10
    monkeypatch.setattr(fitted_posterior, "BEARABLE", np.inf)
    first_order = NetworkRegressor((5,), n_restarts=1).fit(X, y)
    assert first_order.loo_scores_["y"]["rmse"] < model.loo_scores_["y"]["rmse"]
    (said, std), (of_first_order, smaller) = (
        each.predict(X, return_std=True) for each in (model, first_order)
    )
    assert np.array_equal(said, of_first_order)
    assert smaller.mean() < std.mean()


def test_each_fold_is_predicted_by_a_fit_without_it(monkeypatch):
    X, y = table(40, 2, 0)
    options = {"hidden_layer_sizes": (2,), "alpha": 1e-3, "noise": "constant"}
    monkeypatch.setattr(fitted_posterior, "BEARABLE", 0.0)
    model = NetworkRegressor(**options, n_restarts=1).fit(X, y)
    A = model.model_.input_scaling.transform(X)
    B = model.model_.target_scaling.transform(y[:, None])
    for k in (0, 3):
        held_out = folds(MemoryRows(A, B, np.ones(40)), 10)[0] == k
        again = NetworkRegressor(**options, scale="none").fit(A[~held_out], B[~held_out, 0])
        predicted = model.model_.target_scaling.inverse(again.predict(A[held_out])[:, None])
        assert model.loo_predictions_[held_out] == pytest.approx(predicted, rel=1e-3, abs=1e-3)


def test_folds_are_the_same_in_any_order():
    X, y = table(53, 3, 1)
    rows = MemoryRows(X, y[:, None], np.ones(53))
    fold, row = folds(rows, 10)
    order = np.random.default_rng(0).permutation(53)
    assert np.array_equal(folds(rows.take(order), 10)[0], fold[order])
    assert np.bincount(fold).tolist() == [6, 6, 6] + [5] * 7
    assert np.bincount(row).tolist() == [1] * 53
    assert folds(rows.take(slice(0, 4)), 10)[0].max() == 3
    again = np.append(order, order[:20])  # twice in the table is the same row
    twice, of = folds(rows.take(again), 10)
    assert np.array_equal(twice, fold[again])
    assert np.array_equal(of, row[again])


def test_a_weight_of_two_is_the_row_twice_in_folds_too(monkeypatch):
    rng = np.random.default_rng(1)
    X, c, w = rng.standard_normal((45, 4)), rng.integers(0, 3, 45), rng.integers(1, 4, 45)
    rows = rng.permutation(np.repeat(np.arange(45), w))
    monkeypatch.setattr(fitted_posterior, "BEARABLE", 0.0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # there is nothing to learn
        weighted = NetworkClassifier((3,), alpha=0.1, n_restarts=2).fit(X, c, sample_weight=w)
        repeated = NetworkClassifier((3,), alpha=0.1, n_restarts=2).fit(X[rows], c[rows])
    assert weighted.model_.report.posterior.leave_one_out.refits.n_folds == 10
    assert weighted.predict_proba(X) == pytest.approx(repeated.predict_proba(X), abs=1e-7)
    assert weighted.loo_predictions_[rows] == pytest.approx(repeated.loo_predictions_, abs=1e-6)


def search_is_higher(monkeypatch):
    """Let every start end too low, as many do where weights are many."""
    monkeypatch.setattr(minimization.model_selection, "STRONG_EVIDENCE", -1e6)


def test_no_start_is_preferred_to_the_search_where_it_is_higher(tmp_path, monkeypatch):
    search_is_higher(monkeypatch)
    X, y = table(40, 3, 0)
    model = NetworkRegressor(3, noise="constant").fit(X, y)
    assert model.restarts_.from_search
    assert model.restarts_.n_agree == 0
    assert model.termination_.converged
    assert "none of 3 starts reached the highest evidence" in model.summary()
    assert "training     the minimum at which the penalty was found" in model.summary()
    save_model(model, tmp_path / "m.json")
    assert load_model(tmp_path / "m.json").report.optimizer.from_search is True


def test_the_scales_that_are_found_are_those_of_the_errors():
    rng = np.random.default_rng(0)
    h = rng.uniform(0.0, 2.0, (4_000, 2))
    sigma = np.array([2.0, 0.5])
    variance = sigma**2 + 2.5 * np.mean(sigma**2) * h
    squares = variance * rng.standard_normal(h.shape) ** 2
    a, noise = calibrated(squares, h, np.ones(len(h)))
    assert a == pytest.approx(2.5, rel=0.15)
    assert noise == pytest.approx(sigma**2, rel=0.35)  # of the second h says much more
    half = calibrated(squares, h, np.full(len(h), 0.5))
    assert half[0] == pytest.approx(a, rel=0.02)
    # a row that counts twice is the row twice
    twice = np.repeat(squares, 2, axis=0), np.repeat(h, 2, axis=0), np.ones(2 * len(h))
    assert calibrated(*twice)[0] == pytest.approx(
        calibrated(squares, h, np.full(4_000, 2.0))[0], rel=1e-3
    )


def test_a_few_errors_leave_the_posterior_about_as_it_is():
    a, noise = calibrated(np.array([[1.0], [2.0]]), np.array([[0.5], [0.1]]), np.ones(2))
    assert 0.5 < a < 2.0
    assert 0.8 < noise[0] < 1.6
    a, noise = calibrated(np.zeros((3, 1)), np.ones((3, 1)), np.ones(3))
    assert np.isfinite(a)
    assert noise[0] > 0.0


@pytest.mark.in_c
def test_the_summary_says_how_rows_were_left_out(monkeypatch):
    X, y = table(40, 5, 2)
    model = NetworkRegressor((3,), n_restarts=1).fit(X, y)
    share = model.model_.report.posterior.gamma_per_observation
    assert f"10-fold refits, because γ is {share:.0%} of" in summary(model.model_)
    assert "about 8% larger" not in summary(model.model_)
    wide = NetworkRegressor((2,), n_restarts=1).fit(*table(30, 10, 2))
    assert "hold 93%; with 50 rows of 50 columns 92%" in summary(wide.model_)
    X, y = table(40, 5, 2)
    classes = NetworkClassifier((3,), n_restarts=1).fit(X, y > 0)
    assert "log loss of new rows may be about 2% larger" in summary(classes.model_)
    monkeypatch.setattr(fold_refits, "FAR_BEYOND", 0.0)
    anew = NetworkRegressor((3,), n_restarts=1).fit(X, y)
    assert "10-fold refits, each with a new search for its penalty, because γ is" in summary(
        anew.model_
    )


@pytest.mark.in_c
def test_noise_that_few_numbers_determine_makes_predictions_less_certain(monkeypatch):
    X, y = table(30, 8, 3)

    def fitted(variance):
        monkeypatch.setattr(fitted_posterior, "variance_of_t", lambda freedom: variance)
        return NetworkRegressor((3,), n_restarts=1).fit(X, y)

    known, unknown = fitted(1.0), fitted(4.0)
    assert known.model_.report.posterior.leave_one_out.refits is not None
    std, wider = (of.predict(X, return_std=True)[1] for of in (known, unknown))
    assert wider == pytest.approx(2.0 * std)
    half, twice = (of.predict_interval(X)[1] - of.predict(X) for of in (known, unknown))
    assert twice == pytest.approx(2.0 * half)
    assert unknown.loo_scores_ == known.loo_scores_


def test_it_is_as_uncertain_as_its_degrees_of_freedom_say(monkeypatch):
    freedoms = []

    def variance_of_t(freedom):
        freedoms.append(freedom)
        return 1.0

    monkeypatch.setattr(fitted_posterior, "variance_of_t", variance_of_t)
    X, y = table(30, 8, 3)
    model = NetworkRegressor((3,), n_restarts=1).fit(X, y)
    known = model.model_.report.posterior
    ratio = np.sqrt(np.mean((y - model.predict(X)) ** 2)) / model.loo_scores_["y"]["rmse"]
    used = max(known.gamma_per_observation, 1.0 - ratio)
    assert freedoms == [pytest.approx(30.0 * (1.0 - used))]
    assert 1.0 - ratio > 0.1  # as many as are used up, and more than none


def test_the_noise_is_widened_where_no_fold_is_refitted_too(monkeypatch):
    X, y = table(200, 2, 4)
    options = {"n_restarts": 1, "noise": "constant"}
    wide, known = NetworkRegressor((2,), **options).fit(X, y), []
    real = fitted_posterior.variance_of_t
    monkeypatch.setattr(
        fitted_posterior, "variance_of_t", lambda freedom: known.append(freedom) or 1.0
    )
    narrow = NetworkRegressor((2,), **options).fit(X, y)
    assert narrow.model_.report.posterior.leave_one_out.refits is None
    ratio = wide.predict(X, return_std=True)[1] / narrow.predict(X, return_std=True)[1]
    assert ratio == pytest.approx(np.sqrt(real(known[0])))
    assert known[0] < 200.0
    known.clear()
    NetworkRegressor((), alpha=1.0, **options).fit(X, y)  # whose standard errors are the usual ones
    assert not known


def test_a_search_anew_ends_with_what_all_rows_have_found(monkeypatch):
    rng = np.random.default_rng(1)
    X = rng.standard_normal((60, 4))
    y = X[:, :1] + 0.3 * rng.standard_normal((60, 1))
    objective = Objective(Network([4, 2, 1]), X, y)
    found = empirical_bayes.estimate_hyperparameters(objective, priors_of(objective.net), 0)
    begun, real = [], empirical_bayes.maximize_evidence

    def maximize_evidence(point, **options):
        begun.append(point.logs)
        return real(point, **options)

    monkeypatch.setattr(empirical_bayes, "maximize_evidence", maximize_evidence)
    empirical_bayes.reestimate_hyperparameters(objective, found, 0, anew=True)
    of_all = np.log(np.append(found.best.alpha, found.best.beta))
    assert len(begun) == 3
    assert begun[-1] == pytest.approx(of_all, abs=2e-3)
    assert not any(np.allclose(logs, of_all, atol=2e-3) for logs in begun[:-1])


def test_the_fit_and_the_model_say_alike_how_far_a_row_moves_the_weights():
    X, y = table(30, 8, 3)
    model = NetworkRegressor((3,), n_restarts=1).fit(X, y)
    assert model.model_.report.posterior.gamma_per_observation > 0.1
    found = diagnostics.of_rows(model.model_, X, y[:, None], np.ones(30))
    assert found.distance == pytest.approx(model.influence_, rel=1e-6)
    assert found.leverage == pytest.approx(model.leverage_, rel=1e-6)


@pytest.mark.parametrize(("n", "same"), [(30, True), (40, False)])
def test_where_rows_are_few_a_fold_does_not_know_which_columns_matter(monkeypatch, n, same):
    rng = np.random.default_rng(1)
    X = rng.standard_normal((n, 9))
    y = X[:, :1] + 0.1 * rng.standard_normal((n, 1))
    objective = Objective(Network([9, 2, 1]), X, y)
    found = empirical_bayes.estimate_hyperparameters(objective, priors_of(objective.net), 0)
    began = []

    def among(self, logs, theta):
        began.append(logs[:9])
        raise TrainingError("far enough")

    monkeypatch.setattr(EvidenceProblem, "among", among)
    with pytest.raises(TrainingError, match="far enough"):
        empirical_bayes.reestimate_hyperparameters(objective, found, 0)
    of_all, begun = np.log(found.best.alpha[:9]), began[0]
    assert np.ptp(of_all) > 1.0
    if same:
        assert np.ptp(begun) == 0.0
        assert of_all.min() < begun[0] < of_all.max()
    else:
        np.testing.assert_array_equal(begun, of_all)


def test_what_is_too_sure_is_named_with_its_size(monkeypatch):
    few = NetworkRegressor((2,), alpha=0.3).fit(*table(8, 2, 0))
    assert few.model_.report.posterior.leave_one_out.first_order.startswith("fewer than 10 rows")
    assert "first-order leave-one-out, too optimistic here: γ is" in summary(few.model_)
    assert "errors on new rows may be up to 30% larger" in summary(few.model_)
    # and so where time is up
    monkeypatch.setattr(fitted_posterior, "refit_folds", lambda *_, **__: None)
    late = NetworkRegressor((3,), n_restarts=1).fit(*table(40, 5, 2))
    assert "a fold could not be refitted" in summary(late.model_)


def test_no_fold_is_fitted_when_time_is_up():
    X, y = table(40, 5, 2)
    model = NetworkRegressor((3,), n_restarts=1).fit(X, y)
    task = model.model_.objective(X, y[:, None], 1.0)
    over = Cancellation(1.0, began=time.monotonic() - 2.0)
    found = fold_refits.refit_folds(task, None, 1, np.ones(40), 0.5, NoiseScale(), over)
    assert found is None


def test_a_fit_without_hidden_layers_is_left_out_exactly():
    X, y = table(30, 8, 3)
    model = NetworkRegressor((), alpha=1.0, noise="constant").fit(X, y)
    known = model.model_.report.posterior
    assert known.gamma_per_observation > 0.1
    assert known.leave_one_out.refits is None
    assert known.leave_one_out.first_order is None


def test_it_is_kept_in_the_file(tmp_path):
    from chainrule.model.model_file import load_model, save_model

    model = NetworkRegressor((3,), n_restarts=1).fit(*table(40, 5, 2))
    save_model(model.model_, tmp_path / "m.json")
    assert summary(load_model(tmp_path / "m.json")) == summary(model.model_)
    broken = json.loads((tmp_path / "m.json").read_text())
    assert broken["training"]["known"]["refits"] == {"folds": 10, "anew": False}


@pytest.mark.filterwarnings(r"ignore:\d+ of 40 rows are far")  # it decides by itself
def test_the_unit_of_weights_is_of_no_matter():
    X, y = table(40, 3, 4)
    w = np.random.default_rng(0).uniform(0.5, 1.5, 40)
    options = {"hidden_layer_sizes": (3,), "n_restarts": 1, "noise": "constant"}
    options |= {"effort": "best", "ensemble": 1}
    one, ten = (NetworkRegressor(**options).fit(X, y, sample_weight=k * w) for k in (1.0, 10.0))
    assert one.model_.report.posterior.leave_one_out.refits is not None
    assert ten.noise_ == pytest.approx(one.noise_, rel=1e-3)
    deviations = [model.predict(X, return_std=True)[1] for model in (one, ten)]
    assert deviations[1] == pytest.approx(deviations[0], rel=2e-2)  # searches in folds end roughly


def test_the_unit_of_weights_is_of_no_matter_for_classes_either():
    X, y = table(60, 3, 5)
    c, w = y > 0.3, np.random.default_rng(0).uniform(0.5, 1.5, 60)
    one, many = (
        NetworkClassifier((3,), n_restarts=1).fit(X, c, sample_weight=k * w) for k in (1.0, 1e3)
    )
    assert many.model_.posterior.moderation == pytest.approx(
        one.model_.posterior.moderation, rel=0.1
    )
    assert many.predict_proba(X) == pytest.approx(one.predict_proba(X), abs=1e-2)


@pytest.mark.parametrize("n_restarts", [1, 3])
def test_what_is_too_low_does_not_predict_with_the_minimum_of_the_search(n_restarts, monkeypatch):
    search_is_higher(monkeypatch)
    options = {"n_restarts": n_restarts, "noise": "constant"}
    model = NetworkRegressor(3, **options).fit(*table(40, 3, 0))
    assert len(model.model_.posterior) == 1
    first = "the start did not reach" if n_restarts == 1 else "none of 3 starts reached"
    assert f"{first} the highest evidence: the search for the penalty found it" in model.summary()
    assert "J of the starts: lowest" in model.summary()


def test_starts_that_are_too_low_do_not_predict_with_the_minimum_of_the_search(
    tmp_path, monkeypatch
):
    search_is_higher(monkeypatch)
    X, y = table(40, 3, 0)
    names = {"target_names": ("y",), "input_names": ("a", "b", "c")}
    # what can be resumed are starts of one network, whose best would predict together
    options = {**names, "noise": "constant", "n_restarts": 3, "ensemble": 3}
    model = train(X, y[:, None], Network([3, 3, 1]), **options, checkpoint=tmp_path / "c").model
    assert model.report.optimizer.from_search
    assert len(model.posterior) == 1


def test_an_interrupt_or_a_limit_after_all_starts_keeps_them(monkeypatch):
    def fitted(**options):
        net = Network([3, 3, 1])
        names = {"target_names": ("y",), "input_names": ("a", "b", "c")}
        return train(X, y[:, None], net, noise="constant", **names, **options)

    def interrupted(*arguments):
        press_ctrl_c()
        return real(*arguments)

    def failed(*_):
        raise TrainingError("no minimum")

    def cut_short(objective, theta, chosen, rules):
        return SimpleNamespace(theta=theta, claim=Termination("interrupted", "in the middle"))

    search_is_higher(monkeypatch)
    X, y = table(40, 3, 0)
    assert fitted().restarts.from_search
    real = minimization.descended
    soon = bool(native.build())  # it has ended there before it hears
    cases = (interrupted, True, soon), (cut_short, True, False), (failed, False, False)
    for how, interrupts, ended in cases:
        monkeypatch.setattr(minimization, "descended", how)
        restarts = fitted().restarts
        assert restarts.interrupted == interrupts
        assert restarts.from_search == ended
        assert len(restarts.runs) == 10


def test_of_several_networks_those_that_predict_are_refitted():
    X, y = table(40, 3, 2)
    o = Objective(Network([3, 4, 1]), X, y[:, None], alpha=0.1)
    theta = empirical_bayes.refine(o, o.net.initial(seed=0))
    asked = set()

    def refit(member, w, seed, anew):
        asked.add(member)
        some = o.with_rows(o.rows.reweighted(w).take(w > 0.0))
        return some, some, theta

    nowhere = np.full(len(theta), np.nan)
    fits = [(o, o, theta), (o, o, nowhere), (o, o, theta)]
    given = fitted_posterior.Given(1.0, np.ones(40), noise="constant")
    found = fitted_posterior.fit_posterior(fits, given, refit=refit)
    assert len(found.posterior) == 2
    assert found.refits.n_folds == 5
    assert asked == {0, 2}
