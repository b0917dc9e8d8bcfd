"""Networks as scikit-learn knows estimators: a regressor and a classifier.

They take what the estimators of scikit-learn take, and data frames with categories, dates
and answers besides. Inputs and targets are scaled inside, so that units do not matter.
"""

from chainrule.estimators.classifier import NetworkClassifier
from chainrule.estimators.regressor import NetworkRegressor

__all__ = ["NetworkClassifier", "NetworkRegressor"]
