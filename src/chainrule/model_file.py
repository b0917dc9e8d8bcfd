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
from collections.abc import Callable, Collection
from typing import Any

import numpy as np

from chainrule._contracts import Array
from chainrule._errors import ChainruleError, DataError, ModelFileError
from chainrule._files import read_bytes, write_atomically
from chainrule._json import readable_json
from chainrule.heart.network import MOST_LAYERS, Network
from chainrule.statistics.certificate import SENTENCES as KINDS_OF_POINTS
from chainrule.tables import targets
from chainrule.tables.cells import DATE_STYLES
from chainrule.tables.encoding import ColumnType
from chainrule.tables.scaling import Scaling
from chainrule.tables.table import KINDS
from chainrule.tables.targets import Label
from chainrule.training.model import Model
from chainrule.training.objective import decay_of
from chainrule.training.optimizers.stopping import SENTENCES

VERSION = 2
_ZEROS = "0" * 64
_HEADER = re.compile(
    rb'\A\{\n "format": "chainrule-model",\n "version": ([0-9]{1,9}),\n'
    rb' "checksum": "sha256:([0-9a-f]{64})",\n'
)
_LARGEST_FILE = 2**30
_WIDEST_LAYER = 2**20
_LONGEST_NAME = 10_000
_MOST_LEVELS = 10_000
_OF_NUMBERS = {"rmse", "r2", "max_error"}
_OF_CLASSES = {"accuracy", "log_loss", "accuracy_of_constant", "log_loss_of_constant"}


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
        return _build(json.loads(content, object_pairs_hook=_once, parse_constant=_no_constant))
    except RecursionError:
        raise ModelFileError(f"{source} is not a valid model: nested too deeply") from None
    except (ChainruleError, ValueError, OverflowError) as error:
        raise ModelFileError(f"{source} is not a valid model: {error}") from None


# ---------------------------------------------------------------- reading, strictly


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key occurs twice")
    return found


def _no_constant(text: str) -> float:
    raise ValueError(f"{text} is not a finite number")


def _build(content: Any) -> Model:
    top = _object(
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
        optional={"columns", "classes"},  # version 1 has none
    )
    net = _network(top["network"])
    input_names, input_scaling = _columns(top["inputs"], "inputs", net.layers[0])
    classes = tuple(_list(top.get("classes", []), "classes", _classes))
    n_targets = len(classes) or net.layers[-1]
    target_names, target_scaling = _columns(top["targets"], "targets", n_targets, net.layers[-1])
    if classes and (net.output, net.layers[-1]) != targets.layer_for(classes):
        raise ValueError("the classes are not those of this output layer")
    columns = tuple(_list(top.get("columns", []), "columns", _column_type))
    if {*input_names, *(column.name for column in columns)} & set(target_names):
        raise ValueError("an input and a target have the same name")
    return Model(
        net,
        _weights(top["weights"], net),
        input_scaling,
        target_scaling,
        input_names,
        target_names,
        _training(top["training"], net),
        columns,
        classes,
    )


def _network(content: Any) -> Network:
    required = {"layers", "hidden", "output", "loss", "bias"}
    spec = _object(content, "network", required, optional={"skip"})
    layers = _list(spec["layers"], "layers", lambda n: _integer(n, "layer width"))
    if len(layers) > MOST_LAYERS or any(width > _WIDEST_LAYER for width in layers):
        raise ValueError(f"more than {MOST_LAYERS} layers, or one wider than {_WIDEST_LAYER}")
    if not (isinstance(spec["bias"], bool) and isinstance(spec.get("skip", False), bool)):
        raise ValueError("bias and skip must be true or false")
    return Network(
        layers,
        hidden=_list(spec["hidden"], "hidden", _name),
        output=_name(spec["output"]),
        loss=_name(spec["loss"]),
        bias=spec["bias"],
        skip=spec.get("skip", False),
    )


