"""Rows and columns as people have them: typed, weighted, in frames of every kind, changed later."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn.datasets import make_circles

from chainrule import (
    Activation,
    ChainruleError,
    ConfigurationError,
    DataError,
    Loss,
    NetworkClassifier,
    NetworkRegressor,
    load_model,
    save_model,
)

RNG = np.random.default_rng(0)
X = RNG.standard_normal((60, 3))
Y = X[:, 0] + X[:, 1] ** 2 + 0.1 * RNG.standard_normal(60)
ONE = {"n_restarts": 1, "hidden_layer_sizes": (3,)}


def test_arrays_and_frames_without_names_of_their_own_go_by_position():
    of_array = NetworkRegressor(**ONE).fit(X, Y)
    of_frame = NetworkRegressor(**ONE).fit(pd.DataFrame(X), Y)
    for model in (of_array, of_frame):
        assert np.array_equal(model.predict(X), model.predict(pd.DataFrame(X)))
    with pytest.warns(UserWarning, match="feature names"):
        named = of_array.predict(pd.DataFrame(X, columns=["a", "b", "c"]))
    assert np.array_equal(named, of_array.predict(X))


def test_tables_of_arrow_and_lazy_ones():
    polars = pytest.importorskip("polars")
    columns = {"a": X[:, 0], "b": X[:, 1]}
    expected = NetworkRegressor(**ONE).fit(pd.DataFrame(columns), Y)
    for made in (pa.table(columns), polars.LazyFrame(columns)):
        model = NetworkRegressor(**ONE).fit(made, Y)
        assert model.model_.column_names == ("a", "b")
        assert np.array_equal(model.predict(made), expected.predict(pd.DataFrame(columns)))


DAYS = pd.date_range("2024-01-01", periods=60)


@pytest.mark.parametrize(
    ("learned", "given", "refused"),
    [
        (DAYS, DAYS.astype("int64"), "holds numbers; the model needs dates"),
        (DAYS, np.arange(60) % 2 == 0, "holds yes or no; the model needs dates"),
        (X[:, 0], DAYS, "holds dates; the model needs numbers"),
        (X[:, 0] > 0, X[:, 0] * 100, "holds numbers; the model needs yes or no"),
        (np.where(X[:, 0] > 0, "yes", "no"), ["maybe"] * 60, "'maybe' is neither 'no' nor 'yes'"),
    ],
)
def test_a_column_of_another_kind_is_refused(learned, given, refused):
    model = NetworkRegressor(**ONE).fit(pd.DataFrame({"t": learned, "x": X[:, 1]}), Y)
    with pytest.raises(DataError, match=refused):
        model.predict(pd.DataFrame({"t": given, "x": X[:, 1]}))


def test_answers_and_the_numbers_0_and_1_are_the_same():
    frame = pd.DataFrame({"t": X[:, 0] > 0, "x": X[:, 1]})
    model = NetworkRegressor(**ONE).fit(frame, Y)
    assert np.array_equal(model.predict(frame), model.predict(frame.astype({"t": float})))


@pytest.mark.filterwarnings("ignore:no_better_than_mean")  # and it is none: t says nothing of y
@pytest.mark.parametrize("values", [np.arange(60) % 3 + 1.0, np.arange(60) % 2 == 0])
def test_categories_are_the_same_however_they_are_typed(values):
    model = NetworkRegressor(**ONE).fit(pd.DataFrame({"t": pd.Categorical(values)}), Y)
    same = model.predict(pd.DataFrame({"t": values}))
    assert np.array_equal(same, model.predict(pd.DataFrame({"t": pd.Categorical(values)})))


@pytest.mark.filterwarnings("ignore:stalled")  # how far either fit goes is not the question
def test_a_row_that_counts_nothing_is_left_out_whatever_is_in_it():
    words = np.where(X[:, 0] > 0, "a", "b").astype(object)
    frame = pd.DataFrame({"t": words, "x": X[:, 1]})
    odd = pd.DataFrame({"t": ["unheard of"], "x": [np.nan]})
    both = pd.concat([frame, odd], ignore_index=True)
    weights = np.r_[np.ones(60), 0.0]
    plain = NetworkRegressor(**ONE).fit(frame, Y)
    weighted = NetworkRegressor(**ONE).fit(both, np.r_[Y, 1e6], sample_weight=weights)
    assert np.array_equal(plain.predict(frame), weighted.predict(frame))


def test_what_stands_for_a_missing_value_counts_the_weights():
    frame = pd.DataFrame({"x": [1.0, 2.0, 3.0, 50.0, np.nan] * 6, "z": X[:30, 0]})
    w = np.array([1.0, 1.0, 1.0, 4.0, 1.0] * 6)
    often = frame.loc[frame.index.repeat(w.astype(int))]
    options = {**ONE, "missing": "indicator"}
    weighted = NetworkRegressor(**options).fit(frame, Y[:30], sample_weight=w)
    repeated = NetworkRegressor(**options).fit(often, np.repeat(Y[:30], w.astype(int)))
    assert weighted.model_.columns == repeated.model_.columns
    assert weighted.predict(frame) == pytest.approx(repeated.predict(frame), rel=1e-9)


def test_a_target_without_a_name_gets_one_that_no_column_has(tmp_path):
    frame = pd.DataFrame({"y": X[:, 0], "class": X[:, 1]})
    for model, y in ((NetworkRegressor(**ONE), Y), (NetworkClassifier(**ONE), Y > 0.5)):
        save_model(model.fit(frame, y), tmp_path / "m.json")
        assert load_model(tmp_path / "m.json").target_names in (("y_",), ("class_",))


@pytest.mark.parametrize("output", ["sigmoid", "exp", "identity"])
def test_outputs_that_are_no_probabilities_are_refused(output):
    three = np.digitize(Y, [0.3, 1.2])
    with pytest.raises(ConfigurationError, match="only softmax gives probabilities"):
        NetworkClassifier(output_activation=output).fit(X, three)


def test_warm_start_does_not_forget_what_has_been_changed():
    model = NetworkRegressor(warm_start=True, max_iter=3, **ONE)
    with pytest.warns(UserWarning, match="iteration limit"):
        model.fit(X, Y)
    model.set_params(monotonic_cst=[-1, 0, 0], max_iter=None)
    with pytest.raises(ConfigurationError, match="fixed or monotonic_cst has changed"):
        model.fit(X, Y)
    A = np.full((40, 30), np.nan)
    A[20, 15] = 0.0
    wide = RNG.standard_normal((50, 40))
    options = {"n_restarts": 1, "alpha": 1.0, "warm_start": True, "method": "lbfgs"}
    model = NetworkRegressor(30, fixed={"W[1]": A}, **options)
    model.fit(wide, wide[:, 0])
    changed = A.copy()
    changed[20, 15] = 3.0
    with pytest.raises(ConfigurationError, match="fixed or monotonic_cst has changed"):
        model.set_params(fixed={"W[1]": changed}).fit(wide, wide[:, 0])


@pytest.mark.filterwarnings("ignore:stalled")
def test_warm_start_goes_on_when_more_is_asked_for():
    model = NetworkRegressor(warm_start=True, tol=1e-2, alpha=0.01, **ONE).fit(X, Y)
    rough = model.loss_
    model.set_params(tol=1e-9).fit(X, Y)
    assert model.loss_ < rough
    assert model.certificate_.relative_gradient < 1e-9


def test_rows_held_out_are_rows_that_count():
    weights = np.r_[np.zeros(40), np.ones(20)]
    model = NetworkRegressor(early_stopping=True, validation_fraction=0.2, **ONE)
    model.fit(X, Y, sample_weight=weights)
    assert "validation_cost" in model.history_


@pytest.mark.parametrize(
    ("given", "refused"),
    [
        ({"n_restarts": 2.5}, "n_restarts is 2.5"),
        ({"n_iter_no_change": 0}, "n_iter_no_change is 0"),
        ({"alpha": {}}, "alpha is {}"),
        ({"effort": "most"}, "effort is 'most'"),
        ({"max_time": "3"}, "max_time is '3'"),
        ({"fixed": [1]}, r"fixed is \[1\]; it must be a mapping"),
        ({"early_stopping": "yes"}, "early_stopping is 'yes'; it must be True or False"),
        ({"random_state": "a"}, "random_state is 'a'"),
        ({"n_jobs": 0}, "n_jobs is 0"),
        ({"activation": None}, "activation is None"),
        ({"activation": Activation("m", np.sum, np.cos)}, "f of activation 'm' in layer 2 gives"),
        ({"activation": Activation("m", np.tanh, lambda z: 1.0)}, "df of activation 'm'"),
        ({"loss": Loss("l", lambda p, y: p - y, lambda p, y: p * 0 + 1)}, "lower elsewhere"),
        (
            {"loss": Loss("l", lambda p, y: (p - y) ** 2, lambda p, y: 2 * (p - y), np.subtract)},
            "d2f of loss 'l' does not agree",
        ),
        ({"loss": Loss("l", lambda p, y: 0.0, lambda p, y: p - y)}, "f of loss 'l' gives"),
    ],
)
def test_what_cannot_be_meant_is_refused(given, refused):
    with pytest.raises(ChainruleError, match=refused):
        NetworkRegressor(**{**ONE, **given}).fit(X, Y)


def test_weights_and_dates_that_would_lose_a_part_are_refused():
    with pytest.raises(DataError, match="sample_weight must hold real numbers"):
        NetworkRegressor().fit(X, Y, sample_weight=np.ones(60) * 1j)
    with pytest.raises(DataError, match="X holds dates"):
        NetworkRegressor().fit(np.array([DAYS, DAYS]).T, Y)


def test_labels_of_pandas_own_truth_values_keep_their_type():
    labels = pd.Series(Y > 0.5, dtype="boolean")
    assert NetworkClassifier(**ONE).fit(X, labels).predict(X).dtype == bool
    with pytest.raises(DataError, match="NaN or None: row 3 counted from 0, 1 in all"):
        NetworkClassifier().fit(X, [*"aab", None, *"ab" * 28])


def test_numbers_far_from_zero_still_vary():
    n = 2000
    t = 1.6e12 + np.arange(n) % 7  # milliseconds
    linear = NetworkRegressor(0, n_restarts=1)
    score = linear.fit(np.c_[t, RNG.standard_normal(n)], np.arange(n) % 7.0).score
    assert score(np.c_[t, np.zeros(n)], np.arange(n) % 7.0) > 0.999


@pytest.mark.filterwarnings("ignore:stalled")
def test_a_far_away_decision_is_refused_like_a_prediction():
    model = NetworkClassifier(activation="relu", skip=True, **ONE).fit(X * 1e-300, Y > 0.5)
    with pytest.raises(DataError, match="not finite"):
        model.decision_function(np.full((1, 3), 1e30))


@pytest.mark.in_c
def test_a_wide_network_is_not_silenced_by_the_rule():
    circles, inside = make_circles(100, noise=0.2, factor=0.5, random_state=1)
    for hidden in ((10,), (100,), (25, 25)):
        assert (
            NetworkClassifier(hidden, n_restarts=1).fit(circles, inside).score(circles, inside)
            > 0.8
        )


def test_balanced_classes_are_no_more_information():
    rare = np.argsort(np.argsort(Y)) >= 54
    rule = {**ONE, "alpha": "rule"}
    plain = NetworkClassifier(**rule).fit(X, rare)
    balanced = NetworkClassifier(class_weight="balanced", **rule).fit(X, rare)
    w = np.where(rare, 5.0, 5.0 / 9.0)
    ratio = balanced.model_.report.plan.alpha[0] / plain.model_.report.plan.alpha[0]
    assert ratio == pytest.approx((w @ w) / w.sum())


@pytest.mark.parametrize(("bad", "what"), [(np.nan, "NaN"), (np.inf, "infinity")])
def test_what_is_missing_in_a_matrix_is_named_with_its_place(bad, what):
    odd = X.copy()
    odd[7, 2] = bad
    with pytest.raises(DataError, match=f"{what}: row 7, column 2, counted from 0, 1 in all"):
        NetworkRegressor().fit(odd, Y)
