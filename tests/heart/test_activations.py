"""Activations against 50 digits, at both ends of float64, and in every shape."""

import warnings

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule import Activation, ConfigurationError
from chainrule.heart.activations import ACTIVATIONS, activation, relu, sigmoid, softplus

mpmath.mp.dps = 50
EXACT = {
    "sigmoid": lambda z: 1 / (1 + mpmath.exp(-z)),
    "tanh": mpmath.tanh,
    "relu": lambda z: max(z, mpmath.mpf(0)),
    "softplus": lambda z: mpmath.log1p(mpmath.exp(z)),
    "silu": lambda z: z / (1 + mpmath.exp(-z)),
    "identity": lambda z: z,
}
EXACT_PRIME = {
    "sigmoid": lambda z: mpmath.exp(-z) / (1 + mpmath.exp(-z)) ** 2,
    "tanh": lambda z: mpmath.sech(z) ** 2,
    "relu": lambda z: mpmath.mpf(1 if z > 0 else 0),
    "softplus": lambda z: 1 / (1 + mpmath.exp(-z)),
    "silu": lambda z: (1 + mpmath.exp(-z) + z * mpmath.exp(-z)) / (1 + mpmath.exp(-z)) ** 2,
    "identity": lambda z: mpmath.mpf(1),
}
EXACT_SECOND = {
    "sigmoid": lambda z: -mpmath.exp(-z) / (1 + mpmath.exp(-z)) ** 2 * mpmath.tanh(z / 2),
    "tanh": lambda z: -2 * mpmath.tanh(z) * mpmath.sech(z) ** 2,
    "relu": lambda z: mpmath.mpf(0),
    "softplus": lambda z: mpmath.exp(-z) / (1 + mpmath.exp(-z)) ** 2,
    "silu": lambda z: mpmath.diff(EXACT_PRIME["silu"], z),
    "identity": lambda z: mpmath.mpf(0),
}
POINTS = [0.0, 1e-300, 1e-8, 0.3, 1.0, 2.5, 17.0, 37.0, 355.0, 700.0]
NAMES = list(ACTIVATIONS)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("z", [*POINTS, *(-z for z in POINTS if z)])
def test_value_and_derivative_have_all_digits(name, z):
    f = activation(name)
    # exp(-z) is correctly rounded to 1 ulp; the few operations after it add a few more.
    # silu' is a difference of terms that cancel near its zero, hence the absolute part.
    for found, exact in ((f(z), EXACT[name]), (f.prime(z), EXACT_PRIME[name])):
        truth = float(exact(mpmath.mpf(z)))
        assert found == pytest.approx(truth, rel=4e-15, abs=2e-16 if name == "silu" else 0)
    truth = float(EXACT_SECOND[name](mpmath.mpf(z)))
    assert f.second(z) == pytest.approx(truth, rel=1e-14, abs=1e-15 if name == "silu" else 0)


def test_the_second_derivative_of_your_own_is_numerical_if_left_out():
    z = np.array([-2.0, 0.0, 0.7])
    arctan = Activation("own", np.arctan, lambda z: 1 / (1 + z * z))
    truth = -2 * z / (1 + z * z) ** 2
    assert arctan.second(z) == pytest.approx(truth, rel=1e-14)

    def refuses(z):
        if np.iscomplexobj(z):
            raise TypeError("real numbers only")
        return 1 / (1 + z * z)

    assert Activation("own", np.arctan, refuses).second(z) == pytest.approx(truth, rel=1e-8)


def test_golden_numbers():
    assert sigmoid(1) == 0.7310585786300049
    assert np.round(sigmoid(np.array([-1, 0, 1])), 8).tolist() == [0.26894142, 0.5, 0.73105858]
    assert sigmoid.prime(0) == 0.25


def test_derivative_survives_where_the_tutorial_has_nan():
    # the tutorial's formula is nan at -800; a * (1 - a) is 0 from 37 on
    assert sigmoid.prime(-800.0) == 0.0
    assert sigmoid.prime(40.0) == pytest.approx(float(EXACT_PRIME["sigmoid"](mpmath.mpf(40))))
    assert sigmoid.prime(-700.0) > 0


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("z", [1e308, -1e308, np.inf, -np.inf, 710.0, -745.0, 5e-324])
def test_finite_and_silent_for_every_float(name, z):
    f = activation(name)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for value in (f(z), f.prime(z), f(np.full((2, 2), z)), f.prime(np.full((2, 2), z))):
            assert np.all(np.isfinite(value))


@pytest.mark.parametrize("name", NAMES)
def test_nan_is_not_hidden(name):
    if name == "relu":
        assert np.isnan(relu(np.nan)) or relu(np.nan) == 0.0
    elif name != "identity":
        assert np.isnan(activation(name)(np.nan))


@pytest.mark.parametrize("name", NAMES)
@given(z=st.floats(-1e308, 1e308))
def test_scalar_vector_and_matrix_agree(name, z):
    f = activation(name)
    assert np.ndim(f(z)) == 0
    assert f([z, z]).tolist() == [f(z)] * 2
    assert f([[z], [z]]).shape == (2, 1)
    assert f.prime(np.array([z]))[0] == f.prime(z)


@pytest.mark.parametrize("name", NAMES)
@given(z=st.floats(-30, 30).filter(lambda z: abs(z) > 1e-3))
def test_derivative_is_the_complex_step_of_the_value(name, z):
    f = activation(name)
    step = np.imag(f(np.array(z + 1e-200j))) / 1e-200
    # both sides are a handful of operations on the same exp; silu' cancels near -1.28
    assert f.prime(z) == pytest.approx(float(step), rel=1e-13, abs=1e-15)


def test_softplus_is_the_integral_of_sigmoid():
    z = np.linspace(-20, 20, 40001)
    trapezoid = np.cumsum((sigmoid(z)[1:] + sigmoid(z)[:-1]) / 2 * np.diff(z))
    # the trapezoid rule is off by at most h² (b - a) max|f''| / 12 = 1e-6 * 40 * 0.1 / 12
    assert np.max(np.abs(softplus(z[1:]) - softplus(z[0]) - trapezoid)) < 4e-7


def test_integers_and_float32_become_float64():
    assert sigmoid(np.array([1], dtype=np.int32)).dtype == np.float64
    assert sigmoid(np.array([1], dtype=np.float32)).dtype == np.float64


def test_unknown_name_lists_the_known_ones():
    with pytest.raises(ConfigurationError, match="unknown activation 'selu'; choose one of sigm"):
        activation("selu")