def _column_type(content: Any) -> ColumnType:
    keys = {"name", "kind", "levels", "style", "fill", "indicator"}
    spec = _object(content, "column", keys)
    levels = tuple(_list(spec["levels"], "levels", _name))
    if _name(spec["kind"]) not in KINDS:
        raise ValueError(f"unknown kind of column {spec['kind']!r}")
    needed = {"category": range(1, _MOST_LEVELS), "yes/no": (2,)}.get(spec["kind"], (0,))
    if len(levels) not in needed or len(set(levels)) != len(levels):
        raise ValueError(f"a column of kind {spec['kind']} has {len(levels)} levels")
    if spec["style"] != "" and spec["style"] not in DATE_STYLES:
        raise ValueError(f"unknown style of dates {spec['style']!r}")
    if not isinstance(spec["indicator"], bool):
        raise ValueError("indicator must be true or false")
    fill = None if spec["fill"] is None else _number(spec["fill"], "fill")
    if (spec["kind"] == "yes/no" and fill not in (None, 0.0, 1.0)) or (
        spec["kind"] == "category" and fill is not None
    ):
        raise ValueError(f"fill is {fill}, which a column of kind {spec['kind']} cannot have")
    if spec["indicator"] and fill is None and spec["kind"] != "category":
        raise ValueError("a column with an indicator needs a fill")
    return ColumnType(
        _name(spec["name"]), spec["kind"], levels, spec["style"], fill, spec["indicator"]
    )


def _classes(content: Any) -> tuple[Label, ...]:
    labels = tuple(_list(content, "classes", lambda label: label))
    for label in labels:
        if isinstance(label, str):
            _text(label)
        elif not isinstance(label, bool):
            _number(label, "class")
    if len({(type(label), label) for label in labels}) != len(labels) or len(labels) < 2:
        raise ValueError("classes must differ, and be at least 2")
    return labels


def _columns(
    content: Any, what: str, n: int, d: int | None = None
) -> tuple[tuple[str, ...], Scaling]:
    """Return n names and the scaling of d columns, n if left out."""
    d = n if d is None else d
    spec = _object(content, what, {"names", "scaling", "center", "scale"})
    names = tuple(_list(spec["names"], f"names of {what}", _name))
    if len(names) != n or len(set(names)) != n:
        raise ValueError(f"{what} needs {n} different names, found {len(set(names))}")
    center = _numbers(spec["center"], (d,), f"center of {what}")
    scale = _numbers(spec["scale"], (d,), f"scale of {what}")
    kind = _name(spec["scaling"])
    if np.any(scale < 0):
        raise ValueError(f"a scale of {what} is negative")
    if (kind != "standard" and center.any()) or (kind == "none" and not np.all(scale == 1)):
        raise ValueError(f"center and scale of {what} are not those of scaling {kind!r}")
    return names, Scaling(kind, center, scale)


def _weights(content: Any, net: Network) -> Array:
    theta = np.empty(net.n_parameters)
    W, b = net.weights(theta)
    views = {f"W[{l}]": W[l] for l in W} | {f"b[{l}]": b[l] for l in b}
    spec = _object(content, "weights", set(views))
    for name, view in views.items():
        view[...] = _numbers(spec[name], view.shape, name)
    return theta


