"""The penalty by the evidence, sizes by it, and what is known after training."""

import math

import numpy as np
import pytest
from scipy import integrate, stats

from chainrule import (
    ConfigurationError,
    Network,
    Objective,
    TrainingError,
    load_model,
    save_model,
)
from chainrule.bayes import (
    default_alpha,
    empirical_bayes,
    evidence,
    fitted_posterior,
    model_selection,
    varying_noise,
)
from chainrule.bayes.fitted_posterior import Given, fit_posterior
from chainrule.bayes.laplace import inverse_root, laplace
from chainrule.bayes.linear_start import linear_start
from chainrule.bayes.posterior import moderated
from chainrule.bayes.priors import priors_of
from chainrule.bayes.student_t import StudentTNoise
from chainrule.kernels import native
from chainrule.model.diagnostics import counts_of_tails, of_rows
from chainrule.model.selection_report import GrowthReport
from chainrule.report.summary import summary
from chainrule.tables.scaling import quantile
from trainings import press_ctrl_c, train


@pytest.fixture
def rng():
    return np.random.default_rng(3)


def wave(rng, n=120, noise=0.2):
    X = rng.uniform(-2, 2, (n, 2))
    y = np.sin(2 * X[:, :1]) + noise * rng.standard_normal((n, 1))
    return X, (y - y.mean()) / y.std()


def fit(X, Y, network, **options):
    names = tuple(f"x{j}" for j in range(X.shape[1]))
    targets = tuple(f"y{k}" for k in range(Y.shape[1]))
    options = {"n_restarts": 3, **options}
    return train(X, Y, network, target_names=targets, input_names=names, **options)


def test_it_is_the_same_for_any_number_of_threads(rng, monkeypatch):
    X, Y = wave(rng)
    o = Objective(Network([2, 4, 1]), X, Y)
    found = []
    for threads in ("1", "2"):
        monkeypatch.setenv("CHAINRULE_NUM_THREADS", threads)
        found.append(empirical_bayes.estimate_hyperparameters(o, priors_of(o.net), 0).decay)
    assert np.array_equal(*found)


def test_rounding_errors_are_forgotten(rng):
    X, Y = wave(rng)
    o = Objective(Network([2, 4, 1]), X, Y)
    other = Objective(o.net, X * (1 + 1e-14), Y)
    priors = priors_of(o.net)
    same = [empirical_bayes.estimate_hyperparameters(one, priors, 0).decay for one in (o, other)]
    assert np.array_equal(*same)


def test_rows_that_count_twice_are_two(rng):
    X, Y = wave(rng, n=40)
    net, counts = Network([2, 3, 1]), np.r_[np.full(10, 2.0), np.ones(30)]
    once = Objective(net, X, Y, 0.0, counts)
    twice = Objective(
        net, np.repeat(X, counts.astype(int), axis=0), np.repeat(Y, counts.astype(int), axis=0)
    )
    priors = priors_of(net)
    found = [empirical_bayes.estimate_hyperparameters(o, priors, 0).decay for o in (once, twice)]
    assert found[0] == pytest.approx(found[1], rel=0.1)  # where one step ends is a matter of chance
    # what weights mean as a whole is a matter of their unit
    scaled = empirical_bayes.estimate_hyperparameters(
        Objective(net, X, Y, 0.0, 1e3 * counts), priors, 0, 1e3
    )
    assert scaled.decay == pytest.approx(1e3 * found[0], rel=1e-12)


def test_many_rows_are_sampled(rng, monkeypatch):
    monkeypatch.setattr(empirical_bayes, "FEWEST_IN_SAMPLE", 100)
    monkeypatch.setattr(empirical_bayes, "ROWS_PER_WEIGHT", 1)
    X, Y = wave(rng, n=400)
    o = Objective(Network([2, 3, 1]), X, Y)
    found = empirical_bayes.estimate_hyperparameters(o, priors_of(o.net), 0)
    assert found.n_rows == 100
    assert 1 / np.sqrt(found.best.beta) == pytest.approx(0.2 / np.sqrt(0.5 + 0.04), rel=0.25)


@pytest.mark.parametrize(
    ("net", "rows", "words"),
    [
        (Network([2, 600, 1]), 50, "2,401 weights > 2,000"),
        (Network([2, 2, 1]), 9, "fewer than 10 rows"),
    ],
)
def test_where_it_cannot_be_had_the_rule_holds_and_says_why(rng, net, rows, words):
    X, Y = wave(rng, n=rows)
    report = fit(X, Y, net, n_restarts=1, max_iter=5).model.report
    assert words in report.plan.alpha_reason
    assert report.evidence is None


def test_starts_are_judged_by_their_evidence(rng):
    X, Y = wave(rng, n=60)
    trained = fit(X, Y, Network([2, 8, 1]), n_restarts=6)
    heights = [run.log_evidence for run in trained.restarts.runs]
    chosen = trained.model.report.evidence.log_evidence
    assert chosen == pytest.approx(max(heights), abs=0.01)
    assert np.ptp(heights) > 0.1


def test_each_column_has_its_own_prior(rng):
    X, Y = wave(rng)
    found = fit(X, Y, Network([2, 6, 1])).model.report.evidence
    assert found.groups == ("x0", "x1", "b[1]", "W[2]")
    assert found.alpha[1] > 5 * found.alpha[0]  # x1 says nothing
    assert sum(found.n_weights) == 2 * 6 + 6 + 6


