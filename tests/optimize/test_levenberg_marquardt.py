"""Levenberg-Marquardt: certified problems, both loops, restarts, limits and checkpoints."""

import contextlib
import importlib
import multiprocessing
import os
import signal
import subprocess
import sys
import textwrap
import time

import numpy as np
import pytest

from chainrule import ConfigurationError, DataError, Network, Objective, TrainingError, minimize
from chainrule.heart.initialisation import Starts
from chainrule.kernels import native
from chainrule.objectives.least_squares import LeastSquares
from chainrule.optimize import native_solvers
from chainrule.optimize.levenberg_marquardt import LevenbergMarquardt
from chainrule.optimize.methods import choose
from students import Student
from trainings import minimize_from_starts, press_ctrl_c

minimizing = importlib.import_module("chainrule.optimize.minimize")
restarting = importlib.import_module("chainrule.optimize.multistart")
compiled = pytest.mark.skipif(not native.BUILDS, reason="built without a compiler")


def waves(n=200, inputs=2, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, inputs))
    return X, np.sin(2 * X[:, :1]) + 0.1 * rng.standard_normal((n, 1))


@pytest.fixture
def objective():
    return Objective(Network([2, 5, 1]), *waves(), alpha=1e-2)


# ---------------------------------------------------------------- certified by NIST (public domain)

BOXBOD = np.array([[109, 1], [149, 2], [149, 3], [191, 5], [213, 7], [224, 10.0]])
DANWOOD = np.array(
    [[2.138, 1.309], [3.421, 1.471], [3.597, 1.49], [4.34, 1.565], [4.882, 1.611], [5.66, 1.68]]
)
PROBLEMS = {
    "BoxBOD": (
        BOXBOD,
        lambda b, x: b[0] * (1 - np.exp(-b[1] * x)),
        [[1.0, 1.0], [100.0, 0.75]],
        [213.80940889, 0.54723748542],
    ),
    "DanWood": (
        DANWOOD,
        lambda b, x: b[0] * x ** b[1],
        [[1.0, 5.0], [0.7, 4.0]],
        [0.76886226176, 3.8604055871],
    ),
}


@pytest.mark.parametrize("name", PROBLEMS)
@pytest.mark.parametrize("start", [0, 1])
def test_certified_parameters(name, start):
    data, model, starts, certified = PROBLEMS[name]
    y, x = data.T
    scale = 0.5 * float(((y - y.mean()) ** 2).sum())
    fit = minimize(LeastSquares(lambda b: model(b, x) - y, scale=scale), starts[start], tol=1e-15)
    assert fit.converged, str(fit)
    assert fit.method == "lm"
    assert fit.theta == pytest.approx(certified, rel=1e-9)


def test_residuals_of_the_wrong_shape_are_explained():
    with pytest.raises(DataError, match="they must be"):
        minimize(LeastSquares(lambda a: a, lambda a: np.ones(3)), [1.0])


def test_without_second_derivatives_it_is_not_to_be_had(seed_data):
    with pytest.raises(ConfigurationError, match="method 'lm' needs second derivatives"):
        minimize(Student(seed=0), *seed_data, method="lm")


# ---------------------------------------------------------------- one algorithm, two loops


@compiled
@pytest.mark.parametrize("method", ["lm", "broyden"])
def test_the_native_loop_ends_where_the_python_loop_does(objective, method):
    for seed in range(5):
        theta = objective.net.initial(seed)
        inside = minimize(objective, theta, method=method)
        outside = minimize(objective, theta, method=method, callback=lambda *_: None)
        assert inside.converged
        assert outside.converged
        assert inside.history[0].cost == outside.history[0].cost
        # the same first steps; later, rounding may part them
        assert inside.history.cost[:5] == pytest.approx(outside.history.cost[:5], rel=1e-9)
        assert inside.certificate.kind == outside.certificate.kind == "minimum"


@compiled
@pytest.mark.parametrize(
    # the slopes of a line search may decide where the cost cannot any more
    ("method", "least", "rounding"),
    [("lm", 2, 0.0), ("broyden", 1, 1e-14)],
)
def test_its_history_is_kept_in_the_same_columns(objective, method, least, rounding):
    fit = minimize(objective, objective.net.initial(0), method=method)
    history = fit.history
    assert np.all(np.diff(history.cost) <= rounding * history[0].cost)
    assert history.column("change")[1:] == pytest.approx(np.diff(history.cost))
    assert fit.cost == objective.cost(fit.theta)
    assert history[-1].cost == pytest.approx(fit.cost, rel=1e-13)  # a Newton step before
    assert history[-1].max_gradient >= np.max(np.abs(fit.gradient))
    assert np.all(np.diff(history.column("n_evaluations")) >= least)
    assert np.all(np.diff(history.column("seconds")) >= 0)
    assert history[0].step == 0.0
    assert history[-1].n_evaluations == fit.n_evaluations


