"""Damping, steps, line search and update: each by itself, without a problem."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule._contracts import Residuals
from chainrule.optimize.broyden import expected, updated
from chainrule.optimize.damping import NielsenDamping
from chainrule.optimize.line_search import WolfeSearch
from chainrule.optimize.steps import Normal, Orthogonal, Wide


def test_damping_follows_the_gain():
    start = NielsenDamping.start(100.0)
    assert start.value == 0.1
    assert start.accepted(1.0).value == pytest.approx(0.1 / 3)
    assert start.accepted(0.5).value == 0.1
    assert start.accepted(0.0).value == pytest.approx(0.2)
    assert start.accepted(7.0).value == start.accepted(1.0).value  # never below a third
    twice = start.rejected().rejected()
    assert twice.value == pytest.approx(0.1 * 2 * 4)
    assert twice.accepted(0.5).growth == 2.0
    for _ in range(200):
        start = start.accepted(1.0)
    assert start.value == 1e-13
    for _ in range(20):
        start = start.rejected()
    assert start.exhausted
    assert NielsenDamping(np.inf, np.inf).exhausted
    assert NielsenDamping(np.nan, 1.0).exhausted


@given(seed=st.integers(0, 300), wide=st.booleans(), damping=st.sampled_from([1e-3, 1.0, 100.0]))
def test_three_ways_give_one_step(seed, wide, damping):
    rng = np.random.default_rng(seed)
    p, m = (9, 4) if wide else (4, 9)
    r, A, theta = rng.standard_normal(m), rng.standard_normal((m, p)), rng.standard_normal(p)
    decay = rng.uniform(0.0, 1.0, p) * rng.integers(0, 2, p)
    g, H = A.T @ r + decay * theta, A.T @ A + np.diag(decay)
    normal = Normal(g, H)
    s = normal.step(damping)
    assert (H + damping * np.eye(p)) @ s == pytest.approx(-g)
    assert normal.predicted(s, damping) == pytest.approx(-g @ s - 0.5 * s @ H @ s)
    if wide:
        other = Wide(Residuals(r, A, decay), theta, g)
        assert other.step(damping) == pytest.approx(s)
        assert other.size == pytest.approx(normal.size)
        assert other.predicted(s, damping) == pytest.approx(normal.predicted(s, damping))
    else:
        C = rng.uniform(0.5, 2.0, p)
        other = Orthogonal(Residuals(r, A, np.zeros(p)), C)
        s = other.step(damping)
        assert (A.T @ A + damping * np.diag(C**2)) @ s == pytest.approx(-A.T @ r)
        fall = -(A.T @ r) @ s - 0.5 * s @ A.T @ A @ s
        assert other.predicted(s, damping) == pytest.approx(fall)


def test_a_step_that_is_not_to_be_had_is_none():
    assert Normal(np.ones(2), np.diag([1.0, -2.0])).step(1.0) is None
    assert Normal(np.ones(2), np.diag([1.0, -2.0])).step(3.0) is not None


def test_units_of_parameters_do_not_matter_to_an_orthogonal_step():
    rng = np.random.default_rng(0)
    r, A = rng.standard_normal(6), rng.standard_normal((6, 3))
    unit = np.array([1e-9, 1.0, 1e6])
    plain = Orthogonal.following(None, Residuals(r, A, np.zeros(3))).step(0.1)
    scaled = Orthogonal.following(None, Residuals(r, A * unit, np.zeros(3))).step(0.1)
    assert scaled * unit == pytest.approx(plain)
    # a column that vanishes keeps half of its norm
    before = Orthogonal.following(None, Residuals(r, A, np.zeros(3)))
    after = Orthogonal.following(before, Residuals(r, 1e-9 * A, np.zeros(3)))
    assert after.C == pytest.approx(0.5 * before.C)


@pytest.mark.parametrize(
    ("phi", "slope"),
    [
        (lambda a: (a - 3.0) ** 2, lambda a: 2.0 * (a - 3.0)),
        (lambda a: -a / (a**2 + 2.0), lambda a: (a**2 - 2.0) / (a**2 + 2.0) ** 2),
        (lambda a: (a + 0.004) ** 5 - 2 * (a + 0.004) ** 4,
         lambda a: 5 * (a + 0.004) ** 4 - 8 * (a + 0.004) ** 3),
        (lambda a: np.cos(20.0 * a) / 20.0 - a, lambda a: -np.sin(20.0 * a) - 1.0),
    ],
    ids=["parabola", "Moré-Thuente 1", "Moré-Thuente 2", "wavy"],
)  # fmt: skip
@pytest.mark.parametrize("first", [1e-3, 0.1, 1.0, 10.0, 1e3])
def test_a_wolfe_step_satisfies_both_conditions(phi, slope, first):
    search = WolfeSearch()
    alpha = search(lambda a: (phi(a), slope(a)), first)
    assert phi(alpha) <= phi(0.0) + search.decrease * alpha * slope(0.0)
    assert abs(slope(alpha)) <= search.curvature * abs(slope(0.0)) + 1e-12


def test_a_search_that_cannot_succeed_says_so():
    assert WolfeSearch()(lambda a: (a, 1.0)) is None  # it leads up
    assert WolfeSearch()(lambda a: (0.0, np.nan)) is None
    # slope of the wrong sign: nothing lower anywhere
    assert WolfeSearch()(lambda a: (abs(a), -1.0)) is None


def test_a_search_turns_back_from_what_is_not_finite():
    def phi(a):
        return ((a - 1.0) ** 2, 2.0 * (a - 1.0)) if a < 2.0 else (1e300, 0.0)

    assert 0.0 < WolfeSearch()(phi, first=64.0) < 2.0


@given(seed=st.integers(0, 500))
def test_an_update_meets_the_secant_and_stays_positive(seed):
    rng = np.random.default_rng(seed)
    p = int(rng.integers(2, 8))
    root = rng.standard_normal((p, p))
    H = root @ root.T + 0.1 * np.eye(p)  # the Hessian of a quadratic
    B = None
    x = rng.standard_normal(p)
    for _ in range(4):
        g = H @ x
        direction = -g if B is None else -(B @ g)
        alpha = rng.uniform(0.3, 1.2) * -(g @ direction) / (direction @ H @ direction)
        s = alpha * direction
        curvature = -alpha * float(s @ g)
        if B is not None:
            assert curvature == pytest.approx(s @ np.linalg.solve(B, s), rel=1e-6)
        B = updated(B, s, H @ s, curvature)
        assert B @ (H @ s) == pytest.approx(s, rel=1e-7, abs=1e-9 * np.abs(s).max())
        assert np.linalg.eigvalsh(B)[0] > 0
        x = x + s


def test_a_step_that_teaches_nothing_changes_nothing():
    B = np.eye(2)
    assert updated(B, np.ones(2), np.array([1.0, -1.0]), 1.0) is B
    assert updated(None, np.ones(2), -np.ones(2), 1.0) is None


def test_the_length_expected_goes_to_what_steps_should_have_been():
    H, length = np.diag([4.0, 1.0]), 1.0
    s = np.array([1.0, 0.0])
    curvature = float(s @ s)  # along s an identity believes in a quarter of what there is
    for _ in range(40):
        length = expected(length, curvature, float(s @ H @ s))
    assert length == pytest.approx(0.25, rel=1e-3)  # which is where the cost is lowest on the way
    assert expected(length, 1.0, 0.0) == length  # nothing was seen
    assert 0.09 < expected(0.1, 1e-9, 1.0) <= 0.1
    assert expected(1.0, 1e9, 1.0) == 1.0
