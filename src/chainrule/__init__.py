"""chainrule fits small neural networks to tables, and shows every number on the way.

Importing this package costs nothing: everything loads on first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from chainrule._errors import (
    ChainruleError,
    ConfigurationError,
    DataError,
    ModelFileError,
    TrainingError,
)

if TYPE_CHECKING:
    from chainrule.estimators import NetworkClassifier, NetworkRegressor
    from chainrule.heart.activations import Activation
    from chainrule.heart.gradient_check import GradientCheck, check_gradient
    from chainrule.heart.network import Network
    from chainrule.heart.outputs import Loss
    from chainrule.model.model import Model
    from chainrule.model.model_file import load_model, save_model
    from chainrule.objectives.least_squares import LeastSquares
    from chainrule.objectives.objective import Objective
    from chainrule.optimize.minimize import Fit, minimize

__version__ = "0.1.0"

__all__ = [
    "Activation",
    "ChainruleError",
    "ConfigurationError",
    "DataError",
    "Fit",
    "GradientCheck",
    "LeastSquares",
    "Loss",
    "Model",
    "ModelFileError",
    "Network",
    "NetworkClassifier",
    "NetworkRegressor",
    "Objective",
    "TrainingError",
    "check_gradient",
    "load_model",
    "minimize",
    "save_model",
]

_LATER = {
    "Activation": "chainrule.heart.activations",
    "Fit": "chainrule.optimize.minimize",
    "GradientCheck": "chainrule.heart.gradient_check",
    "LeastSquares": "chainrule.objectives.least_squares",
    "Loss": "chainrule.heart.outputs",
    "Model": "chainrule.model.model",
    "Network": "chainrule.heart.network",
    "NetworkClassifier": "chainrule.estimators",
    "NetworkRegressor": "chainrule.estimators",
    "Objective": "chainrule.objectives.objective",
    "check_gradient": "chainrule.heart.gradient_check",
    "load_model": "chainrule.model.model_file",
    "minimize": "chainrule.optimize.minimize",
    "save_model": "chainrule.model.model_file",
}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module 'chainrule' has no attribute {name!r}")
    return getattr(import_module(_LATER[name]), name)


def __dir__() -> list[str]:
    return __all__