def test_wide_problems_take_the_dual_way():
    net = Network([2, 60, 1])
    X, Y = waves(5)
    objective = Objective(net, X, Y, alpha=1e-3)
    assert not native_solvers.possible(LevenbergMarquardt(), objective)
    r = objective.residuals(net.initial(0))
    assert r is not None
    _, g, H = objective.evaluate(net.initial(0), 2)
    assert r.A.T @ r.r + r.decay * net.initial(0) == pytest.approx(g)
    assert r.A.T @ r.A + np.diag(r.decay) == pytest.approx(H)
    fit = minimize(objective, net.initial(0))
    assert fit.method == "lm"
    assert fit.converged, str(fit)


@pytest.mark.parametrize(("output", "loss"), [("softmax", None), ("exp", None), ("sigmoid", None)])
def test_residuals_stand_in_for_other_losses(output, loss):
    rng = np.random.default_rng(0)
    net = Network([2, 9, 3], output=output, loss=loss)
    X, Y = rng.standard_normal((4, 2)), np.eye(3)[[0, 1, 2, 0]]
    objective, theta = Objective(net, X, Y, sample_weight=[1, 2, 0.5, 1]), net.initial(0)
    r = objective.residuals(theta)
    _, g, H = objective.evaluate(theta, 2)
    assert r.A.T @ r.r == pytest.approx(g, abs=1e-12)
    assert r.A.T @ r.A == pytest.approx(H, abs=1e-12)


# ---------------------------------------------------------------- restarts


def results(restarts):
    return [(run.cost, run.termination, run.n_iterations) for run in restarts.runs]


@pytest.mark.parametrize("method", ["lm", "broyden"])
def test_a_start_depends_neither_on_threads_nor_on_the_others(objective, method, monkeypatch):
    few = minimize_from_starts(objective, 3, seed=4, method=method)
    monkeypatch.setenv("CHAINRULE_NUM_THREADS", "3")
    many = minimize_from_starts(objective, 8, seed=4, method=method)
    monkeypatch.setenv("CHAINRULE_NUM_THREADS", "1")
    alone = minimize_from_starts(objective, 8, seed=4, method=method)
    assert results(many) == results(alone)
    costs_and_iterations = [(cost, n) for cost, _, n in results(many)[:3]]
    assert costs_and_iterations == [(cost, n) for cost, _, n in results(few)]
    assert np.array_equal(many.best.theta, alone.best.theta)
    assert minimize_from_starts(objective, 3, seed=5, method=method).runs != few.runs


