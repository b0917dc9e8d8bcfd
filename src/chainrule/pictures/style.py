"""How every figure looks, and how it is written.

No global state: figures are made without pyplot. Colors are those of Okabe & Ito
(2008), which people with any color vision can tell apart; lines differ in dash too.
"""

from __future__ import annotations

import io
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import LogFormatter

from chainrule._errors import ChainruleWarning, ConfigurationError
from chainrule._files import write_atomically
from chainrule._printable import printable
from chainrule.tables.cells import cut

BLUE, ORANGE, BLACK = "#0072B2", "#D55E00", "#222222"
FORMATS = ("png", "pdf", "svg")

_LOOK: Any = {
    "font.size": 11,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#dddddd",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 12,
    "lines.linewidth": 2,
    "legend.frameon": False,
    "figure.dpi": 120,
    "savefig.dpi": 160,
    "svg.hashsalt": "chainrule",
    "text.parse_math": False,  # a $ in a name is a letter
}


def label(name: str) -> str:
    """Return the name of a column or a class as it stands in a figure."""
    return printable(cut(name), newlines=False)


def see_through(n: int) -> float:
    """Return how opaque n points may be without hiding one another."""
    return float(np.clip(60 / n, 0.15, 0.9))


def plain_numbers(axis: Axis) -> None:
    """Write the numbers of a logarithmic axis as text: formulas are not read here."""
    axis.set_major_formatter(LogFormatter())
    axis.set_minor_formatter(LogFormatter(labelOnlyBase=False, minor_thresholds=(1.5, 0.5)))


@contextmanager
def figure(width: float = 6.4, height: float = 4.4, **options: Any) -> Iterator[Figure]:
    """Make a figure in the look of the project, in inches."""
    with matplotlib.rc_context(_LOOK):
        fig = Figure(figsize=(width, height), layout="constrained", **options)
        FigureCanvasAgg(fig)
        yield fig


def save(fig: Figure, path: str | os.PathLike[str]) -> None:
    """Write a figure to a file, whole or not at all; the ending says the format.

    Raises
    ------
    ConfigurationError
        If the ending is not png, pdf or svg.
    """
    ending = Path(path).suffix.lower().lstrip(".")
    if ending not in FORMATS:
        raise ConfigurationError(
            f"{str(path)!r} does not end in a picture format; use .{', .'.join(FORMATS)}"
        )
    content = io.BytesIO()
    undated = {"pdf": {"CreationDate": None}, "svg": {"Date": None}}.get(ending)
    with matplotlib.rc_context(_LOOK), warnings.catch_warnings(record=True) as caught:
        warnings.filterwarnings("always", "Glyph")
        fig.savefig(content, format=ending, metadata=undated)
    if any("Glyph" in str(of.message) for of in caught):
        what = "some letters are not in the font of the figure and are drawn as boxes"
        warnings.warn(what, ChainruleWarning, stacklevel=2)
    write_atomically(path, content.getvalue())
