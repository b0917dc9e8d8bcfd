"""Second derivatives of networks with many outputs, and a whole fit of 100 classes."""

from __future__ import annotations

import time
import warnings

import numpy as np
from sklearn.neural_network import MLPClassifier

import chainrule
from _timing import alternate, machine, ratio
from chainrule._blas import one_thread
from chainrule.heart import chain_rule
from chainrule.kernels import determinant, native
from evaluation import rates

SHAPES = [(150, [4, 10, 3]), (1_500, [64, 10, 10]), (1_000, [5, 10, 100])]
FRESH, PART = 2_000, 250  # rows, and those of which the slope is timed


def by_outputs(net, theta, X, Y, w):
    """Return the Gauss-Newton matrix with dz[L]/dθ written down, output by output."""
    W, b = net.weights(theta)
    trace = chain_rule.forward(X, W, b, net.functions)
    curvature = w[:, None, None] * net.pair.curvature(trace.z[net.n_layers], Y)
    values, vectors = np.linalg.eigh(curvature)
    root = np.sqrt(values.clip(0.0))[:, :, None] * vectors.swapaxes(1, 2)
    H = np.zeros((len(theta), len(theta)))
    for k in range(net.layers[-1]):
        of_k = chain_rule.jacobian(root[:, k : k + 1], trace, W, b, net.functions)[:, 0]
        H += of_k.T @ of_k
    return H


def of_shape(n, layers, flops):
    """Return the line of one shape."""
    rng = np.random.default_rng(0)
    net, K = chainrule.Network(layers, output="softmax"), layers[-1]
    X, w = rng.standard_normal((n, layers[0])), np.ones(n)
    Y, theta, p = np.eye(K)[rng.integers(K, size=n)], net.initial(0), net.n_parameters
    H = native.evaluate(net, theta, X, Y, w, 2).H
    gap = np.abs(by_outputs(net, theta, X, Y, w) - H).max() / np.abs(H).max()
    assert gap < 1e-12, gap
    some = X[:PART], Y[:PART], w[:PART]
    inverse = np.linalg.inv(H + np.eye(p))

    def together():
        native.evaluate(net, theta, X, Y, w, 2)

    def one_by_one():
        by_outputs(net, theta, X, Y, w)

    def slope():
        determinant.slope_of_log_determinant(net, theta, *some, inverse)

    ways = {"H": together, "NumPy": one_by_one, "slope": slope}
    seconds = alternate(ways, repeats=9, most_seconds=30.0)
    ours = np.median(seconds["H"])
    limit = n * p**2 / flops  # half of a symmetric matrix, two operations for each number
    of_slope = np.median(seconds["slope"]) * n / min(n, PART)
    return (
        f"| {n:,} x {'-'.join(map(str, layers))} | {p:,} | {ours * 1e3:.3g} | "
        f"{ours / limit:.1f} | {ratio(seconds, 'NumPy', 'H'):.1f} x | {of_slope * 1e3:.3g} | "
        f"{gap:.0e} |"
    )


def classes(n, K, seed):
    """Return points and which of K centres is the nearest."""
    rng = np.random.default_rng(0)
    centres = 1.5 * rng.standard_normal((K, 5))
    X = np.random.default_rng(seed).standard_normal((n, 5))
    return X, ((X[:, None] - centres) ** 2).sum(axis=-1).argmin(axis=1)


def whole_fit():
    """Return seconds and accuracy on fresh rows of both."""
    X, y = classes(1_000, 100, 1)
    X_new, y_new = classes(FRESH, 100, 2)
    found = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for model in (
            chainrule.NetworkClassifier(),
            chainrule.NetworkClassifier(alpha="rule"),
            MLPClassifier(random_state=0),
        ):
            began = time.perf_counter()
            model.fit(X, y)
            found.append((time.perf_counter() - began, model.score(X_new, y_new)))
    return found


def run():
    """Return the section of RESULTS.md."""
    flops, *_ = rates()
    with one_thread():  # of BLAS, as in a fit
        of_shapes = [of_shape(n, layers, flops) for n, layers in SHAPES]
    lines = [
        "## Many outputs",
        "",
        "The Gauss-Newton matrix H of softmax networks, outputs contracted first; limit: n p²/2",
        "multiply-adds, which do not depend on the number of outputs. NumPy: one output after the",
        "other, its time over ours. Slope: that of the log determinant, in NumPy.",
        "",
        "| rows x layers | weights | H, ms | / limit | NumPy | slope, ms | difference |",
        "|---|---|---|---|---|---|---|",
        *of_shapes,
        "",
        "Whole fits: 1,000 rows, 5 columns, 100 classes, as they come; accuracy on fresh rows:",
        "",
        "| way | s | accuracy |",
        "|---|---|---|",
    ]
    names = ("ours", "ours, alpha='rule'", "scikit-learn")
    for name, (seconds, accuracy) in zip(names, whole_fit(), strict=True):
        lines.append(f"| {name} | {seconds:.2f} | {accuracy:.3f} |")
    return lines


if __name__ == "__main__":
    print(machine(), *run(), sep="\n")
