"""How much work is spent on what the user left open, for estimators and command line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from chainrule._errors import ConfigurationError
from chainrule.bayes.empirical_bayes import EVIDENCE, RULE

AUTO = "auto"
UNITS = (10,)  # of the hidden layers where they are not searched for


@dataclass(frozen=True)
class Work:
    """What a fit does.

    Attributes
    ----------
    hidden : sequence of int, or "auto"
        Widths of the hidden layers.
    alpha : float, sequence of float, "evidence" or "rule"
    n_restarts : int
        Random starts.
    ensemble : int
        How many networks predict together.
    brief : bool
        Whether the search for the penalty may end at MacKay's fixed point from one start.
    """

    hidden: Any
    alpha: float | Sequence[float] | str
    n_restarts: int
    ensemble: int
    brief: bool = False


EFFORTS = {
    "fast": Work(UNITS, RULE, 3, 1, brief=True),
    "normal": Work(UNITS, EVIDENCE, 3, 1, brief=True),
    "best": Work(AUTO, EVIDENCE, 6, 6),
}
NORMAL = "normal"


def resolved(
    effort: str,
    *,
    hidden: Any = None,
    alpha: float | Sequence[float] | str | None = None,
    n_restarts: int | None = None,
    ensemble: int | None = None,
    single: bool = False,
) -> Work:
    """Return what an effort means; what is given, and not None, wins over it.

    Parameters
    ----------
    effort : {"fast", "normal", "best"}
    hidden, alpha, n_restarts, ensemble
        As those of `Work`.
    single : bool
        Whether one network of given widths is all there can be: it is stopped early, resumed, or
        has fixed weights.

    Raises
    ------
    ConfigurationError
        If there is no such effort.

    Examples
    --------
    >>> resolved("best").hidden
    'auto'
    >>> resolved("best", hidden=(3,), ensemble=4)
    Work(hidden=(3,), alpha='evidence', n_restarts=6, ensemble=4, brief=False)
    """
    if not isinstance(effort, str) or effort not in EFFORTS:
        raise ConfigurationError(f"effort is {effort!r}; it must be one of {', '.join(EFFORTS)}")
    usual = EFFORTS[effort]
    alpha = usual.alpha if alpha is None else alpha
    # depth, width and several networks are searched for by the evidence
    open_to_search = not single and isinstance(alpha, str) and alpha == EVIDENCE
    if hidden is None:
        hidden = usual.hidden if open_to_search else UNITS
    if ensemble is None:
        ensemble = usual.ensemble if open_to_search else 1
    if n_restarts is None:
        n_restarts = max(usual.n_restarts, ensemble)
    return Work(hidden, alpha, n_restarts, ensemble, usual.brief)