def test_each_target_has_its_own_noise(rng):
    X = rng.uniform(-2, 2, (150, 1))
    clean = np.hstack([np.sin(2 * X), np.cos(2 * X)])
    Y = clean + rng.standard_normal((150, 2)) * [0.02, 0.4]
    trained = fit(X, Y, Network([1, 8, 2]), noise="constant")
    noise = np.sqrt(trained.model.posterior.noise.variance) * trained.model.target_scaling.scale
    assert noise == pytest.approx([0.02, 0.4], rel=0.35)
    errors = trained.model.outputs(X) - clean
    assert np.sqrt(np.mean(errors[:, 0] ** 2)) < 0.02


def test_as_many_units_as_there_are(rng, monkeypatch):
    monkeypatch.setattr(
        empirical_bayes, "BEGINNINGS", 3
    )  # of one start nobody knows whether it is the best
    monkeypatch.setattr(empirical_bayes, "CLIMBS", 2)
    X = rng.uniform(-3, 3, (200, 1))
    straight = 0.5 * X + 0.1 * rng.standard_normal((200, 1))
    bumps = np.sin(2.5 * X) + 0.05 * rng.standard_normal((200, 1))
    sizes = {}
    for name, Y in (("straight", straight), ("bumps", bumps)):
        trained = fit(X, Y, lambda hidden: Network([1, hidden, 1]))
        tried = trained.model.report.selection.sizes
        sizes[name] = sum(trained.model.network.layers[1:-1])
        best = max(size.log_evidence for size in tried)
        smallest = min(
            s.hidden for s in tried if s.log_evidence >= best - model_selection.STRONG_EVIDENCE
        )
        assert sizes[name] == smallest
    assert sizes["straight"] == 0
    assert 3 <= sizes["bumps"] <= 12


def test_sizes_go_by_the_evidence_alone(rng):
    X, Y = wave(rng)

    def network(hidden):
        return Network([2, hidden, 1])

    with pytest.raises(ConfigurationError, match="alpha 'evidence'"):
        fit(X, Y, network, alpha=0.1)
    with pytest.raises(ConfigurationError, match="fewer than 10 rows"):
        fit(X[:5], Y[:5], network)


def known(rng, kind="varying", n=400):
    X = rng.uniform(-1, 1, (n, 1))
    sd = np.exp(1.5 * X - 2.0) if kind == "varying" else np.full_like(X, 0.2)
    Y = X**2 + sd * rng.standard_normal((n, 1))
    return X, Y, sd


def test_noise_that_varies_is_found(rng):
    X, Y, sd = known(rng)
    model = fit(X, Y, Network([1, 4, 1])).model
    noise = model.posterior.noise
    assert noise.precision
    found = np.sqrt(noise.at(model.input_scaling.transform(X))) * model.target_scaling.scale
    assert np.abs(np.log(found / sd)).max() < 0.5
    assert not fit(X, Y, Network([1, 4, 1]), noise="constant").model.posterior.noise.precision


def test_noise_that_does_not_vary_is_left_alone(rng):
    X, Y, _ = known(rng, "constant")
    noise = fit(X, Y, Network([1, 4, 1])).model.posterior.noise
    assert not noise.precision


@pytest.mark.parametrize("ensemble", [1, 3])
def test_intervals_hold_as_many_new_rows_as_they_say(rng, ensemble):
    X, Y, _ = known(rng)
    model = fit(X, Y, Network([1, 6, 1]), ensemble=ensemble).model
    assert len(model.posterior) == ensemble
    new = rng.uniform(-1, 1, (20_000, 1))
    truth = new**2 + np.exp(1.5 * new - 2.0) * rng.standard_normal((20_000, 1))
    sure = model.certainty(new)
    for coverage in (0.5, 0.9, 0.95):
        lower, upper = model.interval(sure, coverage)
        assert np.mean((lower <= truth) & (truth <= upper)) == pytest.approx(coverage, abs=0.04)
    assert model.report.posterior.leave_one_out.coverage == pytest.approx(0.95, abs=0.03)


def test_the_best_alone_predicts_by_its_equation_and_several_by_their_mean(rng):
    X, Y = wave(rng)
    one = fit(X, Y, Network([2, 4, 1])).model
    scaled = one.input_scaling.transform(X)
    by_hand = one.target_scaling.inverse(one.network.forward(one.theta, scaled).y_hat)
    assert np.array_equal(one.outputs(X), by_hand)
    several = fit(X, Y, Network([2, 4, 1]), ensemble=3).model
    assert np.array_equal(several.theta, several.posterior.theta[0])
    each = [several.network.forward(at, scaled).y_hat for at in several.posterior.theta]
    mean = several.target_scaling.inverse(np.mean(each, axis=0))
    assert several.outputs(X) == pytest.approx(mean, rel=1e-12)


def test_rows_without_themselves_score_as_new_ones_do(rng):
    X, Y = wave(rng, n=100, noise=0.4)
    trained = fit(X, Y, Network([2, 8, 1]))
    new, truth = wave(rng, n=5_000, noise=0.4)
    error = np.sqrt(np.mean((trained.model.outputs(new) - truth) ** 2))
    report = trained.model.report
    alone = report.posterior.leave_one_out.scores["y0"].rmse
    assert report.fitted["y0"].rmse < 0.95 * alone
    assert alone == pytest.approx(error, rel=0.15)


