"""Several starts, one answer: the lottery of the starting point, ended and reported.

Restart r always begins at the same weights, however many restarts there are.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from chainrule._errors import ConfigurationError, TrainingError
from chainrule.training.minimize import CUT_SHORT, Fit
from chainrule.training.objective import Objective
from chainrule.training.optimizers.stopping import Termination

Run = Callable[..., Fit]

AGREE = 1e-6  # of the lowest cost
NOTHING = 1e-9  # of the cost there is to explain


@dataclass(frozen=True)
class Restart:
    """How one start ended.

    Attributes
    ----------
    cost : float
        NaN if it failed.
    termination : str
        The name of its Termination, or "failed".
    n_iterations, n_evaluations : int
    """

    cost: float
    termination: str
    n_iterations: int
    n_evaluations: int


@dataclass(frozen=True)
class Restarts:
    """The best of several fits, and how all of them ended.

    Attributes
    ----------
    best : Fit
        The lowest cost; among costs that agree, the first that converged.
    runs : tuple of Restart
        One for each start, in order.
    n_agree : int
        How many starts converged to the cost of the best, to a millionth of it.
    cut_short : Termination or None
        What ended the last run before all starts had been made.
    """

    best: Fit
    runs: tuple[Restart, ...]
    n_agree: int
    cut_short: Termination | None = None

    def __str__(self) -> str:
        if len(self.runs) == 1:
            return "1 start"
        return agreement(self.n_agree, len(self.runs))


def agreement(n_agree: int, n_starts: int) -> str:
    """Return in words how many starts agree."""
    if n_agree == 1 < n_starts:
        return f"only 1 of {n_starts} starts reached the lowest cost: more may find a lower one"
    return f"{n_agree} of {n_starts} starts agree on the lowest cost"


def minimize_from_starts(
    objective: Objective,
    run: Run,
    n_restarts: int,
    seed: int,
    scheme: str = "scaled",
    max_time: float | None = None,
) -> Restarts:
    """Minimize from `n_restarts` random starts.

    Parameters
    ----------
    objective : Objective
    run : callable
        ``run(objective, theta, max_time=seconds or None) -> Fit``, as `minimize` is.
    n_restarts : int
    seed : int
    scheme : str
        As `Network.initial` takes it.
    max_time : float, optional
        Seconds for all starts together.

    Raises
    ------
    TrainingError
        If every start failed; it says how the last one did.
    """
    if n_restarts < 1:
        raise ConfigurationError(f"restarts is {n_restarts}; it must be at least 1")
    if seed < 0:
        raise ConfigurationError(f"seed is {seed}; it must not be negative")
    fits, runs = [], []
    failure = TrainingError("no start was made")
    cut_short = None
    started, left = time.monotonic(), max_time
    for r in range(n_restarts):
        if max_time is not None and r > 0:
            left = max_time - (time.monotonic() - started)
            if not left > 0:
                cut_short = Termination("time_limit", f"{max_time:g} s for all starts")
                break
        source = np.random.SeedSequence(seed, spawn_key=(r,))
        theta = objective.net.initial(np.random.default_rng(source), scheme)
        try:
            fit = run(objective, theta, max_time=left)
        except TrainingError as error:
            failure = error
            if error.reason in CUT_SHORT:
                cut_short = Termination(error.reason, f"in start {r + 1}")
                break
            runs.append(Restart(float("nan"), "failed", 0, 0))
            continue
        fits.append(fit)
        runs.append(Restart(fit.cost, fit.termination.name, fit.n_iterations, fit.n_evaluations))
        if fit.termination.name in CUT_SHORT:
            cut_short = fit.termination
            break
    if not fits:
        if failure.reason == "interrupted":
            raise KeyboardInterrupt
        raise failure
    lowest = min(fit.cost for fit in fits)
    margin = AGREE * abs(lowest) + NOTHING * objective.scale
    agreeing = [fit for fit in fits if fit.cost <= lowest + margin]
    # the first that converged: which of those that agree is lower by a rounding is chance
    converged = [fit for fit in agreeing if fit.converged]
    best = converged[0] if converged else min(agreeing, key=lambda fit: fit.cost)
    return Restarts(best, tuple(runs), len(converged), cut_short)
