"""The L2 penalty on the weights: ½ Σ α_j θ_j², its gradient and its Hessian.

`decay` holds one α_j per parameter: α for a weight, 0 for a bias, because a bias
only shifts and does not bend the fitted function. The tutorial's series calls α
lambda.
"""

from __future__ import annotations

import numpy as np

from chainrule._contracts import Array, Evaluation


def l2(theta: Array, decay: Array, order: int) -> Evaluation:
    """Evaluate the penalty.

    Parameters
    ----------
    theta : ndarray (p,)
    decay : ndarray (p,)
        α_j ≥ 0 for each parameter.
    order : {0, 1, 2}
        How many derivatives are wanted.

    Returns
    -------
    Evaluation
        J = ½ Σ decay θ², g = decay θ, H = diag(decay).
    """
    g = decay * theta
    return Evaluation(
        0.5 * float(g @ theta),
        g if order >= 1 else None,
        np.diag(decay) if order >= 2 else None,
    )
