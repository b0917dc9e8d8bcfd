"""Ctrl-C, time limits and progress: one object that long computations ask."""

import contextlib
import importlib
import signal
import threading
import time

import numpy as np
import pytest

from chainrule import (
    ConfigurationError,
    Network,
    NetworkRegressor,
    Objective,
    TrainingError,
    minimize,
)
from chainrule._cancellation import Cancellation
from chainrule.kernels import over_rows
from chainrule.pipeline import fit as fit_module
from chainrule.pipeline import minimization
from trainings import press_ctrl_c, train

minimizing = importlib.import_module("chainrule.optimize.minimize")


def over(**options):
    return Cancellation(1.0, began=time.monotonic() - 2.0, **options)


def test_an_interrupt_comes_before_a_limit():
    assert Cancellation().reason is None
    assert Cancellation(60.0).reason is None
    late = over()
    assert late.reason == "time_limit"
    late.interrupt()
    assert late.reason == "interrupted"


@pytest.mark.parametrize("limit", [0.0, -1.0, float("nan"), "3", True])
def test_a_limit_is_a_number_above_0(limit):
    with pytest.raises(ConfigurationError, match=r"max_time is .* greater than 0"):
        Cancellation(limit)


def test_a_part_has_a_share_of_the_time_and_hears_the_same_interrupt():
    whole = Cancellation(100.0)
    part, endless = whole.with_share(0.5), whole.without_limit()
    assert 49.0 < part.left <= 50.0
    assert endless.left is None
    assert Cancellation().with_share(0.5).left is None
    assert over().with_share(0.5).reason == "time_limit"
    part.interrupt()
    assert {whole.reason, endless.reason} == {"interrupted"}


def test_ctrl_c_is_heard_and_pressed_again_ends_at_once():
    before, cancellation = signal.getsignal(signal.SIGINT), Cancellation()
    with cancellation.listening():
        press_ctrl_c()
        assert cancellation.interrupted
        with pytest.raises(KeyboardInterrupt):
            press_ctrl_c()
    assert signal.getsignal(signal.SIGINT) is before


def test_what_found_nothing_is_interrupted_and_other_failures_are_what_they_are():
    error = TrainingError("nothing")
    with pytest.raises(TrainingError), Cancellation().listening():
        raise error
    error.reason = "interrupted"
    nothing = pytest.raises(KeyboardInterrupt, match="before anything was found")
    with nothing, Cancellation().listening():
        raise error


def test_what_ignores_or_handles_ctrl_c_already_goes_on_doing_so():
    cancellation, heard = Cancellation(), []
    for handler in (signal.SIG_IGN, lambda *_: heard.append(True)):
        before = signal.signal(signal.SIGINT, handler)
        try:
            with cancellation.listening():
                press_ctrl_c()
                assert signal.getsignal(signal.SIGINT) is handler
        finally:
            signal.signal(signal.SIGINT, before)
    assert heard == [True]
    assert not cancellation.interrupted


def test_an_inner_computation_leaves_ctrl_c_to_the_outer_one():
    outer, inner = Cancellation(), Cancellation()
    with outer.listening(), inner.listening():
        press_ctrl_c()
    assert outer.interrupted
    assert not inner.interrupted


def struck(monkeypatch, module, name, times=1):
    """Let Ctrl-C be pressed when a function is called; with 2, pressed again."""
    real = getattr(module, name)

    def pressed(*arguments, **options):
        monkeypatch.setattr(module, name, real)
        for _ in range(times):
            press_ctrl_c()
        return real(*arguments, **options)

    monkeypatch.setattr(module, name, pressed)


def rows(n=60):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, 3))
    return X, X[:, :1] + 0.3 * rng.standard_normal((n, 1))


NAMES = {"input_names": ("a", "b", "c"), "target_names": ("y",)}


