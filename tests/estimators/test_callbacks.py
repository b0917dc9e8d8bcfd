"""scikit-learn's callbacks: progress, monitors, and stopping, where they exist (from 1.9)."""

import numpy as np
import pytest

from chainrule import NetworkClassifier, NetworkRegressor

callback = pytest.importorskip("sklearn.callback")

RNG = np.random.default_rng(0)
X = RNG.standard_normal((50, 2))
Y = X[:, 0] ** 2 + X[:, 1]


class Listener:
    """Counts what it is told, and stops a start after some iterations."""

    def __init__(self, stop_after=None):
        self.stop_after = stop_after
        self.ended = []
        self.fitted = []

    def setup(self, estimator, context):
        pass

    def teardown(self, estimator, context):
        pass

    def on_fit_task_begin(self, estimator, context, **_):
        pass

    def on_fit_task_end(self, estimator, context, *, fitted_estimator=None, **_):
        self.ended.append(context.task_name)
        if context.task_name == "iteration" and fitted_estimator is not None:
            self.fitted.append(fitted_estimator.predict(X[:3]))
        if self.stop_after is None or context.task_name != "iteration":
            return False
        return context.task_id + 1 >= self.stop_after


def test_every_start_and_every_iteration_is_told():
    listener = Listener()
    r = NetworkRegressor((3,), n_restarts=2).set_callbacks(listener).fit(X, Y)
    runs = [run.n_iterations for run in r.restarts_.runs]
    assert listener.ended.count("start") == 2
    # besides, one in each start that never ran
    assert listener.ended.count("iteration") == sum(runs) + 2
    assert listener.ended[-1] == "fit"
    assert len(listener.fitted) == sum(runs)
    assert np.all(np.isfinite(listener.fitted))
    quiet = NetworkRegressor((3,), n_restarts=2).fit(X, Y)
    assert r.loss_ == pytest.approx(quiet.loss_, rel=1e-9)


def test_a_callback_can_stop():
    listener = Listener(stop_after=5)
    r = NetworkRegressor((3,), n_restarts=2).set_callbacks(listener).fit(X, Y)
    assert r.n_iter_ == 5
    assert r.termination_.name == "stopped"


def test_the_monitor_of_scikit_learn_gets_a_score_for_every_iteration():
    monitor = callback.ScoringMonitor(scoring="accuracy")
    c = NetworkClassifier((3,), n_restarts=1).set_callbacks(monitor).fit(X, Y > 0.5)
    rows = monitor.get_logs().data
    assert len(rows) == c.n_iter_
    assert all(0.0 <= row["accuracy"] <= 1.0 for row in rows)
    assert rows[-1]["accuracy"] == c.score(X, Y > 0.5)
