"""Labels come back as they were given; class weights are sample weights; Ctrl-C is handed on."""

import os
import signal
import threading
import time

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from sklearn.model_selection import GridSearchCV

from chainrule import NetworkClassifier, NetworkRegressor, load_model, save_model

X = np.random.default_rng(0).standard_normal((60, 2))
UP = X[:, 0] > 0
HUGE = np.where(UP, 9007199254740993, 9007199254740992)
SMALL = np.where(UP, 7, 3)
WORDS = np.where(UP, "up", "down")

GIVEN = {
    "NumPy, beyond float64": (HUGE, int),
    "pandas Int64, beyond float64": (pd.Series(HUGE, dtype="Int64"), int),
    "polars Int64, beyond float64": (pl.Series(HUGE), int),
    "pandas Int8": (pd.Series(SMALL, dtype="Int8"), int),
    "pandas UInt64": (pd.Series(SMALL, dtype="UInt64"), int),
    "pandas int32": (pd.Series(SMALL, dtype="int32"), int),
    "polars Int32": (pl.Series(SMALL, dtype=pl.Int32), int),
    "pyarrow": (pa.chunked_array([pa.array(SMALL)]), int),
    "a frame of one column": (pd.DataFrame({"y": pd.Series(SMALL, dtype="Int64")}), int),
    "objects": (SMALL.astype(object), int),
    "pandas bool": (pd.Series(UP), bool),
    "pandas boolean": (pd.Series(UP, dtype="boolean"), bool),
    "polars Boolean": (pl.Series(UP), bool),
    "pandas object": (pd.Series(WORDS, dtype=object), str),
    "pandas string": (pd.Series(WORDS, dtype="string"), str),
    "polars String": (pl.Series(WORDS.tolist()), str),
    "pandas category": (pd.Series(WORDS, dtype="category"), str),
    "pandas category of numbers": (pd.Series(SMALL, dtype="category"), int),
    "polars Categorical": (pl.Series(WORDS.tolist(), dtype=pl.Categorical), str),
    "polars Enum": (pl.Series(WORDS.tolist(), dtype=pl.Enum(["up", "down"])), str),
    "pandas Float64": (pd.Series(SMALL * 1.0, dtype="Float64"), float),
}


@pytest.mark.parametrize("name", GIVEN)
def test_labels_keep_their_type_and_value(name, tmp_path):
    y, kind = GIVEN[name]
    fitted = NetworkClassifier((2,), n_restarts=1, alpha=0.1).fit(X, y)
    given = y["y"] if isinstance(y, pd.DataFrame) else y
    given = given.to_pylist() if isinstance(given, pa.ChunkedArray) else list(given)
    assert fitted.classes_.tolist() == sorted(set(given))
    assert {type(label) for label in fitted.classes_.tolist()} == {kind}
    predicted = fitted.predict(X)
    assert predicted.dtype == fitted.classes_.dtype
    assert np.mean([one == other for one, other in zip(predicted, given, strict=True)]) > 0.9
    save_model(fitted, tmp_path / "m.json")
    again = load_model(tmp_path / "m.json").predict(X)
    assert again.tolist() == predicted.tolist()
    assert {type(label) for label in again.tolist()} == {kind}


@pytest.mark.parametrize(
    "y",
    [pd.Series([1, None] * 30, dtype="Int64"), pl.Series([True, None] * 30),
     pd.Series(["a", None] * 30, dtype="string")],
)  # fmt: skip
def test_a_label_that_is_missing_is_named(y):
    with pytest.raises(ValueError, match="NaN or None: row 1 counted from 0, 30 in all"):
        NetworkClassifier((2,)).fit(X, y)


@pytest.mark.parametrize(
    "each", [{3: 1, 7: 3}, {3: 2, 7: 2}, {3: 0.5, 7: 2.5}, {3: 1, 7: 0.25}, {7: 2}]
)
def test_class_weights_are_sample_weights(each):
    noisy = np.where(X[:, 1] > 1, 10 - SMALL, SMALL)
    options = {"hidden_layer_sizes": (3,), "n_restarts": 2}
    by_class = NetworkClassifier(**options, class_weight=each).fit(X, noisy)
    w = np.array([each.get(label, 1) for label in noisy])
    by_row = NetworkClassifier(**options).fit(X, noisy, sample_weight=w)
    assert np.array_equal(by_class.predict_proba(X), by_row.predict_proba(X))
    assert by_class.log_evidence_ == by_row.log_evidence_
    assert by_class.loo_scores_ == by_row.loo_scores_


def interrupt_after(seconds):
    timer = threading.Timer(seconds, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    return timer


LONG = {"hidden_layer_sizes": (10,), "n_restarts": 10**6, "alpha": 0.1}


@pytest.mark.parametrize("method", ["lm", "bfgs"])
def test_an_interrupt_keeps_the_best_and_is_handed_on(method):
    regressor, timer = NetworkRegressor(**LONG, method=method), interrupt_after(1.0)
    with pytest.raises(
        KeyboardInterrupt, match=r"interrupted after \d+ of 1000000 starts had ended"
    ):
        regressor.fit(X, X[:, 0] ** 2)
    timer.cancel()
    assert np.mean((regressor.predict(X) - X[:, 0] ** 2) ** 2) < 0.1
    assert regressor.restarts_.cut_short.name == "interrupted"


def test_an_interrupt_ends_a_search_over_parameters():
    search = GridSearchCV(NetworkRegressor(**LONG), {"activation": ["tanh", "sigmoid"]}, cv=3)
    began, timer = time.monotonic(), interrupt_after(1.0)
    with pytest.raises(KeyboardInterrupt):
        search.fit(X, X[:, 0] ** 2)
    timer.cancel()
    assert time.monotonic() - began < 20.0
    assert not hasattr(search, "cv_results_")


def test_who_asks_for_it_gets_what_there_is_at_an_interrupt():
    regressor, timer = NetworkRegressor(**LONG, on_interrupt="keep"), interrupt_after(1.0)
    with pytest.warns(UserWarning, match="interrupted after .* starts had ended"):
        assert regressor.fit(X, X[:, 0] ** 2) is regressor
    timer.cancel()


def test_a_penalty_of_any_size_is_a_number_or_refused():
    with pytest.raises(ValueError, match="must be a number of at least 0"):
        NetworkRegressor(alpha=10**400).fit(X, X[:, 0])
    with pytest.raises(ValueError, match="must be from 0 to 9,223"):
        NetworkRegressor(random_state=2**70).fit(X, X[:, 0])