def test_a_row_that_stands_alone_is_named(rng):
    X, Y = wave(rng, n=60)
    X[17, 1] = 40.0
    found = fit(X, Y, Network([2, 3, 1])).model.report.posterior.influence
    assert found.leverage > 0.7
    assert 18 in [row.row for row in found.rows if row.leverage > 0.7]


def test_nothing_is_known_where_the_curvature_is_none(rng):
    X, Y = wave(rng, n=30)
    o = Objective(Network([2, 3, 1]), np.zeros_like(X), Y)
    flat = o.with_alpha(0.0)
    assert (
        fit_posterior([(flat, flat, np.zeros(13))], Given(1.0, np.ones(30))) is not None
    )  # jitter holds it
    nan = np.full(13, np.nan)
    assert fit_posterior([(o, o, nan)], Given(1.0, np.ones(30))) is None


@pytest.mark.parametrize(("size", "known"), [(1e3, True), (3.27e9, False), (1e12, False)])
def test_leverages_that_are_lost_in_rounding_become_no_posterior(size, known):
    rng = np.random.default_rng(3)
    X = np.column_stack([rng.normal(size=60) / 3, -1.0 + 1e-3 * rng.normal(size=60)])
    Y = np.eye(3)[rng.integers(3, size=60)]
    net = Network([2, 1, 3], hidden="sigmoid", output="softmax")
    theta = np.array([102, 9.7, -9.67, -size, size / 2, size / 2, 1.47, 0.22, -1.7])
    o = Objective(net, X, Y)
    found = fit_posterior([(o, o, theta)], Given(1.0, np.ones(60)))
    assert (found is not None) == known


def test_the_noise_of_a_precision_is_that_of_its_likelihood(rng):
    # Poisson's loss of 1/r² with weight r²/2 is minus the log likelihood of r, but for constants
    r2, z = rng.uniform(0.1, 4.0, 50), rng.standard_normal(50)
    net = Network([1, 1], output="exp")
    cost = 0.5 * r2 @ net.pair.cost(z[:, None], 1 / r2[:, None])
    exact = -np.sum(0.5 * z - 0.5 * np.exp(z) * r2)
    assert cost == pytest.approx(exact)
    assert fitted_posterior.NOISE == ("varying", "constant", "student")


def test_rows_that_are_far_off_count_less(rng):
    X = rng.uniform(-2, 2, (100, 1))
    clean = np.sin(2 * X)
    Y = clean + 0.1 * rng.standard_normal((100, 1))
    Y[::12] += rng.choice([-4.0, 4.0], (9, 1))
    plain, robust = (
        fit(X, Y, Network([1, 5, 1]), noise=noise).model for noise in ("constant", "student")
    )
    errors = [np.sqrt(np.mean((m.outputs(X) - clean) ** 2)) for m in (plain, robust)]
    assert errors[1] < 0.4 * errors[0]
    tails = robust.report.student
    assert tails.degrees < 4
    assert {of.row for of in tails.rows} >= {1 + i for i in range(0, 100, 12)}
    assert tails.rows[0].counts < 0.05
    lower, upper = robust.interval(robust.certainty(X), 0.8)
    assert np.mean((lower <= Y) & (Y <= upper)) == pytest.approx(0.8, abs=0.06)


def test_noise_without_tails_is_as_good_as_normal(rng):
    X, Y = wave(rng)
    robust, plain = (
        fit(X, Y, Network([2, 5, 1]), noise=noise).model for noise in ("student", "constant")
    )
    assert robust.report.student.degrees > 5
    assert robust.outputs(X) == pytest.approx(plain.outputs(X), abs=0.25)


def test_tails_are_those_of_numbers(rng):
    X, Y = wave(rng)
    net = Network([2, 2, 1], output="exp")
    with pytest.raises(ConfigurationError, match="noise 'student' is that of numbers"):
        fit(X, np.exp(Y), net, noise="student")


# ---------------------------------------------------------------- equations, one by one


def test_widths_of_rows_without_themselves_are_those_of_refits(rng):
    """Of a linear fit: r/(1 - h) for the error, σ² (1 + h/(1 - h)) for its variance."""
    X, n = rng.standard_normal((12, 2)), 12
    Y = X @ [[1.0], [-2.0]] + 0.3 * rng.standard_normal((n, 1))
    net = Network([2, 1])
    objective = Objective(net, X, Y, 1e-9)
    theta = empirical_bayes.refine(objective, np.zeros(3))
    known = fit_posterior(
        [(objective, objective, theta)], Given(1.0, np.ones(n), noise="constant")
    ).posterior
    A = np.column_stack([X, np.ones(n)])
    h = np.einsum("ij,jk,ik->i", A, np.linalg.inv(A.T @ A), A)
    r = Y[:, 0] - A @ np.linalg.lstsq(A, Y[:, 0], rcond=None)[0]
    of_weights, of_noise = r @ r / (n - 3), np.mean(r**2 / (1 - h))
    assert known.noise.variance == pytest.approx(of_noise)
    scores = np.abs(r) / (1 - h) / np.sqrt(of_weights * h / (1 - h) + of_noise)
    assert known.scores[:, 0] == pytest.approx(np.sort(scores), rel=1e-6)
    assert known.widest == pytest.approx((of_weights * h / (1 - h)).max() / of_noise, rel=1e-6)


def test_mirror_images_are_counted(rng):
    X, Y = wave(rng)

    def of_size(hidden):
        return Objective(Network([2, hidden, 1] if hidden else [2, 1]), X, Y)

    found = model_selection.select_architecture(of_size, lambda of: priors_of(of.net), 0)
    for size in found.tried:
        images = math.factorial(size.differ) * 2**size.differ
        height = size.penalty.best.log_evidence + np.log(images)
        assert size.log_evidence == pytest.approx(height, abs=1e-9)


