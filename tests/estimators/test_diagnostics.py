"""What estimators know besides their predictions."""

import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_iris
from sklearn.exceptions import ConvergenceWarning

from chainrule import (
    ConfigurationError,
    DataError,
    NetworkClassifier,
    NetworkRegressor,
    load_model,
    save_model,
)
from chainrule.bayes import fitted_posterior
from chainrule.model.diagnostics import _contrasts, of_rows

RNG = np.random.default_rng(4)
X = RNG.uniform(-2, 2, (80, 3)) * [1.0, 10.0, 0.1]
Y = 50 + 20 * np.sin(X[:, 0]) + X[:, 1] + RNG.standard_normal(80)
SMALL = {"hidden_layer_sizes": (4,), "n_restarts": 2}


@pytest.fixture(scope="module")
def fitted():
    return NetworkRegressor(**SMALL).fit(X, Y)


def test_predictions_come_with_a_standard_deviation_and_an_interval(fitted):
    mean, std = fitted.predict(X, return_std=True)
    assert np.array_equal(mean, fitted.predict(X))
    assert std.shape == (80,)
    assert np.all((std > 0.5) & (std < 3.0))
    lower, upper = fitted.predict_interval(X)
    assert np.allclose(upper - mean, mean - lower)
    narrow = np.subtract(*fitted.predict_interval(X, coverage=0.5)[::-1])
    assert np.all(narrow < upper - lower)
    assert np.mean((lower < Y) & (upper > Y)) > 0.9
    with pytest.raises(ConfigurationError, match="coverage is 95; it must be a number"):
        fitted.predict_interval(X, coverage=95)


def test_several_targets_keep_their_shape():
    both = NetworkRegressor(**SMALL).fit(X, np.column_stack([Y, -Y]))
    mean, std = both.predict(X[:5], return_std=True)
    assert mean.shape == std.shape == both.predict_interval(X[:5])[0].shape == (5, 2)
    assert both.derivatives(X[:5]).shape == (5, 2, 3)
    assert both.votes(X[:2], X).shape == (2, 2, 80, 2)


def test_votes_are_in_the_units_of_both_targets():
    both = np.column_stack([Y, X[:, 0] * X[:, 1] + Y])
    one, other = (
        NetworkRegressor(**SMALL, alpha=0.1).fit(X, both * [1.0, unit]).votes(X[:2], X)
        for unit in (1.0, 1024.0)
    )
    assert other[:, 0, :, 1] == pytest.approx(one[:, 0, :, 1] / 1024.0, rel=1e-5, abs=1e-9)
    assert other[:, 1, :, 0] == pytest.approx(one[:, 1, :, 0] * 1024.0, rel=1e-5, abs=1e-6)


def test_rows_far_away_are_named(fitted):
    far = np.vstack([X[:2], [[9.0, 0.0, 0.0]]])
    assert fitted.is_far(far).tolist() == [False, False, True]
    with pytest.warns(UserWarning, match=r"1 of 3 rows are far .*\(row 2, counted from 0\)"):
        _, std = fitted.predict(far, return_std=True)
    assert std[2] > 1.2 * std[:2].max()


def test_fitted_attributes_about_what_is_known(fitted):
    p = fitted.model_.network.n_parameters
    assert 3 < fitted.gamma_ < p
    assert fitted.leverage_.sum() == pytest.approx(fitted.gamma_)
    assert fitted.noise_ == pytest.approx([1.0], rel=0.3)
    assert [c.shape for c in fitted.coefs_std_] == [c.shape for c in fitted.coefs_]
    assert [c.shape for c in fitted.intercepts_std_] == [c.shape for c in fitted.intercepts_]
    assert fitted.influence_.shape == (80,)
    alone = Y - fitted.loo_predictions_[:, 0]
    score = fitted.loo_scores_["y"]
    assert score["rmse"] == pytest.approx(np.sqrt(np.mean(alone**2)))
    assert score["rmse"] > fitted.model_.report.fitted["y"].rmse
    assert np.isfinite(fitted.log_evidence_)
    assert set(fitted.alpha_) == {"x1", "x2", "x3", "b[1]", "W[2]"}
    relevance = fitted.relevance_["y"]
    assert relevance["x1"]["of_spread"] > relevance["x2"]["of_spread"]
    assert relevance["x2"]["of_spread"] > 5 * relevance["x3"]["of_spread"]
    assert relevance["x2"]["effect"] == pytest.approx(1.0, abs=3 * relevance["x2"]["effect_error"])
    assert relevance["x2"]["slope"] == pytest.approx(1.0, abs=3 * relevance["x2"]["error"] + 0.1)


