"""Pictures of the cost: over one weight, over two, over the iterations."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from chainrule._contracts import Array
from chainrule.pictures.style import BLACK, BLUE, ORANGE, figure, plain_numbers


def cost_over_weight(values: Array, costs: Array, name: str) -> Figure:
    """Draw J over one weight, with its lowest point marked."""
    best = int(np.argmin(costs))
    with figure() as fig:
        ax = fig.add_subplot()
        ax.plot(values, costs, color=BLUE)
        ax.plot(values[best], costs[best], "o", color=ORANGE, markersize=8)
        ax.annotate(
            f"lowest of {len(values):,} tried:\n{name} = {values[best]:.3g}, J = {costs[best]:.4g}",
            (values[best], costs[best]),
            xytext=(0.42, 0.72),
            textcoords="axes fraction",
            arrowprops={"arrowstyle": "->", "color": BLACK},
        )
        ax.set(xlabel=f"weight {name}", ylabel="cost J", title=f"The cost over one weight, {name}")
    return fig


def cost_over_two_weights(
    values: Array, costs: Array, names: tuple[str, str], path: Array, starts: str
) -> Figure:
    """Draw J over two weights, (m, m) with rows for the second one, and a path (k, 2) on it."""
    with figure(7.0, 5.2) as fig:
        ax = fig.add_subplot()
        levels = np.geomspace(costs.min(), costs.max(), 25)
        filled = ax.contourf(values, values, costs, levels=levels, cmap="cividis", norm="log")
        bar = fig.colorbar(filled, ax=ax, label="cost J (logarithmic)")
        bar.set_ticks([])
        shown = [costs.min(), *np.geomspace(costs.min(), costs.max(), 4)[1:]]
        bar.set_ticks(shown, labels=[f"{J:.2g}" for J in shown])
        ax.plot(path[:, 0], path[:, 1], "o-", color="white", markersize=5, linewidth=3.5)
        ax.plot(path[:, 0], path[:, 1], "o-", color=ORANGE, markersize=3.5, linewidth=1.5)
        for end, text, offset in ((0, starts, (8, 8)), (-1, "end", (8, -14))):
            ax.annotate(
                text,
                path[end],
                xytext=offset,
                textcoords="offset points",
                bbox={"facecolor": "white", "alpha": 0.85, "edgecolor": "none", "pad": 1.5},
            )
        ax.set(xlabel=f"weight {names[0]}", ylabel=f"weight {names[1]}")
        ax.set_title("The cost over two weights, and the path of BFGS")
        ax.grid(False)
    return fig


def cost_over_iterations(curves: Mapping[str, Array], title: str) -> Figure:
    """Draw the cost at every iteration, the start at 0; one line for each curve."""
    styles = [(BLUE, "-"), (ORANGE, "--"), (BLACK, ":")]
    with figure() as fig:
        ax = fig.add_subplot()
        for (label, costs), (color, dash) in zip(curves.items(), styles, strict=False):
            ax.plot(np.arange(len(costs)), costs, color=color, linestyle=dash, label=label)
        ax.set_yscale("log")
        plain_numbers(ax.yaxis)
        ax.set(xlabel="iteration", ylabel="cost J (logarithmic)", title=title)
        if len(curves) > 1:
            ax.legend()
    return fig


def train_and_test(panels: Mapping[str, Mapping[str, Array]], unit: str) -> Figure:
    """Draw train and test error over the iterations, one panel beside the other."""
    with figure(9.6, 4.4) as fig:
        axes = fig.subplots(1, len(panels), sharey=True)
        for ax, (title, curves) in zip(np.atleast_1d(axes), panels.items(), strict=True):
            for (label, error), (color, dash) in zip(
                curves.items(), [(BLUE, "-"), (ORANGE, "--")], strict=False
            ):
                ax.plot(np.arange(len(error)), error, color=color, linestyle=dash, label=label)
                highest = error[-1] == max(curve[-1] for curve in curves.values())
                ax.annotate(
                    f"{error[-1]:.1f}",
                    (len(error) - 1, error[-1]),
                    xytext=(4, 0),
                    textcoords="offset points",
                    va="bottom" if highest else "top",
                    color=color,
                )
            ax.set(xlabel="iteration", title=title)
            ax.margins(x=0.12)
            ax.legend()
        # the start is far off and of no interest; the end is where the panels differ
        ends = [curve[-1] for curves in panels.values() for curve in curves.values()]
        np.atleast_1d(axes)[0].set_ylim(-0.1 * max(ends), 2.5 * max(ends))
        np.atleast_1d(axes)[0].set_ylabel(f"root mean squared error ({unit})")
    return fig