def test_the_noise_to_begin_with_is_the_most_probable(rng, monkeypatch):
    """With γ as it is, the slope of evidence and prior along ln β is 0."""
    monkeypatch.setattr(evidence, "UNUSUAL_NOISE", 0.5)
    monkeypatch.setattr(evidence, "SAME_SHARE_OF_NOISE", 1e-6)
    monkeypatch.setattr(evidence, "GRID", 1e-9)
    X, Y = wave(rng, n=60, noise=0.1)
    o = Objective(Network([2, 4, 1]), X, Y)
    point = evidence.EvidenceProblem(o, priors_of(o.net)).beginning(o.net.initial(0))
    beta, usual = np.exp(point.logs[-1]), point.problem.usual[-1]
    error = float(np.sum((Y - o.net.forward(point.theta, X).y_hat) ** 2))
    of_prior = (point.logs[-1] - usual) / 0.5**2
    assert abs(of_prior) > 1.0
    slope = 0.5 * (60 - point.laplace.n_effective) - 0.5 * beta * error - of_prior
    assert slope == pytest.approx(0.0, abs=1e-3)


def test_the_evidence_of_one_level_is_that_of_a_network_that_sees_nothing(rng):
    rows, squares = rng.uniform(0.5, 2.0, 40), rng.uniform(0.1, 3.0, 40)
    net = Network([1, 1], output="exp")
    objective = Objective(net, np.zeros((40, 1)), 1 / squares[:, None], 1.0, 0.5 * rows * squares)
    priors = priors_of(net)
    theta = empirical_bayes.refine(objective.with_decay(priors.spread(np.ones(1))), np.zeros(2))
    known = laplace(objective, theta, priors, 1.0, 0.0)
    level = varying_noise._evidence_of_one_level(0.5 * rows @ squares, 0.5 * rows.sum())
    assert known.log_evidence == pytest.approx(level)


def test_few_rows_are_not_thought_to_have_less_noise_than_was_assumed():
    X, Y = np.array([[0.3, 1.0], [0.5, 0.2], [1.0, 0.4]]), np.array([[0.75], [0.82], [0.93]])
    trained = fit(X, Y, Network([2, 3, 1]))
    share = trained.model.posterior.noise.variance / 1.0  # targets are scaled
    assert share >= default_alpha.NOISE_OF_FEW * (1 - 1e-12)


# ---------------------------------------------------------------- Ctrl-C


def interrupting(monkeypatch, times):
    """Let Ctrl-C come when the search begins work on threads the n-th time."""
    calls, real = iter(range(1, 10_000)), empirical_bayes.in_parallel

    def in_parallel(work, n):
        if next(calls) in times:
            press_ctrl_c()
        return real(work, n)

    monkeypatch.setattr(empirical_bayes, "in_parallel", in_parallel)


@pytest.mark.parametrize(
    ("network", "time"), [(Network([2, 4, 1]), 2), (lambda hidden: Network([2, hidden, 1]), 4)]
)
def test_an_interrupt_keeps_what_was_found_of_the_penalty(rng, monkeypatch, network, time):
    interrupting(monkeypatch, {time})
    trained = fit(*wave(rng), network)
    assert trained.fit.termination.name == "interrupted"
    assert trained.restarts.cut_short.name == "interrupted"
    assert trained.fit.cost < 0.9 * trained.model.report.data.baseline_cost
    assert trained.model.report.evidence.ended == "interrupted"
    assert trained.model.posterior is None


def test_an_interrupt_in_a_larger_size_keeps_the_smaller(rng, monkeypatch):
    interrupting(monkeypatch, {5})
    trained = fit(*wave(rng), lambda hidden: Network([2, hidden, 1]))
    assert trained.fit.termination.name == "interrupted"
    assert [size.hidden for size in trained.model.report.selection.sizes] == [0, 1, 2]


def test_an_interrupt_before_anything_is_found_is_one(rng, monkeypatch):
    def never(*_):
        raise TrainingError("nothing yet")

    interrupting(monkeypatch, {1})
    monkeypatch.setattr(evidence.EvidenceProblem, "beginning", never)
    with pytest.raises(KeyboardInterrupt):
        fit(*wave(rng), Network([2, 4, 1]))


def test_an_interrupt_of_what_comes_after_the_fit_keeps_the_fit(rng, monkeypatch):
    X, Y = wave(rng)
    penalty_found = empirical_bayes.estimate_hyperparameters

    def estimate_hyperparameters(objective, *rest, **options):
        if objective.net.output == "exp":  # of the noise
            press_ctrl_c()
        return penalty_found(objective, *rest, **options)

    monkeypatch.setattr(empirical_bayes, "estimate_hyperparameters", estimate_hyperparameters)
    trained = fit(X, Y, Network([2, 4, 1]))
    assert trained.fit.converged
    assert trained.model.posterior is not None
    assert trained.restarts.cut_short.name == "interrupted"