def test_derivatives_are_those_of_predictions(fitted):
    found = fitted.derivatives(X[:6])
    for j, h in enumerate((1e-5, 1e-4, 1e-6)):
        step = np.eye(3)[j] * h
        difference = (fitted.predict(X[:6] + step) - fitted.predict(X[:6] - step)) / (2 * h)
        assert found[:, j] == pytest.approx(difference, rel=1e-4, abs=1e-4)


def test_votes_add_up_and_those_at_home_are_leverages(fitted):
    votes = fitted.votes(X, X)
    assert votes.sum(axis=1) == pytest.approx(np.ones(80))
    assert np.diag(votes) == pytest.approx(fitted.leverage_)
    softmax = NetworkClassifier(**SMALL).fit(X, Y > 50)
    with pytest.raises(ConfigurationError, match="has no votes"):
        softmax.votes(X, X)


def test_the_best_input_is_found_within_the_data(fitted):
    best = fitted.best_input()
    assert best.inputs["x1"] == pytest.approx(np.pi / 2, abs=0.3)
    assert best.inputs["x2"] == pytest.approx(X[:, 1].max())
    assert "x2" in best.at_edge
    assert "x1" not in best.at_edge
    assert best.prediction >= fitted.predict(X).max()
    assert best.std > 0
    given = fitted.best_input({"x2": 0.0}, minimize=True)
    assert given.inputs["x2"] == 0.0
    assert given.inputs["x1"] == pytest.approx(-np.pi / 2, abs=0.3)
    assert given.prediction < best.prediction
    with pytest.raises(ConfigurationError, match="there is no column 'z'"):
        fitted.best_input({"z": 1.0})
    for value in (np.nan, np.inf):
        with pytest.raises(ConfigurationError, match=r"'x1' is given as .*; give a finite"):
            fitted.best_input({"x1": value})
    with pytest.raises(ConfigurationError, match="there is no output 'z'"):
        fitted.best_input(target="z")


def test_of_categories_one_is_best():
    frame = pd.DataFrame({"x": X[:, 0], "kind": RNG.choice(["a", "b", "c"], 80)})
    y = frame.x + frame.kind.map({"a": 0.0, "b": 5.0, "c": 1.0})
    model = NetworkRegressor(**SMALL).fit(frame, y)
    best = model.best_input()
    assert best.inputs["kind"] == "b"
    assert model.best_input({"kind": "c"}).prediction < 4.5
    with pytest.raises(ConfigurationError, match="'kind' is given as 'd'; it is one of 'a', 'b'"):
        model.best_input({"kind": "d"})


def test_the_best_input_is_a_row_that_a_table_can_hold():
    rng = np.random.default_rng(8)
    x, sown = rng.uniform(0, 4, 120), np.datetime64("2023-03-01") + rng.integers(0, 90, 120)
    frame = pd.DataFrame({"x": x, "sown": sown, "wet": rng.uniform(size=120) < 0.5})
    frame.loc[::7, "x"] = np.nan
    days = (sown - np.datetime64("2023-03-01")).astype(float)
    y = np.where(np.isnan(frame.x), 6.0, -((x - 2) ** 2)) - 0.05 * days + 2.0 * frame.wet
    model = NetworkRegressor(**SMALL, missing="indicator").fit(frame, y)
    best = model.best_input()
    assert set(best.inputs) == {"x", "sown", "wet"}
    assert best.inputs["x"] == pytest.approx(2.0, abs=0.5)  # and is not missing
    assert best.inputs["wet"] == "true"
    assert best.inputs["sown"] <= "2023-03-10"
    assert not best.far
    later = model.best_input({"sown": "2023-05-20", "wet": False})
    assert (later.inputs["sown"], later.inputs["wet"]) == ("2023-05-20", "false")
    assert later.prediction < best.prediction
    assert model.best_input({"x": 1e6}).far
    for given in ({"wet": 0.3}, {"sown": "soon"}, {"x": "much"}):
        with pytest.raises(ConfigurationError, match="is given as"):
            model.best_input(given)


