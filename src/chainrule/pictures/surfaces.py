"""The fitted function over two inputs: contour and surface, in the user's units."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from chainrule._contracts import Array
from chainrule.pictures.style import BLACK, ORANGE, figure

GRID = 100
MOST_LABELS = 12


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
    """

    x: Array
    y: Array
    z: Array
    points: Array
    names: tuple[str, str, str]
    note: str = ""

    @property
    def title(self) -> str:
        """What is shown, and what is held."""
        return f"{self.names[2]} as predicted" + (f"\n{self.note}" if self.note else "")


def contour(surface: Surface) -> Figure:
    """Draw lines of equal prediction, labelled in the unit of the target."""
    with figure() as fig:
        ax = fig.add_subplot()
        ax.contourf(surface.x, surface.y, surface.z, levels=12, cmap="cividis", alpha=0.35)
        lines = ax.contour(surface.x, surface.y, surface.z, levels=12, cmap="cividis")
        ax.clabel(lines, inline=True, fontsize=10, colors=BLACK, fmt="%.4g")
        ax.plot(
            surface.points[:, 0],
            surface.points[:, 1],
            "o",
            color=ORANGE,
            mec="white",
            ms=8,
            clip_on=False,
            zorder=5,
        )
        if len(surface.points) <= MOST_LABELS:
            middle = surface.x.mean(), surface.y.mean()
            for x, y, z in surface.points:
                # towards the middle, so that points on the frame keep their numbers inside
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
        ax.set(xlabel=surface.names[0], ylabel=surface.names[1], title=surface.title)
        ax.grid(False)
        ax.margins(0.02)
    return fig


def surface_3d(surface: Surface) -> Figure:
    """Draw the prediction as a surface with the data on it."""
    with figure(7.4, 5.8) as fig:
        # drawn in our order: the data on the surface, never lost behind it
        ax = fig.add_subplot(projection="3d", computed_zorder=False)
        xx, yy = np.meshgrid(surface.x, surface.y)
        ax.plot_surface(xx, yy, surface.z, cmap="cividis", alpha=0.8, linewidth=0)
        x, y, z = surface.points.T
        floor = surface.z.min()
        for point in surface.points:
            ax.plot(*zip((*point[:2], floor), point, strict=True), color=ORANGE, lw=1, zorder=4)
        ax.scatter(x, y, z, color=ORANGE, edgecolor="white", s=70, depthshade=False, zorder=5)
        ax.set(xlabel=surface.names[0], ylabel=surface.names[1], zlabel=surface.names[2])
        for axis in (ax.xaxis, ax.yaxis, ax.zaxis):
            axis.set_major_locator(MaxNLocator(5))
        ax.zaxis.labelpad = 8
        ax.set_title(surface.title, y=0.98)
        ax.view_init(elev=25, azim=-125)
        ax.set_box_aspect((4, 4, 3), zoom=0.9)
    return fig
