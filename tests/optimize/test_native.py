"""The native kernel against the reference: the same numbers, on any build, for any threads."""

import concurrent.futures
import multiprocessing
import os
import signal
import sys
import threading
import time

import joblib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule import ConfigurationError, Network, Objective, minimize
from chainrule.heart.activations import ACTIVATIONS
from chainrule.kernels import native, reference
from chainrule.optimize import native_solvers
from chainrule.optimize.levenberg_marquardt import LevenbergMarquardt
from chainrule.optimize.stopping import limits
from chainrule.rows.memory import MemoryRows
from random_problems import random_problem, relative_error

pytestmark = pytest.mark.skipif(not native.BUILDS, reason="built without a compiler")
BUILDS = native.BUILDS or ("none",)


def native_evaluate(net, theta, X, Y, w, order, build=None, threads=1):
    build = build or BUILDS[-1]
    return native.core.evaluate(native.handle(net), theta, X, Y, w, order, threads, build)


@pytest.mark.parametrize("build", BUILDS)
@given(seed=st.integers(0, 2000))
def test_every_network_output_loss_and_weight(build, seed):
    net, theta, X, Y, w = random_problem(seed)
    w = np.ones(len(X)) if w is None else w
    truth = reference.evaluate(net, theta, X, Y, w, 2)
    J, g, H = native_evaluate(net, theta, X, Y, w, 2, build)
    assert pytest.approx(truth.J, rel=1e-12) == J
    assert relative_error(g, truth.g) < 1e-12
    assert relative_error(H, truth.H) < 1e-12
    assert np.array_equal(H, H.T)
    for order in (0, 1):
        found = native_evaluate(net, theta, X, Y, w, order, build)
        assert found[0] == J
        assert found[2] is None
        assert (found[1] is None) == (order == 0)
    assert np.array_equal(found[1], g)


@pytest.mark.parametrize("build", BUILDS)
@given(seed=st.integers(0, 500))
def test_the_exact_hessian_of_every_network(build, seed):
    net, theta, X, Y, w = random_problem(seed)
    w = np.ones(len(X)) if w is None else w
    truth = [reference.hessian_product(net, theta, e, X, Y, w) for e in np.eye(len(theta))]
    H = native_evaluate(net, theta, X, Y, w, 3, build)[2]
    assert relative_error(H, truth) < 1e-11


@pytest.mark.parametrize("build", BUILDS)
@pytest.mark.parametrize("n", [1, 7, 8, 9, 500, 1024, 1025, 3333])
def test_any_number_of_rows_and_wide_layers(build, n):
    rng = np.random.default_rng(n)
    net = Network([11, 37, 9, 5], hidden=["tanh", "silu"], output="softmax")
    X, w = rng.standard_normal((n, 11)), rng.uniform(0.0, 2.0, n)
    Y, theta = np.eye(5)[rng.integers(5, size=n)], net.initial(3)
    truth = MemoryRows(X, Y, w).sum(lambda of: reference.evaluate(net, theta, of.X, of.Y, of.w, 2))
    J, g, H = native_evaluate(net, theta, X, Y, w, 2, build)
    assert pytest.approx(truth.J, rel=1e-12) == J
    assert relative_error(g, truth.g) < 1e-12
    assert relative_error(H, truth.H) < 1e-12


@pytest.mark.parametrize("order", [0, 1, 2])
def test_the_bits_do_not_depend_on_the_threads(order):
    rng = np.random.default_rng(0)
    net = Network([6, 20, 2])
    X, Y, w = rng.standard_normal((9000, 6)), rng.standard_normal((9000, 2)), rng.random(9000)
    theta = net.initial(0)
    alone = native_evaluate(net, theta, X, Y, w, order)
    for threads in (2, 3, 5, 16):
        for _ in range(3):
            found = native_evaluate(net, theta, X, Y, w, order, threads=threads)
            assert all(np.array_equal(a, b) for a, b in zip(alone, found, strict=True))


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations_far_out(name):
    # one row, one unit: J is ½ f(z)², g[1] is f f'
    z = np.concatenate([np.linspace(-750, 750, 301), [-1e5, 1e5, -1e-9, 0.0, 1e-300]])
    net = Network([1, 1, 1], hidden=name, bias=False)
    for x in z:
        X, Y, w = np.array([[x]]), np.zeros((1, 1)), np.ones(1)
        theta = np.ones(2)
        truth = reference.evaluate(net, theta, X, Y, w, 1)
        for build in BUILDS:
            J, g, _ = native_evaluate(net, theta, X, Y, w, 1, build)
            assert pytest.approx(truth.J, rel=1e-14, abs=1e-300) == J
            assert g == pytest.approx(truth.g, rel=1e-13, abs=1e-300)


