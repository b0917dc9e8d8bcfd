"""The native solvers and the solvers in Python are one algorithm: compared step by step."""

import threading
import time

import numpy as np
import pytest

from chainrule import DataError, Network, Objective
from chainrule._cancellation import Cancellation
from chainrule.kernels import native
from chainrule.optimize import minimize as module
from chainrule.optimize import native_solvers
from chainrule.optimize.broyden import Broyden
from chainrule.optimize.levenberg_marquardt import LevenbergMarquardt
from chainrule.optimize.methods import choose
from chainrule.optimize.native_solvers import Ending
from chainrule.optimize.stopping import Termination, limits

pytestmark = pytest.mark.skipif(not native.BUILDS, reason="built without a compiler")
METHODS = ("lm", "broyden")
PROBLEMS = {
    "numbers": Network([2, 4, 1]),
    "two outputs, two layers": Network([2, 4, 3, 2], hidden=["tanh", "sigmoid"]),
    "classes": Network([2, 3, 3], output="softmax"),
    "counts": Network([2, 3, 1], output="exp"),
    "no biases": Network([2, 3, 1], hidden="sigmoid", output="sigmoid", loss="squared", bias=False),
    "skip": Network([2, 2, 1], skip=True),
}
ROUNDING = 1e-9  # of the cost: beyond, rounding has parted the ways
STEPS = 25


def problem(name, seed):
    rng = np.random.default_rng(seed)
    net = PROBLEMS[name]
    X = rng.standard_normal((40, 2))
    z = np.sin(2.0 * X) @ rng.standard_normal((2, net.layers[-1]))
    Y = {
        "softmax": np.eye(net.layers[-1])[z.argmax(axis=1)],
        "exp": rng.poisson(np.exp(0.3 * z)).astype(float),
        "sigmoid": 1.0 / (1.0 + np.exp(-z)),
    }.get(net.output, z)
    fixed = np.full(net.n_parameters, np.nan)
    fixed[0] = 0.3
    objective = Objective(net, X, Y, 0.1, rng.uniform(0.5, 2.0, 40), fixed if seed % 2 else None)
    return objective, objective.admitted(net.initial(seed))


def walk(objective, theta, method, monkeypatch, in_python, steps=STEPS, memory=None):
    with monkeypatch.context() as patch:
        if in_python:
            patch.setattr(native_solvers, "possible", lambda *_: False)
        chosen = choose(method, objective, len(theta))
        return module.run_with_callback(
            objective, theta, chosen, limits(1e-13, steps, None), None, memory
        )


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", PROBLEMS)
def test_every_step_is_the_same_until_rounding_parts_them(name, seed, method, monkeypatch):
    objective, theta = problem(name, seed)
    here, there = (walk(objective, theta, method, monkeypatch, of) for of in (False, True))
    columns = ("cost", "step", "max_gradient", "n_evaluations")
    ours, theirs = ([of.history.column(c) for c in columns] for of in (here, there))
    n = min(len(ours[0]), len(theirs[0]))
    apart = np.abs(ours[0][:n] - theirs[0][:n]) > ROUNDING * np.abs(theirs[0][:n])
    same = int(np.argmax(apart)) if apart.any() else n
    assert same >= min(n, 12)
    assert ours[0][:same] == pytest.approx(theirs[0][:same], rel=ROUNDING)
    assert ours[1][:same] == pytest.approx(theirs[1][:same], rel=1e-3, abs=1e-9)
    # steps that were tried and not taken are evaluations too
    assert np.array_equal(ours[3][: min(same, 12)], theirs[3][: min(same, 12)])


@pytest.mark.parametrize("name", PROBLEMS)
def test_what_has_been_learned_is_the_same(name, monkeypatch):
    objective, theta = problem(name, 0)
    for steps in (1, 2, 3, 5, 8):
        lm, other = (
            walk(objective, theta, "lm", monkeypatch, of, steps).memory for of in (False, True)
        )
        assert lm.damping.value == pytest.approx(other.damping.value, rel=1e-5)
        assert lm.damping.size == pytest.approx(other.damping.size, rel=1e-12)
        assert lm.damping.growth == other.damping.growth
        assert lm.slow == other.slow
        newton, wide = (
            walk(objective, theta, "broyden", monkeypatch, of, steps).memory for of in (False, True)
        )
        size = np.abs(wide.B).max()
        assert newton.B == pytest.approx(wide.B, abs=1e-5 * size)
        assert newton.length == pytest.approx(wide.length, rel=1e-5)


@pytest.mark.parametrize("method", METHODS)
def test_what_one_engine_has_learned_the_other_can_use(method, monkeypatch):
    objective, theta = problem("numbers", 2)
    for first, then in ((False, True), (True, False)):
        begun = walk(objective, theta, method, monkeypatch, first, 5)
        more = walk(objective, begun.theta, method, monkeypatch, then, 200, begun.memory)
        assert more.converged
        assert more.cost <= begun.cost


