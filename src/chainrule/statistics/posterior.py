"""What is known after training: which weights, how noisy the targets, and so how sure a prediction.

Around each minimum the weights are as probable as a Gaussian of covariance C = R Rᵀ says, and the
network is taken as linear in them (Foong et al. 2019, arXiv:1906.11537; Immer et al. 2021,
arXiv:2008.08400):

    number    var y = mean over minima of J C Jᵀ + variance over minima of ŷ + noise(x)   J = dŷ/dθ
    classes   p = f(mean over minima of z_k / √(1 + π S_kk / 8))    S = dz C dzᵀ   (MacKay 1992,
              Neural Computation 4:720)

How wide an interval has to be is not taken from a Gaussian but counted: of the rows that were
learned, each seen by a fit without it, so many errors were at most so many standard deviations
(Vovk et al. 2005, Algorithmic Learning in a Random World; leaving one out).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from chainrule._contracts import Array
from chainrule.heart.network import Network
from chainrule.statistics.influence import jacobians

MOST_SCORES = 1_000
BEYOND = 0.05  # of the range of an input that counts as within it


@dataclass(frozen=True, eq=False)
class Noise:
    """The variance of what cannot be predicted, in the scale of the network.

    Attributes
    ----------
    variance : ndarray (K,)
        The mean.
    networks : tuple of (Network, ndarray)
        For each output a network whose exp output is the precision, in units of one over the mean
        variance; none where noise is the same everywhere.
    """

    variance: Array
    networks: tuple[tuple[Network, Array], ...] = ()

    def at(self, X: Array) -> Array:
        """Return it for each row, (n, K)."""
        if not self.networks:
            return np.broadcast_to(self.variance, (len(X), len(self.variance)))
        precision = [net.forward(theta, X).y_hat[:, 0] for net, theta in self.networks]
        return np.asarray(self.variance / np.column_stack(precision))


@dataclass(frozen=True, eq=False)
class Posterior:
    """What is known of weights and noise.

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
        The largest variance of ŷ for a row without itself: see `uncertainty`.
    """

    theta: Array
    roots: Array
    noise: Noise | None
    scores: Array
    n_rows: int
    lowest: Array
    highest: Array
    widest: float

    def __len__(self) -> int:
        return len(self.theta)

    def z(self, net: Network, X: Array) -> Array:
        """Return the z of all minima together, moderated by what is not known, (n, K)."""
        said = []
        for theta, root in zip(self.theta, self.roots, strict=True):
            z, S = spread(net, theta, root, X)
            said.append(z / np.sqrt(1.0 + np.pi * np.einsum("nkk->nk", S) / 8.0))
        return np.asarray(np.mean(said, axis=0))

    def outputs(self, net: Network, X: Array) -> Array:
        """Return what all minima together predict, (n, K): numbers, or probabilities."""
        if net.loss == "cross_entropy":
            return np.asarray(net.pair.y_hat(self.z(net, X)))
        return np.asarray(np.mean([net.forward(at, X).y_hat for at in self.theta], axis=0))

    def variances(self, net: Network, X: Array) -> tuple[Array, Array]:
        """Return the variance of ŷ and that of the noise, both (n, K)."""
        inside = np.zeros((len(X), net.layers[-1]))
        said = []
        for theta, root in zip(self.theta, self.roots, strict=True):
            z, S = spread(net, theta, root, X)
            slope = net.pair.slope(z)
            inside += np.einsum("nkl,nlm,nkm->nk", slope, S, slope) / len(self)
            said.append(net.pair.y_hat(z))
        between = np.var(said, axis=0)
        noise = said[0] if self.noise is None else self.noise.at(X)
        return inside + between, noise

    def is_far(self, net: Network, X: Array) -> NDArray[np.bool_]:
        """Return which rows are far from what was learned from, (n,).

        Beyond the range of an input, or where ŷ is less certain than for any row without itself.
        """
        room = BEYOND * (self.highest - self.lowest) + 1e-9
        outside = np.any((X < self.lowest - room) | (X > self.highest + room), axis=1)
        return np.asarray(outside | (uncertainty(*self.variances(net, X)) > self.widest))

    def multiplier(self, coverage: float) -> Array:
        """Return how many standard deviations to either side cover so many of the rows, (K,)."""
        level = np.ceil(coverage * (self.n_rows + 1)) / self.n_rows
        if level <= 1.0:
            return np.asarray(np.quantile(self.scores, level, axis=0, method="inverted_cdf"))
        # too few rows to have counted so far: what a t distribution says, if that is more
        tail = stats.t.ppf(0.5 + 0.5 * coverage, max(1, self.n_rows - 1))
        return np.asarray(np.maximum(self.scores.max(axis=0), tail))

    def covered(self, coverage: float) -> float:
        """Return the share of rows that ± so many Gaussian standard deviations would have held."""
        return float(np.mean(self.scores <= stats.norm.ppf(0.5 + 0.5 * coverage)))


def spread(net: Network, theta: Array, root: Array, X: Array) -> tuple[Array, Array]:
    """Return z, (n, K), and its covariance S, (n, K, K)."""
    K = net.layers[-1]
    z, S = np.empty((len(X), K)), np.empty((len(X), K, K))
    for rows, z_here, dz in jacobians(net, theta, X):
        moved = (dz.reshape(-1, dz.shape[2]) @ root).reshape(dz.shape)
        z[rows], S[rows] = z_here, moved @ moved.swapaxes(1, 2)
    return z, S


def uncertainty(of_y_hat: Array, noise: Array) -> Array:
    """Return the variance of ŷ in units of the noise, summed over outputs, (n,)."""
    return np.asarray((of_y_hat / np.maximum(noise, np.finfo(np.float64).tiny)).sum(axis=1))


def thinned(magnitudes: Array) -> Array:
    """Return magnitudes (n, K) in rising order, of many rows evenly chosen ones."""
    ordered = np.sort(magnitudes, axis=0)
    n = len(ordered)
    if n <= MOST_SCORES:
        return ordered
    levels = (np.arange(MOST_SCORES) + 1.0) / MOST_SCORES
    return np.asarray(ordered[np.ceil(levels * n).astype(int) - 1])
