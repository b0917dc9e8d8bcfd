"""MacKay's fixed point against its equations, and what a level changes."""

import numpy as np
import pytest

from chainrule import Network, Objective
from chainrule._cancellation import Cancellation
from chainrule.bayes import fixed_point
from chainrule.bayes.empirical_bayes import (
    SearchOptions,
    estimate_hyperparameters,
    hyperparameters_at_level,
)
from chainrule.bayes.evidence import (
    LEVELS,
    STRONG,
    UNUSUAL_NOISE,
    USUAL,
    WEAK,
    EvidenceProblem,
    Point,
)
from chainrule.bayes.fixed_point import fixed_point_from_level
from chainrule.bayes.priors import priors_of
from chainrule.heart.initialisation import Starts


def noisy_problem(hidden=(4, 3), n=120):
    rng = np.random.default_rng(11)
    X = rng.uniform(-2.0, 2.0, (n, 2))
    Y = (np.sin(1.5 * X[:, 0]) * X[:, 1] + 0.1 * rng.standard_normal(n))[:, None]
    objective = Objective(Network([2, *hidden, 1]), X, (Y - Y.mean()) / Y.std())
    return EvidenceProblem(objective, priors_of(objective.net))


def test_the_equations_hold_at_the_fixed_point():
    problem = noisy_problem()
    logs, theta = problem.usual, problem.objective.net.initial(seed=1)
    for _ in range(200):
        theta, known = fixed_point._round(problem, logs, theta, 1)
        logs, before = fixed_point._updated(problem, logs, theta, known), logs
    assert logs == pytest.approx(before, abs=0.01)
    (alpha, beta), n = problem.split(logs), len(problem.priors)
    pull = 2.0 * (logs - problem.usual)[:n] / problem.unusual(logs)[:n] ** 2
    squares = problem.priors.sums(theta**2)
    assert alpha * squares == pytest.approx(known.gamma - pull, rel=0.02, abs=0.02)
    error = 2.0 * problem.objective.with_decay(np.zeros(len(theta))).cost(theta)
    off = 2.0 * (logs - problem.usual)[-1] / UNUSUAL_NOISE**2
    assert beta * error == pytest.approx(problem.n_numbers - known.n_effective - off, rel=0.02)


def test_what_was_better_on_the_way_is_kept(monkeypatch):
    problem, rounds = noisy_problem((8, 8), n=40), []

    def noted(*arguments):
        rounds.append(Point(*arguments))
        return rounds[-1]

    monkeypatch.setattr(fixed_point, "Point", noted)
    last = 0
    for level in LEVELS:
        rounds.clear()
        found = fixed_point_from_level(problem, level, problem.objective.net.initial(seed=0))
        best = max(rounds, key=lambda of: of.height)
        last += best is rounds[-1]
        assert found.theta is best.theta
        assert np.log(found.beta) == pytest.approx(best.logs[-1])
    assert last < len(LEVELS)  # not always the last round


def test_a_weak_penalty_ends_at_less_noise_than_a_strong_one():
    problem = noisy_problem((8, 8))
    start = problem.objective.net.initial(seed=0)
    strong, usual, weak = (fixed_point_from_level(problem, level, start) for level in LEVELS)
    assert LEVELS == (STRONG, USUAL, WEAK)
    assert weak.beta > strong.beta
    assert weak.laplace.n_effective > strong.laplace.n_effective
    assert usual.n_evaluations <= fixed_point.MOST_ROUNDS


@pytest.mark.parametrize(("output", "K"), [("sigmoid", 1), ("softmax", 3), ("exp", 1)])
def test_losses_without_noise_have_no_beta(output, K):
    X = np.random.default_rng(2).standard_normal((90, 2))
    Y = np.eye(3)[np.digitize(X[:, 0], [-0.5, 0.5])] if K == 3 else (X[:, :1] > 0) * 1.0
    objective = Objective(Network([2, 3, K], output=output), X, Y)
    found = hyperparameters_at_level(objective, priors_of(objective.net), USUAL, 0)
    assert found.best.beta == 1.0
    assert np.isfinite(found.best.log_evidence)
    assert not found.noisy


def test_one_hidden_layer_ends_at_a_maximum_of_the_evidence():
    problem = noisy_problem((3,))
    start = Starts(problem.objective.net, 0, "auto").take(1)[0]
    only = fixed_point_from_level(problem, USUAL, start)
    found = hyperparameters_at_level(problem.objective, problem.priors, USUAL, 0)
    assert found.best.ended != "fixed_point"
    assert found.best.log_evidence >= only.log_evidence - 1e-6


def test_a_time_limit_ends_it():
    problem = noisy_problem()
    over = SearchOptions(cancellation=Cancellation(max_time=1e-9))
    found = hyperparameters_at_level(problem.objective, problem.priors, USUAL, 0, options=over)
    assert found.best.ended == "time_limit"
    assert len(found.best.steps) == 1


@pytest.mark.parametrize("seed", range(4))
def test_a_brief_search_comes_near_the_highest_evidence(seed):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((150, 3))
    Y = (X[:, :1] - 0.5 * X[:, 1:2] + 0.5 * np.sin(2 * X[:, :1])) + rng.normal(0, 0.3, (150, 1))
    objective = Objective(Network([3, 5, 1]), X, (Y - Y.mean()) / Y.std())
    priors = priors_of(objective.net)
    whole = estimate_hyperparameters(objective, priors, 0)
    brief = estimate_hyperparameters(objective, priors, 0, options=SearchOptions(brief=True))
    assert brief.best.ended == "fixed_point"
    assert whole.best.ended != "fixed_point"
    assert brief.best.log_evidence > whole.best.log_evidence - 12.0
    assert brief.best.n_evaluations <= fixed_point.MOST_ROUNDS


def test_a_brief_search_is_a_whole_one_where_rows_are_few():
    problem = noisy_problem((10,), n=30)
    options = SearchOptions(brief=True)
    found = estimate_hyperparameters(problem.objective, problem.priors, 0, options=options)
    assert found.best.ended != "fixed_point"
