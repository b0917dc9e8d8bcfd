"""The posterior of weights and noise, and the uncertainty of predictions.

Around each minimum the weights are as probable as a Gaussian of covariance C = R Rᵀ says, and the
network is taken as linear in them (Foong et al. 2019, arXiv:1906.11537; Immer et al. 2021,
arXiv:2008.08400):

    number    var y = mean over minima of J C Jᵀ + variance over minima of ŷ + noise(x)   J = dŷ/dθ
    classes   log odds / √(1 + s π/8 their variance), where both are taken over minima too
              (MacKay 1992, Neural Computation 4:720, with s = 1)

The Gaussian is too wide for classes that are easy to tell apart, and too narrow where weights are
many; s is calibrated on leave-one-out predictions. The width of an interval is not that of a
Gaussian either but the leave-one-out quantile of the errors in standard deviations: a normalized
jackknife.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from chainrule._contracts import Array
from chainrule.bayes.leverage import jacobians
from chainrule.heart.network import Network
from chainrule.rows.protocol import Rows

MOST_SCORES = 1_000  # quantiles of scores that are kept
BEYOND = 0.05  # of the range of an input that counts as within it


@dataclass(frozen=True, eq=False)
class Precision:
    """How the precision of noise depends on the inputs, in units of one over its mean variance.

    Attributes
    ----------
    network : Network
        With an exp output.
    theta : ndarray
    least, most : float
        What it was for rows that were learned: no other is said to be noisier, or less so.
    """

    network: Network
    theta: Array
    least: float
    most: float

    def at(self, X: Array) -> Array:
        """Return it for each row, (n,)."""
        with np.errstate(over="ignore", under="ignore"):
            y_hat = self.network.forward(self.theta, X).y_hat[:, 0]
        return np.asarray(np.clip(y_hat, self.least, self.most))


@dataclass(frozen=True, eq=False)
class Noise:
    """The variance of what cannot be predicted, in the scale of the network.

    Attributes
    ----------
    variance : ndarray (K,)
        The mean.
    precision : tuple of Precision
        For each output; none where noise is the same everywhere.
    """

    variance: Array
    precision: tuple[Precision, ...] = ()

    def at(self, X: Array) -> Array:
        """Return it for each row, (n, K)."""
        if not self.precision:
            return np.broadcast_to(self.variance, (len(X), len(self.variance)))
        return np.asarray(self.variance / np.column_stack([of.at(X) for of in self.precision]))


@dataclass(frozen=True, eq=False)
class Spread:
    """Z of rows, at each of the minima, and its covariance there.

    Attributes
    ----------
    z : ndarray (m, n, K)
    S : ndarray (m, n, K, K)
    """

    z: Array
    S: Array

    def __getitem__(self, rows: slice) -> Spread:
        return Spread(self.z[:, rows], self.S[:, rows])

    def joint(self) -> tuple[Array, Array]:
        """Return the mean of z over minima, (n, K), and its covariance, (n, K, K)."""
        mean = self.z.mean(axis=0)
        off = self.z - mean
        return mean, self.S.mean(axis=0) + np.einsum("mnk,mnl->nkl", off, off) / len(off)


@dataclass(frozen=True, eq=False)
class Posterior:
    """What is known of weights and noise.

    What it says of rows X it says faster where their `Spread` is known.

    Attributes
    ----------
    theta : ndarray (m, p)
        The minima that predict together, the best first.
    roots : ndarray (m, p, p)
        R of each, upper triangular, in the scale of the network.
    noise : Noise or None
        None where the loss is the logarithm of a probability.
    scores : ndarray (q, K)
        Errors of rows, each without itself, in standard deviations: magnitudes in rising order; of
        many rows evenly chosen ones. Empty for classes.
    n_rows : int
        How many rows there were.
    lowest, highest : ndarray (d,)
        Of each input, in the scale of the network.
    widest : float
        How uncertain the most uncertain row was without itself: see `uncertainty`.
    moderation : float
        s, of classes.
    """

    theta: Array
    roots: Array
    noise: Noise | None
    scores: Array
    n_rows: int
    lowest: Array
    highest: Array
    widest: float
    moderation: float = 1.0

    def __len__(self) -> int:
        return len(self.theta)

    def scaled(self, times: float) -> Posterior:
        """Return it with the variances of weights and noise so many times as large."""
        noise = self.noise
        if noise is not None:
            noise = replace(noise, variance=times * noise.variance)
        return replace(self, roots=np.sqrt(times) * self.roots, noise=noise)

    def spread(self, net: Network, X: Array) -> Spread:
        """Return how z of rows spreads, (n, d[1])."""
        pairs = zip(self.theta, self.roots, strict=True)
        each = [spread(net, theta, root, X) for theta, root in pairs]
        return Spread(np.array([z for z, _ in each]), np.array([S for _, S in each]))

    def z(self, net: Network, X: Array, of: Spread | None = None) -> Array:
        """Return the z of all minima together, moderated by what is not known, (n, K)."""
        if self.moderation == 0.0:
            return np.asarray(np.mean([_z(net, theta, X) for theta in self.theta], axis=0))
        return moderated(net, *(of or self.spread(net, X)).joint(), self.moderation)

    def outputs(self, net: Network, X: Array, of: Spread | None = None) -> Array:
        """Return what all minima together predict, (n, K): numbers, or probabilities."""
        if net.loss == "cross_entropy":
            return np.asarray(net.pair.y_hat(self.z(net, X, of)))
        return np.asarray(np.mean([net.forward(at, X).y_hat for at in self.theta], axis=0))

    def variances(self, net: Network, X: Array, of: Spread | None = None) -> tuple[Array, Array]:
        """Return the variance of ŷ and that of the noise, both (n, K)."""
        of = of or self.spread(net, X)
        slopes = [net.pair.slope(z) for z in of.z]
        pairs = zip(slopes, of.S, strict=True)
        inside = np.mean(
            [np.einsum("nkl,nlm,nkm->nk", slope, S, slope) for slope, S in pairs], axis=0
        )
        said = [net.pair.y_hat(z) for z in of.z]
        between = np.var(said, axis=0)
        noise = np.mean(said, axis=0) if self.noise is None else self.noise.at(X)
        return inside + between, noise

    def variance(self, net: Network, X: Array, of: Spread | None = None) -> Array:
        """Return the variance of ŷ, (n, K)."""
        return self.variances(net, X, of)[0]

    def variance_of_targets(self, net: Network, X: Array, of: Spread | None = None) -> Array:
        """Return the variance of a target, noise included, (n, K)."""
        of_y_hat, noise = self.variances(net, X, of)
        return of_y_hat + noise

    def uncertainty(self, net: Network, X: Array, of: Spread | None = None) -> Array:
        """Return how little is known of each row, (n,).

        The variance of ŷ in units of the noise, summed over outputs; of classes that of the log
        odds.
        """
        if net.loss != "cross_entropy":
            of_y_hat, noise = self.variances(net, X, of)
            return np.asarray((of_y_hat / np.maximum(noise, np.finfo(np.float64).tiny)).sum(axis=1))
        _, S = (of or self.spread(net, X)).joint()
        return np.asarray(np.einsum("nkk->n", _centred(net, S)))

    def is_far(self, net: Network, X: Array) -> NDArray[np.bool_]:
        """Return which rows are far from what was learned from, (n,).

        Beyond the range of an input, or where less is known than of any row without itself.
        """
        room = BEYOND * (self.highest - self.lowest) + 1e-9
        outside = np.any((X < self.lowest - room) | (X > self.highest + room), axis=1)
        return np.asarray(outside | (self.uncertainty(net, X) > self.widest))

    def multiplier(self, coverage: float) -> Array:
        """Return how many standard deviations to either side cover so many of the rows, (K,)."""
        level = np.ceil(coverage * (self.n_rows + 1)) / self.n_rows
        if level <= 1.0:
            return np.asarray(np.quantile(self.scores, level, axis=0, method="inverted_cdf"))
        # too few rows to have counted so far: what a t distribution says, if that is more
        from scipy import special  # late: loading it takes longer than most fits

        tail = special.stdtrit(max(1, self.n_rows - 1), 0.5 + 0.5 * coverage)
        return np.asarray(np.maximum(self.scores.max(axis=0), tail))

    def covered(self, coverage: float, widening: float = 1.0) -> float:
        """Return the share of rows that ± so many Gaussian standard deviations would have held.

        `widening` is by what the variance was multiplied after the scores had been taken.
        """
        most = np.sqrt(widening) * NormalDist().inv_cdf(0.5 + 0.5 * coverage)
        return float(np.mean(self.scores <= most))


def _z(net: Network, theta: Array, X: Array) -> Array:
    return np.asarray(net.forward(theta, X).z[net.n_layers])


def moderated(net: Network, z: Array, S: Array, moderation: float) -> Array:
    """Return log odds that allow for s times their variance, (n, K).

    Of a softmax what counts are differences: their variance is about that of z around the mean of
    all z times 2 K / (K - 1), as it is exactly if all z are equally uncertain, or K is 2.
    """
    variance = np.einsum("nkk->nk", _centred(net, S))
    if net.output == "softmax":
        z = z - z.mean(axis=1, keepdims=True)
        variance = variance * 2.0 * net.layers[-1] / (net.layers[-1] - 1.0)
    return np.asarray(z / np.sqrt(1.0 + moderation * np.pi / 8.0 * variance))


def _centred(net: Network, S: Array) -> Array:
    """Return the covariance of z, of a softmax without what all z have in common, not seen."""
    if net.output != "softmax":
        return S
    S = S - S.mean(axis=1, keepdims=True)
    return np.asarray(S - S.mean(axis=2, keepdims=True))


def spread(net: Network, theta: Array, root: Array, X: Array) -> tuple[Array, Array]:
    """Return z, (n, K), and its covariance S, (n, K, K)."""
    K = net.layers[-1]
    z, S = np.empty((len(X), K)), np.empty((len(X), K, K))
    for rows, z_here, dz in jacobians(net, theta, X):
        moved = (dz.reshape(-1, dz.shape[2]) @ root).reshape(dz.shape)
        z[rows], S[rows] = z_here, moved @ moved.swapaxes(1, 2)
    return z, S


def spread_of_rows(net: Network, theta: Array, root: Array, rows: Rows) -> tuple[Array, Array]:
    """Return the same of rows, wherever they are."""
    z, S = rows.map(lambda of: spread(net, theta, root, of.X))
    return z, S


def z_of(net: Network, theta: Array, rows: Rows) -> Array:
    """Return z[L] of rows, (n, K)."""
    z: Array = rows.map(lambda of: _z(net, theta, of.X))
    return z


def thinned(magnitudes: Array, counts: Array) -> Array:
    """Return magnitudes (n, K) in rising order, each so often; of many evenly chosen ones."""
    m = int(min(round(float(counts.sum())), MOST_SCORES))
    levels = (np.arange(m) + 1.0) / m * (1.0 - 1e-12)
    columns = []
    for column in magnitudes.T:
        order = np.argsort(column, kind="stable")
        below = np.cumsum(counts[order])
        columns.append(column[order[np.searchsorted(below, levels * below[-1])]])
    return np.column_stack(columns)
