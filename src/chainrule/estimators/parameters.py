"""What the parameters of estimators may be."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from chainrule._errors import ConfigurationError
from chainrule.bayes.fitted_posterior import NOISE
from chainrule.heart.activations import Activation
from chainrule.pipeline.effort import AUTO, EFFORTS
from chainrule.tables.encoding import RULES


def require_parameters(estimator: Any) -> None:
    """Raise ConfigurationError, with the rule, if a parameter is none that can be meant.

    What depends on the network or the data is left to whoever uses it.
    """
    for name, value in estimator.get_params(deep=False).items():
        if name in _RULES:
            allowed, rule = _RULES[name]
            if not allowed(value):
                raise ConfigurationError(f"{name} is {value!r}; it must be {rule}")


def _is_whole(value: Any) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def _is_count(value: Any) -> bool:
    return _is_whole(value) and value >= 1


def is_real(value: Any) -> bool:
    """Return whether a value is a real number, NaN is none."""
    real = isinstance(value, int | float | np.integer | np.floating)
    return real and not isinstance(value, bool) and value == value


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool | np.bool_)


def _each(allowed: Callable[[Any], bool]) -> Callable[[Any], bool]:
    """Return the rule for one value that is allowed, or a plain row of them."""

    def one_or_more(value: Any) -> bool:
        if isinstance(value, np.ndarray):
            return value.ndim == 1 and all(map(allowed, value.tolist()))
        several = isinstance(value, Sequence) and not isinstance(value, str)
        return all(map(allowed, value)) if several else allowed(value)

    return one_or_more


def _none_or(allowed: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: value is None or allowed(value)


_FLAG = _is_flag, "True or False"
_COUNT = _is_count, "a whole number of at least 1"
_RULES: dict[str, tuple[Callable[[Any], bool], str]] = {
    "hidden_layer_sizes": (
        _none_or(
            lambda value: (isinstance(value, str) and value == AUTO) or _each(_is_whole)(value)
        ),
        'a whole number, a sequence of them, "auto", or None',
    ),
    "effort": (
        lambda value: isinstance(value, str) and value in EFFORTS,
        f"one of {', '.join(EFFORTS)}",
    ),
    "activation": (
        _each(lambda value: isinstance(value, str | Activation)),
        "a name or an Activation, or a sequence of them",
    ),
    "alpha": (
        _none_or(lambda value: isinstance(value, str) or _each(is_real)(value)),
        "a number of at least 0, one for each layer, a name, or None",
    ),
    "skip": (
        lambda value: _is_flag(value) or (isinstance(value, str) and value == "auto"),
        'True, False or "auto"',
    ),
    "n_restarts": (_none_or(_is_count), "a whole number of at least 1, or None"),
    "ensemble": (_none_or(_is_count), "a whole number of at least 1, or None"),
    "noise": (lambda value: value in NOISE, f"one of {', '.join(NOISE)}"),
    "max_iter": (_none_or(_is_count), "a whole number of at least 1, or None"),
    "max_time": (_none_or(is_real), "a number of seconds, or None"),
    "missing": (lambda value: value in RULES, f"one of {', '.join(RULES)}"),
    "fixed": (
        _none_or(lambda value: isinstance(value, Mapping)),
        'a mapping such as {"W[1]": A}, or None',
    ),
    "monotonic_cst": (
        _none_or(lambda value: isinstance(value, Mapping) or _each(_is_whole)(value)),
        "a mapping of columns, or one for each column, to 1, -1 or 0, or None",
    ),
    "missing_values": (
        _none_or(_each(lambda value: isinstance(value, str))),
        "a sequence of words, () for none, or None for the usual ones",
    ),
    "on_interrupt": (lambda value: value in ("raise", "keep"), "raise or keep"),
    "early_stopping": _FLAG,
    "n_iter_no_change": _COUNT,
    "warm_start": _FLAG,
    "random_state": (
        _none_or(lambda value: _is_whole(value) or isinstance(value, np.random.RandomState)),
        "a whole number, a RandomState, or None",
    ),
    "n_jobs": (
        _none_or(lambda value: _is_whole(value) and value != 0),
        "a whole number that is not 0, or None",
    ),
    "verbose": (lambda value: _is_flag(value) or _is_whole(value), "True or False"),
}
