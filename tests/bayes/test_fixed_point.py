"""MacKay's fixed point against its equations, and what a level changes."""

import numpy as np
import pytest

from chainrule import Network, Objective
from chainrule._cancellation import Cancellation
from chainrule.bayes import fixed_point
from chainrule.bayes.empirical_bayes import SearchOptions, settle_from
from chainrule.bayes.evidence import EvidenceProblem
from chainrule.bayes.fixed_point import LEVELS, STRONG, USUAL, WEAK, settle
from chainrule.bayes.laplace import laplace
from chainrule.bayes.priors import priors_of
from chainrule.heart.initialisation import Starts


def noisy_problem(hidden=(4, 3), n=120):
    rng = np.random.default_rng(11)
    X = rng.uniform(-2.0, 2.0, (n, 2))
    Y = (np.sin(1.5 * X[:, 0]) * X[:, 1] + 0.1 * rng.standard_normal(n))[:, None]
    objective = Objective(Network([2, *hidden, 1]), X, (Y - Y.mean()) / Y.std())
    return EvidenceProblem(objective, priors_of(objective.net))


def test_the_equations_hold_where_it_ends(monkeypatch):
    monkeypatch.setattr(fixed_point, "MOST_ROUNDS", 200)
    monkeypatch.setattr(fixed_point, "SETTLED_NATS", 1e-6)
    problem = noisy_problem()
    end = settle(problem, USUAL, problem.objective.net.initial(seed=1))
    logs = np.log(np.append(end.alpha, end.beta))
    known = laplace(problem.cost_with(logs), end.theta, problem.priors, end.beta, problem.n_numbers)
    pull = 2.0 * (logs - problem.usual) / problem.unusual(logs) ** 2
    squares = problem.priors.sums(end.theta**2)
    assert end.alpha * squares == pytest.approx(known.gamma - pull[:-1], rel=1e-2, abs=1e-2)
    error = 2.0 * problem.objective.with_decay(np.zeros(len(end.theta))).cost(end.theta)
    free = problem.n_numbers - known.n_effective
    assert end.beta * error == pytest.approx(free - pull[-1], rel=1e-2)
    assert end.ended == "fixed_point"
    assert end.steps[-1].log_evidence > end.steps[0].log_evidence


def test_a_weak_penalty_ends_at_less_noise_than_a_strong_one():
    problem = noisy_problem((8, 8))
    start = problem.objective.net.initial(seed=0)
    strong, usual, weak = (settle(problem, level, start) for level in LEVELS)
    assert LEVELS == (STRONG, USUAL, WEAK)
    assert weak.beta > strong.beta
    assert weak.laplace.n_effective > strong.laplace.n_effective
    assert usual.n_evaluations <= fixed_point.MOST_ROUNDS


@pytest.mark.parametrize(("output", "K"), [("sigmoid", 1), ("softmax", 3), ("exp", 1)])
def test_losses_without_noise_have_no_beta(output, K):
    X = np.random.default_rng(2).standard_normal((90, 2))
    Y = np.eye(3)[np.digitize(X[:, 0], [-0.5, 0.5])] if K == 3 else (X[:, :1] > 0) * 1.0
    objective = Objective(Network([2, 3, K], output=output), X, Y)
    found = settle_from(objective, priors_of(objective.net), USUAL, 0)
    assert found.best.beta == 1.0
    assert np.isfinite(found.best.log_evidence)
    assert not found.noisy


def test_one_hidden_layer_ends_at_a_maximum_of_the_evidence():
    problem = noisy_problem((3,))
    only = settle(problem, USUAL, Starts(problem.objective.net, 0, "auto").take(1)[0])
    found = settle_from(problem.objective, problem.priors, USUAL, 0)
    assert found.best.ended != "fixed_point"
    assert found.best.log_evidence > only.log_evidence


def test_a_time_limit_ends_it():
    problem = noisy_problem()
    over = SearchOptions(cancellation=Cancellation(max_time=1e-9))
    found = settle_from(problem.objective, problem.priors, USUAL, 0, options=over)
    assert found.best.ended == "time_limit"
    assert len(found.best.steps) == 1
