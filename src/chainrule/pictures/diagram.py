"""The network as a drawing: units as circles, weights as lines."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from chainrule._contracts import Array
from chainrule.pictures.style import BLACK, BLUE, ORANGE, figure

MOST_UNITS_DRAWN = 16  # of a layer
MOST_WEIGHTS_LABELLED = 24  # with their numbers


def network_diagram(
    W: dict[int, Array], b: dict[int, Array], inputs: Sequence[str], outputs: Sequence[str]
) -> Figure:
    """Draw every weight as a line: thick if large, orange and dashed if negative."""
    layers = [l for l in sorted(W) if l]
    sizes = [len(W[1]), *(W[l].shape[1] for l in layers)]
    tallest = min(max(sizes), MOST_UNITS_DRAWN)
    with figure(2.4 * len(sizes) + 1.4, max(3.8, 0.95 * tallest + 1.2)) as fig:
        ax = fig.add_subplot()
        ax.axis("off")
        at = [_positions(l, size) for l, size in enumerate(sizes)]
        for l in layers:
            _draw_weights(ax, W[l], at[l - 1], at[l])
        if 0 in W:  # past the hidden layers, below them
            _draw_skips(ax, W[0], at[0], at[-1], 0.5 * tallest)
        for l, spots in enumerate(at):
            _draw_units(ax, spots, sizes[l], b.get(l))
        _name_units(ax, at[0], inputs, "right", -0.2)
        _name_units(ax, at[-1], outputs, "left", 0.2)
        ax.legend(
            handles=[
                Line2D([], [], color=BLUE, label="positive weight"),
                Line2D([], [], color=ORANGE, linestyle="--", label="negative weight"),
                *(
                    [Line2D([], [], marker="o", ls="", mfc="white", mec=BLACK, label="bias")]
                    if b
                    else []
                ),
            ],
            loc="upper center",
            bbox_to_anchor=(0.5, 0.02),
            ncols=3,
        )
        ax.set_xlim(-0.75, len(sizes) - 0.25)
        half = tallest / 2 + 0.1
        ax.set_ylim(-half, half)
    return fig


def _positions(layer: int, size: int) -> Array:
    shown = min(size, MOST_UNITS_DRAWN)
    y = (shown - 1) / 2 - np.arange(shown)
    return np.column_stack([np.full(shown, float(layer)), y])


def _draw_weights(ax: Axes, W: Array, left: Array, right: Array) -> None:
    largest = np.abs(W).max() or 1.0
    placed: list[Array] = []
    for i, start in enumerate(left):
        for j, end in enumerate(right):
            w = W[i, j]
            color, dash = (BLUE, "-") if w >= 0 else (ORANGE, "--")
            ax.plot(
                *zip(start, end, strict=True),
                dash,
                color=color,
                lw=0.4 + 3.6 * abs(w) / largest,
                zorder=1,
            )
            if W.size <= MOST_WEIGHTS_LABELLED:
                placed.append(_free_place(start, end, placed))
                ax.text(
                    placed[-1][0],
                    placed[-1][1],
                    f"{w:.3g}",
                    fontsize=9.5,
                    ha="center",
                    va="center",
                    color=BLACK,
                    zorder=2,
                    bbox={"facecolor": "white", "alpha": 0.9, "edgecolor": "none", "pad": 0.8},
                )


def _draw_skips(ax: Axes, W: Array, left: Array, right: Array, depth: float) -> None:
    largest = np.abs(W).max() or 1.0
    t = np.linspace(0.0, 1.0, 60)[:, None]
    for i, start in enumerate(left):
        for j, end in enumerate(right):
            low = np.array([0.5 * (start[0] + end[0]), -1.2 * depth])
            curve = (1 - t) ** 2 * start + 2 * t * (1 - t) * low + t**2 * end
            color, dash = (BLUE, "-") if W[i, j] >= 0 else (ORANGE, "--")
            width = 0.4 + 2.0 * abs(W[i, j]) / largest
            ax.plot(curve[:, 0], curve[:, 1], dash, color=color, lw=width, alpha=0.6, zorder=0)


def _free_place(start: Array, end: Array, placed: Sequence[Array]) -> Array:
    """Return the point of a line that is farthest from all labels placed before."""
    line = start + np.linspace(0.22, 0.78, 29)[:, None] * (end - start)
    if not placed:
        return np.asarray(line[len(line) // 2])
    # a label is about five times as wide as it is high
    apart = (line[:, None] - np.array(placed)[None]) * [2.4, 5.0]
    return np.asarray(line[np.argmax(np.min(np.sum(apart**2, axis=2), axis=1))])


def _draw_units(ax: Axes, spots: Array, size: int, bias: Array | None) -> None:
    ax.scatter(
        spots[:, 0], spots[:, 1], s=1150, color="white", edgecolor=BLACK, linewidth=1.5, zorder=3
    )
    if bias is not None:
        for (x, y), value in zip(spots, bias, strict=False):
            ax.text(x, y, f"{value:+.2g}", ha="center", va="center", fontsize=9, zorder=4)
    if size > len(spots):
        ax.text(spots[-1, 0], spots[-1, 1] - 0.7, f"… {size - len(spots)} more", ha="center")


def _name_units(ax: Axes, spots: Array, names: Sequence[str], side: str, shift: float) -> None:
    for (x, y), name in zip(spots, names, strict=False):
        ax.text(x + shift, y, name, ha=side, va="center", fontsize=11)
