"""Calibrate the variance of the noise and the covariance of the weights on held-out errors.

The variance of the error of a row that a fit has not seen is about σ_k² + a h σ²: the noise in
output k, and for what is not known of the prediction h in units of σ², the mean of σ_k². Where
weights are many both are larger than the fit itself says. The two are those for which the errors
are most probable; a log-normal prior keeps a near 1 where rows are few.
"""

from __future__ import annotations

import numpy as np

from chainrule._contracts import Array

PRIOR_SD = 1.0  # of ln a, and of the same factor of the variance of log odds
FURTHEST = 4.0  # on the way, from where it begins, in logarithms
LEAST_FREEDOM = 3.0  # with 2 degrees of freedom Student's t has no variance any more


def calibrated(squares: Array, h: Array, rows: Array) -> tuple[float, Array]:
    """Return a, and σ_k² of each output, (K,).

    Parameters
    ----------
    squares : ndarray (n, K)
        Of errors of rows, each by a fit without it.
    h : ndarray (n, K)
        The variance of each prediction, in units of the noise.
    rows : ndarray (n,)
        How many rows each of them is.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> h = rng.uniform(0.0, 4.0, (1000, 1))
    >>> errors = rng.standard_normal((1000, 1)) * np.sqrt(4.0 * (1.0 + 3.0 * h))
    >>> a, variance = calibrated(errors**2, h, np.ones(1000))
    >>> 2.5 < a < 3.5, bool(3.5 < variance[0] < 4.5)
    (True, True)
    """
    from scipy import optimize  # late: loading it takes longer than most fits

    counts, n = rows / rows.sum(), float(rows.sum())
    mean = np.maximum(counts @ (squares / (1.0 + h)), np.finfo(np.float64).tiny)

    def parts(logs: Array) -> tuple[float, Array]:
        return float(np.exp(logs[0])), mean * np.exp(logs[1:])

    def cost(logs: Array) -> float:
        a, noise = parts(logs)
        variance = noise + a * noise.mean() * h
        of_rows = counts @ (np.log(variance / mean) + squares / variance)
        return float(0.5 * n * of_rows.sum() + 0.5 * (logs[0] / PRIOR_SD) ** 2)

    bounds = [(-FURTHEST, FURTHEST)] * (1 + len(mean))
    found = optimize.minimize(cost, np.zeros(1 + len(mean)), method="L-BFGS-B", bounds=bounds)
    return parts(found.x)


def variance_of_t(freedom: float) -> float:
    """Return the variance of Student's t: how much more uncertain a new row is if σ² is not known.

    Gelman et al. 2013, Bayesian Data Analysis, 3rd edition, section 14.2: with σ² known from few
    numbers only, what is predicted is Student's t with as many degrees of freedom, here at least
    `LEAST_FREEDOM`.

    Examples
    --------
    >>> variance_of_t(10.0), variance_of_t(1.0)
    (1.25, 3.0)
    """
    freedom = max(freedom, LEAST_FREEDOM)
    return freedom / (freedom - 2.0)