@pytest.mark.parametrize("output", ["identity", "sigmoid", "exp"])
def test_what_is_not_finite_is_not_hidden(output):
    net = Network([2, 3, 1], output=output)
    X, Y, w = np.ones((3, 2)), np.ones((3, 1)), np.ones(3)
    for bad in (np.nan, np.inf):
        theta = net.initial(0)
        theta[-2] = bad
        J, g, _ = native_evaluate(net, theta, X, Y, w, 1)
        assert not (np.isfinite(J) and np.all(np.isfinite(g)))


@pytest.mark.parametrize("build", BUILDS)
@pytest.mark.parametrize("n", [1, 3, 9])
def test_rows_that_fill_up_a_vector_cannot_overflow(build, n):
    # z is about 2 on the rows that are there, and 1002 where x is 0
    net, theta = Network([1, 1], output="exp"), np.array([-0.5, 1002.0])
    X, Y, w = 2000.0 + np.arange(n)[:, None], np.full((n, 1), 3.0), np.ones(n)
    found = native_evaluate(net, theta, X, Y, w, 2, build)
    truth = reference.evaluate(net, theta, X, Y, w, 2)
    assert all(relative_error(a, b) < 1e-12 for a, b in zip(found, truth, strict=True))


def test_environment_variables_are_checked(monkeypatch):
    monkeypatch.setenv("CHAINRULE_NUM_THREADS", "3")
    assert native.threads() == 3
    for wrong in ("0", "-1", "two", "1.5"):
        monkeypatch.setenv("CHAINRULE_NUM_THREADS", wrong)
        with pytest.raises(ConfigurationError, match="CHAINRULE_NUM_THREADS is"):
            native.threads()
    monkeypatch.setenv("CHAINRULE_KERNEL", "reference")
    assert native.build() == ""
    monkeypatch.setenv("CHAINRULE_KERNEL", "gpu")
    with pytest.raises(ConfigurationError, match=r"here it can be: plain.*reference"):
        native.build()


# ---------------------------------------------------------------- processes and threads


def a_fit(seed):
    """Return the cost of a fit that is large enough for threads."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((20_000, 3))
    net = Network([3, 10, 1])
    objective = Objective(net, X, np.sin(X).sum(axis=1), alpha=1e-3)
    objective.evaluate(net.initial(seed), 2)
    return minimize(objective, net.initial(seed), max_iter=5).cost


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_processes_begun_after_a_fit_can_fit(method):
    here = a_fit(0)
    context = multiprocessing.get_context(method)
    with concurrent.futures.ProcessPoolExecutor(2, mp_context=context) as pool:
        assert [pool.submit(a_fit, 0).result(timeout=60) for _ in range(2)] == [here, here]


@pytest.mark.parametrize("backend", ["loky", "multiprocessing", "threading"])
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_joblib(backend):
    here = a_fit(0)
    jobs = [joblib.delayed(a_fit)(0) for _ in range(4)]
    assert joblib.Parallel(n_jobs=2, backend=backend)(jobs) == [here] * 4


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_process_forked_in_the_middle_of_fits_can_fit():
    rng = np.random.default_rng(0)
    X, net = rng.standard_normal((50_000, 10)), Network([10, 20, 1])
    objective = Objective(net, X, X[:, 0])
    theta = net.initial(0)
    J = objective.cost(theta)
    stop = threading.Event()

    few = Objective(net, X[:50], X[:50, 0], alpha=1e-2)

    def walk():
        # no examination of the end: LAPACK in one thread does not outlive a fork in another
        native_solvers.Runs(few, theta[None, :], limits(1e-9, 3, None), LevenbergMarquardt()).walk()

    def evaluate():
        while not stop.is_set():
            objective.evaluate(theta, 1)
            walk()

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        busy = [pool.submit(evaluate) for _ in range(2)]
        try:
            for _ in range(20):
                child = os.fork()
                if child == 0:
                    walk()
                    os._exit(0 if objective.cost(theta) == J else 1)
                assert waited_for(child) == 0
        finally:
            stop.set()
        assert [job.result(10) for job in busy] == [None, None]


def waited_for(child, seconds=30):
    """Return how a child ended; end it if it hangs."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.001)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return "it hangs"


def test_many_threads_at_once_do_not_disturb_each_other():
    alone = [a_fit(seed) for seed in range(4)]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        assert list(pool.map(a_fit, [0, 1, 2, 3] * 4)) == alone * 4


def test_python_runs_while_the_kernel_does():
    rng = np.random.default_rng(0)
    X, net = rng.standard_normal((200_000, 20)), Network([20, 50, 1])
    objective, counted = Objective(net, X, X[:, 0]), 0
    before = sys.getswitchinterval()
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        busy = pool.submit(lambda: [objective.cost(net.initial(0)) for _ in range(5)])
        while not busy.done():
            counted += 1
    assert sys.getswitchinterval() == before
    assert counted > 1000
