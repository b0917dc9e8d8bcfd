"""The tutorial's fit from a thousand starts, against nnet and the tutorial's way."""

from __future__ import annotations

import contextlib
import time

import numpy as np
from scipy import optimize

import chainrule
from _peers import R
from _timing import alternate, machine, ratio
from chainrule.optimize.multistart import StartOptions, minimize_from_starts

X = np.array([[3.0, 5.0], [5.0, 1.0], [10.0, 2.0]]) / [10.0, 5.0]
Y = np.array([[75.0], [82.0], [93.0]]) / 100
STARTS = [np.random.RandomState(seed).randn(9) for seed in range(50)]
N_STARTS = 1000
SOLVED = 1e-8  # a cost
GRADIENT = 1e-8  # max|g| to be reached


def squash(z):
    return 1 / (1 + np.exp(-z))


def cost(theta):
    return 0.5 * float(
        np.sum((Y - squash(squash(X @ theta[:6].reshape(2, 3)) @ theta[6:, None])) ** 2)
    )


def gradient(theta):
    W2 = theta[6:, None]
    a2 = squash(X @ theta[:6].reshape(2, 3))
    y_hat = squash(a2 @ W2)
    delta3 = (y_hat - Y) * y_hat * (1 - y_hat)
    delta2 = delta3 @ W2.T * a2 * (1 - a2)
    return np.concatenate([(X.T @ delta2).ravel(), (a2.T @ delta3).ravel()])


def tutorials_way(theta):
    """Two forward passes for each evaluation and one for the callback, gtol as by default."""
    costs = []
    return optimize.minimize(
        lambda t: (cost(t), gradient(t)),
        theta,
        jac=True,
        method="BFGS",
        options={"maxiter": 200},
        callback=lambda t: costs.append(cost(t)),
    )


def in_r(r, n):
    """Return how long one of n fits takes nnet, whose stop is a relative change of the cost."""
    call = "nnet(x, y, size=3, rang=2, maxit=10000, abstol=1e-16, reltol=1e-12, trace=FALSE)"

    def way():
        return float(r.seconds(f"for (i in 1:{n}) {call}") / n)

    return way


def run():
    net = chainrule.Network(
        [2, 3, 1], hidden="sigmoid", output="sigmoid", loss="squared", bias=False
    )
    objective = chainrule.Objective(net, X, Y)
    tol = GRADIENT / objective.scale
    gap = max(abs(objective.cost(t) - cost(t)) for t in STARTS)
    assert gap < 1e-15, gap

    def ours():
        options = StartOptions(scheme="normal", method="lm", tol=tol)
        return minimize_from_starts(objective, N_STARTS, 0, options)

    restarts = ours()
    solved = sum(run.cost < SOLVED for run in restarts.runs)
    assert restarts.best.cost < SOLVED
    assert float(np.max(np.abs(restarts.best.gradient))) <= GRADIENT
    by_tutorial = [tutorials_way(t) for t in STARTS]
    also = sum(done.fun < SOLVED for done in by_tutorial)

    def per_fit(way, n):
        def timed():
            started = time.perf_counter()
            way()
            return (time.perf_counter() - started) / n

        return timed

    with R() if R.present() else contextlib.nullcontext() as r:
        ways = {
            "chainrule": per_fit(ours, N_STARTS),
            "tutorial": per_fit(lambda: [tutorials_way(t) for t in STARTS], len(STARTS)),
        }
        if r is not None:
            r.give("x", X)
            r.give("y", Y)
            ways["nnet"] = in_r(r, N_STARTS)
        seconds = alternate(ways, repeats=9)
    lines = [
        "## The tutorial's fit: 3 rows, 2-3-1, from random starts",
        "",
        f"{N_STARTS:,} starts to max|g| <= {GRADIENT:g}, every claim examined: {solved} reach",
        f"a cost below {SOLVED:g}. By the tutorial's way, SciPy's BFGS with gtol 1e-5, {also} of",
        f"{len(STARTS)} do. Costs at the starts differ by at most {gap:.0e}. nnet has biases too,",
        "and stops at a relative change of 1e-12.",
        "",
        "| way | µs per fit | its time / ours |",
        "|---|---|---|",
    ]
    for name, of_way in seconds.items():
        lines.append(
            f"| {name} | {np.median(of_way) * 1e6:.1f} | {ratio(seconds, name, 'chainrule'):.1f} |"
        )
    return lines


if __name__ == "__main__":
    print(machine(), *run(), sep="\n")