def test_minimize_says_that_it_was_interrupted_when_it_had_ended(monkeypatch):
    X, Y = rows()
    net = Network([3, 3, 1])
    struck(monkeypatch, minimizing, "certify")
    fit = minimize(Objective(net, X, Y, alpha=0.1), net.initial(0))
    assert fit.termination.name == "interrupted"
    assert fit.cost < fit.history[0].cost


def test_pressed_again_while_the_posterior_is_computed_the_fit_is_kept(monkeypatch):
    struck(monkeypatch, fit_module, "fit_posterior", times=2)
    trained = train(*rows(), Network([3, 3, 1]), **NAMES)
    assert trained.fit.converged
    assert trained.model.report.no_posterior == "it was interrupted"
    assert trained.restarts.interrupted


@pytest.mark.parametrize("method", ["lm", "lbfgs"])
def test_the_minimum_of_the_search_is_kept_if_the_starts_are_interrupted(monkeypatch, method):
    struck(monkeypatch, minimization, "minimize_from_starts")
    trained = train(*rows(), Network([3, 3, 1]), method=method, **NAMES)
    assert trained.restarts.interrupted
    assert trained.fit.cost < 0.5 * trained.model.report.data.baseline_cost


@pytest.mark.parametrize("seconds", [1e-6, 1e-3, 1e-2])
def test_a_time_that_is_up_at_once_is_enough_for_a_small_fit(seconds):
    trained = train(*rows(), Network([3, 3, 1]), max_time=seconds, **NAMES)
    assert trained.fit.cost < trained.fit.history[0].cost


@pytest.mark.filterwarnings("ignore:interrupted after")
def test_an_interrupted_warm_start_goes_on(monkeypatch):
    X, Y = rows()
    options = {"warm_start": True, "method": "lbfgs", "alpha": 1e-3, "n_restarts": 3}
    model = NetworkRegressor((4,), on_interrupt="keep", **options)
    struck(monkeypatch, minimizing, "finish")
    model.fit(X, Y[:, 0])
    assert model.restarts_.interrupted
    model.fit(X, Y[:, 0])
    assert not model.restarts_.interrupted
    assert len(model._warm.fits) == 3


def test_another_thread_hears_no_ctrl_c():
    heard = []

    def work():
        with Cancellation().listening():
            heard.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert heard == [signal.getsignal(signal.SIGINT)]


def test_who_watches_may_interrupt():
    def stop(text):
        raise KeyboardInterrupt

    cancellation = Cancellation(progress=stop)
    cancellation.tell("half way")
    assert cancellation.interrupted
    Cancellation().tell("to nobody")


@pytest.mark.parametrize(
    ("hidden", "output"), [([6], "identity"), ([4, 4], "identity"), ([6], "sigmoid")]
)
def test_it_acts_in_the_middle_of_a_long_step(monkeypatch, hidden, output):
    """Whenever Ctrl-C comes, only few more second derivatives are computed."""
    X, Y = rows()
    Y = (Y > 0).astype(float)
    loss = "cross_entropy" if output == "sigmoid" else None
    net, real, calls = Network([3, *hidden, 1], output=output, loss=loss), over_rows.hessian, []

    def hessian(*arguments):
        calls.append(len(calls))
        if len(calls) == when:
            press_ctrl_c()
        if len(calls) >= when > 0:
            time.sleep(0.02)  # as long as those of a large network, in which the main thread hears
        return real(*arguments)

    monkeypatch.setattr(over_rows, "hessian", hessian)
    when = 0
    train(X, Y, net, n_restarts=3, **NAMES)
    n_whole, n_pressed = len(calls), 0
    for when in range(1, n_whole, max(1, n_whole // 7)):
        calls.clear()
        n_pressed += 1
        with contextlib.suppress(KeyboardInterrupt):  # nothing had been found yet
            assert train(X, Y, net, n_restarts=3, **NAMES).restarts.interrupted
        assert len(calls) - when <= 8, (when, n_whole)
    assert n_pressed >= 4
