"""A network: its layers, its functions, and θ seen as weights W[l] and biases b[l].

A `Network` holds no numbers that are learned. They live in one vector θ, and
`weights` lays matrices over it as views::

    θ = W[1].ravel(), b[1], W[2].ravel(), b[2], …          (no b without biases)

A skip layer's W[0], from the inputs to the outputs, comes before them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from math import prod
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from chainrule._contracts import Array
from chainrule._errors import ConfigurationError, DataError
from chainrule.heart import chain_rule
from chainrule.heart.activations import ACTIVATIONS, Activation, activation
from chainrule.heart.blocks import is_matrix, layer_of
from chainrule.heart.chain_rule import Gradients, Trace
from chainrule.heart.initialisation import scheme_called
from chainrule.heart.outputs import Loss, Output, output

MOST_LAYERS = 64  # more is a typing error
MOST_PARAMETERS = 10**8  # 0.8 GB of weights
LARGEST_WEIGHT = 1e15  # of a row: a larger one is no number of rows


@dataclass(frozen=True)
class Network:
    """A layered feed-forward network, any number of layers of any width.

    Parameters
    ----------
    layers : sequence of int
        Units of every layer, from the inputs to the outputs: ``[2, 3, 1]``.
    hidden : str or Activation, or a sequence of them, default "tanh"
        Activation of the hidden layers, one for all or one for each: sigmoid,
        tanh, relu, softplus, silu, identity, or an `Activation` of your own.
    output : str, default "identity"
        Output function: identity, sigmoid, softmax, exp.
    loss : str or Loss, optional
        squared, cross_entropy or poisson, the canonical one of the output if left out; or a
        `Loss` of your own.
    bias : bool, default True
        Whether each layer adds a bias b[l].
    skip : bool, default False
        Whether weights W[0] lead from the inputs straight to the outputs, past the hidden
        layers, so that these only have to bend what is not straight.

    Raises
    ------
    ConfigurationError
        If a width is not a positive integer, or a name does not exist.

    Examples
    --------
    The tutorial's network, 2 inputs, 3 hidden units and 1 output:

    >>> import chainrule
    >>> net = chainrule.Network([2, 3, 1], hidden="sigmoid", output="sigmoid",
    ...                         loss="squared", bias=False)
    >>> theta = net.initial(seed=0)
    >>> net.forward(theta, [[0.3, 1.0]]).z[2].shape
    (1, 3)
    """

    layers: Sequence[int]
    # one for all or one for each; from then on always one for each
    hidden: Any = "tanh"
    output: str = "identity"
    loss: str | Loss | None = None
    bias: bool = True
    skip: bool = False
    functions: dict[int, Any] = field(init=False, repr=False, compare=False)
    pair: Output = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        layers = _widths(self.layers)
        n_hidden = len(layers) - 2
        if callable(self.hidden) and not isinstance(self.hidden, Activation):
            raise ConfigurationError(
                f"hidden is {self.hidden!r}; a function of your own needs its derivative: "
                "chainrule.Activation(name, f, df)"
            )
        one = isinstance(self.hidden, str | Activation)
        asked: list[Any] = [self.hidden] * n_hidden if one else list(self.hidden)
        if len(asked) != n_hidden:
            raise ConfigurationError(
                f"{len(asked)} activations for {n_hidden} hidden layers; "
                "give one name for all of them, or one for each"
            )
        chosen = [activation(name) for name in asked]
        pair = output(self.output, self.loss)
        if pair.name == "softmax" and layers[-1] < 2:
            raise ConfigurationError(
                "softmax over 1 output is always 1; give one output for each class, or use sigmoid"
            )
        settle = object.__setattr__
        settle(self, "layers", layers)
        settle(self, "hidden", tuple(f.name if _is_ours(f) else f for f in chosen))
        settle(self, "loss", self.loss if isinstance(self.loss, Loss) else pair.loss)
        for name in ("bias", "skip"):
            asked_for = getattr(self, name)
            if not isinstance(asked_for, bool | np.bool_):
                raise ConfigurationError(f"{name} is {asked_for!r}; it must be True or False")
            settle(self, name, bool(asked_for))
        if self.skip and not n_hidden:
            raise ConfigurationError("a skip layer needs a hidden layer that it can skip")
        settle(self, "pair", pair)
        settle(self, "functions", {**dict(enumerate(chosen, start=2)), len(layers): pair.y_hat})
        if self.n_parameters > MOST_PARAMETERS:
            raise ConfigurationError(
                f"layers {list(layers)} need {self.n_parameters:,} weights "
                f"({self.n_parameters * 8 / 2**30:,.0f} GiB); at most {MOST_PARAMETERS:,} are "
                "allowed, so make the layers narrower"
            )

    def __reduce__(self) -> tuple[Any, ...]:
        return Network, tuple(self.as_dict().values())

    def as_dict(self) -> dict[str, Any]:
        """Return what makes this network, as plain data: ``Network(**net.as_dict())`` equals it."""
        return {
            "layers": list(self.layers),
            "hidden": list(self.hidden),
            "output": self.output,
            "loss": self.loss,
            "bias": self.bias,
            "skip": self.skip,
        }

    @property
    def without_hidden_layers(self) -> Network:
        """The network with the same inputs and outputs, and nothing in between."""
        ends = self.layers[0], self.layers[-1]
        return Network(ends, output=self.output, loss=self.loss, bias=self.bias)

    @property
    def foreign(self) -> bool:
        """Whether a function is not one of ours, so that nothing is known of its derivative."""
        return isinstance(self.loss, Loss) or any(isinstance(f, Activation) for f in self.hidden)

    # ------------------------------------------------------------ the parameters

    @property
    def n_layers(self) -> int:
        """L, counting the input layer."""
        return len(self.layers)

    @cached_property
    def n_parameters(self) -> int:
        """p, the length of θ."""
        layered = sum((d_in + self.bias) * d_out for d_in, d_out in pairwise(self.layers))
        return layered + self.skip * self.layers[0] * self.layers[-1]

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shape of each matrix and bias, in the order of θ."""
        shapes: dict[str, tuple[int, ...]] = {}
        if self.skip:
            shapes["W[0]"] = (self.layers[0], self.layers[-1])
        for l, (d_in, d_out) in enumerate(pairwise(self.layers), start=1):
            shapes[f"W[{l}]"] = (d_in, d_out)
            if self.bias:
                shapes[f"b[{l}]"] = (d_out,)
        return shapes

    def blocks(self) -> dict[str, slice]:
        """Return where each matrix and bias lies in θ: ``{"W[1]": slice(0, 6), …}``."""
        blocks, start = {}, 0
        for name, shape in self.shapes().items():
            blocks[name] = slice(start, start + prod(shape))
            start += prod(shape)
        return blocks

    def check_size(self, theta: Any) -> None:
        """Raise DataError unless the array θ holds as many numbers as there are parameters."""
        if theta.shape != (self.n_parameters,):
            raise DataError(
                f"theta has shape {theta.shape}; layers {list(self.layers)} with "
                f"bias={self.bias} take ({self.n_parameters},)"
            )

    def weights(self, theta: Any) -> tuple[dict[int, Any], dict[int, Any]]:
        """Return W and b as views of the array θ: writing to ``W[1]`` changes θ.

        Parameters
        ----------
        theta : ndarray (p,)

        Returns
        -------
        W : dict of ndarray, W[l] (d[l], d[l+1]); with a skip layer W[0] (d[1], d[L])
        b : dict of ndarray, b[l] (d[l+1],); empty without biases
        """
        theta = np.asarray(theta)
        self.check_size(theta)
        W: dict[int, Any] = {}
        b: dict[int, Any] = {}
        start = 0
        for name, shape in self.shapes().items():
            end = start + prod(shape)
            (W if is_matrix(name) else b)[layer_of(name)] = theta[start:end].reshape(shape)
            start = end
        return W, b

    def is_weight(self) -> Array:
        """Return 1 for each entry of θ that is a weight, 0 for each bias: what L2 penalizes."""
        mask = np.ones(self.n_parameters)
        for name, block in self.blocks().items():
            if name.startswith("b"):
                mask[block] = 0.0
        return mask

    def initial(self, seed: int | np.random.Generator | None = 0, scheme: str = "auto") -> Array:
        """Draw a starting point θ.

        Parameters
        ----------
        seed : int, Generator or None, default 0
            The same seed gives the same θ, everywhere; None gives a new one every time.
        scheme : {"auto", "nguyen_widrow", "scaled", "normal"}
            See `heart.initialisation`; ``"normal"`` is N(0, 1), as the tutorial draws them.

        Returns
        -------
        ndarray (p,)
        """
        if isinstance(seed, int | np.integer) and seed < 0:
            raise ConfigurationError(f"seed is {seed}; it must not be negative")
        rng, p = np.random.default_rng(seed), self.n_parameters
        return scheme_called(scheme)(self, rng.standard_normal(p), rng.uniform(-1.0, 1.0, p))

    # ------------------------------------------------------------ the equations

    def forward(self, theta: Any, X: ArrayLike) -> Trace:
        """Carry X through the network and keep everything on the way.

        Parameters
        ----------
        theta : ndarray (p,)
        X : array_like (n, d[1])

        Returns
        -------
        Trace
            ``trace.z[2..L]``, ``trace.a[1..L]`` and ``trace.y_hat``.
        """
        W, b = self.weights(theta)
        return chain_rule.forward(self.inputs(X), W, b, self.functions)

    def backward(
        self, theta: Any, trace: Trace, Y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> Gradients:
        """Propagate the error at the output back to every weight.

        Parameters
        ----------
        theta : ndarray (p,)
        trace : Trace
            From `forward`, at the same θ.
        Y : array_like (n, d[L])
            Targets.
        sample_weight : array_like (n,), optional
            One weight for each row; all 1 if left out.

        Returns
        -------
        Gradients
            ``grads.delta[2..L]``, ``grads.dJdW[1..L-1]``, ``grads.dJdb`` and
            ``grads.vector``, all of the cost without penalty.
        """
        W, b = self.weights(theta)
        z_L = trace.z[self.n_layers]
        delta_L = self.pair.delta(z_L, self.targets(Y, len(z_L)))
        if sample_weight is not None:
            delta_L = row_weights(sample_weight, len(z_L))[:, None] * delta_L
        return chain_rule.backward(delta_L, trace, W, b, self.functions)

    def cost(
        self, theta: Any, X: ArrayLike, Y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> Any:
        """Return J = Σ_i w_i ℓ(y_i, ŷ_i): a sum over rows and outputs, one float.

        For the squared loss J = ½ Σ (y - ŷ)².
        """
        z_L = self.forward(theta, X).z[self.n_layers]
        losses = self.pair.cost(z_L, self.targets(Y, len(z_L)))
        J = row_weights(sample_weight, len(z_L)) @ losses
        return J if np.iscomplexobj(J) else float(J)

    def jacobian(self, theta: Any, X: ArrayLike) -> Any:
        """Return dŷ/dθ, (n, d[L], p): how every output of every row depends on every weight."""
        trace = self.forward(theta, X)
        W, b = self.weights(theta)
        slope = self.pair.slope(trace.z[self.n_layers])
        return chain_rule.jacobian(slope, trace, W, b, self.functions)

    # ------------------------------------------------------------ checked arguments

    def inputs(self, X: ArrayLike) -> Array:
        """Return X as a float matrix (n, d[1]), or raise DataError."""
        return real_matrix(X, self.layers[0], "X", "inputs")

    def targets(self, Y: ArrayLike, n: int) -> Array:
        """Return Y as a float matrix (n, d[L]), or raise DataError."""
        Y = np.asarray(Y)
        if Y.ndim == 1 and self.layers[-1] == 1:
            Y = Y[:, None]
        Y = real_matrix(Y, self.layers[-1], "Y", "outputs")
        if len(Y) != n:
            raise DataError(f"X has {n} rows and Y has {len(Y)}; they must have the same rows")
        return Y


def _is_ours(f: Activation) -> bool:
    return ACTIVATIONS.get(f.name) is f


def _widths(layers: Any) -> tuple[int, ...]:
    try:
        widths = tuple(layers)
    except TypeError:
        widths = ()
    if len(widths) < 2:
        raise ConfigurationError(
            f"layers {layers!r} is not a network; give at least inputs and outputs, as in [2, 3, 1]"
        )
    if len(widths) > MOST_LAYERS:
        raise ConfigurationError(f"{len(widths)} layers; at most {MOST_LAYERS} are allowed")
    for width in widths:
        whole = isinstance(width, int | np.integer) and not isinstance(width, bool)
        if not whole or width < 1:
            raise ConfigurationError(
                f"layer width {width!r} in {list(widths)} must be a whole number of at least 1"
            )
    return tuple(int(width) for width in widths)


def real_matrix(A: Any, columns: int, name: str, what: str) -> Array:
    """Return A as a float matrix with so many columns, or raise DataError."""
    if isinstance(A, np.ma.MaskedArray) and np.ma.is_masked(A):
        raise DataError(f"{name} is a masked array; its mask would be lost, so fill or drop rows")
    found = np.asarray(A)
    if found.dtype.kind not in "biufO":
        raise DataError(f"{name} holds {found.dtype.name}; convert it to real numbers")
    try:
        matrix: Array = found.astype(np.float64, order="C")
    except (TypeError, ValueError) as error:
        raise DataError(f"{name} is not a matrix of numbers: {error}") from None
    if matrix.ndim != 2 or matrix.shape[1] != columns:
        raise DataError(
            f"{name} has shape {matrix.shape}; a network with {columns} {what} takes "
            f"(rows, {columns})"
        )
    return matrix


def row_weights(sample_weight: ArrayLike | None, n: int) -> Array:
    """Return one weight for each row, (n,), all 1 by default, or raise DataError."""
    if sample_weight is None:
        return np.ones(n)
    try:
        w = np.array(sample_weight, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(f"sample_weight is not a list of numbers: {error}") from None
    if w.shape != (n,):
        raise DataError(f"sample_weight has shape {w.shape}; {n} rows take ({n},)")
    wrong = np.flatnonzero(~((w >= 0) & (w <= LARGEST_WEIGHT)))
    if len(wrong):
        raise DataError(
            f"the weight of row {wrong[0]}, counted from 0, is {w[wrong[0]]:g}; sample_weight must "
            f"be finite, not negative, and at most {LARGEST_WEIGHT:g}"
        )
    if not n or w.max() < 1.0 / LARGEST_WEIGHT:
        raise DataError(
            f"the largest of sample_weight is {w.max(initial=0.0):g}; they must not all be zero, "
            f"and one at least {1.0 / LARGEST_WEIGHT:g}: how they compare is what counts"
        )
    return w
