"""Networks that predict together, each with its own penalty, and what an effort means."""

import warnings

import numpy as np
import pytest

import chainrule
from chainrule import ConfigurationError, Network, TrainingError
from chainrule.model.model_file import load_model, save_model
from chainrule.pipeline import members
from chainrule.pipeline.effort import EFFORTS, UNITS, resolved
from trainings import train

RNG = np.random.default_rng(5)
X = RNG.uniform(-2.0, 2.0, (140, 2))
NOISE = 0.1


def truth(X):
    return np.sin(1.5 * X[:, 0]) * X[:, 1]


y = truth(X) + NOISE * RNG.standard_normal(len(X))
FRESH = RNG.uniform(-1.9, 1.9, (1_500, 2))
FRESH_Y = truth(FRESH) + NOISE * RNG.standard_normal(len(FRESH))


@pytest.fixture(scope="module")
def best():
    return chainrule.NetworkRegressor(effort="best").fit(X, y)


def test_the_best_effort_follows_what_is_there(best):
    error = np.sqrt(np.mean((FRESH_Y - best.predict(FRESH)) ** 2))
    assert error < 1.2 * NOISE


def test_what_it_says_of_unseen_rows_holds(best):
    error = np.sqrt(np.mean((FRESH_Y - best.predict(FRESH)) ** 2))
    said = best.model_.report.posterior.leave_one_out
    assert said.refits.n_folds == 5
    assert said.scores["y"].rmse == pytest.approx(error, rel=0.25)
    lower, upper = best.predict_interval(FRESH, 0.95)
    assert 0.92 <= np.mean((lower <= FRESH_Y) & (FRESH_Y <= upper)) <= 0.99
    _, std = best.predict(FRESH, return_std=True)
    assert np.sqrt(np.mean(((FRESH_Y - best.predict(FRESH)) / std) ** 2)) == pytest.approx(
        1, abs=0.2
    )


def test_predictions_are_the_mean_of_networks_with_their_own_penalties(best):
    model, found = best.model_, best.model_.report.selection.members
    net, theta = model.network, model.posterior.theta
    assert len(found) == len(theta) == EFFORTS["best"].ensemble
    assert len({of.start for of in found}) == len(found)
    heights = [of.log_evidence for of in found]
    assert heights == sorted(heights, reverse=True)
    scaled = model.input_scaling.transform(FRESH[:7])
    each = np.array([net.forward(at, scaled).y_hat for at in theta])
    assert each.std(axis=0).max() > 1e-4
    mean = model.target_scaling.inverse(each.mean(axis=0))[:, 0]
    assert best.predict(FRESH[:7]) == pytest.approx(mean, rel=1e-12)
    # what is shown is the first of them, a minimum of its own cost
    assert np.array_equal(theta[0], model.theta)
    assert best.certificate_.kind == "minimum"


def test_the_path_is_shown_and_comes_back_from_the_file(best, tmp_path):
    page = best.summary()
    path = best.model_.report.selection.path
    for of in path.candidates:
        assert ", ".join(map(str, of.widths)) in page
    assert "6 networks with their own penalties" in page
    assert "each with its own penalty" in page
    file = tmp_path / "model.json"
    save_model(best.model_, file)
    again = load_model(file)
    assert again.report.selection == best.model_.report.selection
    assert np.array_equal(again.posterior.theta, best.model_.posterior.theta)


def test_an_ensemble_of_given_widths_is_of_these_widths():
    net, names = Network([2, 4, 3, 1]), {"target_names": ("y",), "input_names": ("a", "b")}
    found = train(X, y[:, None], net, **names, ensemble=3, n_restarts=3)
    assert found.model.network.layers == (2, 4, 3, 1)
    assert len(found.model.posterior) == 3
    assert len(found.model.report.selection.path.candidates) == 1


def test_classes_are_predicted_together_too():
    label = np.where(truth(X) > 0.3, "high", np.where(truth(X) < -0.3, "low", "middle"))
    classifier = chainrule.NetworkClassifier(effort="best").fit(X, label)
    right = np.where(truth(FRESH) > 0.3, "high", np.where(truth(FRESH) < -0.3, "low", "middle"))
    assert classifier.score(FRESH, right) > 0.9
    assert len(classifier.model_.posterior) == 6
    p = classifier.predict_proba(FRESH)
    log_loss = -np.log(p[np.arange(len(right)), np.searchsorted(classifier.classes_, right)]).mean()
    (said,) = classifier.model_.report.posterior.leave_one_out.scores.values()
    assert said.log_loss == pytest.approx(log_loss, rel=0.35)