@pytest.mark.parametrize(("most_rows", "searches"), [(60, 4), (1_000, 3)])
def test_the_penalty_of_a_size_is_looked_for_again_only_on_more_rows(
    rng, monkeypatch, most_rows, searches
):
    monkeypatch.setattr(model_selection, "MOST_ROWS_OF_SIZE", most_rows)
    monkeypatch.setattr(model_selection, "SIZES", (1, 2, 3))
    of, seen = empirical_bayes.estimate_hyperparameters, []
    monkeypatch.setattr(
        empirical_bayes, "estimate_hyperparameters", lambda *a, **k: seen.append(a) or of(*a, **k)
    )
    X, Y = wave(rng, n=200)
    trained = fit(X, Y, lambda hidden: Network([2, hidden, 1]), noise="constant")
    assert trained.model.report.evidence.n_rows == 200
    assert len(seen) == searches


def test_a_size_whose_evidence_is_not_found_is_shown_and_kept(rng, monkeypatch, tmp_path):
    of = empirical_bayes.estimate_hyperparameters

    def estimate_hyperparameters(objective, *rest, **options):
        if objective.net.layers[1:] == (2, 1):
            raise TrainingError("not found")
        return of(objective, *rest, **options)

    monkeypatch.setattr(empirical_bayes, "estimate_hyperparameters", estimate_hyperparameters)
    model = fit(*wave(rng), lambda hidden: Network([2, hidden, 1]), noise="constant").model
    found = [size.log_evidence is not None for size in model.report.selection.sizes]
    assert found[:4] == [True, True, False, True]
    save_model(model, tmp_path / "m.json")
    assert "  2    not found" in summary(load_model(tmp_path / "m.json"))


def test_rows_that_decide_by_themselves_are_asked_by_fits_without_them(rng):
    X = rng.uniform(-2, 2, (8, 1))
    Y = np.sin(2 * X) + 0.3 * rng.standard_normal((8, 1))
    net = Network([1, 4, 1])
    objective = Objective(net, X, Y, 1e-3)
    theta = empirical_bayes.refine(objective, net.initial(0))
    known = fit_posterior([(objective, objective, theta)], Given(1.0, np.ones(8), noise="constant"))
    alone = np.flatnonzero(known.leverage > 0.7)
    assert len(alone) > 2
    for i in alone:
        others = np.arange(8) != i
        without = empirical_bayes.refine(Objective(net, X[others], Y[others], 1e-3), theta)
        assert known.without[i] == pytest.approx(net.forward(without, X[[i]]).y_hat[0], rel=1e-4)


@pytest.mark.in_c
def test_a_fit_through_all_rows_does_not_say_that_it_is_certain(rng):
    held = []
    for _ in range(20):
        X = rng.uniform(-2, 2, (60, 1))
        Y = np.sin(2 * X) + 0.3 * rng.standard_normal((60, 1))
        model = fit(X[:20], Y[:20], Network([1, 10, 1]), alpha=1e-6).model
        lower, upper = model.interval(model.certainty(X[20:]), 0.9)
        held.append(np.mean((lower <= Y[20:]) & (Y[20:] <= upper)))
    assert np.mean(held) > 0.75


def test_of_a_softmax_with_a_fixed_weight_as_much_is_known_as_without(rng):
    X = rng.standard_normal((60, 2))
    Y = np.eye(3)[np.digitize(X[:, 0] + 0.5 * rng.standard_normal(60), [-0.5, 0.5])]
    net = Network([2, 3, 3], output="softmax")
    free = Objective(net, X, Y, 0.5)
    theta = empirical_bayes.refine(free, net.initial(0))
    fixed = np.full(net.n_parameters, np.nan)
    fixed[0] = theta[0]
    held = Objective(net, X, Y, 0.5, None, fixed)
    errors = [np.sqrt(np.sum(inverse_root(o, theta) ** 2, axis=1)) for o in (free, held)]
    biases = net.blocks()["b[2]"]
    assert errors[1][0] == 0.0
    assert errors[1][biases] == pytest.approx(errors[0][biases], rel=0.2)
    # nothing is added along what the cost does not see
    seen = np.linalg.pinv(free.evaluate(theta, 2).H)
    assert errors[0] == pytest.approx(np.sqrt(np.diag(seen)), rel=1e-2)


def test_a_softmax_of_two_is_as_sure_as_a_sigmoid():
    z, S = np.array([[1.0, -1.0]]), np.array([[[2.0, -1.0], [-1.0, 3.0]]])
    two = moderated(Network([1, 2], output="softmax"), z, S, 1.0)
    of_difference = S[0, 0, 0] + S[0, 1, 1] - 2 * S[0, 0, 1]
    one = moderated(Network([1, 1], output="sigmoid"), np.array([[2.0]]), [[[of_difference]]], 1.0)
    assert two[0, 0] - two[0, 1] == pytest.approx(one[0, 0])


@pytest.mark.parametrize("network", [Network([2, 10, 1]), lambda hidden: Network([2, hidden, 1])])
def test_without_time_for_more_the_minimum_of_the_search_is_kept(rng, network):
    X, Y = wave(rng, n=400)
    trained = fit(X, Y, network, max_time=0.3, n_restarts=1_000_000)
    assert trained.restarts.cut_short.name == "time_limit"
    assert trained.fit.cost < trained.model.report.data.baseline_cost


def test_a_checkpoint_belongs_to_the_same_penalty_however_much_time_there_is(rng, tmp_path):
    X, Y = wave(rng, n=200)
    n_restarts = 200 if native.build() else 10  # more than fit into the time
    options = {"checkpoint": tmp_path / "ck", "n_restarts": n_restarts}
    fit(X, Y, Network([2, 6, 1]), max_time=0.1, **options)
    again = fit(X, Y, Network([2, 6, 1]), max_time=30.0, **options)
    whole = fit(X, Y, Network([2, 6, 1]), n_restarts=n_restarts)
    assert again.fit.cost == whole.fit.cost