def test_the_best_input_of_either_class():
    model = NetworkClassifier(**SMALL).fit(X, np.where(X[:, 0] > 0, "yes", "no"))
    yes, no = (model.best_input(target=f"p(class={word})") for word in ("yes", "no"))
    assert yes.inputs["x1"] > 0.5
    assert no.inputs["x1"] < -0.5
    assert min(yes.prediction, no.prediction) > 0.9


def test_what_is_known_is_saved(fitted, tmp_path):
    model = NetworkRegressor(**SMALL, ensemble=2).fit(X, Y)
    save_model(model, tmp_path / "m.json")
    again = load_model(tmp_path / "m.json")
    ours, theirs = (m.certainty(X) for m in (model.model_, again))
    for name in ("mean", "std", "std_of_mean", "is_far"):
        assert np.array_equal(getattr(ours, name), getattr(theirs, name))
    assert np.array_equal(*(m.interval(ours, 0.9)[0] for m in (model.model_, again)))


def test_classes_know_how_sure_they_are_by_their_probabilities():
    X, y = load_iris(return_X_y=True)
    model = NetworkClassifier(**SMALL, ensemble=2).fit(X, y)
    p = model.predict_proba(X)
    assert p.sum(axis=1) == pytest.approx(np.ones(150))
    assert np.array_equal(model.predict(X), model.classes_[p.argmax(axis=1)])
    z = model.decision_function(X)
    softmax = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    assert softmax == pytest.approx(p, abs=1e-9)
    assert set(model.loo_scores_["class"]) >= {"accuracy", "log_loss"}
    assert model.loo_scores_["class"]["log_loss"] > model.model_.report.fitted["class"].log_loss
    with pytest.raises(ConfigurationError, match="learns probabilities"):
        model.model_.certainty(X)


def test_few_rows_know_that_they_know_little():
    X, y = [[3, 5], [5, 1], [10, 2]], [75, 82, 93]
    model = NetworkRegressor(hidden_layer_sizes=(3,)).fit(X, y)
    mean, std = model.predict(X, return_std=True)
    assert mean == pytest.approx(y, abs=0.05)
    with pytest.warns(UserWarning, match="1 of 1 rows are far"):
        lower, upper = model.predict_interval([[8, 3]])
    assert lower < 80
    assert upper > 95
    assert np.all(std < 1.0)


def test_where_nothing_is_known_it_says_why():
    wide = NetworkRegressor(hidden_layer_sizes=(600,), n_restarts=1, max_iter=3)
    with pytest.warns(UserWarning, match="iteration limit"):
        wide.fit(X, Y)
    assert wide.gamma_ is None
    assert wide.leverage_ is None
    with pytest.raises(
        ConfigurationError, match="does not know how sure it is: second derivatives"
    ):
        wide.predict(X, return_std=True)


def test_auto_finds_a_size_and_refuses_what_does_not_go_with_it():
    model = NetworkRegressor("auto", n_restarts=2).fit(X, Y)
    assert model.coefs_[0].shape[1] <= 5
    assert len(model.model_.report.selection.sizes) >= 3
    few = X[:30], Y[:30]  # weights of one sign are learned in Python
    monotone = NetworkRegressor("auto", n_restarts=1, monotonic_cst=[0, 1, 0]).fit(*few)
    assert np.all(monotone.derivatives(X)[:, 1] >= 0)
    with pytest.raises(ConfigurationError, match="warm_start goes on with the weights"):
        NetworkRegressor("auto", warm_start=True).fit(X, Y)
    with pytest.raises(ConfigurationError, match='a sequence of them, "auto", or None'):
        NetworkRegressor("many").fit(X, Y)


def test_votes_of_heavy_tails_need_the_targets_too():
    far = Y.copy()
    far[::15] += 20.0
    model = NetworkRegressor(**SMALL, noise="student").fit(X, far)
    with pytest.raises(ConfigurationError, match="those that were learned too"):
        model.votes(X, X)
    at_home = np.diag(model.votes(X, X, y=far))
    assert at_home == pytest.approx(model.leverage_)
    assert at_home[::15].max() < 0.2 * at_home.max()


