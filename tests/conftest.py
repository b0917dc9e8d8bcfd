"""Shared by all tests: the tutorial's data and network, and how hypothesis searches."""

import os
import signal

os.environ.setdefault("SCIPY_ARRAY_API", "1")  # before SciPy is loaded: a check asks for it

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

import chainrule
from chainrule.bayes import empirical_bayes, fitted_posterior
from chainrule.kernels import native

# begun in the background of a shell, a process ignores Ctrl-C, and hands that down
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


settings.register_profile(
    "ci", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("night", max_examples=5000, deadline=None)
settings.load_profile("ci")


@pytest.fixture
def seed_net():
    """Return the tutorial's 2-3-1 network."""
    return chainrule.Network(
        [2, 3, 1], hidden="sigmoid", output="sigmoid", loss="squared", bias=False
    )


@pytest.fixture
def seed_data():
    """Return the tutorial's three rows, scaled as there."""
    X = np.array([[3.0, 5.0], [5.0, 1.0], [10.0, 2.0]]) / [10.0, 5.0]
    Y = np.array([[75.0], [82.0], [93.0]]) / 100
    return X, Y


@pytest.fixture
def four_rows():
    """Return the four rows of the tutorial's series, scaled by their maximum."""
    X = np.array([[3.0, 5.0], [5.0, 1.0], [10.0, 2.0], [6.0, 1.5]]) / [10.0, 5.0]
    Y = np.array([[75.0], [82.0], [93.0], [70.0]]) / 100
    return X, Y


@pytest.fixture
def noisy_rows():
    """Return 60 rows of a smooth function of 2 inputs with noise: an ordinary regression."""
    rng = np.random.default_rng(7)
    X = rng.standard_normal((60, 2))
    Y = np.sin(X[:, :1]) + 0.5 * X[:, 1:] ** 2 + 0.1 * rng.standard_normal((60, 1))
    return X, Y


def pytest_collection_modifyitems(items):
    """Leave out what is marked `in_c` where there is no native kernel."""
    if not native.build():
        for item in items:
            if item.get_closest_marker("in_c"):
                item.add_marker(pytest.mark.skip(reason="takes too long on NumPy's kernel"))


@pytest.fixture(autouse=True)
def one_climb_in_python(request, monkeypatch):
    """Look for the evidence from one start, and once, where that takes ten times longer.

    Not for documents whose numbers are those of everyone.
    """
    name = request.node.nodeid
    if not native.build() and "test_docs" not in name:
        monkeypatch.setattr(empirical_bayes, "CLIMBS", 1)
        monkeypatch.setattr(empirical_bayes, "BEGINNINGS", 1)
        if "test_fold_refits" not in name:
            monkeypatch.setattr(empirical_bayes, "LEVELS_ABOVE", ())
            monkeypatch.setattr(empirical_bayes, "linear_start", lambda problem: None)
            monkeypatch.setattr(fitted_posterior, "BEARABLE", np.inf)
