"""Models as files: readable JSON, exact floats, a checksum over every byte.

Data only: no object is ever reconstructed by name, nothing is imported, nothing falls
back to another format. Sizes are computed from the layers and compared, numbers must
be finite, keys must be exactly the known ones. See docs/model-file.md.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from typing import Any

import numpy as np

from chainrule._contracts import Array
from chainrule._errors import ChainruleError, DataError, ModelFileError
from chainrule._files import read_bytes, write_atomically
from chainrule._json import readable_json
from chainrule._strict_json import (
    a_name,
    a_text,
    list_of,
    no_constant,
    number,
    numbers,
    object_of,
    object_with,
    once,
    whole,
)
from chainrule.heart.network import MOST_LAYERS, Network
from chainrule.posterior_file import posterior_as_dict, posterior_from
from chainrule.statistics.certificate import SENTENCES as KINDS_OF_POINTS
from chainrule.tables import targets
from chainrule.tables.cells import DATE_STYLES
from chainrule.tables.encoding import ColumnType
from chainrule.tables.scaling import Scaling
from chainrule.tables.table import KINDS
from chainrule.tables.targets import Label
from chainrule.training.evidence import ENDS
from chainrule.training.growth import ENDS as SIZES_ENDED
from chainrule.training.model import Model
from chainrule.training.objective import decay_of
from chainrule.training.optimizers.stopping import SENTENCES

VERSION = 3
_ZEROS = "0" * 64
_HEADER = re.compile(
    rb'\A\{\n "format": "chainrule-model",\n "version": ([0-9]{1,9}),\n'
    rb' "checksum": "sha256:([0-9a-f]{64})",\n'
)
_LARGEST_FILE = 2**30
_WIDEST_LAYER = 2**20
_MOST_LEVELS = 10_000
_OF_NUMBERS = {"rmse", "r2", "max_error"}
_OF_CLASSES = {"accuracy", "log_loss", "accuracy_of_constant", "log_loss_of_constant"}

SMALLEST = 1e-290  # of what has to be positive


def save_model(model: Any, path: str | os.PathLike[str]) -> None:
    """Write a model to a file, whole or not at all.

    Parameters
    ----------
    model : Model, or an estimator that was fitted
    path : str or path

    Raises
    ------
    DataError
        If it cannot be written; an old file of that name is then untouched.
    """
    model = getattr(model, "model_", model)
    if not isinstance(model, Model):
        raise DataError(f"a {type(model).__name__} is not a model that can be saved; fit one first")
    content = dump_model(model)
    try:
        parse_model(content, str(path))
    except ModelFileError as error:
        raise DataError(f"nothing was written, as it could not be read back: {error}") from None
    write_atomically(path, content)


def load_model(path: str | os.PathLike[str]) -> Model:
    """Read a model from a file.

    Raises
    ------
    ModelFileError
        If the file cannot be read, is damaged, foreign, or newer than this version.
    """
    try:
        content = read_bytes(path, _LARGEST_FILE)
    except DataError as error:
        raise ModelFileError(str(error)) from None
    return parse_model(content, str(path))


def dump_model(model: Model) -> bytes:
    """Return the bytes of a model file."""
    W, b = model.network.weights(model.theta)
    if model.network.foreign:
        raise DataError(
            "a network with an activation or a loss of your own cannot be saved: a file holds "
            "data only, no functions"
        )
    weights = {}
    for name in model.network.shapes():
        weights[name] = (W if name[0] == "W" else b)[int(name[2:-1])].tolist()
    content = {
        "format": "chainrule-model",
        "version": VERSION,
        "checksum": f"sha256:{_ZEROS}",
        "network": model.network.as_dict(),
        "inputs": {"names": list(model.input_names), **model.input_scaling.as_dict()},
        "targets": {"names": list(model.target_names), **model.target_scaling.as_dict()},
        "columns": [column.as_dict() for column in model.columns],
        "classes": [list(of) for of in model.classes],
        "weights": weights,
        "training": model.training,
    }
    if model.posterior is not None:
        content["posterior"] = posterior_as_dict(model.posterior)
    try:
        text = readable_json(content).encode()
    except UnicodeEncodeError as error:
        character = error.object[error.start]
        raise DataError(
            f"nothing was written: the name of a column or class has {character!r}, which is half "
            "a character; rename it"
        ) from None
    return text.replace(_ZEROS.encode(), hashlib.sha256(text).hexdigest().encode(), 1)


def parse_model(content: bytes, source: str = "the model") -> Model:
    """Return the model in the bytes of a model file; `source` names it in messages.

    Raises
    ------
    ModelFileError
        If it is damaged, foreign, or newer than this version.
    """
    header = _HEADER.match(content[:200])
    if header is None:
        raise ModelFileError(
            f"{source} is not a chainrule model file; give one written by 'chainrule fit'"
        )
    version, digest = int(header[1]), header[2]
    if not 1 <= version <= VERSION:
        raise ModelFileError(
            f"{source} has format version {version}; this chainrule reads 1 to {VERSION}, so "
            "install a newer one"
        )
    blank = content.replace(digest, _ZEROS.encode(), 1)
    if hashlib.sha256(blank).hexdigest().encode() != digest:
        raise ModelFileError(
            f"{source} is damaged: its checksum does not match its content; take a copy that is "
            "whole, or fit again"
        )
    try:
        return _build(json.loads(content, object_pairs_hook=once, parse_constant=no_constant))
    except RecursionError:
        raise ModelFileError(f"{source} is not a valid model: nested too deeply") from None
    except (ChainruleError, ValueError, OverflowError) as error:
        raise ModelFileError(f"{source} is not a valid model: {error}") from None


# ---------------------------------------------------------------- reading, strictly


def _build(content: Any) -> Model:
    top = object_with(
        content,
        "file",
        {
            "format",
            "version",
            "checksum",
            "network",
            "inputs",
            "targets",
            "weights",
            "training",
        },
        optional={"columns", "classes", "posterior"},  # version 1 has none
    )
    net = _network(top["network"])
    input_names, input_scaling = _columns(top["inputs"], "inputs", net.layers[0])
    classes = tuple(list_of(top.get("classes", []), "classes", _classes))
    n_targets = len(classes) or net.layers[-1]
    target_names, target_scaling = _columns(top["targets"], "targets", n_targets, net.layers[-1])
    if classes and (net.output, net.layers[-1]) != targets.layer_for(classes):
        raise ValueError("the classes are not those of this output layer")
    columns = tuple(list_of(top.get("columns", []), "columns", _column_type))
    if {*input_names, *(column.name for column in columns)} & set(target_names):
        raise ValueError("an input and a target have the same name")
    theta = _weights(top["weights"], net)
    posterior = None
    if "posterior" in top:
        posterior = posterior_from(top["posterior"], net, theta)
    return Model(
        net,
        theta,
        input_scaling,
        target_scaling,
        input_names,
        target_names,
        _training(top["training"], net),
        columns,
        classes,
        posterior,
    )


def _network(content: Any) -> Network:
    required = {"layers", "hidden", "output", "loss", "bias"}
    spec = object_with(content, "network", required, optional={"skip"})
    layers = list_of(spec["layers"], "layers", lambda n: whole(n, "layer width"))
    if len(layers) > MOST_LAYERS or any(width > _WIDEST_LAYER for width in layers):
        raise ValueError(f"more than {MOST_LAYERS} layers, or one wider than {_WIDEST_LAYER}")
    if not (isinstance(spec["bias"], bool) and isinstance(spec.get("skip", False), bool)):
        raise ValueError("bias and skip must be true or false")
    return Network(
        layers,
        hidden=list_of(spec["hidden"], "hidden", a_name),
        output=a_name(spec["output"]),
        loss=a_name(spec["loss"]),
        bias=spec["bias"],
        skip=spec.get("skip", False),
    )


def _column_type(content: Any) -> ColumnType:
    keys = {"name", "kind", "levels", "style", "fill", "indicator"}
    spec = object_with(content, "column", keys)
    levels = tuple(list_of(spec["levels"], "levels", a_name))
    if a_name(spec["kind"]) not in KINDS:
        raise ValueError(f"unknown kind of column {spec['kind']!r}")
    needed = {"category": range(1, _MOST_LEVELS), "yes/no": (2,)}.get(spec["kind"], (0,))
    if len(levels) not in needed or len(set(levels)) != len(levels):
        raise ValueError(f"a column of kind {spec['kind']} has {len(levels)} levels")
    if spec["style"] != "" and spec["style"] not in DATE_STYLES:
        raise ValueError(f"unknown style of dates {spec['style']!r}")
    if not isinstance(spec["indicator"], bool):
        raise ValueError("indicator must be true or false")
    fill = None if spec["fill"] is None else number(spec["fill"], "fill")
    if (spec["kind"] == "yes/no" and fill not in (None, 0.0, 1.0)) or (
        spec["kind"] == "category" and fill is not None
    ):
        raise ValueError(f"fill is {fill}, which a column of kind {spec['kind']} cannot have")
    if spec["indicator"] and fill is None and spec["kind"] != "category":
        raise ValueError("a column with an indicator needs a fill")
    return ColumnType(
        a_name(spec["name"]), spec["kind"], levels, spec["style"], fill, spec["indicator"]
    )


def _classes(content: Any) -> tuple[Label, ...]:
    labels = tuple(list_of(content, "classes", lambda label: label))
    for label in labels:
        if isinstance(label, str):
            a_text(label)
        elif not isinstance(label, bool):
            number(label, "class")
    if len({(type(label), label) for label in labels}) != len(labels) or len(labels) < 2:
        raise ValueError("classes must differ, and be at least 2")
    return labels


def _columns(
    content: Any, what: str, n: int, d: int | None = None
) -> tuple[tuple[str, ...], Scaling]:
    """Return n names and the scaling of d columns, n if left out."""
    d = n if d is None else d
    spec = object_with(content, what, {"names", "scaling", "center", "scale"})
    names = tuple(list_of(spec["names"], f"names of {what}", a_name))
    if len(names) != n or len(set(names)) != n:
        raise ValueError(f"{what} needs {n} different names, found {len(set(names))}")
    center = numbers(spec["center"], (d,), f"center of {what}")
    scale = numbers(spec["scale"], (d,), f"scale of {what}")
    kind = a_name(spec["scaling"])
    if np.any(scale < 0):
        raise ValueError(f"a scale of {what} is negative")
    if (kind != "standard" and center.any()) or (kind == "none" and not np.all(scale == 1)):
        raise ValueError(f"center and scale of {what} are not those of scaling {kind!r}")
    return names, Scaling(kind, center, scale)


def _weights(content: Any, net: Network) -> Array:
    theta = np.empty(net.n_parameters)
    W, b = net.weights(theta)
    views = {f"W[{l}]": W[l] for l in W} | {f"b[{l}]": b[l] for l in b}
    spec = object_with(content, "weights", set(views))
    for name, view in views.items():
        view[...] = numbers(spec[name], view.shape, name)
    return theta


def _training(content: Any, net: Network) -> dict[str, Any]:
    if content == {}:
        return {}
    spec = object_with(
        content,
        "training",
        {
            "rows",
            "alpha",
            "seed",
            "method",
            "cost",
            "baseline_cost",
            "max_gradient",
            "termination",
            "evaluations",
            "restarts",
            "agreeing",
            "history",
        },
        optional={
            "reason",
            "certificate",
            "scores",
            "alpha_reason",
            "evidence",
            "known",
            "sizes",
            "growth",
            "tails",
            "no_posterior",
            "signs",
        },
    )
    for sign in list_of(spec.get("signs", []), "signs", lambda sign: sign):
        if sign not in (-1, 0, 1):
            raise ValueError(f"a sign is {sign!r}; it is -1, 0 or 1")
    if "evidence" in spec:
        _evidence(spec["evidence"])
    if "sizes" in spec or "growth" in spec:
        _sizes(spec.get("sizes"), spec.get("growth"))
    if "tails" in spec:
        tails = object_with(spec["tails"], "tails", {"degrees", "scale", "most", "theta", "rows"})
        for key in ("scale", "theta"):
            list_of(tails[key], key, lambda value: number(value, "tails"))
        for key in ("degrees", "most"):
            number(tails[key], key)
        for row in list_of(tails["rows"], "rows", lambda row: row):
            row = object_with(row, "row", {"row", "counts"})
            whole(row["row"], "row"), number(row["counts"], "counts")
    if "known" in spec:
        _known(spec["known"])
    a_name(spec.get("no_posterior", "-"))
    a_name(spec.get("alpha_reason", "-"))
    _scores(spec.get("scores", {}))
    a_name(spec.get("reason", "-"))
    if "certificate" in spec:
        _certificate(spec["certificate"])
    for key in ("rows", "seed", "evaluations", "agreeing"):
        whole(spec[key], key)
    for key in ("cost", "baseline_cost", "max_gradient"):
        number(spec[key], key)
    each = spec["alpha"] if isinstance(spec["alpha"], list) else [spec["alpha"]]
    if any(number(alpha, "alpha") < 0 for alpha in each) or spec["rows"] < 1:
        raise ValueError("alpha must not be negative, and rows must be at least 1")
    decay_of(net, spec["alpha"])
    a_name(spec["method"])
    termination = object_with(spec["termination"], "termination", {"name", "inequality"})
    a_name(termination["inequality"])
    if a_name(termination["name"]) not in SENTENCES:
        raise ValueError(f"unknown termination {termination['name']!r}")
    restarts = list_of(spec["restarts"], "restarts", lambda run: run)
    if not len(restarts) >= 1 or spec["agreeing"] > len(restarts):
        raise ValueError("there must be at least 1 restart, and as many as agree")
    for run in restarts:
        required = {"cost", "termination", "iterations", "evaluations"}
        run = object_with(run, "restart", required, optional={"log_evidence"})
        height = run.get("log_evidence")
        number(0 if height is None else height, "log_evidence")
        number(0 if run["cost"] is None else run["cost"], "cost")
        a_name(run["termination"])
        whole(run["iterations"], "iterations"), whole(run["evaluations"], "evaluations")
    history = object_with(spec["history"], "history", {"cost", "max_gradient"})
    n = len(list_of(history["cost"], "history", lambda value: value))
    if n < 1:
        raise ValueError("the history must have at least 1 row, the start")
    for name, column in history.items():
        numbers(column, (n,), f"history of {name}")
    return spec


def _scores(content: Any) -> None:
    for name, of in object_of(content, "scores").items():
        a_name(name)
        for key, value in object_of(of, "scores").items():
            number(value, key)
        if set(of) not in (_OF_NUMBERS, _OF_CLASSES):
            raise ValueError(f"scores of {name!r} are not those of numbers or of classes")


def _evidence(content: Any) -> None:
    lists = {"groups", "alpha", "gamma", "weights", "steps"}
    others = {"beta", "ended", "within", "climbs", "rows", "log_evidence"}
    spec = object_with(content, "evidence", lists | others)
    n = len(list_of(spec["groups"], "groups", a_name))
    for key in ("alpha", "gamma"):
        numbers(spec[key], (n,), key)
    list_of(spec["weights"], "weights", lambda count: whole(count, "weights"))
    list_of(spec["steps"], "steps", lambda step: number(step, "step"))
    if len(spec["weights"]) != n or len(spec["steps"]) < 1:
        raise ValueError("the evidence needs a number of weights for each group, and a step")
    for key in ("beta", "log_evidence"):
        number(0 if spec[key] is None else spec[key], key)
    number(spec["within"], "within")
    if a_name(spec["ended"]) not in ENDS:
        raise ValueError(f"the evidence has ended as {spec['ended']!r}, which is unknown")
    for key in ("climbs", "rows"):
        whole(spec[key], key)


def _sizes(sizes: Any, growth: Any) -> None:
    spec = object_with(growth, "growth", {"ended", "rows"})
    whole(spec["rows"], "rows")
    if a_name(spec["ended"]) not in SIZES_ENDED:
        raise ValueError(f"the growth has ended as {spec['ended']!r}, which is unknown")
    for size in list_of(sizes, "sizes", lambda size: size):
        size = object_with(size, "size", {"hidden", "differ", "weights", "log_evidence", "idle"})
        for key in ("hidden", "differ", "weights"):
            whole(size[key], key)
        number(0 if size["log_evidence"] is None else size["log_evidence"], "log_evidence")
        list_of(size["idle"], "idle", a_name)


def _known(content: Any) -> None:
    required = {"scores", "gamma", "leverage", "influential", "variance", "relevance"}
    spec = object_with(content, "known", required, optional={"coverage"})
    for output, inputs in object_of(spec["relevance"], "relevance").items():
        a_name(output)
        for name, of in object_of(inputs, "relevance").items():
            a_name(name)
            keys = {"effect", "effect_error", "slope", "error", "of_spread"}
            for key, value in object_with(of, "relevance", keys).items():
                number(value, key)
    _scores(spec["scores"])
    for key in ("gamma", "leverage", "variance"):
        if not number(spec[key], key) > SMALLEST:
            raise ValueError(f"{key} is {spec[key]}, and has to be positive")
    if not 0.0 <= number(spec.get("coverage", 0), "coverage") <= 1.0:
        raise ValueError("a coverage is a share")
    for row in list_of(spec["influential"], "influential", lambda row: row):
        keys = {"row", "leverage", "decides", "distance", "target", "without"}
        row = object_with(row, "influential row", keys)
        whole(row["row"], "row")
        if not isinstance(row["decides"], bool):
            raise ValueError("decides is true or false")
        for key in ("leverage", "distance"):
            number(row[key], key)
        for key in ("target", "without"):
            list_of(row[key], key, lambda value: number(value, "target"))


def _certificate(content: Any) -> None:
    known = {"relative_gradient", "decrement", "lowest_eigenvalue"}
    spec = object_with(content, "certificate", {"kind", "flat_directions", "units", *known})
    if a_name(spec["kind"]) not in KINDS_OF_POINTS:
        raise ValueError(f"unknown certificate {spec['kind']!r}")
    for key in known:
        number(0 if spec[key] is None else spec[key], key)
    whole(spec["flat_directions"], "flat_directions")
    list_of(spec["units"], "units", a_name)
