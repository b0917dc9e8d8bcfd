"""The estimators as people use them: pipelines, weights, classes, frames, warm starts."""

import pickle
import threading
import warnings

import joblib
import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV, cross_val_score, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import chainrule
from chainrule import (
    Activation,
    ConfigurationError,
    DataError,
    Loss,
    NetworkClassifier,
    NetworkRegressor,
)
from chainrule.kernels import native

RNG = np.random.default_rng(1)
X = RNG.standard_normal((80, 3))
Y = np.tanh(X[:, 0] - X[:, 1]) + 0.1 * RNG.standard_normal(80)
SMALL = {"hidden_layer_sizes": (3,), "n_restarts": 2}


def iris():
    return load_iris(return_X_y=True, as_frame=True)


# ---------------------------------------------------------------- what a fit leaves behind


def test_fitted_attributes_are_what_they_say():
    r = NetworkRegressor(**SMALL).fit(X, Y)
    W, b = r.model_.network.weights(r.model_.theta)
    assert [c.shape for c in r.coefs_] == [(3, 3), (3, 1)]
    assert np.array_equal(r.coefs_[1], W[2])
    assert np.array_equal(r.intercepts_[0], b[1])
    assert (r.n_layers_, r.n_outputs_, r.out_activation_) == (3, 1, "identity")
    assert len(r.loss_curve_) == r.n_iter_ + 1
    assert r.loss_curve_[-1] == pytest.approx(r.loss_, rel=1e-12)
    assert list(r.history_["cost"]) == r.loss_curve_
    assert r.termination_.converged
    assert r.certificate_.kind == "minimum"
    assert "rmse" in r.summary()
    scaled = (X - X.mean(axis=0)) / X.std(axis=0)
    by_hand = np.tanh(scaled @ W[1] + b[1]) @ W[2] + b[2]
    by_hand += 0.0 if r.skip_coef_ is None else scaled @ r.skip_coef_  # the evidence may want one
    assert r.predict(X) == pytest.approx(by_hand[:, 0] * Y.std() + Y.mean(), abs=1e-12)
    assert r.transform(X) == pytest.approx(np.tanh(scaled @ W[1] + b[1]), abs=1e-12)


def test_a_fit_that_did_not_converge_warns_and_says_why():
    with pytest.warns(ConvergenceWarning, match="max_iter: The iteration limit was reached"):
        NetworkRegressor(**SMALL, max_iter=2).fit(X, Y)


def test_the_same_seed_gives_the_same_bits_and_another_another_start():
    first = NetworkRegressor(**SMALL).fit(X, Y)
    assert np.array_equal(first.model_.theta, NetworkRegressor(**SMALL).fit(X, Y).model_.theta)
    other = NetworkRegressor(**SMALL, random_state=1).fit(X, Y)
    assert not np.array_equal(first.model_.theta, other.model_.theta)


def test_saved_by_the_users_own_hand(tmp_path):
    r = NetworkRegressor(**SMALL).fit(X, Y)
    joblib.dump(r, tmp_path / "r")
    for again in (pickle.loads(pickle.dumps(r)), joblib.load(tmp_path / "r")):
        assert np.array_equal(again.predict(X), r.predict(X))
    chainrule.save_model(r.model_, tmp_path / "m.json")
    assert np.array_equal(chainrule.load_model(tmp_path / "m.json").predict(X)[:, 0], r.predict(X))


# ---------------------------------------------------------------- in the hands of scikit-learn


def test_pipelines_grids_and_folds():
    search = GridSearchCV(
        make_pipeline(StandardScaler(), NetworkRegressor(**SMALL)),
        {"networkregressor__alpha": ["rule", 0.1], "networkregressor__hidden_layer_sizes": [2, 3]},
        cv=3,
    ).fit(X, Y)
    assert search.best_score_ > 0.8
    assert clone(search.best_estimator_).get_params()["networkregressor__n_restarts"] == 2


@pytest.mark.parametrize("backend", ["threading", "loky"])
def test_folds_in_threads_and_processes_give_the_same(backend):
    regressor = NetworkRegressor(**SMALL, alpha="rule")  # what a fixture changes, processes do not
    alone = cross_val_score(regressor, X, Y, cv=4)
    with joblib.parallel_config(backend):
        together = cross_val_score(regressor, X, Y, cv=4, n_jobs=2)
    assert np.array_equal(alone, together)