def test_what_is_stopped_early_predicts_alone(rng):
    X, Y = wave(rng)
    with pytest.raises(ConfigurationError, match="ensemble is 2, and training is stopped early"):
        fit(X, Y, Network([2, 3, 1]), ensemble=2, validation=np.arange(120) < 20)


def test_why_no_larger_size_was_tried(rng, monkeypatch):
    X, Y = wave(rng)

    def select_architecture(**options):
        model = fit(X, Y, lambda hidden: Network([2, hidden, 1]), **options).model
        return model.report.selection.growth, summary(model)

    found, page = select_architecture()
    assert found == GrowthReport("settled", 120)
    assert "larger ones" not in page
    monkeypatch.setattr(model_selection, "SIZES", (1, 2))
    assert select_architecture()[0].ended == "largest"
    monkeypatch.setattr(model_selection, "MOST_WORK_OF_SIZE", 1.0)
    found, page = select_architecture()
    assert found.ended == "work"
    assert "larger ones were not tried: second derivatives would take too long" in page
    monkeypatch.setattr(model_selection, "MOST_WORK_OF_SIZE", 5e8)
    monkeypatch.setattr(model_selection, "MOST_ROWS_OF_SIZE", 60)
    found, page = select_architecture()
    assert found.n_rows == 60
    assert "log evidence of 60 rows, mirror images counted" in page


def test_targets_are_scaled_by_their_noise_before_the_last_size_is_found(rng, monkeypatch):
    monkeypatch.setattr(model_selection, "SIZES", (1, 2, 4))
    X = rng.uniform(-2, 2, (80, 1))
    quiet = np.sin(2.5 * X) + 0.01 * rng.standard_normal((80, 1))
    noisy = X + 3.0 * rng.standard_normal((80, 1))
    Y = np.hstack([quiet, noisy])
    together = fit(X, Y, lambda hidden: Network([1, hidden, 2])).model
    alone = fit(X, quiet, lambda hidden: Network([1, hidden, 1])).model
    assert together.network.layers[1] >= alone.network.layers[1] - 1
    assert np.std(together.outputs_of_inputs(X)[:, 0] - quiet[:, 0]) < 0.03


def test_rows_that_are_far_off_buy_no_units(rng):
    X = np.linspace(-2, 2, 120)[:, None]
    Y = 0.5 * X + 0.05 * rng.standard_normal((120, 1))
    Y[::12] += 4.0
    trained = fit(X, Y, lambda hidden: Network([1, hidden, 1]), noise="student")
    assert trained.model.network.layers[1] <= 2
    assert len(trained.model.report.student.theta) == trained.model.network.n_parameters


@pytest.mark.parametrize("degrees", [1.5, 4.0])
def test_what_a_row_with_heavy_tails_says_is_its_information(degrees):
    r = np.linspace(-400, 400, 4_000_001)
    density = stats.t(degrees).pdf(r)
    slope = (degrees + 1) * r / (degrees + r**2)  # of ln p
    information = integrate.trapezoid(slope**2 * density, r)
    # sums of squares weighted by (nu + 1) / (nu + r^2) have a mean curvature of 1
    assert integrate.trapezoid((degrees + 1) / (degrees + r**2) * density, r) == pytest.approx(
        1, rel=1e-3
    )
    tails = StudentTNoise(np.ones(1), degrees, np.ones(1), np.zeros(1))
    assert tails.inefficiency == pytest.approx(1.0 / information, rel=1e-3)


def test_errors_with_heavy_tails_are_those_of_many_samples(rng):
    X = np.linspace(-1, 1, 100)[:, None]
    slopes, errors = [], []
    for _ in range(40):
        Y = X + 0.1 * rng.standard_t(2.0, (100, 1))
        model = fit(X, Y, Network([1, 1]), noise="student", alpha=0.0, n_restarts=1).model
        slopes.append(model.theta[0] * model.target_scaling.scale[0] / model.input_scaling.scale[0])
        of_input = model.report.posterior.sensitivity[model.output_names[0]]
        errors.append(of_input[model.input_names[0]].effect_error)
    assert np.median(errors) == pytest.approx(np.std(slopes), rel=0.3)


def test_the_error_of_a_weight_under_heavy_tails_is_that_of_fisher_information(rng):
    X = rng.uniform(-1, 1, (400, 1))
    Y = X + 0.1 * rng.standard_t(2.0, (400, 1))
    model = fit(X, Y, Network([1, 1]), noise="student", alpha=0.0, n_restarts=1).model
    student = model.report.student
    nu, sigma = student.degrees, student.scale[0] * model.target_scaling.scale[0]
    known = np.sqrt((nu + 3) / (nu + 1) / np.sum((X - X.mean()) ** 2)) * sigma
    slope = model.report.posterior.sensitivity[model.output_names[0]][model.input_names[0]]
    assert slope.effect_error == pytest.approx(known, rel=0.06)


@pytest.mark.in_c
def test_noise_that_varies_symmetrically_is_found():
    found = []
    for seed in range(5):
        rng = np.random.default_rng(seed)
        X = rng.uniform(-2, 2, (300, 1))
        Y = X + (0.2 + np.abs(X)) * rng.standard_normal((300, 1))
        model = fit(X, Y, Network([1, 1]), noise="varying", n_restarts=1).model
        found.append(len(model.posterior.noise.precision))
    assert sum(found) >= 4


