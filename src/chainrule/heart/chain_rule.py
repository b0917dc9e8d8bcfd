"""The chain rule for a layered network: forward, backward, Jacobian.

Layers are counted from 1 (the input) to L (the output). Rows of a matrix are
examples; row i of each formula belongs to example i. With one hidden layer, L = 3,
these are the seven equations of the tutorial, and nothing changes but L when the
network grows deeper.

Forward, for l = 1, ..., L-1, from a[1] = X::

    z[l+1] = a[l] W[l] + b[l]             (to z[L] a skip layer adds X W[0]) (1, 3)
    a[l+1] = f[l+1](z[l+1])                                                (2, 4)
    y_hat  = a[L]
    J      = sum over the rows of the loss of y_hat, e.g. ½ (y - y_hat)²   (5)

Backward, from delta[L] = dJ/dz[L]; for l = L-1, ..., 1::

    dJdW[l]  = a[l]ᵀ delta[l+1]                                            (6, 7)
    dJdb[l]  = sum over the rows of delta[l+1]              dJdW[0] = Xᵀ delta[L]
    delta[l] = delta[l+1] W[l]ᵀ * f[l]'(z[l])          (* is element by element)

The product with a[l]ᵀ is also the sum over the examples: "every example gets a vote".
For the seed's squared cost delta[3] = -(y - y_hat) * f'(z[3]).

The Jacobian is the same recursion, carried out once for every output k, with the
rows kept apart instead of summed::

    B[l] = dy_hat/dz[l];   B[l] = B[l+1] W[l]ᵀ * f[l]'(z[l])
    dydW[l][i, k] = outer(a[l][i], B[l+1][i, k])

Shapes, with n rows and d[l] units in layer l::

    X, z[l], a[l], delta[l]    (n, d[l])          W[l], dJdW[l]    (d[l], d[l+1])
    B[l]                       (n, d[L], d[l])    b[l], dJdb[l]    (d[l+1],)

A network without biases has an empty b. W[0], (d[1], d[L]), leads past the hidden layers.

References
----------
Rumelhart, Hinton & Williams (1986), Nature 323:533; Bishop (1995), Neural Networks for
Pattern Recognition, sec. 4.8 (backpropagation) and sec. 4.9 (the Jacobian).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Matrices = Mapping[int, NDArray[Any]]


class Function(Protocol):
    """An activation: f(z), and its derivative f.prime(z)."""

    def __call__(self, z: Any) -> Any:
        """Return f(z)."""

    def prime(self, z: Any) -> Any:
        """Return f'(z)."""


@dataclass(frozen=True)
class Trace:
    """Everything the forward pass computed: z[2..L], a[1..L]; a[1] is X, a[L] is y_hat."""

    z: dict[int, NDArray[Any]]
    a: dict[int, NDArray[Any]]

    @property
    def y_hat(self) -> NDArray[Any]:
        """The prediction a[L], (n, d[L])."""
        return self.a[max(self.a)]


@dataclass(frozen=True)
class Gradients:
    """Everything the backward pass computed: delta[2..L], dJdW and dJdb[1..L-1]."""

    delta: dict[int, NDArray[Any]]
    dJdW: dict[int, NDArray[Any]]
    dJdb: dict[int, NDArray[Any]]

    @property
    def vector(self) -> NDArray[Any]:
        """The gradient dJ/dθ, (p,), in the order of θ: (W[0]), W[1], (b[1]), W[2], …"""
        return np.concatenate(
            [d[l].ravel() for l in sorted(self.dJdW) for d in (self.dJdW, self.dJdb) if l in d]
        )


def ends(l: int, L: int) -> tuple[int, int]:
    """Return the layers that W[l] connects."""
    return (l, l + 1) if l else (1, L)


def forward(
    X: NDArray[Any], W: Matrices, b: Matrices, f: Mapping[int, Callable[[Any], Any]]
) -> Trace:
    """Propagate the inputs X through the network; f[l] is the function of layer l."""
    z: dict[int, NDArray[Any]] = {}
    a = {1: X}
    for l in range(1, max(W) + 1):
        z[l + 1] = a[l] @ W[l] + b.get(l, 0.0)
        if l == max(W) and 0 in W:
            z[l + 1] += X @ W[0]
        a[l + 1] = f[l + 1](z[l + 1])
    return Trace(z, a)


def backward(
    delta_L: NDArray[Any], trace: Trace, W: Matrices, b: Matrices, f: Mapping[int, Function]
) -> Gradients:
    """Propagate delta_L = dJ/dz[L] back to every weight.

    Sample weights are already in delta_L: its row i is multiplied by that of example i.
    """
    z, a = trace.z, trace.a
    delta, dJdW, dJdb = {max(z): delta_L}, {}, {}
    for l in sorted(W, reverse=True):
        start, end = ends(l, max(z))
        dJdW[l] = a[start].T @ delta[end]
        if l in b:
            dJdb[l] = delta[l + 1].sum(axis=0)
        if l > 1:
            delta[l] = delta[l + 1] @ W[l].T * f[l].prime(z[l])
    return Gradients(delta, dJdW, dJdb)


def jacobian(
    B_L: NDArray[Any], trace: Trace, W: Matrices, b: Matrices, f: Mapping[int, Function]
) -> NDArray[Any]:
    """Differentiate every output of every row with respect to θ.

    B_L, (n, K, d[L]), says of what: the identity gives dz[L]/dθ, the slope of the
    output function gives dy_hat/dθ. Returns (n, K, p) in the order of θ.
    """
    z, a = trace.z, trace.a
    n, K = B_L.shape[:2]
    B, columns = {max(z): B_L}, []
    for l in sorted(W, reverse=True):
        start, end = ends(l, max(z))
        if l in b:
            columns.append(B[end])
        columns.append((a[start][:, None, :, None] * B[end][:, :, None, :]).reshape(n, K, -1))
        if l > 1:
            B[l] = B[end] @ W[l].T * f[l].prime(z[l])[:, None, :]
    return np.concatenate(columns[::-1], axis=2)
