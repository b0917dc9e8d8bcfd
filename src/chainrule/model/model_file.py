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
import warnings
from dataclasses import replace
from typing import Any

import numpy as np

from chainrule._contracts import Array
from chainrule._errors import ChainruleError, ChainruleWarning, DataError, ModelFileError
from chainrule._files import read_bytes, write_atomically
from chainrule._json import readable_json
from chainrule._records import to_json
from chainrule._strict_json import (
    a_name,
    a_text,
    a_truth,
    list_of,
    no_constant,
    no_huge_number,
    number,
    numbers,
    object_with,
    once,
    one_of,
    whole,
)
from chainrule.heart.blocks import is_matrix, layer_of
from chainrule.heart.network import MOST_LAYERS, Network
from chainrule.model.model import Model
from chainrule.model.posterior_file import posterior_as_dict, posterior_from
from chainrule.model.report_file import report_from, require_names
from chainrule.tables import targets
from chainrule.tables.cells import Missing
from chainrule.tables.dates import STYLES
from chainrule.tables.encoding import MOST_LEVELS_EVER, ColumnType
from chainrule.tables.scaling import Scaling
from chainrule.tables.table import KINDS
from chainrule.tables.targets import Label

VERSION = 5  # of the format; older ones are read for ever
_ZEROS = "0" * 64
_HEADER = re.compile(
    rb'\A\{\n "format": "chainrule-model",\n "version": ([0-9]{1,9}),\n'
    rb' "checksum": "sha256:([0-9a-f]{64})",\n'
)
_LARGEST_FILE = 2**30  # bytes
_STRICTLY: Any = {"parse_constant": no_constant, "parse_int": no_huge_number}
_WIDEST_LAYER = 2**20  # units
LONGEST_REASON = 500  # characters: what is wrong may be a text without end


def save_model(model: Any, path: str | os.PathLike[str]) -> None:
    """Write a model to a file, whole or not at all.

    Parameters
    ----------
    model : Model, or an estimator that was fitted
    path : str or path

    Raises
    ------
    DataError
        If it cannot be written; an old file of that name is then untouched. What does not read
        back as the same model is kept as PATH.unchecked, and the message says so.
    """
    model = getattr(model, "model_", model)
    if not isinstance(model, Model):
        raise DataError(f"a {type(model).__name__} is not a model that can be saved; fit one first")
    content = dump_model(model)
    try:
        content = _readable(model, content, str(path))
    except ModelFileError as error:
        aside = f"{os.fspath(path)}.unchecked"
        write_atomically(aside, content)
        raise DataError(
            f"{os.fspath(path)!r} was not written, as it could not be read back: {error}. What was "
            f"found is kept in {aside!r}; please report this"
        ) from None
    write_atomically(path, content)


def _readable(model: Model, content: bytes, source: str) -> bytes:
    """Return the content of a model file that can be read back, without a posterior if need be.

    Raises
    ------
    ModelFileError
        If it cannot be read back either way.
    """
    try:
        parse_model(content, source)
    except ModelFileError as error:
        if model.posterior is None:
            raise
        why = "its numbers are too large or too small to be written down"
        report = model.report and replace(model.report, posterior=None, no_posterior=why)
        content = dump_model(replace(model, posterior=None, report=report))
        parse_model(content, source)
        warnings.warn(
            f"the uncertainty of this model is not in its file ({error})",
            ChainruleWarning,
            stacklevel=3,
        )
    return content


def is_model(content: bytes) -> bool:
    """Return whether the beginning of a file is that of a model."""
    return _HEADER.match(content[:200]) is not None


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
        weights[name] = (W if is_matrix(name) else b)[layer_of(name)].tolist()
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
        "training": {} if model.report is None else to_json(model.report),
    }
    if model.missing.words is not None:
        content["missing_values"] = list(model.missing.words)
    if model.weight_name is not None:
        content["weight"] = model.weight_name
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
        return _build(json.loads(content, object_pairs_hook=once, **_STRICTLY))
    except RecursionError:
        raise ModelFileError(f"{source} is not a valid model: nested too deeply") from None
    except (ChainruleError, ValueError, OverflowError) as error:
        why = str(error)
        why = why if len(why) <= LONGEST_REASON else f"{why[:LONGEST_REASON]}…"
        raise ModelFileError(f"{source} is not a valid model: {why}") from None


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
        # version 1 has none of them, version 2 no posterior, version 3 nothing of what it read
        optional={"columns", "classes", "posterior", "missing_values", "weight"},
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
    report = report_from(top["training"], net)
    model = Model(
        net,
        theta,
        input_scaling,
        target_scaling,
        input_names,
        target_names,
        columns,
        classes,
        posterior,
        report,
        _missing(top.get("missing_values")),
        None if top.get("weight") is None else a_name(top["weight"]),
    )
    if report is not None:
        require_names(report, target_names, input_names, model.output_names)
    return model


def _missing(content: Any) -> Missing:
    if content is None:
        return Missing()
    return Missing(tuple(list_of(content, "missing_values", a_name)))


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
    one_of(spec["kind"], "kind of column", KINDS)
    needed = {"category": range(1, MOST_LEVELS_EVER + 1), "yes/no": (2,)}.get(spec["kind"], (0,))
    if len(levels) not in needed or len(set(levels)) != len(levels):
        raise ValueError(f"a column of kind {spec['kind']} has {len(levels)} levels")
    if spec["style"] != "":
        one_of(spec["style"], "style of dates", STYLES)
    a_truth(spec["indicator"], "indicator")
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
