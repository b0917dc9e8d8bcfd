"""How the cost of an evaluation grows with rows and with weights, as a picture with slopes."""

from __future__ import annotations

import numpy as np

import chainrule
from _timing import RESULTS, alternate, machine
from chainrule.pictures import style

PICTURE = RESULTS.with_name("growth.png")
INPUTS, HIDDEN = 4, 17
ROWS = [10**k for k in range(3, 8)]
WIDTHS = [2, 5, 17, 50, 167, 499]
ROWS_FOR_WIDTHS = 10_000
KINDS = {1: "J and its gradient", 2: "and the Gauss-Newton H"}
SECONDS = 15.0  # for each point


def seconds(n, hidden, order):
    """Return the median seconds of one evaluation."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, INPUTS))
    objective = chainrule.Objective(network(hidden), X, X[:, :1])
    theta = objective.net.initial(0)
    way = {"ours": lambda: objective.evaluate(theta, order) and None}
    return float(np.median(alternate(way, 5, SECONDS)["ours"]))


def network(hidden):
    return chainrule.Network([INPUTS, hidden, 1])


def slope(x, y):
    """Return d log y / d log x over the upper half of the points, where overhead is gone."""
    half = len(x) // 2
    return float(np.polyfit(np.log(x[half:]), np.log(y[half:]), 1)[0])


def draw(panels):
    with style.figure(width=10.0, height=4.2) as fig:
        for ax, (x, found, label) in zip(fig.subplots(1, 2), panels, strict=True):
            for (order, what), color in zip(KINDS.items(), (style.BLUE, style.ORANGE), strict=True):
                text = f"{what}: slope {slope(x, found[order]):.2f}"
                ax.loglog(x, np.multiply(1e3, found[order]), "o-", color=color, label=text)
            style.plain_numbers(ax.xaxis)
            style.plain_numbers(ax.yaxis)
            ax.set(xlabel=label, ylabel="milliseconds")
            ax.legend()
        style.save(fig, PICTURE)


def run():
    weights = [network(hidden).n_parameters for hidden in WIDTHS]
    by_rows = {k: [seconds(n, HIDDEN, k) for n in ROWS] for k in KINDS}
    by_weights = {k: [seconds(ROWS_FOR_WIDTHS, h, k) for h in WIDTHS] for k in KINDS}
    of_rows = f"rows, {network(HIDDEN).n_parameters} weights"
    panels = [
        (ROWS, by_rows, of_rows),
        (weights, by_weights, f"weights, {ROWS_FOR_WIDTHS:,} rows"),
    ]
    draw(panels)
    lines = ["## How the cost of one evaluation grows", "", f"![]({PICTURE.name})"]
    for x, found, label in panels:
        columns = [f"{n:,}" for n in x]
        lines += ["", f"| {label} | {' | '.join(columns)} | slope |"]
        lines.append("|---" * (len(x) + 2) + "|")
        for order, what in KINDS.items():
            cells = " | ".join(f"{1e3 * t:.3g}" for t in found[order])
            lines.append(f"| {what}, ms | {cells} | {slope(x, found[order]):.2f} |")
    return lines


if __name__ == "__main__":
    print(machine(), *run(), sep="\n")
