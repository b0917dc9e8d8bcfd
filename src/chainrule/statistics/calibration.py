"""How large noise and posterior have to be, by rows that a fit has not seen.

The square of the error of such a row is about σ² (1 + a h): σ² of noise, and h of it for what is
not known of its prediction. Where weights are many both are larger than the fit itself says. The
two are those for which the errors are most probable; few rows leave a near 1.
"""

from __future__ import annotations

import numpy as np
from scipy import optimize

from chainrule._contracts import Array

UNSURE = 1.0  # standard deviation of ln a before any data
FURTHEST = 4.0  # standard deviations


def calibrated(squares: Array, h: Array, rows: Array) -> tuple[float, Array]:
    """Return a, and σ² of each output, (K,).

    Parameters
    ----------
    squares : ndarray (n, K)
        Of errors of rows, each by a fit without it.
    h : ndarray (n, K)
        The variance of each prediction, in units of that of the noise.
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
    tiny = np.finfo(np.float64).tiny

    def noise(a: float) -> Array:
        return np.asarray(np.maximum(rows @ (squares / (1.0 + a * h)) / rows.sum(), tiny))

    def cost(log_a: float) -> float:
        a = float(np.exp(log_a))
        of_rows = rows @ np.log1p(a * h) + rows.sum() * np.log(noise(a))
        return 0.5 * float(of_rows.sum()) + 0.5 * (log_a / UNSURE) ** 2

    bound = FURTHEST * UNSURE
    found = optimize.minimize_scalar(cost, bounds=(-bound, bound), method="bounded")
    a = float(np.exp(found.x))
    return a, noise(a)
