"""One evaluation of J and its gradient: the reference kernel in blocks against whole arrays."""

from __future__ import annotations

import numpy as np

import chainrule
from _timing import alternate, machine, ratio
from chainrule.training.kernels import reference

SHAPES = [(3, [2, 3, 1]), (1_000, [10, 20, 1]), (100_000, [10, 32, 1]), (100_000, [20, 50, 1])]


def run():
    lines = [
        "## One evaluation of J and its gradient, tanh, NumPy reference kernel",
        "",
        "| rows x layers | blocks, ms | whole arrays, ms | whole / blocks | difference |",
        "|---|---|---|---|---|",
    ]
    for n, layers in SHAPES:
        rng = np.random.default_rng(0)
        net = chainrule.Network(layers)
        X, Y = rng.standard_normal((n, layers[0])), rng.standard_normal((n, layers[-1]))
        objective, theta, w = chainrule.Objective(net, X, Y), net.initial(0), np.ones(n)
        blocks = objective.evaluate(theta, 1)
        whole = reference.evaluate(net, theta, X, Y, w, 1)
        difference = np.linalg.norm(blocks.g - whole.g) / np.linalg.norm(whole.g)
        assert difference < 1e-12
        ways = {
            "blocks": lambda o=objective, t=theta: o.evaluate(t, 1),
            "whole": lambda net=net, t=theta, X=X, Y=Y, w=w: reference.evaluate(net, t, X, Y, w, 1),
        }
        seconds = alternate(ways, repeats=200 if n <= 1000 else 9)
        blocks_ms, whole_ms = (np.median(seconds[name]) * 1e3 for name in ways)
        lines.append(
            f"| {n:,} x {'-'.join(map(str, layers))} | {blocks_ms:.3f} | {whole_ms:.3f} | "
            f"{ratio(seconds, 'whole', 'blocks'):.2f} | {difference:.0e} |"
        )
    return lines


if __name__ == "__main__":
    print(machine(), *run(), sep="\n")
