"""How often each stage of a fit looks at all rows.

A look at a sample, or at a fold, counts as the share of the rows that it is.
"""

from __future__ import annotations

import time
import warnings

import numpy as np
from sklearn.datasets import load_diabetes

from _timing import machine
from chainrule import NetworkClassifier, NetworkRegressor

STAGES = ("prepare", "choose", "minimize", "posterior")
N = 100_000


def tutorial():
    """Return the three rows of the tutorial."""
    return np.array([[3.0, 5.0], [5.0, 1.0], [10.0, 2.0]]), np.array([75.0, 82.0, 93.0])


def many():
    """Return many rows of two classes."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((N, 10))
    return X, np.sin(2.0 * X[:, 0]) + X[:, 1] * X[:, 2] > 0.3 * rng.standard_normal(N)


def run():
    """Return the section of RESULTS.md."""
    tables = {
        "tutorial, 3 x 2-3-1": (NetworkRegressor(3), *tutorial()),
        "diabetes, 442 x 10-10-1": (NetworkRegressor(), *load_diabetes(return_X_y=True)),
        f"classes, {N:,} x 10-10-1": (NetworkClassifier(), *many()),
    }
    lines = [
        "## Passes over the rows, by stage",
        "",
        "Estimators as they come. An evaluation of a sample of the rows, or without a fold, counts",
        "as the share of the rows that it is. Preparing took 22 passes when scaling, moments,",
        "checks and the baseline each went over the rows by themselves.",
        "",
        "| table | " + " | ".join(STAGES) + " | all | s |",
        "|---" * (len(STAGES) + 3) + "|",
    ]
    for name, (estimator, X, y) in tables.items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # three rows say little
            began = time.perf_counter()
            passes = estimator.fit(X, y).passes_
        seconds = time.perf_counter() - began
        counts = [passes[stage] for stage in STAGES]
        shown = " | ".join(f"{n:,.0f}" for n in [*counts, sum(counts)])
        lines.append(f"| {name} | {shown} | {seconds:.2f} |")
    return lines


if __name__ == "__main__":
    print(machine(), *run(), sep="\n")
