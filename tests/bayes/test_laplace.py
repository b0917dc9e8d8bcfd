"""The evidence: against integrals that are known, differences, and Bayesian ridge regression."""

import numpy as np
import pytest
from scipy import stats
from sklearn.linear_model import BayesianRidge

from chainrule import Network, Objective, minimize
from chainrule.bayes import evidence
from chainrule.bayes.evidence import EvidenceProblem, maximize_evidence
from chainrule.bayes.laplace import Priors, laplace, slope
from chainrule.bayes.priors import priors_of, usual


@pytest.fixture
def rng():
    return np.random.default_rng(11)


def at(objective, priors, alpha, beta, theta):
    """Return the Laplace approximation at the minimum for α and β."""
    now = objective.with_decay(priors.spread(np.asarray(alpha)) / beta)
    theta = minimize(now, theta, tol=1e-13, method="lm").theta
    squared = objective.net.loss == "squared"
    n_numbers = objective.w.sum() * objective.net.layers[-1] if squared else 0.0
    return laplace(now, theta, priors, beta, n_numbers), theta


def test_of_a_linear_model_it_is_the_density_of_the_data(rng):
    X = rng.standard_normal((20, 3))
    y = X @ [1.0, -0.5, 0.0] + 0.3 * rng.standard_normal(20)
    net = Network([3, 1], bias=False)
    priors, alpha, beta = priors_of(net), np.array([0.5, 2.0, 7.0]), 9.0
    found, _ = at(Objective(net, X, y[:, None]), priors, alpha, beta, np.zeros(3))
    covariance = X @ np.diag(1 / alpha) @ X.T + np.eye(20) / beta
    exact = stats.multivariate_normal(np.zeros(20), covariance).logpdf(y)
    assert found.log_evidence == pytest.approx(exact, rel=1e-10)
    posterior = np.linalg.inv(beta * X.T @ X + np.diag(alpha))
    assert found.covariance == pytest.approx(posterior, rel=1e-9)
    assert found.gamma == pytest.approx(1.0 - alpha * np.diag(posterior), rel=1e-9)


def test_weights_of_rows_count_them(rng):
    X = rng.standard_normal((12, 2))
    y = X[:, :1] + 0.2 * rng.standard_normal((12, 1))
    counts = np.array([1.0, 2.0, 3.0] * 4)
    net = Network([2, 1], bias=False)
    priors, start = priors_of(net), np.zeros(2)
    weighted, _ = at(Objective(net, X, y, 0.0, counts), priors, [1.0, 2.0], 5.0, start)
    often = counts.astype(int)
    repeated = Objective(net, np.repeat(X, often, axis=0), np.repeat(y, often, axis=0))
    assert weighted.log_evidence == pytest.approx(
        at(repeated, priors, [1.0, 2.0], 5.0, start)[0].log_evidence, rel=1e-12
    )


def test_of_a_tiny_network_it_is_the_integral_over_its_weights(rng):
    X = rng.standard_normal((200, 1))
    y = 1.2 * np.tanh(0.9 * X) + 0.2 * rng.standard_normal((200, 1))
    net = Network([1, 1, 1], bias=False)
    priors, alpha, beta = priors_of(net), np.array([0.5, 0.7]), 25.0
    objective = Objective(net, X, y)
    found, _ = at(objective, priors, alpha, beta, np.array([1.0, 1.0]))
    v, w = np.meshgrid(np.linspace(0.5, 2.0, 200), np.linspace(0.5, 2.0, 200))
    errors = (y[:, 0] - w[..., None] * np.tanh(v[..., None] * X[:, 0])) ** 2
    logs = -0.5 * beta * errors.sum(axis=-1) - 0.5 * (alpha[0] * v**2 + alpha[1] * w**2)
    cell = (1.5 / 199) ** 2
    exact = np.log(np.sum(np.exp(logs - logs.max())) * cell) + logs.max()
    exact += 0.5 * np.log(alpha).sum() - np.log(2 * np.pi) + 100 * np.log(beta / (2 * np.pi))
    assert found.log_evidence == pytest.approx(exact, abs=0.03)  # of one of its two mirror images


@pytest.mark.parametrize(
    ("layers", "options"),
    [
        ([2, 3, 1], {}),
        ([2, 3, 2], {"skip": True}),
        ([2, 3, 1], {"output": "sigmoid"}),
        ([2, 2, 3], {"output": "softmax"}),
        ([2, 3, 2, 1], {}),
        ([12, 3, 3], {"output": "softmax", "skip": True}),
    ],
)
def test_its_slope_is_that_of_its_differences(rng, layers, options):
    net = Network(layers, **options)
    X = rng.standard_normal((40, layers[0]))
    z = np.tanh(X @ rng.standard_normal((layers[0], layers[-1])) * 2) + 0.2 * rng.standard_normal(
        (40, layers[-1])
    )
    Y = {"identity": z, "sigmoid": (z > 0).astype(float)}.get(net.output)
    Y = np.eye(layers[-1])[z.argmax(axis=1)] if Y is None else Y
    objective, priors = Objective(net, X, Y), priors_of(net)
    beta = 8.0 if net.loss == "squared" else 1.0
    alpha = rng.uniform(0.5, 3.0, len(priors))
    found, theta = at(objective, priors, alpha, beta, net.initial(0))
    now = objective.with_decay(priors.spread(alpha) / beta)
    slopes = slope(now, theta, priors, beta, net.loss == "squared" and Y.size, found)
    steps = np.eye(len(alpha) + 1)[: len(slopes)] * 1e-4
    for j, step in enumerate(steps):
        up, down = (
            at(objective, priors, alpha * np.exp(s * step[:-1]), beta * np.exp(s * step[-1]), theta)
            for s in (1.0, -1.0)
        )
        difference = (up[0].log_evidence - down[0].log_evidence) / 2e-4
        assert slopes[j] == pytest.approx(difference, rel=1e-4, abs=1e-5)


