"""Scaling: exact inverses, constants, and every unit from 1e-300 to 1e300."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from chainrule import ConfigurationError
from chainrule.tables.scaling import KINDS, Scaling, fit_scaling

HOURS = np.array([[3.0, 5.0], [5.0, 1.0], [10.0, 2.0]])
matrices = arrays(np.float64, (5, 2), elements=st.floats(-1e6, 1e6))


def test_max_is_the_tutorials_scaling():
    scaling = fit_scaling("max", HOURS)
    assert np.array_equal(scaling.transform(HOURS), HOURS / np.amax(HOURS, axis=0))


def test_standard_has_mean_zero_and_spread_one():
    scaled = fit_scaling("standard", HOURS).transform(HOURS)
    assert scaled.mean(axis=0) == pytest.approx([0, 0], abs=1e-15)
    assert scaled.std(axis=0) == pytest.approx([1, 1], rel=1e-15)


def test_none_changes_nothing():
    scaling = fit_scaling("none", HOURS)
    assert np.array_equal(scaling.transform(HOURS), HOURS)
    assert np.array_equal(scaling.inverse(HOURS), HOURS)


@pytest.mark.parametrize("kind", KINDS)
@given(A=matrices)
def test_inverse_undoes_transform(kind, A):
    scaling = fit_scaling(kind, A)
    back = scaling.inverse(scaling.transform(A))
    # subtracting and adding the center rounds at the size of the larger of the two; an ignored
    # column comes back as its center, to which its values are equal but for rounding
    size = np.max(np.abs(A), axis=0) + np.abs(scaling.center)
    assert np.all(np.abs(back - A) <= 1e-14 * size + 1e-300)


@pytest.mark.parametrize("kind", ["max", "standard"])
@pytest.mark.parametrize("exponent", [-990, -500, 0, 500, 1010])
def test_powers_of_two_as_units_change_no_bit(kind, exponent):
    # as long as nothing is subnormal
    A = np.random.default_rng(0).standard_normal((20, 3))
    plain = fit_scaling(kind, A).transform(A)
    scaling = fit_scaling(kind, np.ldexp(A, exponent))
    assert np.array_equal(scaling.transform(np.ldexp(A, exponent)), plain)


@pytest.mark.parametrize("constant", [0.0, 14.62, -1e-5, 1e9 + 0.1, 1e308])
def test_constant_columns_are_ignored(constant):
    A = np.column_stack([np.full(7, constant), np.arange(7.0)])
    scaling = fit_scaling("standard", A)
    assert scaling.ignored.tolist() == [True, False]
    assert scaling.transform(A)[:, 0].tolist() == [0.0] * 7
    assert scaling.inverse(scaling.transform(A))[:, 0].tolist() == [constant] * 7


def test_a_column_constant_but_for_rounding_is_constant():
    # 0.1 * 3 and 0.3 differ in the last bit
    A = np.array([[0.1 * 3], [0.3], [0.3], [0.1 + 0.2]])
    assert fit_scaling("standard", A).ignored.all()


def test_a_small_spread_on_a_large_offset_is_not_constant():
    A = 1e9 + np.array([[0.0], [1.0], [2.0]])
    scaling = fit_scaling("standard", A)
    assert not scaling.ignored.any()
    assert scaling.transform(A).ravel() == pytest.approx([-(1.5**0.5), 0, 1.5**0.5], rel=1e-9)


def test_the_mean_is_right_to_the_last_bit():
    A = 1e9 + np.random.default_rng(0).random((100_000, 1))
    exact = math.fsum(A[:, 0]) / len(A)
    assert abs(fit_scaling("standard", A).center[0] - exact) <= np.spacing(exact)


def test_max_of_negative_and_zero_columns():
    A = np.array([[-3.0, 0.0], [-5.0, 0.0], [-10.0, 0.0]])
    scaling = fit_scaling("max", A)
    assert scaling.transform(A)[:, 0].tolist() == [-0.3, -0.5, -1.0]
    assert scaling.ignored.tolist() == [False, True]
    assert np.all(np.isfinite(scaling.transform(A)))


@pytest.mark.parametrize("kind", ["max", "standard"])
def test_the_largest_floats_do_not_overflow(kind):
    A = np.array([[1.7e308], [-1.7e308], [1e308]])
    scaling = fit_scaling(kind, A)
    scaled = scaling.transform(A)
    assert np.all(np.isfinite(scaled))
    assert scaling.inverse(scaled) == pytest.approx(A, rel=1e-14)


def test_unknown_kind():
    with pytest.raises(ConfigurationError, match="unknown scaling 'robust'; choose one of none, "):
        fit_scaling("robust", HOURS)
    with pytest.raises(ConfigurationError, match="unknown scaling"):
        Scaling("robust", np.zeros(1), np.ones(1))