def test_a_time_limit_keeps_the_best_so_far():
    found = chainrule.NetworkRegressor(effort="best", max_time=0.3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # whether it ends by itself depends on the machine
        found.fit(X, y)
    assert np.isfinite(found.predict(X)).all()


def test_a_network_that_fails_takes_its_penalty_with_it(monkeypatch):
    real, calls = members.stopped_at, []

    def fails_once(*arguments):
        calls.append(arguments)
        if len(calls) == 1:
            raise TrainingError("no minimum")
        return real(*arguments)

    monkeypatch.setattr(members, "in_parallel", lambda f, n: [f(m) for m in range(n)])
    monkeypatch.setattr(members, "stopped_at", fails_once)
    net, names = Network([2, 4, 3, 1]), {"target_names": ("y",), "input_names": ("a", "b")}
    model = train(X, y[:, None], net, **names, ensemble=3, n_restarts=3).model
    kept = model.report.selection.members
    assert len(kept) == len(model.posterior) == 2
    assert model.report.evidence.log_evidence == pytest.approx(kept[0].log_evidence, abs=3.0)
    assert np.array_equal(model.theta, model.posterior.theta[0])


def test_what_is_watched_or_saved_are_starts_of_one_network(tmp_path):
    net, names = Network([2, 4, 1]), {"target_names": ("y",), "input_names": ("a", "b")}
    options = {**names, "ensemble": 2, "n_restarts": 2, "noise": "constant"}
    saved = train(X, y[:, None], net, **options, checkpoint=tmp_path / "c")
    assert (tmp_path / "c").exists()
    assert saved.model.report.selection.members is None
    warm = chainrule.NetworkRegressor((4,), warm_start=True, ensemble=2, max_iter=50)
    warm.fit(X, y).fit(X, y)
    assert len(warm.model_.posterior) <= 2


def test_efforts_are_what_they_say_and_what_is_given_wins():
    assert resolved("fast").alpha == "rule"
    assert resolved("normal").hidden == UNITS
    assert resolved("best").hidden == "auto"
    given = {"hidden": (3,), "alpha": 0.5, "n_restarts": 2, "ensemble": 2}
    for effort in EFFORTS:
        work = resolved(effort, **given)
        assert (work.hidden, work.alpha, work.n_restarts, work.ensemble) == tuple(given.values())
    assert resolved("normal", ensemble=8).n_restarts == 8
    assert resolved("best", alpha=0.1).hidden == UNITS
    assert resolved("best", single=True).ensemble == 1
    with pytest.raises(ConfigurationError, match=r"effort is 'most'; it must be one of fast"):
        resolved("most")
    with pytest.raises(ConfigurationError, match="effort is 'most'"):
        chainrule.NetworkRegressor(effort="most").fit(X, y)


def test_efforts_differ_only_in_what_was_left_out():
    fast = chainrule.NetworkRegressor(effort="fast").fit(X, y)
    rule = chainrule.NetworkRegressor(alpha="rule").fit(X, y)
    assert np.array_equal(fast.predict(FRESH), rule.predict(FRESH))
    assert fast.get_params()["alpha"] is None
    given = {"hidden_layer_sizes": (3,), "alpha": 0.1, "n_restarts": 2, "ensemble": 1}
    fits = [chainrule.NetworkRegressor(effort=effort, **given).fit(X, y) for effort in EFFORTS]
    assert np.array_equal(fits[0].predict(FRESH), fits[2].predict(FRESH))


@pytest.mark.parametrize(
    "options", [{"warm_start": True}, {"early_stopping": True}, {"alpha": 0.1}]
)
def test_one_network_is_fitted_where_it_is_stopped_resumed_or_given(options):
    found = chainrule.NetworkRegressor(effort="best", max_iter=300, **options)
    found.fit(X, y)
    assert found.model_.network.layers == (2, *UNITS, 1)
    assert found.model_.report.selection.members is None


def test_few_rows_get_a_network_of_usual_size():
    few = chainrule.NetworkRegressor(effort="best").fit(X[:6], y[:6])
    assert few.model_.network.layers == (2, *UNITS, 1)
    with pytest.raises(ConfigurationError, match="give their number"):
        chainrule.NetworkRegressor(hidden_layer_sizes="auto").fit(X[:6], y[:6])
