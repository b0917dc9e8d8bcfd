"""Pictures of predictions beside the truth."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from chainrule._contracts import Array
from chainrule.pictures.style import BLACK, BLUE, ORANGE, figure, see_through


def bars(y: Array, y_hat: Array, rows: Sequence[str], ylabel: str, title: str) -> Figure:
    """Draw each target beside its prediction."""
    at = np.arange(len(y))
    with figure() as fig:
        ax = fig.add_subplot()
        for shift, values, color, hatch, label in (
            (-0.19, y, BLUE, "", "y, the truth"),
            (0.19, y_hat, ORANGE, "//", "ŷ, the prediction"),
        ):
            drawn = ax.bar(
                at + shift, values, 0.36, color=color, hatch=hatch, edgecolor="white", label=label
            )
            ax.bar_label(drawn, fmt="%.3g", padding=2)
        ax.set_xticks(at, rows)
        ax.set(ylabel=ylabel, title=title)
        ax.set_ylim(top=1.12 * max(y.max(), y_hat.max()))
        ax.grid(False, axis="x")
        ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=2)
    return fig


def fit(y: Array, y_hat: Array, name: str) -> Figure:
    """Draw prediction against truth; a perfect fit lies on the diagonal."""
    low, high = min(y.min(), y_hat.min()), max(y.max(), y_hat.max())
    with figure(5.4, 5.0) as fig:
        ax = fig.add_subplot()
        ax.plot([low, high], [low, high], color=BLACK, linewidth=1, linestyle="--", label="y = ŷ")
        ax.plot(y, y_hat, "o", color=BLUE, alpha=see_through(len(y)), label=f"{len(y)} rows")
        ax.set(xlabel=f"{name} in the table", ylabel=f"{name} predicted")
        ax.set_title(f"{name}: prediction against truth")
        ax.set_aspect("equal", adjustable="datalim")
        ax.legend()
    return fig


def residuals(y: Array, y_hat: Array, name: str) -> Figure:
    """Draw the errors over the predictions, and how they are distributed."""
    error = y - y_hat
    with figure(9.0, 4.2) as fig:
        left, right = fig.subplots(1, 2, width_ratios=[3, 2], sharey=True)
        left.axhline(0, color=BLACK, linewidth=1)
        left.plot(y_hat, error, "o", color=BLUE, alpha=see_through(len(y)))
        left.set(xlabel=f"{name} predicted", ylabel=f"error, y - ŷ (unit of {name})")
        left.set_title(f"{name}: errors over predictions")
        right.hist(error, bins="auto", orientation="horizontal", color=BLUE, edgecolor="white")
        right.xaxis.set_major_locator(MaxNLocator(integer=True))
        right.axhline(0, color=BLACK, linewidth=1)
        right.set(xlabel="rows", title=f"rmse {np.sqrt(np.mean(error**2)):.4g}")
    return fig
