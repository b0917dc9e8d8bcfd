"""Pictures of activation functions."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from chainrule.heart.activations import Activation
from chainrule.pictures.style import BLUE, ORANGE, figure


def activation_figure(f: Activation, reach: float = 6.0, derivative: bool = True) -> Figure:
    """Draw f(z), and f'(z) beside it if asked, for z from -reach to reach."""
    z = np.arange(-reach, reach, 0.01)
    with figure() as fig:
        ax = fig.add_subplot()
        ax.plot(z, f(z), color=BLUE, label=f"f(z) = {f.name}(z)")
        if derivative:
            ax.plot(z, f.prime(z), color=ORANGE, linestyle="--", label="f'(z), its derivative")
            ax.legend()
        ax.set(xlabel="z", ylabel="f(z) and f'(z)" if derivative else f"{f.name}(z)")
        ax.set_title(f"{f.name}" + (" and its derivative" if derivative else ""))
    return fig
