"""What is asked of a fit: its data, its settings, and its limits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from chainrule._errors import ConfigurationError
from chainrule.bayes.architecture import MOST_HIDDEN_LAYERS
from chainrule.bayes.empirical_bayes import EVIDENCE
from chainrule.heart.network import Network
from chainrule.model.model import Model
from chainrule.optimize.history import Iteration
from chainrule.optimize.minimize import Fit
from chainrule.optimize.problem import Optimizer
from chainrule.optimize.stopping import Termination
from chainrule.rows.protocol import Rows
from chainrule.tables.encoding import ColumnType
from chainrule.tables.targets import Targets

MOST_SEED = 2**63  # that a model file holds
Monitor = Callable[[int, Model, Iteration], Termination | None]


@dataclass(frozen=True, eq=False)
class FitData:
    """The rows that a network is fitted to, and the names of their columns.

    Attributes
    ----------
    X : array_like (n, inputs) or Rows
        In users' units; rows have their targets and weights.
    Y : array_like (n, outputs), Targets or None
        In users' units; None of rows.
    target_names, input_names : tuple of str
    columns : tuple of ColumnType
        What the inputs were made from; numbers called `input_names` if left out.
    sample_weight : array_like (n,), optional
        A weight of 2 is the row twice, a weight of 0 is the row left out.
    row_weight_unit : float, optional
        The weight that counts as one row, found from them if left out: see `default_alpha`.
    unit_weight : array_like (n,), optional
        The weight of each row taken once; if left out 1 where all weights are whole numbers, which
        say how often, else all of it.
    row_numbers : array_like of int (n,), optional
        By which rows are named, if some have been left out: counted from 0.
    validation : ndarray of bool (n,), optional
        Rows that are not fitted but decide when to stop: see `early_stopping`.
    """

    X: ArrayLike | Rows
    Y: ArrayLike | Targets | None
    target_names: tuple[str, ...]
    input_names: tuple[str, ...] = ()
    columns: tuple[ColumnType, ...] = ()
    sample_weight: ArrayLike | None = None
    row_weight_unit: float | None = None
    unit_weight: ArrayLike | None = None
    row_numbers: ArrayLike | None = None
    validation: NDArray[np.bool_] | None = None


@dataclass(frozen=True, eq=False)
class FitSettings:
    """What may be chosen of a fit; the defaults leave it to the evidence.

    Attributes
    ----------
    network : Network or callable
        Or ``network(widths)`` of hidden layers of any widths, of which the best are found: see
        `model_selection` and `architecture`.
    scale : {"standard", "max", "none"}
        Scaling of the inputs, and of the targets as far as the output allows: a sigmoid with
        squared loss takes max, and the others without a scale take none.
    alpha : float, sequence of float, "evidence" or "rule"
        The penalty ½ Σ α W², in the scale of the network: see `Objective`; "evidence": see
        `empirical_bayes`, and where there is none, as with "rule": see `default_alpha`.
    noise : {"varying", "constant", "student"}
        Whether the noise may differ from row to row: see `fitted_posterior`; or has heavy tails, so
        that rows with large residuals count less: see `student_t`.
    skip : bool
        Whether the network with a skip layer is a candidate too: see `resolve_task`.
    fixed, signs : array_like (p,), optional
        As `Objective` takes them; of several sizes ``signs(network)``.
    ensemble : int
        How many networks predict together: see `members`; where the penalty is not found by the
        evidence, the best of the starts.
    brief : bool
        Whether the search for the penalty by the evidence may end at MacKay's fixed point.
    patience : int
        For how many iterations the validation rows may cost no less.
    most_layers : int
        Hidden layers of a network whose size is to be found.
    or_else : Network, optional
        What to fit where the evidence, by which sizes are compared, is not available.
    or_else_ensemble : int
        How many of its starts predict together.
    like : Model, optional
        Whose scaling to take, instead of measuring it.
    n_restarts, seed, scheme
        The starts: see `minimize_from_starts`.
    method, tol, max_iter
        As `minimize` takes them.
    """

    network: Network | Callable[[Sequence[int]], Network]
    scale: str = "standard"
    alpha: float | Sequence[float] | str = EVIDENCE
    noise: str = "varying"
    skip: bool = False
    fixed: ArrayLike | None = None
    signs: ArrayLike | Callable[[Network], ArrayLike | None] | None = None
    ensemble: int = 1
    brief: bool = False
    patience: int = 10
    like: Model | None = None
    or_else: Network | None = None
    or_else_ensemble: int = 1
    most_layers: int = MOST_HIDDEN_LAYERS
    n_restarts: int = 10
    seed: int = 0
    scheme: str = "auto"
    method: str | Optimizer = "auto"
    tol: float = 1e-9
    max_iter: int | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.seed < MOST_SEED:
            raise ConfigurationError(f"seed is {self.seed}; it must be from 0 to {MOST_SEED - 1:,}")
        if self.ensemble > self.n_restarts >= 1:
            raise ConfigurationError(
                f"ensemble is {self.ensemble}, and there are only {self.n_restarts} starts; give "
                "as many starts, or a smaller ensemble"
            )

    @property
    def first_network(self) -> Network:
        """The network, or that of one hidden unit where the size is to be found."""
        return self.network if isinstance(self.network, Network) else self.network((1,))

    def signs_of(self, network: Network) -> ArrayLike | None:
        """Return the sign constraints of a network of any size."""
        return self.signs(network) if callable(self.signs) else self.signs


@dataclass(frozen=True, eq=False)
class FitControl:
    """How a fit may be watched, limited, and resumed; none of it changes what is found.

    Attributes
    ----------
    max_time : float, optional
        Seconds, after which the best so far is kept.
    progress : callable, optional
        Called now and then with a line of text.
    checkpoint : path, optional
        As `minimize_from_starts` takes it.
    monitor : callable, optional
        Called as ``monitor(start, model, iteration)`` at every iteration of every start; a
        Termination that it returns ends that start.
    resume : sequence of Fit or None, optional
        The fits of an earlier training, which go on where they stopped.
    """

    max_time: float | None = None
    progress: Callable[[str], None] | None = None
    checkpoint: str | Path | None = None
    monitor: Monitor | None = None
    resume: Sequence[Fit | None] | None = None
