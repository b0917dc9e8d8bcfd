"""One evaluation of J and its gradient, tanh: the native kernel, its limit, and the peers."""

from __future__ import annotations

import contextlib
from itertools import pairwise

import numpy as np

import chainrule
from _peers import R, Sklearn, Torch, nnet_order, versions
from _timing import alternate, machine, ratio
from chainrule.kernels import native, reference

SHAPES = [
    (3, [2, 3, 1]),
    (1_000, [10, 20, 1]),
    (100_000, [10, 32, 1]),
    (100_000, [20, 50, 1]),
    (1_000_000, [10, 32, 1]),
    (60_000, [784, 100, 10]),
    (100_000, [20, 50, 50, 1]),
]
FOR_NNET = range(1_000, 100_001)  # rows: of fewer R's own time is all there is to see
PEERS = [
    ("PyTorch", "chainrule"),
    ("scikit-learn", "chainrule"),
    ("NumPy", "chainrule"),
    ("nnet", "sigmoid"),
]
SECONDS = 25.0  # for each shape


def limit(n, layers, flops, tanhs):
    """Return the seconds that the arithmetic alone takes on all cores.

    The matrix products at the measured rate of multiply-adds, and one tanh for each hidden
    unit at the rate of the fastest vectorized one here.
    """
    pairs = list(pairwise(layers))
    forward = sum(a * b for a, b in pairs)
    backward = sum(a * b for a, b in pairs[1:])
    products = n * (4 * forward + 2 * backward)
    return products / flops + n * sum(layers[1:-1]) / tanhs


def rates():
    """Return multiply-adds (2 each) and tanhs per second, on all cores."""
    speeds = [native.core.speed(native.build(), native.threads()) for _ in range(9)]
    flops = max(s[0] for s in speeds)
    z = np.random.default_rng(0).standard_normal(1024)
    out = np.empty_like(z)
    seconds = alternate({"numpy": lambda: [np.tanh(z, out=out) for _ in range(300)]}, 15)
    of_numpy = native.threads() * 300 * len(z) / np.min(seconds["numpy"])
    return flops, max(of_numpy, *(s[1] for s in speeds)), of_numpy


def ways_for(n, layers, r):
    """Return the ways, and the largest relative difference of their gradients."""
    rng = np.random.default_rng(0)
    softmax = layers[-1] > 1
    net = chainrule.Network(layers, output="softmax" if softmax else "identity")
    X = rng.standard_normal((n, layers[0]))
    Y = np.eye(layers[-1])[rng.integers(layers[-1], size=n)] if softmax else None
    Y = rng.standard_normal((n, 1)) if Y is None else Y
    w, theta = np.ones(n), net.initial(0)
    objective = chainrule.Objective(net, X, Y)
    J, g = objective.evaluate(theta, 1)
    ways = {"chainrule": lambda: objective.evaluate(theta, 1) and None}
    found = {}
    if n <= 100_000:
        whole = reference.evaluate(net, theta, X, Y, w, 1)
        found["NumPy"] = whole.J, whole.g
        ways["NumPy"] = lambda: reference.evaluate(net, theta, X, Y, w, 1) and None
    if Torch.present:
        torch = Torch(net, X, Y)
        found["PyTorch"] = torch.gradient(theta)
        at = torch.parameters(theta)
        ways["PyTorch"] = lambda: torch.evaluate(at) and None
    if Sklearn.present:
        sklearn = Sklearn(net, X, Y)
        found["scikit-learn"] = sklearn.gradient(theta)
        here = sklearn.parameters(theta)
        ways["scikit-learn"] = lambda: sklearn.evaluate(*here) and None
    if r is not None and len(layers) == 3 and n in FOR_NNET and not softmax:
        logistic = chainrule.Network(layers, hidden="sigmoid")  # nnet has no other
        its = chainrule.Objective(logistic, X, Y)
        ways["sigmoid"] = lambda: its.evaluate(theta, 1) and None
        ways["nnet"] = nnet(r, logistic, X, Y, theta, its.cost(theta))
    difference = max(np.linalg.norm(b - g) / np.linalg.norm(g) for _, b in found.values())
    assert difference < 1e-10, (layers, difference)
    assert all(abs(a / J - 1) < 1e-10 for a, _ in found.values())
    return ways, difference


def nnet(r, net, X, Y, theta, J):
    """Return a way to time J and its gradient of nnet.

    It cannot be asked for them, so it is a step of its BFGS: a gradient and a cost, which it
    computes one after the other, and an update of its matrix, which is nothing beside them.
    """
    r.give("x", X)
    r.give("y", Y)
    r.give("wts", nnet_order(net, theta)[None, :])
    call = (
        f"nnet(x, y, size={net.layers[1]}, linout=TRUE, Wts=wts, MaxNWts=1e6, trace=FALSE, "
        "abstol=0, reltol=0, maxit="
    )
    value = r(f"{{m <- {call}0); m$value / 2}}")[0]
    assert abs(value / J - 1) < 1e-10, (value, J)
    steps, calls = (2, 1) if len(X) > 10_000 else (20, 20)

    def way():
        # its counter of steps starts at 1, so that maxit 1 and 2 both make one
        many = r.seconds(f"for (i in 1:{calls}) {call}{steps + 2})")
        one = r.seconds(f"for (i in 1:{calls}) {call}2)")
        return float((many - one) / steps / calls)

    return way


def run():
    flops, tanhs, of_numpy = rates()
    lines = [
        "## One evaluation of J and its gradient, tanh",
        "",
        f"{versions()}.",
        "",
        f"Limit: {flops / 1e9:.0f} GF/s of multiply-adds and {tanhs / 1e9:.2f} G tanh/s on all "
        f"cores (NumPy's tanh: {of_numpy / 1e9:.2f} G/s). nnet: a",
        "step of its BFGS, a cost and a gradient; it and we with logistic hidden units. x: the",
        "peer's time over ours.",
        "",
        "| rows x layers | ms | / limit | PyTorch | scikit-learn | NumPy | nnet | difference |",
        "|---|---|---|---|---|---|---|---|",
    ]
    with R() if R.present() else contextlib.nullcontext() as r:
        for n, layers in SHAPES:
            ways, difference = ways_for(n, layers, r)
            seconds = alternate(ways, repeats=15, most_seconds=SECONDS)
            ours = np.median(seconds["chainrule"])
            columns = [
                f"{ratio(seconds, peer, us):.1f} x" if peer in seconds else "-"
                for peer, us in PEERS
            ]
            lines.append(
                f"| {n:,} x {'-'.join(map(str, layers))} | {ours * 1e3:.4g} | "
                f"{ours / limit(n, layers, flops, tanhs):.2f} | {' | '.join(columns)} | "
                f"{difference:.0e} |"
            )
    return lines


if __name__ == "__main__":
    print(machine(), *run(), sep="\n")