@pytest.mark.parametrize("method", METHODS)
def test_a_callback_sees_every_iteration_and_ends_the_run(method):
    objective, theta = problem("numbers", 0)
    seen = []

    def callback(at, row):
        seen.append((at, row))
        return Termination("stopped", "enough") if row.iteration == 4 else None

    chosen = choose(method, objective, len(theta))
    fit = module.run_with_callback(objective, theta, chosen, limits(1e-9, None, None), callback)
    assert fit.termination.name == "stopped"
    assert [row.iteration for _, row in seen] == [0, 1, 2, 3, 4]
    assert [row.cost for _, row in seen] == fit.history.cost.tolist()
    assert [row.change for _, row in seen] == fit.history.column("change").tolist()
    assert np.array_equal(seen[-1][0], fit.theta)
    assert objective.cost(seen[2][0]) == pytest.approx(seen[2][1].cost, rel=1e-13)


def test_limits_of_time_and_interrupts_end_a_run_with_a_callback():
    objective, theta = problem("numbers", 0)
    chosen = choose("lm", objective, len(theta))
    soon = limits(1e-15, None, Cancellation(0.03))
    fit = module.run_with_callback(objective, theta, chosen, soon, lambda *_: time.sleep(0.02))
    assert fit.termination.name == "time_limit"

    def interrupt(_, row):
        if row.iteration == 3:
            raise KeyboardInterrupt

    fit = module.run_with_callback(objective, theta, chosen, limits(1e-15, None, None), interrupt)
    assert fit.termination.name == "interrupted"

    def stop(_, row):
        if row.iteration == 3:
            raise StopIteration

    fit = module.run_with_callback(objective, theta, chosen, limits(1e-15, None, None), stop)
    assert fit.termination.name == "interrupted"
    assert fit.n_iterations == 3


def test_enums_and_columns_have_the_names_of_the_native_core():
    named = {name: int(getattr(native.core.Ending, name)) for name in Ending.__members__}
    assert named == {name: int(member) for name, member in Ending.__members__.items()}
    objective, theta = problem("numbers", 0)
    for optimizer in (LevenbergMarquardt(), Broyden()):
        runs = native_solvers.Runs(objective, theta[None, :], limits(1e-9, 3, None), optimizer)
        runs.walk()
        assert tuple(runs.fits.states()) == native_solvers.STATE
        assert tuple(runs.fits.history(0)) == native_solvers.HISTORY


def test_after_a_stall_the_callback_is_not_called_again():
    for seed in range(10):
        objective, theta = problem("numbers", seed)
        objective = objective.with_alpha(1e-8)
        seen = []
        chosen = choose("lm", objective, len(theta))
        fit = module.run_with_callback(
            objective,
            theta,
            chosen,
            limits(1e-16, 300, None),
            lambda _, row, seen=seen: seen.append(row),
        )
        assert [row.iteration for row in seen] == list(range(len(fit.history)))


def test_the_native_core_takes_nothing_that_does_not_fit():
    objective, theta = problem("numbers", 0)
    runs = native_solvers.Runs(objective, np.tile(theta, (3, 1)), limits(1e-9, 5, None), Broyden())
    runs.walk()
    whole = dict(runs.snapshot())
    for name, value in (("ending", 77.0), ("ending", np.nan), ("length", 1e300), ("slow", -1.0)):
        spoiled = {**whole, f"state {name}": np.full(3, value)}
        with pytest.raises(DataError):
            runs.restore(spoiled)
    state = {name: whole[f"state {name}"].astype(np.float32) for name in native_solvers.STATE}
    history = {name: whole[f"history {name}"] for name in native_solvers.HISTORY}
    with pytest.raises((TypeError, RuntimeError, ValueError)):  # a copy would not live on
        runs.fits.restore(whole["theta"], state, history, len(history["cost"]))
    assert np.array_equal(runs.ends(), whole["theta"])
    for layers, hidden, output in (([2, -1, 1], [0], 0), ([2, 3, 1], [99], 0), ([2, 3, 1], [0], 9)):
        with pytest.raises(ValueError, match=r"layer|activation|output"):
            native.core.Network(layers, hidden, output, True, False)


def test_fits_walk_on_one_thread_of_python_at_a_time():
    objective, theta = problem("numbers", 1)
    rules = limits(1e-9, 100, None)
    starts = np.tile(theta, (300, 1))  # enough that somebody can look while they walk
    runs = native_solvers.Runs(objective, starts, rules, LevenbergMarquardt())
    thread, refused = threading.Thread(target=lambda: runs.fits.advance(30.0, 1)), []
    thread.start()
    while thread.is_alive():
        try:
            runs.fits.states()
        except ValueError as error:
            refused.append(str(error))
            time.sleep(0.001)
    assert refused
    assert all("walking on another thread" in text for text in refused)
    assert runs.fits.unfinished() == 0