def _training(content: Any, net: Network) -> dict[str, Any]:
    if content == {}:
        return {}
    spec = _object(
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
        optional={"reason", "certificate", "scores", "alpha_reason", "evidence"},
    )
    _name(spec.get("alpha_reason", "-"))
    for name, of in _object_of(spec.get("scores", {}), "scores").items():
        _name(name)
        for key, number in _object_of(of, "scores").items():
            _number(number, key)
        if set(of) not in (_OF_NUMBERS, _OF_CLASSES):
            raise ValueError(f"scores of {name!r} are not those of numbers or of classes")
    _name(spec.get("reason", "-"))
    if "certificate" in spec:
        _certificate(spec["certificate"])
    for key in ("rows", "seed", "evaluations", "agreeing"):
        _integer(spec[key], key)
    for key in ("cost", "baseline_cost", "max_gradient"):
        _number(spec[key], key)
    each = spec["alpha"] if isinstance(spec["alpha"], list) else [spec["alpha"]]
    if any(_number(alpha, "alpha") < 0 for alpha in each) or spec["rows"] < 1:
        raise ValueError("alpha must not be negative, and rows must be at least 1")
    decay_of(net, spec["alpha"])
    _name(spec["method"])
    termination = _object(spec["termination"], "termination", {"name", "inequality"})
    _name(termination["inequality"])
    if _name(termination["name"]) not in SENTENCES:
        raise ValueError(f"unknown termination {termination['name']!r}")
    restarts = _list(spec["restarts"], "restarts", lambda run: run)
    if not len(restarts) >= 1 or spec["agreeing"] > len(restarts):
        raise ValueError("there must be at least 1 restart, and as many as agree")
    for run in restarts:
        required = {"cost", "termination", "iterations", "evaluations"}
        run = _object(run, "restart", required, optional={"log_evidence"})
        _number(run.get("log_evidence") or 0, "log_evidence")
        _number(0 if run["cost"] is None else run["cost"], "cost")
        _name(run["termination"])
        _integer(run["iterations"], "iterations"), _integer(run["evaluations"], "evaluations")
    history = _object(spec["history"], "history", {"cost", "max_gradient"})
    n = len(_list(history["cost"], "history", lambda value: value))
    if n < 1:
        raise ValueError("the history must have at least 1 row, the start")
    for name, column in history.items():
        _numbers(column, (n,), f"history of {name}")
    return spec


def _certificate(content: Any) -> None:
    known = {"relative_gradient", "decrement", "lowest_eigenvalue"}
    spec = _object(content, "certificate", {"kind", "flat_directions", "units", *known})
    if _name(spec["kind"]) not in KINDS_OF_POINTS:
        raise ValueError(f"unknown certificate {spec['kind']!r}")
    for key in known:
        _number(0 if spec[key] is None else spec[key], key)
    _integer(spec["flat_directions"], "flat_directions")
    _list(spec["units"], "units", _name)


def _object_of(value: Any, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"{what} must be an object")
    return value


def _object(
    value: Any, what: str, keys: set[str], optional: Collection[str] = ()
) -> dict[str, Any]:
    if not isinstance(value, dict) or set(value) - set(optional) != keys:
        found = sorted(value) if isinstance(value, dict) else type(value).__name__
        raise ValueError(f"{what} must have exactly the keys {sorted(keys)}, found {found}")
    return value


def _list(value: Any, what: str, each: Callable[[Any], Any]) -> list[Any]:
    if not isinstance(value, list):
        raise ValueError(f"{what} must be a list")
    return [each(item) for item in value]


def _name(value: Any) -> str:
    if value == "":
        raise ValueError("expected a name, found an empty text")
    return _text(value)


def _text(value: Any) -> str:
    if not isinstance(value, str) or len(value) > _LONGEST_NAME:
        raise ValueError(f"expected a text of at most {_LONGEST_NAME:,} characters")
    if not value.isprintable():
        raise ValueError(f"{value!r} has characters that cannot be printed")
    return value


def _integer(value: Any, what: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**63:
        raise ValueError(f"{what} must be a whole number of at least 0")
    return value


def _number(value: Any, what: str) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise ValueError(f"{what} must be a number")
    number = float(value)
    if not np.isfinite(number):
        raise ValueError(f"{what} must be finite")
    return number


def _numbers(value: Any, shape: tuple[int, ...], what: str) -> Array:
    rows = _list(value, what, lambda row: row)
    if len(shape) == 1:
        found = np.array([_number(x, what) for x in rows], dtype=np.float64)
        if found.shape != shape:
            raise ValueError(f"{what} has {len(rows)} numbers, the layers need {shape[0]}")
        return found
    if len(rows) != shape[0]:
        raise ValueError(f"{what} has {len(rows)} rows, the layers need {shape[0]}")
    return np.array([_numbers(row, shape[1:], what) for row in rows]).reshape(shape)
