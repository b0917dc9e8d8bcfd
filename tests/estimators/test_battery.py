"""scikit-learn's own battery: every check, none expected to fail, none skipped by us."""

import pytest
from sklearn.base import clone
from sklearn.utils.estimator_checks import estimator_checks_generator

import chainrule
from chainrule.kernels import native

# the loops in Python take ten times longer: there a small network says as much as a large one
SIZE = {} if native.build() else {"hidden_layer_sizes": (3,), "n_restarts": 1}

ESTIMATORS = [chainrule.NetworkRegressor(**SIZE), chainrule.NetworkClassifier(**SIZE)]
OTHERS = [
    chainrule.NetworkRegressor((), n_restarts=1),
    chainrule.NetworkRegressor((4, 3), skip=True, missing="indicator", n_restarts=1),
    chainrule.NetworkClassifier((3,), class_weight="balanced", warm_start=True, n_restarts=1),
]


CASES = [
    pytest.param(estimator, check, id=f"{type(estimator).__name__}{k}-{check.func.__name__}-{n}")
    for k, estimator in enumerate(ESTIMATORS + (OTHERS if native.build() else []))
    for n, (_, check) in enumerate(estimator_checks_generator(estimator))
]


@pytest.mark.filterwarnings("ignore")  # of checks that ask for odd fits
@pytest.mark.parametrize(("estimator", "check"), CASES)
def test_every_check(estimator, check):
    check(clone(estimator))
