"""Depth and width by what fits without a fold predict for it."""

import numpy as np
import pytest

from chainrule import Network, Objective, TrainingError
from chainrule._cancellation import Cancellation
from chainrule.bayes import architecture
from chainrule.bayes.architecture import Comparison
from chainrule.bayes.empirical_bayes import SearchOptions
from chainrule.bayes.evidence import LEVELS
from chainrule.bayes.priors import priors_of


def comparison(f, n=150, noise=0.05, joint=True, options=None, **more):
    rng = np.random.default_rng(3)
    X = rng.uniform(-2.0, 2.0, (n, 2))
    y = f(X) + noise * rng.standard_normal(n)
    Y = ((y - y.mean()) / y.std())[:, None]
    return Comparison(
        lambda widths: Objective(Network([2, *widths, 1]), X, Y),
        lambda of: priors_of(of.net),
        0,
        1.0,
        options or SearchOptions(),
        joint,
        **more,
    )


def ripples(X):
    return np.sin(3.0 * (X[:, 0] + 0.5 * X[:, 1] ** 2))


def bend(X):
    return np.tanh(1.5 * X[:, 0])


def test_more_layers_or_units_are_taken_where_they_predict_better():
    path = comparison(ripples).path_from((3,))
    assert path.chosen.widths != (3,)
    assert [of.widths for of in path.tried[:3]] == [(3,), (3, 3), (5,)]
    assert path.chosen.gain > 0.0 < path.chosen.standard_error
    assert path.chosen.cost == min(of.cost for of in path.tried if np.isfinite(of.cost))
    assert path.n_rows == 150
    # the cost is that of squares: what a single unit explains is little of such ripples
    assert path.tried[0].cost > 3.0 * path.chosen.cost


def test_what_is_enough_stays():
    path = comparison(bend, noise=0.3).path_from((1,))
    assert path.chosen.widths == (1,)
    assert path.ended == "settled"
    assert [of.widths for of in path.tried] == [(1,), (1, 1), (2,)]
    assert np.isfinite(path.chosen.log_evidence)


def test_what_is_much_worse_is_given_up(monkeypatch):
    monkeypatch.setattr(architecture, "MUCH_WORSE", -1e9)  # everything is
    asked = comparison(bend)
    first = asked.examine((2,))
    other = asked.examine((3,), first)
    assert np.isfinite(first.cost)
    assert not np.isfinite(other.cost)
    assert np.isnan(other.log_evidence)
    assert np.isfinite(other.costs).sum() < 0.5 * len(other.costs)


def test_alone_one_level_is_chosen_and_together_any_of_them():
    alone = comparison(ripples, joint=False).examine((5,))
    both = comparison(ripples).examine((5,))
    assert len(alone.levels) == 1
    assert set(both.levels) <= set(LEVELS)
    assert both.cost <= alone.cost


def test_no_network_has_more_weights_than_there_are_numbers():
    asked = comparison(ripples, n=30)
    path = asked.path_from((5,))
    assert path.ended == "rows"
    assert all(of.n_weights <= 30 for of in path.tried)


def test_no_more_layers_than_asked_for():
    path = comparison(ripples, most_layers=1).path_from((3,))
    assert {len(of.widths) for of in path.tried} == {1}


@pytest.mark.parametrize("interrupt", [False, True])
def test_the_first_is_kept_when_it_is_cancelled(interrupt):
    cancellation = Cancellation(max_time=None if interrupt else 1e-9)
    if interrupt:
        cancellation.interrupt()
    path = comparison(bend, options=SearchOptions(cancellation=cancellation)).path_from((2,))
    assert path.ended == ("interrupted" if interrupt else "time_limit")
    assert [of.widths for of in path.tried] == [(2,)]


def test_a_network_that_fails_in_a_fold_is_not_chosen(monkeypatch):
    real = architecture.hyperparameters_at_level

    def fails(objective, priors, level, seed, start, options):
        if objective.net.layers[1] == 5 and start == 3:
            raise TrainingError("no minimum without the fourth fold")
        return real(objective, priors, level, seed, start, options)

    monkeypatch.setattr(architecture, "hyperparameters_at_level", fails)
    path = comparison(ripples, most_layers=1).path_from((3,))
    tried = {of.widths: of for of in path.tried}
    assert tried[5,].gain > 0.0  # in the first folds
    assert not np.isfinite(tried[5,].cost)
    assert path.chosen.widths == (3,)
