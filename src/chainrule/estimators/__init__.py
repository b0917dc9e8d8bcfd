"""Estimators for scikit-learn: a regressor and a classifier. In reading order:

regressor    NetworkRegressor
classifier   NetworkClassifier
base         what both have in common: fit, warm starts, what is kept after a fit
given        targets as they are given: numbers or labels, checked
parameters   what the parameters may be
diagnostics  what a fitted estimator knows besides its predictions
callbacks    scikit-learn's callbacks

They take what the estimators of scikit-learn take, and data frames with categories, dates
and answers besides. Inputs and targets are scaled inside, so that units do not matter.
"""

from chainrule.estimators.classifier import NetworkClassifier
from chainrule.estimators.regressor import NetworkRegressor

__all__ = ["NetworkClassifier", "NetworkRegressor"]
