"""A picture of the networks that were compared on rows that were left out."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure

from chainrule.pictures.style import BLACK, BLUE, ORANGE, figure

COLORS = (BLUE, ORANGE, BLACK)  # of one, two and three hidden layers


def depths_and_widths(
    widths: Sequence[tuple[int, ...]],
    n_weights: Sequence[int],
    unexplained: Sequence[float],
    errors: Sequence[float],
    chosen: tuple[int, ...],
) -> Figure:
    """Draw the share that is not explained of rows left out over the number of weights."""
    with figure(7.0, 4.4) as fig:
        ax = fig.add_subplot()
        for n, color, mark in zip((1, 2, 3), COLORS, "os^", strict=True):
            of = [k for k, each in enumerate(widths) if len(each) == n]
            if not of:
                continue
            layers = f"{n} hidden layer{'s' * (n > 1)}"
            x, y = [n_weights[k] for k in of], [unexplained[k] for k in of]
            error = [errors[k] for k in of]
            ax.errorbar(x, y, error, fmt=mark, color=color, capsize=3, label=layers)
        for k, each in enumerate(widths):
            ax.annotate(
                ", ".join(map(str, each)),
                (n_weights[k], unexplained[k]),
                xytext=(7, 4),
                textcoords="offset points",
                weight="bold" if each == chosen else "normal",
                color=BLACK,
            )
        ax.set_xscale("log")
        ax.set_xticks(n_weights, [f"{n:,}" for n in n_weights])
        ax.minorticks_off()
        ax.margins(x=0.15)
        ax.set_ylim(0.0, None)
        ax.set(xlabel="weights", ylabel="share not explained of rows left out")
        ax.set_title("Depths and widths compared; chosen: bold")
        ax.legend(frameon=False)
    return fig