def test_threads_never_multiply(monkeypatch):
    monkeypatch.delenv("CHAINRULE_NUM_THREADS", raising=False)
    monkeypatch.setattr(native, "_cores", lambda: 8)
    seen = []

    def look(n_jobs):
        r = NetworkRegressor(n_jobs=n_jobs)
        with native.at_most(r._threads()):
            seen.append(native.threads())

    look(None)
    look(3)
    with joblib.parallel_config("threading"):
        joblib.Parallel(2)(joblib.delayed(look)(None) for _ in range(2))
    assert seen == [8, 3, 1, 1]


def test_threads_that_fit_and_predict_at_once():
    r = NetworkRegressor(**SMALL).fit(X, Y)
    expected, wrong = r.predict(X), []

    def work():
        for _ in range(5):
            if not np.array_equal(clone(r).fit(X, Y).predict(X), expected):
                wrong.append(1)

    threads = [threading.Thread(target=work) for _ in range(4)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    assert wrong == []


def test_set_output_is_respected():
    r = NetworkRegressor(**SMALL).set_output(transform="pandas").fit(X, Y)
    features = r.transform(X)
    assert list(features.columns) == [f"networkregressor{i}" for i in range(3)]
    polar = NetworkRegressor(**SMALL).set_output(transform="polars").fit(X, Y).transform(X)
    assert isinstance(polar, pl.DataFrame)


# ---------------------------------------------------------------- weights and classes


def test_weights_are_rows_repeated():
    w = RNG.integers(0, 4, len(X))
    weighted = NetworkRegressor(**SMALL).fit(X, Y, sample_weight=w)
    repeated = NetworkRegressor(**SMALL).fit(np.repeat(X, w, axis=0), np.repeat(Y, w))
    assert weighted.loss_ == pytest.approx(repeated.loss_, rel=1e-8)
    assert weighted.predict(X) == pytest.approx(repeated.predict(X), abs=1e-6)


def test_weights_that_are_no_counts_say_only_how_rows_compare():
    w = RNG.uniform(0.5, 2.0, len(X))
    one, small, large = (
        NetworkRegressor(**SMALL).fit(X, Y, sample_weight=w * unit) for unit in (1.0, 1e-3, 1e3)
    )
    assert small.predict(X) == pytest.approx(one.predict(X), abs=1e-7)
    assert large.predict(X) == pytest.approx(one.predict(X), abs=1e-7)


def test_class_weights_are_sample_weights():
    X, y = load_iris(return_X_y=True)
    weight = {0: 1.0, 1: 5.0, 2: 0.5}
    by_class = NetworkClassifier(**SMALL, alpha=0.5, class_weight=weight).fit(X, y)
    by_row = NetworkClassifier(**SMALL, alpha=0.5).fit(X, y, sample_weight=[weight[k] for k in y])
    assert np.array_equal(by_class.predict_proba(X), by_row.predict_proba(X))
    few = np.r_[0:50, 50:55]  # balanced: the five count as much as the fifty
    balanced = NetworkClassifier(**SMALL, alpha=0.5, class_weight="balanced").fit(X[few], y[few])
    w = np.where(y[few] == 0, 55 / 100, 55 / 10)
    same = NetworkClassifier(**SMALL, alpha=0.5).fit(X[few], y[few], sample_weight=w)
    assert np.array_equal(balanced.predict_proba(X), same.predict_proba(X))


@pytest.mark.parametrize("labels", [["a", "b", "c"], [5, 7, 9]])
def test_labels_keep_their_own_type(labels):
    X, y = load_iris(return_X_y=True)
    c = NetworkClassifier(**SMALL).fit(X, np.array(labels)[y])
    assert c.classes_.tolist() == labels
    assert set(c.predict(X).tolist()) == set(labels)
    assert c.score(X, np.array(labels)[y]) > 0.95
    p = c.predict_proba(X)
    assert p.sum(axis=1) == pytest.approx(1.0, abs=1e-12)
    assert c.classes_[p.argmax(axis=1)].tolist() == c.predict(X).tolist()
    assert c.predict_log_proba(X) == pytest.approx(np.log(p), rel=1e-15)


def test_two_classes_that_are_true_and_false():
    c = NetworkClassifier(**SMALL).fit(X, Y > 0)
    assert c.predict(X).dtype == bool
    assert c.decision_function(X).shape == (80,)
    assert np.array_equal(c.decision_function(X) > 0, c.predict(X))


def test_several_labels_at_once():
    labels = np.column_stack([X[:, 0] > 0, X[:, 1] > 0, X[:, 0] + X[:, 1] > 0]).astype(int)
    c = NetworkClassifier(**SMALL).fit(X, labels)
    assert c.predict(X).shape == c.predict_proba(X).shape == (80, 3)
    assert (c.predict(X) == labels).mean() > 0.95
    assert np.array_equal(c.predict_proba(X) > 0.5, c.predict(X) == 1)


def test_probabilities_are_never_0_or_1():
    X = np.array([[-1e6], [-1.0], [1.0], [1e6]])
    c = NetworkClassifier((2,), alpha=0.0, max_iter=200, n_restarts=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        p = c.fit(X, [0, 0, 1, 1]).predict_proba(X * 1e6)
    assert np.all((p > 0) & (p < 1))
    assert np.all(np.isfinite(c.predict_log_proba(X * 1e6)))


@pytest.mark.filterwarnings("ignore:no_better_than_mean")  # there is nothing to learn
@pytest.mark.parametrize("K", [1, 2, 3, 5])
def test_the_gradient_of_several_outputs_is_right(K):
    """scikit-learn's is off by a factor of K (its issue 8349)."""
    Y = RNG.standard_normal((len(X), K))
    r = NetworkRegressor(**SMALL).fit(X, Y)
    objective = r.model_.objective(X, Y)
    away = r.model_.theta + 0.1 * RNG.standard_normal(len(r.model_.theta))
    check = chainrule.check_gradient(objective, away)
    assert check.passed, str(check)
    assert check.ratio < 1e-8
    assert r.predict(X).shape == (80, K)


# ---------------------------------------------------------------- data frames


FRAME = {
    "size": [30.0, 45.0, None, 80.0, 62.0, 55.0, 38.0, 71.0, 90.0, 48.0] * 3,
    "town": ["Ulm", "Bonn", "Ulm", "Kiel", "Bonn", "Kiel", "Ulm", "Bonn", "Kiel", "Ulm"] * 3,
    "garden": [True, False, False, True, True, False, True, False, True, False] * 3,
    "built": ["1990-01-01", "2001-05-01", "1970-03-04", "2010-10-10", "1985-07-07"] * 6,
}
RENT = np.linspace(400, 1400, 30)


@pytest.mark.filterwarnings("ignore:no_better_than_mean")  # rents go by the number of the row
@pytest.mark.parametrize("library", [pd.DataFrame, pl.DataFrame])
def test_a_frame_with_columns_of_every_kind(library):
    frame = library(FRAME)
    r = NetworkRegressor(**SMALL, missing="indicator").fit(frame, RENT)
    assert [c.kind for c in r.model_.columns] == ["number", "category", "yes/no", "date"]
    if library is pd.DataFrame:  # before 1.7 scikit-learn knew the names of no other
        assert r.feature_names_in_.tolist() == list(FRAME)
    assert r.predict(frame).shape == (30,)
    assert r.model_.input_names == (
        "size", "size missing", "town=Bonn", "town=Kiel", "town=Ulm", "garden", "built",
    )  # fmt: skip
    new = {**{name: values[:1] for name, values in FRAME.items()}, "town": ["Rome"]}
    with pytest.warns(UserWarning, match="column 'town': 'Rome' in 1 row was not seen"):
        assert np.isfinite(r.predict(library(new))).all()
    with pytest.raises(DataError, match=r"column 'size', row 3: the value is missing \(as in 3"):
        NetworkRegressor(**SMALL).fit(frame, RENT)


@pytest.mark.filterwarnings("ignore:no_better_than_mean")
def test_both_libraries_give_the_same():
    one, other = (
        NetworkRegressor(**SMALL, missing="indicator").fit(library(FRAME), RENT)
        for library in (pd.DataFrame, pl.DataFrame)
    )
    assert np.array_equal(one.model_.theta, other.model_.theta)


def test_frames_as_targets():
    y = pd.DataFrame({"a": Y, "b": -Y})
    r = NetworkRegressor(**SMALL).fit(pd.DataFrame(X, columns=list("uvw")), y)
    assert r.model_.target_names == ("a", "b")
    assert NetworkRegressor(**SMALL).fit(X, pd.Series(Y, name="z")).model_.target_names == ("z",)


# ---------------------------------------------------------------- what stops and goes on


@pytest.mark.parametrize("method", ["lm", "broyden", "gd"])
def test_one_iteration_at_a_time_is_one_long_run(method):
    options = {**SMALL, "method": method, "alpha": 0.01, "warm_start": True}
    state = 1 if method == "gd" else 0
    options["random_state"] = np.random.RandomState(state)  # which gives another number each time
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        long = NetworkRegressor(**options, max_iter=12).fit(X, Y)
        options["random_state"] = np.random.RandomState(state)
        short = NetworkRegressor(**options, max_iter=1)
        for _ in range(12):
            short.fit(X, Y)
        assert np.array_equal(short.model_.theta, long.model_.theta)
        assert short.loss_curve_ == long.loss_curve_
        assert short.n_iter_ == long.n_iter_ == 12
        pickled = pickle.loads(pickle.dumps(short))
        assert np.array_equal(
            pickled.fit(X, Y).model_.theta, short.fit(X, Y).model_.theta
        )  # what was learned survives


def test_a_warm_start_ends_where_a_cold_one_does():
    cold = NetworkRegressor(**SMALL, alpha=0.1).fit(X, Y)
    warm = NetworkRegressor(**SMALL, alpha=0.1, warm_start=True, max_iter=7)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        for _ in range(30):
            warm.fit(X, Y)
    assert warm.termination_.converged
    assert warm.loss_ == pytest.approx(cold.loss_, rel=1e-9)


def test_a_warm_start_with_other_rows_and_with_another_network():
    r = NetworkRegressor(**SMALL, alpha=0.1, warm_start=True).fit(X[:40], Y[:40])
    before = r.loss_
    r.fit(X[40:], Y[40:])
    assert r.loss_ != before
    r.set_params(hidden_layer_sizes=(4,))
    with pytest.raises(ConfigurationError, match=r"goes on from 2 starts of a network with lay"):
        r.fit(X, Y)


@pytest.mark.parametrize("method", ["lm", "broyden", "bfgs", "lbfgs", "gd"])
def test_early_stopping_with_every_method(method):
    r = NetworkRegressor(
        (20,), alpha=0.0, n_restarts=1, method=method, early_stopping=True, max_iter=300,
        validation_fraction=0.3, n_iter_no_change=5,
    )  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        r.fit(X, Y + 0.5 * RNG.standard_normal(80))
    curve = r.history_["validation_cost"]
    assert len(curve) == len(r.history_["cost"])
    if r.termination_.name == "early_stopping" and method != "gd":
        assert len(curve) - 1 - np.argmin(curve) <= 5 + 1
        assert curve.min() < curve[-1]


def test_early_stopping_keeps_the_weights_that_were_best():
    noisy = Y + RNG.standard_normal(80)
    r = NetworkRegressor((20,), alpha=0.0, n_restarts=1, early_stopping=True).fit(X, noisy)
    assert r.termination_.name == "early_stopping"
    held_out = r._held_out(80, None, 0)
    rows = r.model_.objective(X[held_out], noisy[held_out], 0.0)
    assert rows.cost(r.model_.theta) == pytest.approx(r.history_["validation_cost"].min())


def test_classes_are_held_out_in_proportion():
    X, y = load_iris(return_X_y=True)
    c = NetworkClassifier(**SMALL, early_stopping=True, validation_fraction=0.2).fit(X, y)
    assert np.bincount(y[c._held_out(150, y, 0)]).tolist() == [10, 10, 10]


# ---------------------------------------------------------------- functions of one's own


BENT = Activation("bent", f=lambda z: z / (1 + abs(z)), df=lambda z: 1 / (1 + abs(z)) ** 2)
HUBER = Loss(
    "huber",
    f=lambda y_hat, y: np.where(
        abs(y_hat - y) < 0.5, (y_hat - y) ** 2 / 2, 0.5 * abs(y_hat - y) - 0.125
    ),
    df=lambda y_hat, y: np.clip(y_hat - y, -0.5, 0.5),
)


def test_an_activation_of_ones_own():
    r = NetworkRegressor((4,), activation=BENT, n_restarts=2).fit(X, Y)
    assert r.termination_.converged
    assert r.score(X, Y) > 0.9
    with pytest.raises(DataError, match="an activation or a loss of your own cannot be saved"):
        chainrule.save_model(r.model_, "m.json")


@pytest.mark.filterwarnings("ignore:the target is far")
def test_a_loss_of_ones_own_is_not_led_astray():
    far = Y.copy()
    far[::10] += 5.0
    r = NetworkRegressor((3,), loss=HUBER, n_restarts=2, alpha=0.1).fit(X, far)
    squares = NetworkRegressor((3,), n_restarts=2, alpha=0.1).fit(X, far)
    rest = np.arange(80) % 10 != 0

    def error(fitted):
        return np.abs(fitted.predict(X) - Y)[rest].mean()

    assert error(r) < 0.6 * error(squares)
    # with second derivatives Levenberg-Marquardt finds the same
    with_d2f = Loss("huber", HUBER.f, HUBER.df, lambda y_hat, y: 1.0 * (abs(y_hat - y) < 0.5))
    assert NetworkRegressor((3,), loss=with_d2f, n_restarts=2, alpha=0.1, method="lm").fit(
        X, far
    ).loss_ == pytest.approx(r.loss_, rel=0.01)  # another local minimum, perhaps


@pytest.mark.parametrize("layer", [2, 3])
def test_a_wrong_derivative_is_refused_with_its_layer(layer):
    wrong = Activation("wrong", f=BENT.f, df=lambda z: 1 / (1 + abs(z)))
    activations = ["tanh", "tanh"]
    activations[layer - 2] = wrong
    with pytest.raises(ConfigurationError, match=f"derivative of 'wrong' in layer {layer} is wro"):
        NetworkRegressor((3, 3), activation=activations).fit(X, Y)
    false = Loss("false", HUBER.f, lambda y_hat, y: y_hat - y)
    with pytest.raises(ConfigurationError, match="derivative of 'false' in layer 4 is wrong"):
        NetworkRegressor((3, 3), loss=false).fit(X, Y * 5)


# ---------------------------------------------------------------- weights that are not free


def test_fixed_weights_stay_and_the_others_are_at_their_minimum():
    held = {"W[1]": [[0.0, np.nan, np.nan], [np.nan] * 3, [0.5, 0.5, 0.5]], "b[2]": [0.25]}
    for method in ("lm", "broyden", "lbfgs"):
        r = NetworkRegressor(**SMALL, fixed=held, alpha=0.1, method=method).fit(X, Y)
        assert r.termination_.converged
        assert r.coefs_[0][0, 0] == 0.0
        assert r.coefs_[0][2].tolist() == [0.5] * 3
        assert r.intercepts_[1].tolist() == [0.25]
        free = r.model_.objective(X, Y)
        g = free.gradient(r.model_.theta)
        moving = np.ones(len(g), dtype=bool)
        moving[[0, 6, 7, 8, len(g) - 1]] = False
        assert np.abs(g[moving]).max() < 1e-6
        assert np.abs(g[~moving]).max() > 1e-3


def test_a_skip_layer_without_bends_is_least_squares():
    r = NetworkRegressor(
        (2,), skip=True, alpha=0.0, n_restarts=1, fixed={"W[2]": np.zeros((2, 1))}
    ).fit(X, Y)
    A = np.column_stack([X, np.ones(80)])
    assert r.predict(X) == pytest.approx(A @ np.linalg.lstsq(A, Y, rcond=None)[0], abs=1e-7)


def test_a_penalty_for_each_layer():
    r = NetworkRegressor(**SMALL, alpha=[0.3, 0.01]).fit(X, Y)
    scaled = r.model_.objective(X, Y, [0.3, 0.01])
    W, _ = r.model_.network.weights(r.model_.theta)
    penalty = 0.15 * (W[1] ** 2).sum() + 0.005 * (W[2] ** 2).sum()
    data = r.model_.objective(X, Y, 0.0).cost(r.model_.theta)
    assert scaled.cost(r.model_.theta) == pytest.approx(data + penalty, rel=1e-14)
    assert r.loss_ == pytest.approx(data + penalty, rel=1e-12)


@pytest.mark.parametrize("options", [{}, {"skip": True}, {"hidden_layer_sizes": (4, 3)}])
def test_studying_more_never_lowers_the_score(options):
    hours = RNG.uniform(0, 10, (60, 2))
    score = 50 + 4 * hours[:, 1] - 0.3 * hours[:, 1] ** 2 - 2 * abs(hours[:, 0] - 7)
    score += RNG.standard_normal(60) * 3
    free = NetworkRegressor(
        (4,),
        n_restarts=3,
        alpha=0.01,
        **{k: v for k, v in options.items() if k != "hidden_layer_sizes"},
    ).fit(hours, score)
    r = NetworkRegressor(
        **{"hidden_layer_sizes": (4,), "n_restarts": 3, "alpha": 0.01, **options},
        monotonic_cst=[0, 1],
    ).fit(hours, score)
    assert r.termination_.converged, str(r.termination_)
    grid = np.linspace(-5, 15, 200)

    def falls(fitted):
        return max(
            (-np.diff(fitted.predict(np.column_stack([np.full(200, s), grid])))).max()
            for s in range(0, 11)
        )

    assert falls(free) > 0.01
    assert falls(r) <= 1e-12
    assert r.score(hours, score) > 0.6


@pytest.mark.filterwarnings("ignore:the target is far")
@pytest.mark.parametrize("task", ["classes", "counts", "numbers"])
def test_monotone_whatever_is_predicted(task):
    s = -X[:, 0] + 0.3 * Y  # it falls, but is asked to rise
    grid = np.column_stack([np.linspace(-2, 2, 100), np.zeros((100, 2))])
    if task == "classes":
        c = NetworkClassifier(**SMALL, alpha=0.1, monotonic_cst=[1, 0, 0]).fit(X, s > 0)
        assert c.model_.posterior.moderation == 0.0  # what makes less sure need not be monotone
        found = c.predict_proba(grid)[:, 1]
    else:
        options = {"output_activation": "exp"} if task == "counts" else {}
        r = NetworkRegressor(**SMALL, monotonic_cst=[1, 0, 0], **options).fit(X, np.exp(s).round())
        found = r.predict(grid)
    assert np.diff(found).min() >= -1e-12
    for method in ("broyden", "lbfgs", "bfgs", "gd"):
        with pytest.raises(ConfigurationError, match="cannot keep weights to one sign"):
            NetworkRegressor(**SMALL, monotonic_cst=[1, 0, 0], method=method).fit(X, Y)


def test_monotone_columns_by_name_and_downward():
    frame = pd.DataFrame({"a": X[:, 0], "b": X[:, 1], "c": X[:, 2]})
    r = NetworkRegressor(**SMALL, monotonic_cst={"b": -1}).fit(frame, Y)
    up = frame.assign(b=frame.b + 1.0)
    assert np.all(r.predict(up) <= r.predict(frame) + 1e-12)
    for wrong, message in (
        ({"d": 1}, "monotonic_cst names 'd'; the columns are a, b, c"),
        ([1, 2, 0], "give 1, -1 or 0 for each of 3 columns"),
    ):
        with pytest.raises(ConfigurationError, match=message):
            NetworkRegressor(**SMALL, monotonic_cst=wrong).fit(frame, Y)
    with pytest.raises(ConfigurationError, match="'silu' does not rise everywhere"):
        NetworkRegressor(**SMALL, activation="silu", monotonic_cst={"a": 1}).fit(frame, Y)


def test_cross_validate_scores_and_times():
    X, y = iris()
    found = cross_validate(NetworkClassifier(**SMALL), X, y, cv=3)
    assert found["test_score"].mean() > 0.9
