"""Early stopping with a network that is chosen, and warm starts that were cut short."""

import numpy as np
import pytest

from chainrule import NetworkClassifier, NetworkRegressor
from chainrule.optimize import multistart
from trainings import press_ctrl_c

RNG = np.random.default_rng(0)
X = RNG.standard_normal((60, 8))
Y = X[:, 0] + np.sin(X[:, 1]) + 0.1 * RNG.standard_normal(60)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("hidden", [(3,), "auto"])
def test_early_stopping_stops_the_network_that_was_chosen(hidden):
    model = NetworkRegressor(hidden, early_stopping=True, n_restarts=2).fit(X, Y)
    assert len(model.history_["validation_cost"]) == len(model.history_["cost"])
    classes = NetworkClassifier(hidden, early_stopping=True, n_restarts=2).fit(X, Y > 0)
    assert classes.score(X, Y > 0) > 0.7


@pytest.mark.filterwarnings("ignore")
def test_a_warm_start_that_was_interrupted_goes_on(monkeypatch):
    options = {"alpha": 0.01, "warm_start": True, "max_iter": 3, "n_restarts": 5}
    model = NetworkRegressor((4,), on_interrupt="keep", **options).fit(X, Y)
    before, made = [fit.cost for fit in model._warm.fits], []
    real = multistart.run_with_callback

    def interrupted(*arguments):
        made.append(arguments)
        if len(made) == 3:
            press_ctrl_c()
        return real(*arguments)

    monkeypatch.setattr(multistart, "run_with_callback", interrupted)
    model.fit(X, Y)
    after = [fit.cost for fit in model._warm.fits]
    assert len(after) == 5
    assert all(now <= then for now, then in zip(after[:3], before[:3], strict=True))
    assert after[3:] == before[3:]  # as far as they were
    monkeypatch.setattr(multistart, "run_with_callback", real)
    model.fit(X, Y)
    assert len(model._warm.fits) == 5