def test_whether_noise_varies_is_asked_of_squares_too():
    def said(size):
        found = []
        for seed in range(60):
            rng = np.random.default_rng(seed)
            X = rng.uniform(-2, 2, (200, 2))
            errors = size(X) * rng.standard_normal(200)
            rows = Objective(Network([2, 1]), X, errors[:, None]).rows
            squares = errors**2 / np.mean(errors**2)
            found.append(varying_noise._varies(rows, squares, np.ones(200)))
        return np.mean(found)

    assert said(lambda X: np.ones(len(X))) < 0.1  # one in a hundred by chance
    assert said(lambda X: 0.2 + np.abs(X[:, 0])) > 0.9
    assert said(lambda X: np.exp(0.5 * X[:, 1])) > 0.9


@pytest.mark.in_c
def test_the_coverage_is_that_of_the_deviations_that_are_reported(rng):
    X = rng.standard_normal((30, 8))
    Y = X[:, :1] - X[:, 1:2] + 0.3 * rng.standard_normal((30, 1))
    trained = fit(X, Y, Network([8, 3, 1]), noise="constant", n_restarts=1)
    found, posterior = trained.posterior, trained.model.posterior
    assert found.widening > 1.0
    deviations = found.widening**-0.5 * posterior.scores
    held = float(np.mean(deviations <= stats.norm.ppf(0.975)))
    assert trained.model.report.posterior.leave_one_out.coverage == pytest.approx(held)


def test_what_is_far_off_is_found_again_with_the_penalty_that_belongs_to_it():
    rng = np.random.default_rng(3)
    X = np.column_stack([rng.uniform(0, 40, 120), rng.uniform(0, 10, 120)])
    truth = 20 + 8 * np.sin(X[:, :1] / 6) + 1.5 * X[:, 1:]
    Y = truth + rng.standard_normal((120, 1))
    Y[[5, 60, 100]] += [[60.0], [-50.0], [70.0]]
    model = fit(X, Y, Network([2, 3, 1]), noise="student", n_restarts=3).model
    # 0.8 if the penalty is that for noise without heavy tails
    assert np.sqrt(np.mean((model.outputs_of_inputs(X) - truth) ** 2)) < 0.6
    least = {row.row - 1 for row in model.report.student.rows[:3]}
    assert least == {5, 60, 100}


def test_how_much_noise_with_heavy_tails_counts(rng):
    X = np.linspace(-1, 1, 80)[:, None]
    Y = X + 0.1 * rng.standard_t(1.5, (80, 1))
    model = fit(X, Y, Network([1, 1]), noise="student", alpha=0.0, n_restarts=1).model
    tails, known = model.report.student, model.report.posterior
    counts = counts_of_tails(model, X, Y)
    errors = (model.outputs_of_inputs(X) - Y)[:, 0] / model.target_scaling.scale
    nu = tails.degrees
    free = counts.sum() - known.gamma  # a row that counts half is half a row
    expected = (nu + 3) / (nu + 1) * (counts @ errors**2) / free
    assert known.variance == pytest.approx(expected, rel=1e-6)
    # a Gaussian that holds as much within one standard deviation
    sd = float(np.sqrt(model.posterior.noise.variance[0]))
    within = stats.t.cdf(sd / tails.scale[0], nu) - stats.t.cdf(-sd / tails.scale[0], nu)
    assert within == pytest.approx(stats.norm.cdf(1) - stats.norm.cdf(-1))


def test_a_quantile_of_weighted_values():
    values, w = np.array([3.0, 1.0, 2.0, 9.0]), np.array([1.0, 5.0, 1.0, 1.0])
    assert quantile(values, 0.5, w) == 1.0
    assert quantile(values, 0.75, w) == 2.0
    assert quantile(values, 0.9, w) == 9.0


def test_rows_count_once_what_they_count_in_the_last_size():
    rng = np.random.default_rng(1)
    X = np.linspace(-2, 2, 120)[:, None]
    Y = np.sin(1.5 * X) + 0.05 * rng.standard_normal((120, 1))
    Y[::9] += 3.0 * rng.standard_normal((14, 1))  # so that there are more units once they do not
    model = fit(X, Y, lambda hidden: Network([1, hidden, 1]), noise="student", n_restarts=2).model
    found = of_rows(model, X, Y, np.ones(120))
    assert found.gamma == pytest.approx(model.report.posterior.gamma, rel=1e-3)


@pytest.mark.parametrize(
    ("hidden", "bias", "signs", "turns"),
    [
        ("tanh", True, None, True),
        ("sigmoid", True, None, True),
        ("sigmoid", False, None, False),
        ("softplus", True, None, False),
        ("tanh", True, "some", False),
    ],
)
def test_mirror_images_of_a_minimum_are_counted(rng, hidden, bias, signs, turns):
    X, Y = wave(rng, n=60)
    net = Network([2, 2, 1], hidden=hidden, bias=bias)
    if signs is not None:
        signs = np.zeros(net.n_parameters)
        signs[:2] = 1.0
    objective = Objective(net, X, Y - Y.mean(), 0.1, signs=signs)
    size = model_selection._trial(objective, 2, priors_of(net), 0, 1.0, {})
    ways = math.factorial(size.differ) * (2**size.differ if turns else 1)
    counted = size.log_evidence - size.penalty.best.log_evidence
    assert counted == pytest.approx(math.log(ways))


