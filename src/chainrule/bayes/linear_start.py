"""Start the search for the evidence at a smaller network inside the larger one.

A larger network can represent any smaller one, so that its evidence should not be much lower.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

from chainrule._contracts import Array
from chainrule._errors import TrainingError
from chainrule.bayes.evidence import STRONGER, EvidenceProblem, maximize_evidence
from chainrule.bayes.laplace import Priors
from chainrule.heart.network import Network
from chainrule.objectives.objective import Objective
from chainrule.optimize.saddles import is_exact

NEARLY_STRAIGHT = ("tanh", "sigmoid", "identity", "softplus", "silu")  # near 0
LEAST_SIZE = 1e-3  # of the weights to one output, of those to the one with the largest
MOST_TIMES = 4  # that silent units are held more strongly, each by e^4
NEARLY_LINEAR = 0.1  # what enters a unit that stands for a linear function


def linear_start(problem: EvidenceProblem) -> tuple[Array, Array] | None:
    """Return ln α and ln β, and weights, with which a network says what the best linear one does.

    A skip layer is linear. Without one the first units, one for each output, are as good as linear
    as what enters them is small: tanh z is z to within z³/3. The weights of the other units are 0,
    and held as strongly as it takes to stay there. None if the network has neither.
    """
    o = problem.objective
    net, K = o.net, o.net.layers[-1]
    if o.constrained or net.foreign or not net.bias or not (net.skip or _has_straight_units(net)):
        return None
    line = net.without_hidden_layers
    groups = problem.priors.of[net.blocks()["W[1]"]].reshape(net.layers[0], -1)[:, 0]
    used, inside = np.unique(groups, return_inverse=True)
    names = tuple(problem.priors.names[k] for k in used)
    priors = Priors(names, np.append(np.repeat(inside, K), [-1] * K))
    of_line = EvidenceProblem(Objective.on(o.rows, line), priors, problem.cancellation)
    try:
        beginning = of_line.beginning(np.zeros(line.n_parameters))
        found = maximize_evidence(beginning, cancellation=problem.cancellation)
    except (TrainingError, linalg.LinAlgError):
        return None
    (W,), (b,) = (list(of.values()) for of in line.weights(found.theta))
    if not np.any(W):
        return None
    theta = np.zeros(net.n_parameters)
    into, biases = net.weights(theta)
    logs = problem.usual.copy()
    if problem.noisy:
        logs[-1] = np.log(found.beta)
    rest = np.setdiff1d(np.arange(len(problem.priors)), used)
    if net.skip:
        into[0][:], biases[net.n_layers - 1][:] = W, b
        logs[used] = np.log(found.alpha)
        return _held(problem, logs, theta, rest), theta
    logs[used] = np.log(found.alpha) + _through_units(net, into, biases, W, b)
    counts = problem.priors.sums(np.ones(net.n_parameters))
    squares = problem.priors.sums(theta**2)
    nonzero = rest[squares[rest] > 0.0]
    logs[nonzero] = np.log(counts[nonzero] / squares[nonzero])
    return _held(problem, logs, theta, np.setdiff1d(rest, nonzero)), theta


def _held(problem: EvidenceProblem, logs: Array, theta: Array, groups: NDArray[np.intp]) -> Array:
    """Return ln α and ln β with priors of silent units so strong that 0 is a minimum for them.

    Two layers of zeros have no slope, but the cost may fall where both move; Gauss-Newton, which
    does not see that, would take the saddle for a minimum.
    """
    silent = theta == 0.0
    for _ in range(MOST_TIMES):
        logs[groups] += STRONGER
        now = problem.cost_with(logs)
        if not is_exact(now) or problem.cancellation.reason is not None:
            break
        try:
            linalg.cholesky(now.hessian(theta)[np.ix_(silent, silent)], check_finite=False)
            break
        except linalg.LinAlgError:
            continue
    return logs


def _has_straight_units(net: Network) -> bool:
    """Return whether there is a hidden unit for each output that is nearly linear near 0."""
    return (
        net.n_layers == 3
        and net.layers[1] >= net.layers[-1]
        and net.hidden[0] in NEARLY_STRAIGHT
        and _near_0(net)[1] > 0.0
    )


def _near_0(net: Network) -> tuple[float, float]:
    """Return f(0) and f'(0) of the first hidden layer."""
    f, zero = net.functions[2], np.zeros(1)
    return float(f.f(zero)[0]), float(f.prime(zero)[0])


def _through_units(
    net: Network, into: dict[int, Array], biases: dict[int, Array], W: Array, b: Array
) -> float:
    """Let the first units say X W + b, and return by how much ln α of the inputs is larger."""
    K = W.shape[1]
    at_0, slope = _near_0(net)
    size = np.linalg.norm(W, axis=0)
    size = np.maximum(size, LEAST_SIZE * size.max())
    into[1][:, :K] = NEARLY_LINEAR * W / size
    into[2][:K] = np.diag(size / (NEARLY_LINEAR * slope))
    biases[2][:] = b - at_0 * np.diag(into[2][:K])
    return 2.0 * float(np.log(size / NEARLY_LINEAR).mean())
