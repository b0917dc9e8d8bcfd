"""The trace: one forward and backward pass with every number, as plain data.

This is the JSON that the worked example prints and that pages read. Its format is
versioned and described in docs/trace-json.md.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule._contracts import Array
from chainrule.model.model import Model, require_predictable
from chainrule.tables import targets

TRACE_VERSION = 1  # of the format


def trace_json(model: Model, X: Array, Y: Array | None, rows: list[int]) -> dict[str, Any]:
    """Return the forward pass, and with targets the backward pass, of some rows.

    Parameters
    ----------
    model : Model
    X : ndarray (n, inputs)
        In the user's units.
    Y : ndarray (n, outputs) or None
        In the user's units; without them there is no cost and no backward pass.
    rows : list of int
        The number of each row in its table, counted from 1.

    Returns
    -------
    dict
        Of names, numbers and nested lists only.
    """
    net, theta = model.network, model.theta
    W, b = net.weights(theta)
    scaled = model.input_scaling.transform(X)
    trace = model.trace_of_inputs(X)
    document: dict[str, Any] = {
        "format": "chainrule-trace",
        "version": TRACE_VERSION,
        "network": net.as_dict(),
        "inputs": {"names": list(model.input_names), **model.input_scaling.as_dict()},
        "targets": {"names": list(model.output_names), **model.target_scaling.as_dict()},
        "rows": rows,
        "X": X.tolist(),
        "weights": _by_name("W", W) | _by_name("b", b),
        "forward": _by_name("z", trace.z) | _by_name("a", trace.a),
        "prediction": model.target_scaling.inverse(trace.y_hat).tolist(),
    }
    if model.classes:
        document["classes"] = {
            "names": list(model.target_names),
            "predicted": _chosen(model, trace.y_hat),
            "in_the_table": None if Y is None else _chosen(model, Y),
        }
    if Y is None:
        return document
    Y_scaled = model.target_scaling.transform(Y)
    with np.errstate(over="ignore", invalid="ignore"):  # what is not finite is refused
        losses = net.pair.cost(trace.z[net.n_layers], Y_scaled)
        grads = net.backward(theta, trace, Y_scaled)
    require_predictable(losses, *grads.delta.values(), what="cost or its gradient")
    document |= {
        "Y": np.asarray(Y).tolist(),
        "Y_scaled": Y_scaled.tolist(),
        "losses": losses.tolist(),
        "J": net.cost(theta, scaled, Y_scaled),
        "backward": _by_name("delta", grads.delta)
        | _by_name("slope", {l: net.functions[l].prime(trace.z[l]) for l in range(2, net.n_layers)})
        | _by_name("dJdW", grads.dJdW)
        | _by_name("dJdb", grads.dJdb),
    }
    return document


def _chosen(model: Model, outputs: Array) -> list[list[Any]]:
    """Return the class of each row and target."""
    chosen = targets.labels(outputs, model.classes)
    rows: list[list[Any]] = chosen.reshape(len(outputs), -1).tolist()
    return rows


def _by_name(letter: str, matrices: Any) -> dict[str, Any]:
    return {f"{letter}[{l}]": matrices[l].tolist() for l in sorted(matrices)}
