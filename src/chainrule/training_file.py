"""The record of training in a model file, read strictly: every number is one, every list fits."""

from __future__ import annotations

from typing import Any

from chainrule._strict_json import (
    a_name,
    a_share,
    a_truth,
    list_of,
    number,
    numbers,
    object_of,
    object_with,
    one_of,
    positive,
    whole,
)
from chainrule.heart.network import Network
from chainrule.statistics.certificate import SENTENCES as KINDS_OF_POINTS
from chainrule.training.evidence import ENDS
from chainrule.training.growth import ENDS as SIZES_ENDED
from chainrule.training.objective import decay_of
from chainrule.training.optimizers.stopping import SENTENCES

MOST_NATS = 1e100
_OF_NUMBERS = {"rmse", "r2", "max_error"}
_OF_CLASSES = {"accuracy", "log_loss", "accuracy_of_constant", "log_loss_of_constant"}


def training_from(content: Any, net: Network) -> dict[str, Any]:
    """Return the record of how a model was trained, {} if it was not.

    Raises
    ------
    ValueError
        If it is not what `train` writes.
    """
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
            "from_search",
            "skip",
        },
    )
    if not isinstance(spec.get("from_search", False), bool):
        raise ValueError("from_search must be true or false")
    signs = list_of(spec.get("signs", []), "signs", lambda sign: number(sign, "sign"))
    if not set(signs) <= {-1.0, 0.0, 1.0} or len(signs) not in (0, net.n_parameters):
        raise ValueError("there is a sign of -1, 0 or 1 for each weight")
    if "evidence" in spec:
        _evidence(spec["evidence"])
    if "sizes" in spec or "growth" in spec:
        _sizes(spec.get("sizes"), spec.get("growth"))
    if "skip" in spec:
        heights = object_with(spec["skip"], "skip", {"without", "with"})
        for height in heights.values():
            number(height, "log_evidence")
    if "tails" in spec:
        _tails(spec["tails"], net)
    if "known" in spec:
        _known(spec["known"], net)
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
    one_of(termination["name"], "termination", SENTENCES)
    restarts = list_of(spec["restarts"], "restarts", _restart)
    if not len(restarts) >= 1 or spec["agreeing"] > len(restarts):
        raise ValueError("there must be at least 1 restart, and as many as agree")
    history = object_with(spec["history"], "history", {"cost", "max_gradient"})
    n = len(list_of(history["cost"], "history", lambda value: value))
    if n < 1:
        raise ValueError("the history must have at least 1 row, the start")
    for name, column in history.items():
        numbers(column, (n,), f"history of {name}")
    return spec


def _restart(content: Any) -> None:
    required = {"cost", "termination", "iterations", "evaluations"}
    run = object_with(content, "restart", required, optional={"log_evidence"})
    _number_or_null(run.get("log_evidence"), "log_evidence")
    _number_or_null(run["cost"], "cost")
    a_name(run["termination"])
    for key in ("iterations", "evaluations"):
        whole(run[key], key)


def _number_or_null(value: Any, what: str) -> None:
    number(0 if value is None else value, what)


def _tails(content: Any, net: Network) -> None:
    tails = object_with(content, "tails", {"degrees", "scale", "most", "theta", "rows"})
    for value in numbers(tails["scale"], (net.layers[-1],), "scale").tolist():
        positive(value, "scale")
    numbers(tails["theta"], (net.n_parameters,), "theta")
    for key in ("degrees", "most"):
        positive(tails[key], key)
    for row in list_of(tails["rows"], "rows", lambda row: row):
        row = object_with(row, "row", {"row", "counts"})
        whole(row["row"], "row")
        number(row["counts"], "counts")


def _scores(content: Any) -> None:
    for name, of in object_of(content, "scores").items():
        a_name(name)
        for key, value in object_of(of, "scores").items():
            number(value, key)
        if set(of) not in (_OF_NUMBERS, _OF_CLASSES):
            raise ValueError("scores are not those of numbers or of classes")


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
        _number_or_null(spec[key], key)
    number(spec["within"], "within")
    one_of(spec["ended"], "end of the evidence", ENDS)
    for key in ("climbs", "rows"):
        whole(spec[key], key)


def _sizes(sizes: Any, growth: Any) -> None:
    spec = object_with(growth, "growth", {"ended", "rows"})
    whole(spec["rows"], "rows")
    one_of(spec["ended"], "end of the growth", SIZES_ENDED)
    heights = []
    for size in list_of(sizes, "sizes", lambda size: size):
        size = object_with(size, "size", {"hidden", "differ", "weights", "log_evidence", "idle"})
        for key in ("hidden", "differ", "weights"):
            whole(size[key], key)
        height = size["log_evidence"]
        if height is not None and not abs(number(height, "log_evidence")) < MOST_NATS:
            raise ValueError(f"a log evidence of {height} is none")
        list_of(size["idle"], "idle", a_name)
        heights.append(height)
    if all(height is None for height in heights):
        raise ValueError("of the sizes, one needs a log evidence")


def _known(content: Any, net: Network) -> None:
    required = {"scores", "gamma", "leverage", "influential", "variance", "relevance"}
    optional = {"coverage", "share", "refits", "first_order", "far_off"}
    spec = object_with(content, "known", required, optional=optional)
    for output, inputs in object_of(spec["relevance"], "relevance").items():
        a_name(output)
        for name, of in object_of(inputs, "relevance").items():
            a_name(name)
            keys = {"effect", "effect_error", "slope", "error", "of_spread"}
            for key, value in object_with(of, "relevance", keys).items():
                number(value, key)
    _scores(spec["scores"])
    for key in ("gamma", "leverage", "variance"):
        positive(spec[key], key)
    for key in ("coverage", "share"):
        a_share(spec.get(key, 0), key)
    a_name(spec.get("first_order", "none"))
    for row in list_of(spec.get("far_off", []), "far_off", lambda row: row):
        row = object_with(row, "row that is far off", {"row", "off"})
        whole(row["row"], "row")
        positive(row["off"], "off")
    if "refits" in spec:
        refits = object_with(spec["refits"], "refits", {"folds", "anew"})
        whole(refits["folds"], "folds")
        a_truth(refits["anew"], "anew")
    for row in list_of(spec["influential"], "influential", lambda row: row):
        keys = {"row", "leverage", "decides", "distance", "target", "without"}
        row = object_with(row, "influential row", keys)
        whole(row["row"], "row")
        a_truth(row["decides"], "decides")
        for key in ("leverage", "distance"):
            number(row[key], key)
        for key in ("target", "without"):
            numbers(row[key], (net.layers[-1],), f"{key} of an influential row")


def _certificate(content: Any) -> None:
    known = {"relative_gradient", "decrement", "lowest_eigenvalue"}
    required = {"kind", "flat_directions", "units", *known}
    spec = object_with(content, "certificate", required, optional={"unsettled"})
    _number_or_null(spec.get("unsettled"), "unsettled")
    one_of(spec["kind"], "certificate", KINDS_OF_POINTS)
    for key in known:
        _number_or_null(spec[key], key)
    whole(spec["flat_directions"], "flat_directions")
    list_of(spec["units"], "units", a_name)