def test_why_this_method(objective):
    def chosen(layers, n, **options):
        net = Network(layers, **options)
        Y = np.zeros((n, layers[-1]))
        Y[: n // 2] = 1.0
        asked = Objective(net, np.ones((n, layers[0])), Y)
        optimizer, reason = choose("auto", asked, net.n_parameters)
        assert f"{net.n_parameters:,}" in reason
        return optimizer.name

    assert chosen([2, 3, 1], 50) == "lm"
    assert chosen([2, 60, 1], 5) == "lm"
    assert chosen([8, 50, 1], 600) == "broyden"
    assert chosen([2, 3, 1], 200_000) == "broyden"
    assert chosen([2, 3, 1], 50, output="sigmoid") == "broyden"
    assert chosen([50, 60, 1], 4000) == "lbfgs"


# ---------------------------------------------------------------- limits and checkpoints


def slow_problem():
    X, Y = waves(4000 if native.build() else 200, 6)
    return Objective(Network([6, 12, 1]), X, Y, alpha=1e-3)


@pytest.mark.parametrize("method", ["lm", "broyden"])
def test_a_time_limit_returns_the_best_so_far(method):
    objective = slow_problem()
    began = time.monotonic()
    restarts = minimize_from_starts(objective, 10**6, 0, method=method, max_time=0.5)
    assert time.monotonic() - began < 10
    assert restarts.cut_short.name == "time_limit"
    assert restarts.best.cost < restarts.best.history[0].cost


@pytest.mark.parametrize("method", ["lm", "broyden"])
def test_control_c_returns_the_best_so_far(method):
    timer = multiprocessing.get_context("spawn").Process(target=strike, args=(os.getpid(), 1.5))
    timer.start()
    restarts = minimize_from_starts(slow_problem(), 10**6, 0, method=method)
    timer.join()
    assert restarts.cut_short.name == "interrupted"
    assert restarts.best.cost < restarts.best.history[0].cost


def strike(pid, seconds):
    time.sleep(seconds)
    os.kill(pid, signal.SIGINT)


@pytest.mark.parametrize("method", ["lm", "broyden"])
def test_training_taken_up_after_a_kill_ends_as_if_nothing_had_happened(tmp_path, method):
    script = tmp_path / "train.py"
    script.write_text(
        textwrap.dedent(
            f"""
            import sys
            sys.path.insert(0, {os.path.dirname(__file__)!r})
            from test_levenberg_marquardt import slow_problem
            from trainings import minimize_from_starts
            minimize_from_starts(slow_problem(), 40, 3, method={method!r}, checkpoint="c.npz",
                                 max_iter=60, progress=lambda line: print(line, flush=True))
            """
        )
    )
    script_path = [sys.executable, "-W", "ignore", str(script)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(
        script_path, cwd=tmp_path, env=environment, stdout=subprocess.DEVNULL
    ) as killed:
        while not (tmp_path / "c.npz").exists() and killed.poll() is None:
            time.sleep(0.01)
        killed.kill()
    there = str(tmp_path / "c.npz")
    resumed = minimize_from_starts(
        slow_problem(), 40, 3, method=method, checkpoint=there, max_iter=60
    )
    whole = minimize_from_starts(slow_problem(), 40, 3, method=method, max_iter=60)
    assert results(resumed) == results(whole)
    assert np.array_equal(resumed.best.theta, whole.best.theta)
    assert np.array_equal(resumed.best.history.cost, whole.best.history.cost)
    again = minimize_from_starts(
        slow_problem(), 40, 3, method=method, checkpoint=there, max_iter=60
    )
    assert results(again) == results(whole)  # nothing is left to do, and nothing is lost


def test_a_checkpoint_of_another_training_is_refused(tmp_path, objective):
    there = tmp_path / "c.npz"
    minimize_from_starts(objective, 2, 0, checkpoint=there)
    with pytest.raises(DataError, match="is the checkpoint of another training"):
        minimize_from_starts(objective, 2, 1, checkpoint=there)
    there.write_text("hello")
    with pytest.raises(DataError, match="is not a checkpoint"):
        minimize_from_starts(objective, 2, 0, checkpoint=there)


@compiled
def test_a_checkpoint_of_another_kernel_is_refused(tmp_path, objective, monkeypatch):
    there = tmp_path / "c.npz"
    monkeypatch.delenv("CHAINRULE_KERNEL", raising=False)
    minimize_from_starts(objective, 2, 0, checkpoint=there)
    monkeypatch.setenv("CHAINRULE_KERNEL", "reference")
    with pytest.raises(DataError, match="is the checkpoint of another training"):
        minimize_from_starts(objective, 2, 0, checkpoint=there)


def test_damaged_checkpoints_are_refused(tmp_path, objective):
    whole = tmp_path / "c.npz"
    minimize_from_starts(objective, 2, 0, checkpoint=whole)
    content = whole.read_bytes()
    np.save(tmp_path / "array.npy", np.arange(3.0))
    damaged = tmp_path / "damaged.npz"
    rng = np.random.default_rng(0)
    contents = [(tmp_path / "array.npy").read_bytes(), content[:-30], content[: len(content) // 2]]
    for _ in range(60):
        bad = bytearray(content)
        bad[rng.integers(len(bad))] ^= 1 << rng.integers(8)
        contents.append(bytes(bad))
    for bad in contents:
        damaged.write_bytes(bad)
        with contextlib.suppress(DataError):  # nothing else may be raised
            minimize_from_starts(objective, 2, 0, checkpoint=damaged)
    with pytest.raises(DataError, match="is not a file"):
        minimize_from_starts(objective, 2, 0, checkpoint=tmp_path)


@pytest.mark.parametrize("method", ["lm", "broyden", "lbfgs"])
@pytest.mark.parametrize("when", [1, 2])
def test_control_c_while_a_fit_is_examined_loses_nothing(objective, method, when, monkeypatch):
    calls = 0

    def struck(*arguments, **options):
        nonlocal calls
        calls += 1
        if calls == when:
            press_ctrl_c()
        return finish(*arguments, **options)

    finish = minimizing.finish
    monkeypatch.setattr(minimizing, "finish", struck)
    monkeypatch.setattr(restarting, "finish", struck)
    # all from one start and not to its end, so that all of them agree and are examined
    monkeypatch.setattr(Starts, "take", lambda self, n: np.tile(objective.net.initial(0), (n, 1)))
    restarts = minimize_from_starts(objective, 6, 0, method=method, max_iter=5)
    assert restarts.cut_short.name == "interrupted"
    assert restarts.best.cost < restarts.best.history[0].cost


def test_only_what_may_be_the_best_is_examined(objective):
    restarts = minimize_from_starts(objective, 30, 0, method="lm")
    lowest = min(run.cost for run in restarts.runs)
    agreeing = [run.cost <= lowest * (1 + 1e-6) + 1e-9 * objective.scale for run in restarts.runs]
    assert 0 < sum(agreeing) < 30
    for run, agrees in zip(restarts.runs, agreeing, strict=True):
        assert (run.termination != "unexamined") == agrees or not native.build()


def test_of_starts_that_agree_one_is_looked_at(objective, monkeypatch):
    looked_at = 0

    def counting(*arguments, **options):
        nonlocal looked_at
        looked_at += 1
        return finish(*arguments, **options)

    finish = restarting.finish
    monkeypatch.setattr(restarting, "finish", counting)
    monkeypatch.setattr(Starts, "take", lambda self, n: np.tile(objective.net.initial(0), (n, 1)))
    restarts = minimize_from_starts(objective, 6, 0, method="broyden")
    assert restarts.n_agree == 6
    assert looked_at == (1 if native.build() else 0)


def test_a_start_that_is_not_finite_is_refused():
    objective = Objective(Network([1, 1]), [[1e200], [2e200]], [[1.0], [2.0]])
    with pytest.raises(TrainingError, match="not finite at the starting point"):
        minimize(objective, np.array([1e200, 0.0]))