def test_effects_of_words_are_those_against_the_others():
    frame = pd.DataFrame({"x": X[:, 0], "kind": RNG.choice(["a", "b", "c"], 80)})
    y = frame.x + frame.kind.map({"a": -2.0, "b": 3.0, "c": -1.0}) + 0.1 * RNG.standard_normal(80)
    y = y.rename("height")
    found = NetworkRegressor(hidden_layer_sizes=()).fit(frame, y).relevance_["height"]
    for word, effect in {"a": -2.0, "b": 3.0, "c": -1.0}.items():
        of = found[f"kind={word}"]
        assert of["effect"] == pytest.approx(effect, abs=0.2)
        assert of["effect_error"] < 0.1
    assert found["x"]["effect"] == pytest.approx(1.0, abs=0.1)


@pytest.mark.in_c
def test_an_input_that_does_nothing_is_within_two_errors_about_as_often_as_it_should():
    beyond = 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        A = rng.standard_normal((60, 3))
        y = np.sin(2 * A[:, 0]) + A[:, 1] + 0.3 * rng.standard_normal(60)
        of = NetworkRegressor(**SMALL, random_state=seed).fit(A, y).relevance_["y"]["x3"]
        beyond += abs(of["effect"]) > 2 * of["effect_error"]
    assert beyond <= 5


def test_derivatives_of_probabilities_are_those_of_probabilities():
    rng = np.random.default_rng(5)
    A = rng.standard_normal((50, 2))
    model = NetworkClassifier(**SMALL).fit(A, A[:, 0] + rng.standard_normal(50) > 0)
    assert (
        model.model_.posterior.moderation > 0.0
    )  # so that they are not those of the network alone
    found = model.derivatives(A[:5])
    for j in range(2):
        step = 1e-5 * np.eye(2)[j]
        up, down = (model.predict_proba(A[:5] + s * step)[:, 1] for s in (1, -1))
        assert found[:, j] == pytest.approx((up - down) / 2e-5, rel=1e-5, abs=1e-8)


def test_far_from_all_rows_is_far_for_classes_too():
    rng = np.random.default_rng(6)
    x = rng.standard_normal(150)
    A = np.column_stack([x, x + 0.05 * rng.standard_normal(150)])
    y = A[:, 0] + 0.5 * rng.standard_normal(150)
    away = [[-1.5, 1.5], [1.5, -1.5]]  # within the range of either, where there is no row
    for model in (NetworkRegressor(**SMALL).fit(A, y), NetworkClassifier(**SMALL).fit(A, y > 0)):
        assert model.is_far(away).all()
        assert model.is_far(A).mean() < 0.05


def test_one_row_far_away_hides_no_other():
    rng = np.random.default_rng(7)
    A = np.append(rng.standard_normal((100, 1)), [[30.0]], axis=0)
    y = np.tanh(A[:, 0]) + 0.1 * rng.standard_normal(101)
    assert NetworkRegressor(**SMALL).fit(A, y).is_far([[15.0], [20.0]]).all()


def test_a_column_that_was_always_the_same_is_far_when_it_is_not():
    A = np.column_stack([X[:, 0], np.full(80, 5.0)])
    model = NetworkRegressor(**SMALL).fit(A, Y)
    assert model.is_far([[0.0, 500.0], [0.0, 5.0]]).tolist() == [True, False]


def test_however_far_a_row_is_nothing_is_infinite():
    rng = np.random.default_rng(9)
    A = rng.uniform(2, 12, (120, 1))
    y = 10 + A[:, 0] + (0.1 + 0.3 * A[:, 0]) * rng.standard_normal(120)
    model = NetworkRegressor(**SMALL).fit(A, y)
    assert model.model_.posterior.noise.precision
    inside = model.predict(A, return_std=True)[1]
    with pytest.warns(UserWarning, match="are far from those"):
        _, std = model.predict([[1e7], [-1e7]], return_std=True)
    assert np.all(std < 1e3 * inside.max())


def test_shares_learned_as_probabilities_are_kept_and_have_no_interval(tmp_path):
    share = 1 / (1 + np.exp(-X[:, 0]))
    model = NetworkRegressor((3,), output_activation="sigmoid").fit(X, share)
    save_model(model, tmp_path / "m.json")
    assert load_model(tmp_path / "m.json").predict(X)[:, 0] == pytest.approx(model.predict(X))
    if model.model_.network.loss == "cross_entropy":
        with pytest.raises(ConfigurationError, match="learns probabilities"):
            model.predict_interval(X)


