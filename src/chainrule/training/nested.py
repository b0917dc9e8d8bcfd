"""A smaller network inside a larger one: where the evidence of the larger one may begin.

A larger network can represent any smaller one, so that its evidence should not be much lower.
"""

from __future__ import annotations

import numpy as np
from scipy import linalg

from chainrule._contracts import Array
from chainrule._errors import TrainingError
from chainrule.heart.network import Network
from chainrule.statistics.evidence import Priors
from chainrule.training.evidence import STRONGER, Problem, climbed
from chainrule.training.objective import Objective

NEARLY_STRAIGHT = ("tanh", "sigmoid", "identity", "softplus", "silu")  # near 0
LEAST_SIZE = 1e-3  # of the weights to one output, of those to the one with the largest
NEARLY_LINEAR = 0.1  # what enters a unit that stands for a linear function


def linear_start(problem: Problem) -> tuple[Array, Array] | None:
    """Return ln α and ln β, and weights, with which a network says what the best linear one does.

    The first units, one for each output, are as good as linear as what enters them is small:
    tanh z is z to within z³/3. The weights of the other units are 0. None if the
    network has no such units.
    """
    o = problem.objective
    net, K = o.net, o.net.layers[-1]
    if net.n_layers != 3 or net.skip or o.constrained or net.foreign or net.layers[1] < K:
        return None
    f, zero = net.functions[2], np.zeros(1)
    at_0, slope = float(f.f(zero)[0]), float(f.prime(zero)[0])
    if not (net.bias and slope > 0.0 and net.hidden[0] in NEARLY_STRAIGHT):
        return None
    line = Network([net.layers[0], K], output=net.output, loss=net.loss)
    groups = problem.priors.of[net.blocks()["W[1]"]].reshape(net.layers[0], -1)[:, 0]
    used, inside = np.unique(groups, return_inverse=True)
    names = tuple(problem.priors.names[k] for k in used)
    priors = Priors(names, np.append(np.repeat(inside, K), [-1] * K))
    of_line = Problem(Objective(line, o.X, o.Y, 0.0, o.w), priors, problem.until)
    try:
        found = climbed(of_line.beginning(np.zeros(line.n_parameters)))
    except (TrainingError, linalg.LinAlgError):
        return None
    (W,), (b,) = (list(of.values()) for of in line.weights(found.theta))
    size = np.linalg.norm(W, axis=0)
    if not size.max() > 0.0:
        return None
    size = np.maximum(size, LEAST_SIZE * size.max())
    theta = np.zeros(net.n_parameters)
    into, biases = net.weights(theta)
    into[1][:, :K] = NEARLY_LINEAR * W / size
    into[2][:K] = np.diag(size / (NEARLY_LINEAR * slope))
    biases[2][:] = b - at_0 * np.diag(into[2][:K])
    logs = problem.usual.copy()
    logs[used] = np.log(found.alpha) + 2.0 * float(np.log(size / NEARLY_LINEAR).mean())
    counts = problem.priors.sums(np.ones(net.n_parameters))
    squares = problem.priors.sums(theta**2)
    rest = np.setdiff1d(np.arange(len(problem.priors)), used)
    nonzero = rest[squares[rest] > 0.0]
    logs[rest] += STRONGER
    logs[nonzero] = np.log(counts[nonzero] / squares[nonzero])
    if problem.noisy:
        logs[-1] = np.log(found.beta)
    return logs, theta