def test_the_highest_is_where_bayesian_ridge_finds_it(rng, monkeypatch):
    for name in ("WEAKER", "STRONGER", "UNUSUAL_NOISE"):  # which it leaves out
        monkeypatch.setattr(evidence, name, 1e6)
    monkeypatch.setattr(evidence, "CONVERGED_NATS", 1e-9)
    monkeypatch.setattr(evidence, "GRID", 1e-9)
    X = rng.standard_normal((80, 5))
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    y = X @ [1.0, 0.5, 0.0, 0.0, -0.3] + 0.7 * rng.standard_normal(80)
    y = y - y.mean()
    net = Network([5, 1])
    problem = EvidenceProblem(Objective(net, X, y[:, None]), priors_of(net, (0,) * 5))
    found = maximize_evidence(problem.beginning(net.initial(0)))
    ridge = BayesianRidge(tol=1e-12, max_iter=10_000, lambda_1=0, lambda_2=0, alpha_1=0, alpha_2=0)
    ridge.fit(X, y)
    assert found.converged
    assert found.theta[:5] == pytest.approx(ridge.coef_, rel=5e-3)
    assert found.alpha[0] == pytest.approx(ridge.lambda_, rel=0.02)
    # ours counts the bias among what uses numbers up
    assert found.beta == pytest.approx(ridge.alpha_ * 79 / 80, rel=0.02)


def test_it_rises_above_where_it_began_and_says_which_inputs_matter(rng):
    X = rng.standard_normal((150, 4))
    y = np.sin(2 * X[:, :1]) + np.cos(2 * X[:, 1:2]) + 0.1 * rng.standard_normal((150, 1))
    objective = Objective(Network([4, 8, 1]), X, (y - y.mean()) / y.std())
    seen = []
    problem = EvidenceProblem(objective, priors_of(objective.net))
    found = maximize_evidence(problem.beginning(objective.net.initial(1)), monitor=seen.append)
    assert found.converged
    heights = [step.log_evidence for step in seen]
    assert tuple(seen) == found.steps[1:]

    assert heights[-1] > heights[0] + 1.0
    assert min(found.alpha[2:4]) > 10 * max(found.alpha[:2])  # 3 and 4 say nothing
    noise = 1 / np.sqrt(found.beta)
    assert noise == pytest.approx(0.1 / y.std(), rel=0.25)
    assert 0 < found.laplace.n_effective < objective.net.n_parameters


def test_what_is_maximized_has_the_slope_of_its_differences(rng, monkeypatch):
    X = rng.standard_normal((40, 2))
    y = np.sin(2 * X[:, :1]) + 0.2 * rng.standard_normal((40, 1))
    net = Network([2, 3, 1])
    problem = evidence.EvidenceProblem(Objective(net, X, y), priors_of(net))
    logs = np.append(np.log(rng.uniform(0.5, 20.0, 4)), 2.0)  # far from usual
    monkeypatch.setitem(
        evidence.MOST_ITERATIONS_ON_THE_WAY, "lm", 10_000
    )  # on the way they are cut short
    theta = problem.at(logs, net.initial(0)).theta
    point = problem.at(logs, theta)
    for j, step in enumerate(1e-3 * np.eye(5)):
        up, down = (problem.at(logs + s * step, theta).height for s in (1, -1))
        assert point.slope[j] == pytest.approx((up - down) / 2e-3, rel=1e-3, abs=5e-3)


def test_output_biases_that_have_a_prior_are_seen(rng):
    X = rng.standard_normal((30, 2))
    net = Network([2, 3], output="softmax")
    o = Objective(net, X, np.eye(3)[rng.integers(0, 3, 30)], np.full(net.n_parameters, 0.7))
    everyone = Priors(("all",), np.zeros(net.n_parameters, dtype=int))
    found, theta = at(o, everyone, [0.7], 1.0, np.zeros(net.n_parameters))
    exact = np.linalg.inv(o.with_decay(0.7 * np.ones(9)).hessian(theta))
    assert found.covariance == pytest.approx(exact, rel=1e-8)


def test_what_is_usual_does_not_depend_on_how_a_function_is_written(rng):
    # sigmoid(z) is (1 + tanh(z/2)) / 2: with weights twice as large it is the same network
    X, y = rng.standard_normal((30, 3)), rng.standard_normal((30, 1))
    one, other = (
        usual(Objective(net, X, y), priors_of(net))
        for net in (Network([3, 4, 1]), Network([3, 4, 1], hidden="sigmoid"))
    )
    assert other == pytest.approx(one / 4.0)