@pytest.mark.parametrize("coverage", ["a", None, [0.9], np.array([0.5, 0.9]), 1 - 1e-16, np.nan])
def test_a_coverage_is_a_number_between_0_and_1(fitted, coverage):
    with pytest.raises(ConfigurationError, match="coverage is"):
        fitted.predict_interval(X, coverage)


def test_counts_are_never_less_than_none():
    rng = np.random.default_rng(10)
    A = rng.standard_normal((100, 1))
    counts = rng.poisson(np.exp(0.5 * A[:, 0] - 0.5))
    model = NetworkRegressor((2,), output_activation="exp", loss="poisson").fit(A, counts)
    lower, upper = model.predict_interval(A)
    assert lower.min() == 0.0
    assert np.mean(upper >= counts) > 0.9


@pytest.mark.parametrize("y", [np.full(80, np.nan), Y[:50], ["a"] * 80])
def test_targets_of_votes_are_those_of_the_rows(y):
    model = NetworkRegressor(**SMALL, noise="student").fit(X, Y)
    with pytest.raises(DataError):
        model.votes(X[:2], X, y=y)


def test_the_smallest_inputs_there_are_have_a_relevance_that_can_be_saved(tmp_path):
    tiny = NetworkRegressor(**SMALL).fit(X * [1e-310, 1.0, 1.0], Y)
    save_model(tiny, tmp_path / "m.json")
    assert load_model(tmp_path / "m.json").report.posterior.sensitivity["y"]["x1"].slope >= 0.0


def test_each_target_has_its_relevance():
    rng = np.random.default_rng(0)
    A = rng.standard_normal((80, 2))
    Y = A * [1.0, 3.0] + 0.05 * rng.standard_normal((80, 2))
    found = NetworkRegressor(hidden_layer_sizes=()).fit(A, Y).relevance_
    for target, name, effect in (("y1", "x1", 1.0), ("y1", "x2", 0.0), ("y2", "x2", 3.0)):
        assert found[target][name]["effect"] == pytest.approx(effect, abs=0.05)


def test_of_few_rows_errors_are_those_of_their_scatter():
    rng = np.random.default_rng(3)
    x = rng.standard_normal(9)
    y = x + rng.standard_normal(9)
    model = NetworkRegressor(hidden_layer_sizes=()).fit(x[:, None], y)
    X = np.column_stack([np.ones(9), x])
    _, (squares,), *_ = np.linalg.lstsq(X, y, rcond=None)
    error = np.sqrt(squares / 7 * np.linalg.inv(X.T @ X)[1, 1])
    assert model.relevance_["y"]["x1"]["effect_error"] == pytest.approx(error, rel=0.3)


def test_what_was_cut_short_on_its_way_says_nothing_of_how_sure_it_is():
    with pytest.warns(ConvergenceWarning):
        model = NetworkRegressor(**SMALL, alpha=0.01, max_iter=2).fit(X, Y)
    with pytest.raises(ConfigurationError, match="stopped before it came to a minimum"):
        model.predict(X, return_std=True)


@pytest.mark.filterwarnings("ignore:the target is far")
@pytest.mark.parametrize("constraint", ["signs", "fixed"])
def test_rows_left_out_later_are_those_left_out_while_training(constraint, monkeypatch):
    monkeypatch.setattr(fitted_posterior, "BEARABLE", np.inf)  # one by one, not in folds
    rng = np.random.default_rng(1)
    A = np.sort(rng.uniform(-2, 2, (25, 1)), axis=0)
    y = np.round(A[:, 0]) + 0.3 * rng.standard_normal(25)
    A[-1], y[-1] = 6.0, -3.0  # decides by itself, against the rest
    options = {"hidden_layer_sizes": (4,), "alpha": 1e-3, "noise": "constant"}
    if constraint == "signs":
        options["monotonic_cst"] = [1]
    else:
        first = np.full((1, 4), np.nan)
        first[0, 0] = 0.7
        options["fixed"] = {"W[1]": first}
    model = NetworkRegressor(**options).fit(A, y)
    found = of_rows(model.model_, A, y[:, None], np.ones(25))
    assert found.decides.any()
    assert found.without == pytest.approx(model.loo_predictions_, rel=1e-3, abs=1e-3)
    assert found.leverage == pytest.approx(model.leverage_)