def test_a_skip_layer_is_taken_where_the_evidence_says_so(rng, tmp_path):
    X = rng.standard_normal((60, 6))
    straight = (X[:, :1] - X[:, 1:2]) + 0.1 * rng.standard_normal((60, 1))
    wavy = np.sin(3 * X[:, :1]) + 0.1 * rng.standard_normal((60, 1))
    model = fit(X, straight, Network([6, 4, 1]), skip=True, noise="constant").model
    heights = model.report.selection.skip
    assert model.network == Network([6, 4, 1], skip=True)
    assert heights.with_skip > heights.without + model_selection.STRONG_EVIDENCE
    # mirror images of hidden units are counted there
    assert model.report.evidence.log_evidence <= heights.with_skip + 0.1
    save_model(model, tmp_path / "m.json")
    assert f"{heights.with_skip:.2f} nats with one" in summary(load_model(tmp_path / "m.json"))
    for X_of, Y_of, options in (
        (X, straight, {"alpha": 0.1}),  # there is no evidence
        (X, straight, {"signs": np.zeros(33)}),  # which say what each weight may be
        (np.repeat(X, 20, axis=0), np.repeat(straight, 20, axis=0), {}),  # rows are many
    ):
        model = fit(X_of, Y_of, Network([6, 4, 1]), skip=True, noise="constant", **options).model
        assert model.report.selection.skip is None
        assert not model.network.skip
    model = fit(X[:, :1], wavy, Network([1, 4, 1]), skip=True, noise="constant").model
    heights = model.report.selection.skip
    assert model.network.skip == (
        heights.with_skip > heights.without + model_selection.STRONG_EVIDENCE
    )
    report = fit(X, straight, Network([6, 4, 1]), noise="constant").model.report
    assert report.selection.skip is None


def test_a_linear_start_of_a_skip_layer_is_the_linear_function(rng):
    X, Y = rng.standard_normal((80, 3)), rng.standard_normal((80, 2))
    Y += X @ rng.standard_normal((3, 2))
    for net in (
        Network([3, 4, 2], skip=True),
        Network([3, 4, 3, 2], skip=True),
        Network([3, 4, 2]),
    ):
        problem = evidence.EvidenceProblem(Objective(net, X, Y), priors_of(net))
        _, theta = linear_start(problem)
        line = Network([3, 2])
        of_line = evidence.EvidenceProblem(Objective(line, X, Y), priors_of(line))
        found = evidence.maximize_evidence(of_line.beginning(np.zeros(8)))
        said, least = (n.forward(t, X).y_hat for n, t in ((net, theta), (line, found.theta)))
        assert said == pytest.approx(
            least, rel=0.05 * (not net.skip), abs=1e-6 if net.skip else 0.05
        )
    deep = Network([3, 4, 3, 2])
    assert linear_start(evidence.EvidenceProblem(Objective(deep, X, Y), priors_of(deep))) is None


def test_the_evidence_with_a_skip_layer_is_hardly_below_that_without(rng):
    for seed in range(3):
        rng = np.random.default_rng(seed)
        X = rng.standard_normal((70, 3))
        Y = np.sin(2.0 * X[:, :1]) + 0.3 * rng.standard_normal((70, 1))
        report = fit(X, Y, Network([3, 5, 1]), skip=True, noise="constant").model.report
        heights = report.selection.skip
        assert heights.with_skip > heights.without - 8.0  # what columns cost that share a prior


def test_a_skip_layer_of_several_targets_and_of_heavy_tails(rng):
    X = rng.standard_normal((60, 4))
    Y = X[:, :2] - X[:, 2:] + 0.1 * rng.standard_normal((60, 2))
    Y[3] += 50.0
    for noise in ("constant", "student"):
        model = fit(X, Y, Network([4, 4, 2]), skip=True, noise=noise).model
        assert model.report.selection.skip is not None


def test_no_hidden_layer_goes_through_a_file(rng, tmp_path):
    X = rng.standard_normal((80, 3))
    Y = X[:, :1] - 2.0 * X[:, 1:2] + 0.1 * rng.standard_normal((80, 1))
    model = fit(X, Y, lambda hidden: Network([3, hidden, 1])).model
    assert model.network == Network([3, 1])
    save_model(model, tmp_path / "m.json")
    again = load_model(tmp_path / "m.json")
    assert np.array_equal(again.predict(X), model.predict(X))
    assert "chosen" in summary(again)


def test_sizes_are_compared_once_where_only_a_skip_layer_was_tried(rng, monkeypatch):
    of, seen = model_selection.select_architecture, []
    monkeypatch.setattr(
        model_selection, "select_architecture", lambda *a, **k: seen.append(a) or of(*a, **k)
    )
    X, Y = wave(rng, n=60)
    trained = fit(X, Y, lambda hidden: Network([2, hidden, 1]), skip=True, noise="constant")
    assert trained.model.report.selection.skip is not None
    assert len(seen) == 1


def test_silent_units_are_held_only_as_far_as_it_is_known_to_be_needed(rng):
    X, Y = rng.standard_normal((80, 3)), rng.standard_normal((80, 2))
    net = Network([3, 4, 3, 2], skip=True)  # whose exact Hessian takes too long
    problem = evidence.EvidenceProblem(Objective(net, X, Y), priors_of(net))
    logs, _ = linear_start(problem)
    rest = [k for k, name in enumerate(problem.priors.names) if not name.startswith("input")]
    assert logs[rest] == pytest.approx(problem.usual[rest] + evidence.STRONGER)
