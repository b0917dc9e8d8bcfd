"""Fits without a row: how many are made, for which rows, and what these stand for."""

import numpy as np
import pytest

from chainrule import Network, Objective
from chainrule._cancellation import Cancellation
from chainrule.bayes import empirical_bayes
from chainrule.bayes import fitted_posterior as belief_module
from chainrule.bayes import loo as module
from chainrule.bayes.fitted_posterior import Given, fit_posterior
from chainrule.bayes.laplace import inverse_root
from chainrule.bayes.leverage import influence
from chainrule.bayes.loo import loo, sample
from trainings import train

ALPHA = 1e-6


@pytest.fixture
def through_all_rows():
    """Return a cost with a penalty so weak that its minimum goes through most rows, and that."""
    rng = np.random.default_rng(1)
    X = np.sort(rng.uniform(-3, 3, (60, 1)), axis=0)
    Y = np.sin(2 * X) + 0.2 * rng.standard_normal((60, 1))
    objective = Objective(Network([1, 20, 1]), X, Y, ALPHA)
    return objective, empirical_bayes.refine(objective, objective.net.initial(0), 3000)


def test_what_a_fit_without_a_row_says(through_all_rows):
    objective, theta = through_all_rows
    once, root = np.ones(60), inverse_root(objective, theta)
    first = influence(objective.net, theta, objective.rows.reweighted(once), root)
    rows = np.argsort(-first.leverage)[:3]
    found = loo(objective, theta, once, root, first, rows, Cancellation())
    for i in rows:
        keep = np.arange(60) != i
        fewer = Objective(objective.net, objective.rows.X[keep], objective.rows.Y[keep], ALPHA)
        again = empirical_bayes.refine(fewer, theta, module.MOST_REFIT_STEPS)
        said = objective.net.forward(again, objective.rows.X[i : i + 1]).y_hat[0]
        assert found.z_loo[i] == pytest.approx(said, rel=2e-2)
        moved = again - theta
        A = objective.evaluate(theta, 2).H
        assert found.distance[i] == pytest.approx(np.sqrt(moved @ A @ moved), rel=2e-2)
    others = np.setdiff1d(np.arange(60), rows)
    assert np.array_equal(found.z_loo[others], first.z_loo[others])
    assert np.array_equal(found.distance[others], first.distance[others])


def test_some_stand_for_all(monkeypatch):
    rng = np.random.default_rng(0)
    objective = Objective(Network([1, 40, 1]), np.zeros((200, 1)), np.zeros((200, 1)))
    leverage = rng.uniform(0, 1, 200)
    alone = leverage > 0.7
    found = sample(objective, leverage)
    assert len(found.rows) == module.MOST_REFITS < alone.sum()
    assert np.all(alone[found.rows])
    assert found.stands_for.sum() == pytest.approx(200)
    assert np.all(found.stands_for[~alone] == 1.0)
    assert set(np.flatnonzero(alone & (found.stands_for > 0))) == set(found.rows)
    # the highest and the lowest leverage are among them
    assert leverage[found.rows].max() == leverage.max()
    assert leverage[found.rows].min() == leverage[alone].min()
    # from more minima fewer, but not too few, unless even these are too many
    assert len(sample(objective, leverage, 100).rows) == module.FEWEST_REFITS
    monkeypatch.setattr(module, "AT_ALL", 1.0)
    too_costly = sample(objective, leverage)
    assert len(too_costly.rows) == 0
    assert np.all(too_costly.stands_for == 1.0)


def test_few_fits_say_what_all_of_them_would(through_all_rows, monkeypatch):
    objective, theta = through_all_rows

    def left_out_error():
        found = fit_posterior(
            [(objective, objective, theta)], Given(1.0, np.ones(60), noise="constant")
        )
        squares = (found.without - objective.rows.Y)[:, 0] ** 2
        return found, np.sqrt(np.average(squares, weights=found.stands_for))

    every, of_all = left_out_error()
    alone = (every.leverage > 0.7).sum()
    assert alone > 20
    monkeypatch.setattr(module, "MOST_REFITS", 15)
    some, of_some = left_out_error()
    assert (some.stands_for == 0.0).sum() == alone - 15
    # first order alone knows nothing of where other weights lead
    monkeypatch.setattr(module, "AT_ALL", 1.0)
    _, of_first_order = left_out_error()
    assert of_first_order < 0.5 * min(of_some, of_all)
    # and neither do intervals that do not look
    assert some.posterior.multiplier(0.9)[0] > 1.645


def test_the_only_row_cannot_be_left_out(through_all_rows):
    objective, theta = through_all_rows
    one = objective.with_rows(objective.rows.take(slice(0, 1)))
    first = influence(one.net, theta, one.rows, inverse_root(objective, theta))
    root = inverse_root(objective, theta)
    found = loo(one, theta, np.ones(1), root, first, np.array([0]), Cancellation())
    assert found.z_loo == pytest.approx(first.z_loo)


def test_scores_are_those_of_the_rows_that_stand_for_others(monkeypatch):
    monkeypatch.setattr(module, "MOST_REFITS", 5)
    monkeypatch.setattr(belief_module, "BEARABLE", np.inf)  # one by one, not in folds
    rng = np.random.default_rng(1)
    X = np.sort(rng.uniform(-3, 3, (60, 1)), axis=0)
    Y = np.sin(2 * X) + 0.2 * rng.standard_normal((60, 1))
    trained = train(
        X,
        Y,
        Network([1, 20, 1]),
        target_names=("y",),
        input_names=("x",),
        alpha=ALPHA,
        n_restarts=1,
    )
    belief, model = trained.posterior, trained.model
    assert (belief.stands_for == 0.0).any()
    squares = (model.target_scaling.inverse(belief.without) - Y)[:, 0] ** 2
    rmse = np.sqrt(np.average(squares, weights=belief.stands_for))
    assert model.report.posterior.leave_one_out.scores["y"].rmse == pytest.approx(rmse)
