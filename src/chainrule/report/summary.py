"""One page about a trained model: what it is, how good it is, how it came about."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from chainrule._contracts import Array
from chainrule.training.model import Model
from chainrule.training.optimizers.stopping import Termination
from chainrule.training.restarts import agreement

ROWS_PER_WEIGHT = 10


def scores(model: Model, X: Array, Y: Array) -> dict[str, dict[str, float]]:
    """Return rmse and max_error (in the unit of the target) and r2 for each target."""
    unit = np.max(np.abs(Y), axis=0)
    unit[unit == 0] = 1.0  # computed in shares of this, so that no square over- or underflows
    truth = np.asarray(Y) / unit
    error = truth - model.predict(X) / unit
    spread = ((truth - truth.mean(axis=0)) ** 2).sum(axis=0)
    squares = (error**2).sum(axis=0)
    return {
        name: {
            "rmse": float(np.sqrt(squares[k] / len(Y)) * unit[k]),
            "r2": float(1 - squares[k] / spread[k]) if spread[k] > 0 else float("nan"),
            "max_error": float(np.abs(error[:, k]).max() * unit[k]),
        }
        for k, name in enumerate(model.target_names)
    }


def termination_of(model: Model) -> Termination | None:
    """Return why the training of a model stopped, if it was trained."""
    record = model.training.get("termination")
    return Termination(record["name"], record["inequality"]) if record else None


def summary(model: Model) -> str:
    """Return the page as text."""
    return "\n".join(_lines(model))


def _lines(model: Model) -> Iterable[str]:
    net, record = model.network, model.training
    functions = [*net.hidden, net.output]
    widths = [str(net.layers[0])] + [
        f"{width} {f}" for width, f in zip(net.layers[1:], functions, strict=True)
    ]
    p = net.n_parameters
    yield f"network      {' → '.join(widths)}   {p} weights, {net.loss} loss" + (
        "" if net.bias else ", no biases"
    )
    yield from _column_lines("inputs", model.input_names, model.input_scaling)
    yield from _column_lines("targets", model.target_names, model.target_scaling)
    if record:
        yield from _training_lines(record, p)
    W, b = net.weights(model.theta)
    for l in W:
        yield from _weight_lines(model, l, W[l], b.get(l))


def _column_lines(title: str, names: tuple[str, ...], scaling: Any) -> Iterable[str]:
    how = "as they are" if scaling.kind == "none" else "(value - center) / scale"
    yield f"{title:<12} {scaling.kind} scaling: {how}"
    for name, center, scale in zip(names, scaling.center, scaling.scale, strict=True):
        what = "constant: ignored" if scale == 0 else f"center {center:.6g}, scale {scale:.6g}"
        yield f"             {name:<20} {what}"


def _training_lines(record: dict[str, Any], p: int) -> Iterable[str]:
    rows = record["rows"]
    yield f"data         {rows} rows, {rows / p:.2g} per weight"
    if rows < ROWS_PER_WEIGHT * p:
        yield (
            f"             fewer than {ROWS_PER_WEIGHT} rows per weight: it may fit the noise; "
            "judge it on rows it has not seen"
        )
    iterations = len(record["history"]["cost"]) - 1
    yield (
        f"cost         J = {record['cost']:.8g} with alpha = {record['alpha']:g}; predicting "
        f"the mean costs {record['baseline_cost']:.6g}"
    )
    yield (
        f"training     {record['method']}: {iterations} iterations, {record['evaluations']} "
        f"evaluations, max|g| = {record['max_gradient']:.1e}"
    )
    if record.get("reason", "as asked") != "as asked":
        yield f"             chosen by size: {record['reason']}"
    starts = len(record["restarts"])
    if starts > 1:
        yield f"             {agreement(record['agreeing'], starts)}"
    stop = record["termination"]
    yield f"             {Termination(stop['name'], stop['inequality'])}"
    if "certificate" in record:
        yield from _certificate_lines(record["certificate"])


def _certificate_lines(certificate: dict[str, Any]) -> Iterable[str]:
    numbers = ", ".join(
        f"{words} {certificate[key]:.1e}"
        for key, words in (
            ("relative_gradient", "relative gradient"),
            ("decrement", "a Newton step would gain"),
            ("lowest_eigenvalue", "lowest curvature"),
        )
        if certificate[key] is not None
    )
    yield f"point        {certificate['kind']}: {numbers}"
    for unit in certificate["units"]:
        yield f"             {unit}"


def _weight_lines(model: Model, l: int, W: Array, b: Array | None) -> Iterable[str]:
    net = model.network
    sources = model.input_names if l == 1 else [f"a[{l}][{i + 1}]" for i in range(len(W))]
    if W.size > 200:
        yield f"W[{l}]         {W.shape[0]} x {W.shape[1]} weights, max |W| = {np.abs(W).max():.4g}"
        return
    last = l == net.n_layers - 1
    heads = model.target_names if last else [f"unit {j + 1}" for j in range(W.shape[1])]
    yield f"{f'W[{l}]':<20} " + " ".join(f"{head[:12]:>12}" for head in heads)
    for name, row in zip(sources, W, strict=True):
        yield f"  {name[:18]:<18} " + " ".join(f"{w:12.5g}" for w in row)
    if b is not None:
        yield f"  {f'b[{l}]':<18} " + " ".join(f"{w:12.5g}" for w in b)
