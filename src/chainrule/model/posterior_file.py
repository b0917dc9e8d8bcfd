"""The posterior in a model file: large matrices as bytes, everything else as numbers."""

from __future__ import annotations

import base64
import binascii
from typing import Any

import numpy as np

from chainrule._contracts import Array
from chainrule._strict_json import list_of, number, numbers, object_with, whole
from chainrule.bayes.posterior import Noise, Posterior, Precision
from chainrule.heart.network import Network

_MOST_MINIMA, _MOST_UNITS = 10_000, 1_000  # that a file may hold
_LARGEST = 1e100  # of a scaled input
_NUMBER = np.dtype("<f8")


def posterior_as_dict(posterior: Posterior) -> dict[str, Any]:
    """Return it as plain data; the first minimum is that of the model and left out."""
    upper = np.triu_indices(posterior.theta.shape[1])
    noise = posterior.noise
    precision = () if noise is None else noise.precision
    return {
        "others": posterior.theta[1:].tolist(),
        "roots": [_packed(root[upper]) for root in posterior.roots],
        "noise": None if noise is None else noise.variance.tolist(),
        "precision": [
            {
                "hidden": list(of.network.layers[1:-1]),
                "theta": of.theta.tolist(),
                "least": of.least,
                "most": of.most,
            }
            for of in precision
        ],
        "scores": posterior.scores.tolist(),
        "rows": posterior.n_rows,
        "lowest": posterior.lowest.tolist(),
        "highest": posterior.highest.tolist(),
        "widest": posterior.widest,
        "share": posterior.moderation,
    }


def posterior_from(content: Any, net: Network, theta: Array) -> Posterior:
    """Return the posterior of a model with these weights.

    Raises
    ------
    ValueError
        If it is not what `posterior_as_dict` returns.
    """
    names = {"others", "roots", "noise", "precision", "scores", "rows", "lowest", "highest"}
    spec = object_with(content, "posterior", {*names, "widest", "share"})
    p, d, K = net.n_parameters, net.layers[0], net.layers[-1]
    others = list_of(spec["others"], "others", lambda row: numbers(row, (p,), "others"))
    roots = list_of(spec["roots"], "roots", lambda text: _unpacked(text, p))
    if len(roots) != len(others) + 1 or len(roots) > _MOST_MINIMA:
        raise ValueError("the posterior needs a root for each minimum")
    noise = None
    if spec["noise"] is not None:
        precision = list_of(spec["precision"], "precision", lambda one: _precision(one, d))
        if len(precision) not in (0, K):
            raise ValueError("the posterior needs a network for the noise in each output, or none")
        noise = Noise(numbers(spec["noise"], (K,), "noise"), tuple(precision))
        if np.any(noise.variance <= 0.0):
            raise ValueError("a variance of the noise is not positive")
    elif net.loss == "squared":
        raise ValueError("the noise is missing")
    scores = list_of(spec["scores"], "scores", lambda row: numbers(row, (K,), "scores"))
    if (len(scores) == 0) != (net.loss == "cross_entropy"):
        raise ValueError("scores belong to targets that are numbers")
    lowest, highest = (numbers(spec[name], (d,), name) for name in ("lowest", "highest"))
    if np.any(lowest > highest) or np.any(np.abs([lowest, highest]) > _LARGEST):
        raise ValueError("the range of an input is none")
    moderation = number(spec["share"], "share")
    if moderation < 0.0:
        raise ValueError(f"share is {moderation}, and has to be at least 0")
    return Posterior(
        np.array([theta, *others]),
        np.array(roots),
        noise,
        np.array(scores).reshape(-1, K),
        max(1, whole(spec["rows"], "rows")),
        lowest,
        highest,
        number(spec["widest"], "widest"),
        moderation,
    )


def _precision(content: Any, d: int) -> Precision:
    spec = object_with(content, "precision", {"hidden", "theta", "least", "most"})
    hidden = list_of(spec["hidden"], "hidden", lambda n: whole(n, "hidden"))
    if sum(hidden) > _MOST_UNITS:
        raise ValueError("the network of the noise is too large")
    net = Network([d, *hidden, 1], output="exp")
    least, most = number(spec["least"], "least"), number(spec["most"], "most")
    if not 0.0 < least <= most:
        raise ValueError(f"a precision from {least} to {most} is none")
    return Precision(net, numbers(spec["theta"], (net.n_parameters,), "theta"), least, most)


def _packed(values: Array) -> str:
    return base64.b64encode(np.ascontiguousarray(values, dtype=_NUMBER).tobytes()).decode()


def _unpacked(text: Any, p: int) -> Array:
    if not isinstance(text, str):
        raise ValueError("a root must be a text")
    try:
        values = np.frombuffer(base64.b64decode(text, validate=True), dtype=_NUMBER)
    except (binascii.Error, ValueError):
        raise ValueError("a root is not written in base64") from None
    if len(values) != p * (p + 1) // 2 or not np.all(np.isfinite(values)):
        raise ValueError(f"a root has {len(values)} numbers, or some are not finite")
    root = np.zeros((p, p))
    root[np.triu_indices(p)] = values
    return root
