"""chainrule plot: a model on a table, as a picture."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import click
import numpy as np
from matplotlib.figure import Figure

from chainrule._errors import DataError
from chainrule.cli._input import (
    inputs_of,
    model_and_table,
    one_of,
    reading_options,
    require_free,
    targets_of,
)
from chainrule.cli._output import Progress, say, say_json
from chainrule.model.model import Model
from chainrule.pictures import costs, diagram, predictions, selection, surfaces
from chainrule.pictures.style import label, save
from chainrule.tables.dates import as_date
from chainrule.tables.reading import Format
from chainrule.tables.table import Table


@dataclass(frozen=True)
class Request:
    """What is to be drawn."""

    model: Model
    table: Table
    target: int
    x: str | None
    y: str | None

    @property
    def name(self) -> str:
        """The output that is drawn."""
        return label(_drawable(self.model)[self.target])

    def truth(self) -> np.ndarray:
        """Return what is drawn as it is in the table, (n,)."""
        return self._one(targets_of(self.model, self.table))

    def predicted(self, X: np.ndarray) -> np.ndarray:
        """Return what is drawn as the model says it, (n,)."""
        return self._one(self.model.outputs_of_inputs(X))

    def truth_and_prediction(self) -> tuple[np.ndarray, np.ndarray]:
        """Return both for the rows of the table, (n,) each."""
        return self.truth(), self.predicted(inputs_of(self.model, self.table))

    def _one(self, outputs: np.ndarray) -> np.ndarray:
        n = outputs.shape[1]
        chosen: np.ndarray = outputs[:, self.target % n]
        return chosen if self.target < n else 1.0 - chosen


def _drawable(model: Model) -> tuple[str, ...]:
    """Return the names of outputs, and of the probabilities of first classes."""
    names = model.output_names
    if not model.classes or len(names) > len(model.classes):
        return names
    firsts = [of[0] for of in model.classes]
    pairs = zip(model.target_names, firsts, strict=True)
    return (*names, *(f"p({target}={label})" for target, label in pairs))


def _cost(r: Request) -> Figure:
    report = r.model.report
    if report is None:
        raise DataError("this model has no training history to draw; fit it with chainrule fit")
    J = np.array(report.optimizer.history.cost)
    return costs.cost_over_iterations({"J": J}, "The cost over the iterations")


def _surface(r: Request) -> surfaces.Surface:
    names = r.model.input_names
    if len(names) < 2:
        raise DataError(f"a surface needs two inputs; the model has only {names[0]!r}: --kind fit")
    X = inputs_of(r.model, r.table)
    axes = [names.index(c.inputs[0]) for c in r.model.columns if c.kind != "category"]
    if len(axes) < 2:
        raise DataError("a surface needs two inputs that are not categories: --kind fit")
    known = [names[k] for k in axes]
    for asked in (r.x, r.y):
        if asked in r.model.column_names and asked not in known:
            raise DataError(f"{asked!r} holds categories, along which nothing can be drawn")
    i = axes[one_of(known, r.x, "input")]
    j = axes[one_of(known, r.y, "input")]
    j = next(k for k in axes if k != i) if r.y is None else j
    if i == j:
        raise DataError(f"--x and --y are both {names[i]!r}; give two different inputs")
    held = _typical(r.model, X)
    x, y = (np.linspace(X[:, k].min(), X[:, k].max(), surfaces.GRID_POINTS) for k in (i, j))
    for k, line in ((i, x), (j, y)):
        if line[0] == line[-1]:
            raise DataError(f"input {names[k]!r} does not vary in the table; choose with --x, --y")
    grid = np.tile(held, (surfaces.GRID_POINTS**2, 1))
    grid[:, i], grid[:, j] = (A.ravel() for A in np.meshgrid(x, y))
    z = r.predicted(grid).reshape(surfaces.GRID_POINTS, surfaces.GRID_POINTS)
    dates = {c.name for c in r.model.columns if c.kind == "date"}
    others = [
        label(names[k])
        if k not in axes
        else f"{label(names[k])} = {as_date(held[k]) if names[k] in dates else f'{held[k]:.4g}'}"
        for k in range(len(names))
        if k not in (i, j) and (k in axes or held[k])
    ]
    note = f"with {', '.join(others[:3])}{' …' if len(others) > 3 else ''} (typical)"
    return surfaces.Surface(
        x,
        y,
        z,
        np.column_stack([X[:, i], X[:, j], r.truth()]),
        (label(names[i]), label(names[j]), r.name),
        note if others else "",
        bool(r.model.classes),
        (names[i] in dates, names[j] in dates),
    )


def _typical(model: Model, X: np.ndarray) -> np.ndarray:
    """Return medians of the inputs, and of each category the word that is most frequent."""
    typical, at = np.median(X, axis=0), 0
    for column in model.columns:
        if column.kind == "category":
            words = slice(at, at + len(column.levels))
            typical[words] = np.arange(len(column.levels)) == X[:, words].sum(axis=0).argmax()
        at += len(column.inputs)
    return np.asarray(typical)


def _network(r: Request) -> Figure:
    W, b = r.model.network.weights(r.model.theta)
    inputs, outputs = map(label, r.model.input_names), map(label, r.model.output_names)
    return diagram.network_diagram(W, b, tuple(inputs), tuple(outputs))


def _layers(r: Request) -> Figure:
    path = None if r.model.report is None else r.model.report.selection.path
    known = [] if path is None else [of for of in path.candidates if of.explained is not None]
    if len(known) < 2:
        raise DataError(
            "no depths and widths were compared for this model; fit one with --hidden auto"
        )
    return selection.depths_and_widths(
        [of.widths for of in known],
        [of.n_weights for of in known],
        [1.0 - (of.explained or 0.0) for of in known],
        [of.standard_error for of in known],
        tuple(r.model.network.layers[1:-1]),
    )


KINDS: dict[str, Callable[[Request], Figure]] = {
    "cost": _cost,
    "contour": lambda r: surfaces.contour(_surface(r)),
    "surface": lambda r: surfaces.surface_3d(_surface(r)),
    "fit": lambda r: predictions.fit(*r.truth_and_prediction(), r.name),
    "residuals": lambda r: predictions.residuals(*r.truth_and_prediction(), r.name),
    "network": _network,
    "layers": _layers,
}


@click.command(name="plot")
@click.argument("model")
@click.argument("table")
@click.option(
    "--kind",
    default="fit",
    show_default=True,
    type=click.Choice(list(KINDS)),
    help="What to draw.",
)
@click.option("--out", required=True, help="Where to write the picture: .png, .pdf or .svg.")
@click.option(
    "--target",
    help="Which target, or probability such as p(grade=good), to draw; the first if left out.",
)
@click.option("--x", help="First input of contour and surface.")
@click.option("--y", help="Second input of contour and surface.")
@reading_options
@click.option("--json", "as_json", is_flag=True, help="Print what was written as JSON.")
def command(
    model: str,
    table: str,
    kind: str,
    out: str,
    target: str | None,
    x: str | None,
    y: str | None,
    as_json: bool,
    written: Format,
) -> None:
    """Draw MODEL on TABLE."""
    require_free(out, [table], [model])
    trained, data = model_and_table(model, table, written)
    which = one_of(_drawable(trained), target, "target")
    with Progress(f"drawing {kind}"):
        save(KINDS[kind](Request(trained, data, which, x, y)), out)
    if as_json:
        say_json({"kind": kind, "file": out})
    else:
        say(f"wrote {out}")
