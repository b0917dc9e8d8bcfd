"""The fitted function over two inputs: contour and surface, in the user's units."""

from __future__ import annotations

from dataclasses import dataclass
from textwrap import wrap
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from chainrule._contracts import Array
from chainrule.pictures.style import BLACK, BLUE, ORANGE, figure, see_through

GRID_POINTS = 100  # along each axis
MOST_ROWS_LABELLED = 12  # with their numbers
WIDEST_TITLE = 70  # characters
# probabilities at which contours are drawn
ODDS = (0.0, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 1.0)


@dataclass(frozen=True)
class Surface:
    """Predictions over a grid of two inputs, and the data on it.

    Attributes
    ----------
    x, y : ndarray (m,)
        Grid lines of the two inputs.
    z : ndarray (m, m)
        Predictions; rows belong to y.
    points : ndarray (n, 3)
        x, y and z of the data.
    names : tuple of str
        Of x, y and z.
    note : str
        At what values other inputs are held.
    probability : bool
        Whether z is a probability and the data are 0 or 1.
    dates : tuple of bool
        Whether x and y are days since 1970-01-01.
    """

    x: Array
    y: Array
    z: Array
    points: Array
    names: tuple[str, str, str]
    note: str = ""
    probability: bool = False
    dates: tuple[bool, bool] = (False, False)

    @property
    def title(self) -> str:
        """What is shown, and what is held."""
        return "\n".join([f"{self.names[2]} as predicted", *wrap(self.note, WIDEST_TITLE)])


def contour(surface: Surface) -> Figure:
    """Draw lines of equal prediction, labelled in the unit of the target."""
    n = len(surface.points)
    few = n <= MOST_ROWS_LABELLED
    with figure(7.0, 4.6) as fig:
        ax = fig.add_subplot()
        wanted = ODDS if surface.probability else 12
        filled = ax.contourf(
            surface.x, surface.y, surface.z, levels=wanted, cmap="cividis", alpha=0.5
        )
        fig.colorbar(filled, ax=ax, label=surface.names[2])
        lines = ax.contour(
            surface.x,
            surface.y,
            surface.z,
            levels=filled.levels,
            colors=BLACK,
            linewidths=[2.0 if level == 0.5 else 0.8 for level in filled.levels],
        )
        levels = np.asarray(filled.levels)
        some = levels if few or surface.probability else levels[::2]
        large = np.max(np.abs(levels)) >= 1e3
        ax.clabel(lines, some, inline=True, fontsize=10, fmt="%.0f" if large else "%.3g")
        of_class = surface.points[:, 2] > 0.5 if surface.probability else np.full(n, True)
        for chosen, marker, color in ((of_class, "o", ORANGE), (~of_class, "s", BLUE)):
            ax.plot(
                *surface.points[chosen, :2].T,
                marker,
                color=color,
                mec="white",
                mew=0.5,
                ms=8 if few else 4.5,
                alpha=max(see_through(n), 0.6),
                clip_on=False,
                zorder=5,
                label=f"{surface.names[2]}: {'yes' if color == ORANGE else 'no'}",
            )
        if surface.probability:
            ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.13), ncols=2)
        elif few:
            _write_values(ax, surface)
        ax.set(xlabel=surface.names[0], ylabel=surface.names[1], title=surface.title)
        _write_dates(surface, ax.xaxis, ax.yaxis)
        ax.grid(False)
        ax.margins(0.02)
    return fig


def _write_values(ax: Axes, surface: Surface) -> None:
    """Write the truth beside each point, towards the middle so that it stays in the frame."""
    middle = surface.x.mean(), surface.y.mean()
    for x, y, z in surface.points:
        right, up = x > middle[0], y > middle[1]
        ax.annotate(
            f"{z:.4g}",
            (x, y),
            xytext=(-7 if right else 7, -7 if up else 7),
            textcoords="offset points",
            ha="right" if right else "left",
            va="top" if up else "bottom",
            color=BLACK,
            fontweight="bold",
            bbox={"facecolor": "white", "alpha": 0.75, "edgecolor": "none", "pad": 1},
        )


def _write_dates(surface: Surface, *axes: Any) -> None:
    """Let axes of dates, which count days as matplotlib does, be read as dates."""
    for axis, is_date in zip(axes, surface.dates, strict=True):
        if is_date:
            locator = AutoDateLocator(maxticks=6)  # type: ignore[no-untyped-call]
            axis.set_major_locator(locator)
            axis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]


def surface_3d(surface: Surface) -> Figure:
    """Draw the prediction as a surface with the data on it."""
    few = len(surface.points) <= MOST_ROWS_LABELLED
    with figure(7.4, 5.8) as fig:
        # drawn in our order: the data on the surface, never lost behind it
        ax = fig.add_subplot(projection="3d", computed_zorder=False)
        xx, yy = np.meshgrid(surface.x, surface.y)
        ax.plot_surface(xx, yy, surface.z, cmap="cividis", alpha=0.8, linewidth=0)
        if few:
            floor = surface.z.min()
            for point in surface.points:
                ax.plot(*zip((*point[:2], floor), point, strict=True), color=ORANGE, lw=1, zorder=4)
        ax.scatter(
            *surface.points.T,
            color=ORANGE,
            edgecolor="white",
            s=70 if few else 14,
            alpha=see_through(len(surface.points)),
            depthshade=False,
            zorder=5,
        )
        ax.set_xlabel(surface.names[0], labelpad=10)
        ax.set_ylabel(surface.names[1], labelpad=10)
        ax.set_zlabel(surface.names[2], labelpad=12)
        for axis in (ax.xaxis, ax.yaxis, ax.zaxis):
            axis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
        _write_dates(surface, ax.xaxis, ax.yaxis)
        ax.set_title(surface.title, y=0.98)
        ax.view_init(elev=25, azim=-125)
        ax.set_box_aspect((4, 4, 3), zoom=0.86)
    return fig
