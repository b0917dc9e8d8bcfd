"""scikit-learn's own battery: every check, none expected to fail, none skipped by us."""

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

import chainrule
from chainrule.training.kernels import native

# the loops in Python take ten times longer: there one start says as much as three
STARTS = 3 if native.build() else 1

ESTIMATORS = [
    chainrule.NetworkRegressor(n_restarts=STARTS),
    chainrule.NetworkClassifier(n_restarts=STARTS),
]
OTHERS = [
    chainrule.NetworkRegressor((), n_restarts=1),
    chainrule.NetworkRegressor((4, 3), skip=True, missing="indicator", n_restarts=1),
    chainrule.NetworkClassifier((3,), class_weight="balanced", warm_start=True, n_restarts=1),
]


@pytest.mark.filterwarnings("ignore")  # of checks that ask for odd fits
@parametrize_with_checks(ESTIMATORS + (OTHERS if native.build() else []))
def test_every_check(estimator, check):
    check(estimator)
