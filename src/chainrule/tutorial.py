"""The tutorial's own vocabulary, so that its cells run as they are typed.

A thin layer over the heart: every number here is computed by `chainrule.Network`,
`chainrule.minimize` and the differences of `chainrule.check_gradient`. Names and
signatures are those of the tutorial; sizes and a seed are optional. Unlike there, the
cost is one number for any number of outputs, nothing overflows, `setParams` copies, and
a trainer that did not reach an optimum says so.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import OptimizeResult

from chainrule._contracts import Array
from chainrule.heart import activations
from chainrule.heart.chain_rule import Trace
from chainrule.heart.gradient_check import central_differences
from chainrule.heart.network import Network
from chainrule.heart.seed_protocol import seed_objective
from chainrule.objectives.objective import Objective
from chainrule.optimize.minimize import minimize

__all__ = [
    "Neural_Network",
    "computeNumericalGradient",
    "logistic",
    "logistic_derivative",
    "sigmoid",
    "sigmoidPrime",
    "tanh",
    "tanh_deriv",
    "trainer",
]


def sigmoid(z: Any) -> Any:
    """Return 1 / (1 + exp(-z)) of a scalar, vector or matrix.

    >>> float(sigmoid(1))
    0.7310585786300049
    """
    return activations.sigmoid(z)


def sigmoidPrime(z: Any) -> Any:
    """Return the derivative of sigmoid."""
    return activations.sigmoid.prime(z)


def tanh(x: Any) -> Any:
    """Return the hyperbolic tangent."""
    return activations.tanh(x)


def tanh_deriv(x: Any) -> Any:
    """Return the derivative of tanh."""
    return activations.tanh.prime(x)


logistic = sigmoid
logistic_derivative = sigmoidPrime


class Neural_Network:
    """The tutorial's network: sigmoid units without biases, squared cost.

    Parameters
    ----------
    inputLayerSize, hiddenLayerSize, outputLayerSize : int
    seed : int, optional
        Of the starting weights. Left out, they come from NumPy's global generator as in
        the tutorial, so that ``np.random.seed(1)`` gives the weights it gives there.

    Attributes
    ----------
    W1, W2 : ndarray
        The weights, free to be replaced.
    z2, a2, z3, yHat : ndarray
        What the last `forward` computed.

    Examples
    --------
    >>> from chainrule.tutorial import Neural_Network
    >>> NN = Neural_Network(seed=0)
    >>> NN.forward([[0.3, 1.0], [0.5, 0.2]]).shape
    (2, 1)
    """

    def __init__(
        self,
        inputLayerSize: int = 2,
        hiddenLayerSize: int = 3,
        outputLayerSize: int = 1,
        seed: int | None = None,
    ) -> None:
        self.inputLayerSize = inputLayerSize
        self.hiddenLayerSize = hiddenLayerSize
        self.outputLayerSize = outputLayerSize
        self.network = Network(
            [inputLayerSize, hiddenLayerSize, outputLayerSize],
            hidden="sigmoid",
            output="sigmoid",
            loss="squared",
            bias=False,
        )
        if seed is None:
            self.setParams(np.random.randn(self.network.n_parameters))
        else:
            self.setParams(self.network.initial(seed, scheme="normal"))

    def forward(self, X: ArrayLike) -> Array:
        """Propagate X through the network; return yHat and keep z2, a2, z3."""
        return self._forward(X).y_hat

    def _forward(self, X: ArrayLike) -> Trace:
        trace = self.network.forward(self.getParams(), X)
        self.z2, self.a2, self.z3 = trace.z[2], trace.a[2], trace.z[3]
        self.yHat = trace.y_hat
        return trace

    def sigmoid(self, z: Any) -> Any:
        """Return sigmoid(z)."""
        return sigmoid(z)

    def sigmoidPrime(self, z: Any) -> Any:
        """Return the derivative of sigmoid."""
        return sigmoidPrime(z)

    def costFunction(self, X: ArrayLike, y: ArrayLike) -> float:
        """Return J = ½ Σ (y - yHat)², one number."""
        self.forward(X)
        Y = self.network.targets(y, len(self.z3))
        return float(self.network.pair.cost(self.z3, Y).sum())

    def costFunctionPrime(self, X: ArrayLike, y: ArrayLike) -> tuple[Array, Array]:
        """Return dJdW1 and dJdW2."""
        dJdW = self.network.backward(self.getParams(), self._forward(X), y).dJdW
        return dJdW[1], dJdW[2]

    def getParams(self) -> Array:
        """Return W1 and W2 unrolled into one vector."""
        return np.concatenate([np.ravel(self.W1), np.ravel(self.W2)])

    def setParams(self, params: ArrayLike) -> None:
        """Set W1 and W2 from one vector."""
        W, _ = self.network.weights(np.array(params, dtype=np.float64))
        self.W1, self.W2 = W[1], W[2]

    def computeGradients(self, X: ArrayLike, y: ArrayLike) -> Array:
        """Return dJdW1 and dJdW2 unrolled into one vector."""
        dJdW1, dJdW2 = self.costFunctionPrime(X, y)
        return np.concatenate([dJdW1.ravel(), dJdW2.ravel()])


class trainer:
    """Train a network with BFGS and keep its cost at every iteration.

    Parameters
    ----------
    N : Neural_Network, or any object with getParams, setParams, costFunction, computeGradients

    Attributes
    ----------
    J : list of float
        The cost after every iteration.
    optimizationResults : OptimizeResult
        x, fun, jac, nit, nfev, njev, success, message, as SciPy names them; `success`
        is True only at an optimum.
    fit : Fit
        The same with the full history.
    """

    def __init__(self, N: Any) -> None:
        self.N = N

    def train(self, X: ArrayLike, y: ArrayLike, maxiter: int = 200, disp: bool = True) -> None:
        """Minimize the cost on X and y; leave the best weights in the network."""
        self.X, self.y = X, y
        options: dict[str, Any] = {"method": "bfgs", "max_iter": maxiter}
        if isinstance(self.N, Neural_Network):
            objective = Objective(self.N.network, X, y)
            fit = minimize(objective, self.N.getParams(), **options)
            self.N.setParams(fit.theta)
        else:
            fit = minimize(self.N, X, y, **options)
        self.N.costFunction(X, y)  # leaves the network with what it computes at the end
        self.fit = fit
        self.J = fit.history.cost[1:].tolist()
        self.optimizationResults = OptimizeResult(
            x=fit.theta,
            fun=fit.cost,
            jac=fit.gradient,
            nit=fit.n_iterations,
            nfev=fit.n_evaluations,
            njev=fit.n_evaluations,
            success=fit.converged,
            message=str(fit.termination),
        )
        if disp:
            print(self._report())

    def _report(self) -> str:
        return "\n".join(
            [
                str(self.fit.termination),
                f"         Current function value: {self.fit.cost:.6f}",
                f"         Iterations: {self.fit.n_iterations}",
                f"         Function evaluations: {self.fit.n_evaluations}",
                f"         Gradient evaluations: {self.fit.n_evaluations}",
            ]
        )


def computeNumericalGradient(N: Any, X: ArrayLike, y: ArrayLike) -> Array:
    """Return the gradient by central differences with e = 1e-4, as the tutorial takes them.

    The network is left as it was.
    """
    if isinstance(N, Neural_Network):
        return central_differences(Objective(N.network, X, y).cost, N.getParams(), 1e-4)
    objective = seed_objective(N, X, y)
    here = objective.theta
    try:
        return central_differences(lambda theta: objective.evaluate(theta, 0).J, here, 1e-4)
    finally:
        objective.theta = here