def test_derivatives_of_classes_that_predict_together():
    rng = np.random.default_rng(2)
    A = rng.standard_normal((60, 2))
    y = A[:, 0] + 0.8 * rng.standard_normal(60) > 0
    model = NetworkClassifier(
        hidden_layer_sizes=(4,), alpha=0.01, n_restarts=3, ensemble=3, monotonic_cst=[1, 0]
    ).fit(A, y)
    posterior = model.model_.posterior
    assert (len(posterior), posterior.moderation) == (3, 0.0)
    found = model.derivatives(A[:8])
    for j in range(2):
        step = 1e-5 * np.eye(2)[j]
        up, down = (model.predict_proba(A[:8] + s * step)[:, 1] for s in (1, -1))
        assert found[:, j] == pytest.approx((up - down) / 2e-5, rel=1e-5, abs=1e-7)


def test_classes_that_can_be_told_apart_without_a_penalty_are_learned():
    rng = np.random.default_rng(0)
    A = rng.normal(size=(40, 2))
    y = np.digitize(A[:, 0], [-1, -0.3, 0.3, 1])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = NetworkClassifier(hidden_layer_sizes=(), alpha=0.0).fit(A, y)
    assert model.score(A, y) > 0.9


def test_numbers_without_end_are_not_said_to_be_known(tmp_path):
    rng = np.random.default_rng(1)
    A = rng.normal(size=(25, 2))
    y = (A[:, 0] > 1) * 1.0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = NetworkRegressor(hidden_layer_sizes=(), alpha=0.0, output_activation="exp")
        model.fit(A, y)
    save_model(model.model_, tmp_path / "m.json")
    assert np.array_equal(load_model(tmp_path / "m.json").predict(A)[:, 0], model.predict(A))


def test_probabilities_do_not_jump_beside_the_rows_that_were_learned():
    rng = np.random.default_rng(0)
    A, y = rng.normal(size=(3, 2)), rng.permutation(3)
    model = NetworkClassifier(hidden_layer_sizes=(4, 4), alpha=0.1).fit(A, y)
    near = model.predict_proba(A + np.array([1e-3, 0.0]))
    assert near == pytest.approx(model.predict_proba(A), abs=1e-2)
    step = 1e-5 * np.eye(2)[0]
    up, down = (model.predict_proba(A + s * step) for s in (1, -1))
    assert model.derivatives(A)[:, :, 0] == pytest.approx((up - down) / 2e-5, rel=1e-3, abs=1e-5)


def test_counts_that_predict_together_are_as_noisy_as_their_mean():
    rng = np.random.default_rng(0)
    A = rng.normal(size=(60, 2))
    y = rng.poisson(np.exp(A[:, 0]))
    model = NetworkRegressor(
        hidden_layer_sizes=(5,), output_activation="exp", n_restarts=3, ensemble=3, alpha=1e-3
    ).fit(A, y)
    sure = model.model_.certainty(A)
    assert sure.std**2 - sure.std_of_mean**2 == pytest.approx(sure.mean, rel=1e-6)


def test_what_is_left_out_with_heavy_tails_is_what_refits_say():
    rng = np.random.default_rng(2)
    A = rng.normal(size=(40, 2))
    y = A @ [1.0, 0.5] + 0.1 * rng.standard_t(1.5, 40)

    def fitted_to(keep):
        options = {"alpha": 0.0, "scale": "none", "noise": "student", "n_restarts": 1}
        return NetworkRegressor(hidden_layer_sizes=(), **options).fit(A[keep], y[keep])

    model = fitted_to(np.arange(40))
    moved = model.loo_predictions_[:, 0] - model.predict(A)
    refits = [fitted_to(np.arange(40) != i).predict(A[i : i + 1])[0] for i in range(40)]
    really = np.array(refits) - model.predict(A)
    assert moved @ really / (moved @ moved) == pytest.approx(1.0, abs=0.4)


def test_effects_of_words_do_not_depend_on_what_all_of_them_do():
    frame = pd.DataFrame({"x": X[:, 0], "kind": np.where(X[:, 1] > 3, "a", "b")})
    frame.loc[:8, "kind"] = "c"
    model = NetworkRegressor(hidden_layer_sizes=()).fit(frame, Y).model_
    scale = model.input_scaling.scale
    slopes = RNG.standard_normal(4)  # in users' units
    effects = (slopes * scale) @ _contrasts(model) / scale
    assert effects == pytest.approx([slopes[0], *(slopes[1:] - slopes[1:].mean())])
