"""Is what a fit says of itself true on fresh rows? Simulated tables, everything as it comes.

Each table has rows from 20 to 500, columns from 2 to 30, and one of three truths: a linear one, a
bent one, and none at all. `NetworkRegressor()` and `NetworkClassifier()` are fitted to it, and what
they say is compared with 1,000 fresh rows of the same kind: the leave-one-out error with the error,
± 1.96 standard deviations and the 95 % interval with how many rows they hold, and of classes the
leave-one-out log loss with the log loss. Ratios are geometric means over tables.

    python benchmarks/honesty.py 3        three tables of each kind
"""

from __future__ import annotations

import sys
import warnings

import numpy as np

from _timing import machine
from chainrule import NetworkClassifier, NetworkRegressor

ROWS, COLUMNS = (20, 50, 100, 200, 500), (2, 5, 10, 30)
NOISE, FRESH, TABLES = 0.3, 1_000, 4
UNITS = 10  # of the default
TRUTHS = {
    "linear": lambda X: X[:, 0] - X[:, 1] + 0.5 * X[:, -1],
    "bent": lambda X: np.sin(2 * X[:, 0]) + 0.5 * X[:, 1] ** 2,
    "none": lambda X: np.zeros(len(X)),
}
RATIOS = ((0.0, 0.3), (0.3, 1.0), (1.0, 3.0), (3.0, np.inf))  # rows for each weight
TOO_FEW = 5  # of a class, below which nothing is asked


def table(n, d, truth, seed):
    """Return inputs, targets and classes of n rows, and of fresh ones."""
    rng = np.random.default_rng([n, d, list(TRUTHS).index(truth), seed])
    X = rng.standard_normal((n + FRESH, d))
    f = TRUTHS[truth](X)
    y = f + NOISE * rng.standard_normal(len(X))
    classes = rng.uniform(size=len(X)) < 1.0 / (1.0 + np.exp(-2.0 * (f - f.mean())))
    return X[:n], y[:n], classes[:n], X[n:], y[n:], classes[n:]


def of_numbers(X, y, X_new, y_new):
    """Return leave-one-out error over error, and what standard deviations and intervals hold."""
    fitted = NetworkRegressor().fit(X, y)
    mean, std = fitted.predict(X_new, return_std=True)
    lower, upper = fitted.predict_interval(X_new)
    error = float(np.sqrt(np.mean((mean - y_new) ** 2)))
    return [
        np.log(fitted.loo_scores_["y"]["rmse"] / error),
        np.mean(np.abs(mean - y_new) <= 1.96 * std),
        np.mean((lower <= y_new) & (y_new <= upper)),
        error,
    ]


def of_classes(X, c, X_new, c_new):
    """Return the logarithm of the leave-one-out log loss over the log loss."""
    fitted = NetworkClassifier().fit(X, c)
    p = fitted.predict_proba(X_new)[np.arange(len(c_new)), c_new.astype(int)]
    return np.log(fitted.loo_scores_["class"]["log_loss"] / -np.mean(np.log(p)))


def simulated(tables):
    """Return one row for each table: n, d, truth, and what came out, NaN where nothing did."""
    found = []
    for n in ROWS:
        for d in (d for d in COLUMNS if d < n):
            for k, truth in enumerate(TRUTHS):
                for seed in range(tables):
                    X, y, c, X_new, y_new, c_new = table(n, d, truth, seed)
                    row = [n, d, k, *of_numbers(X, y, X_new, y_new), np.nan]
                    if min(c.sum(), (~c).sum()) >= TOO_FEW:
                        row[-1] = of_classes(X, c, X_new, c_new)
                    found.append(row)
        print(f"{n} rows: {len(found)} tables", flush=True)
    return np.array(found)


def line(name, rows):
    """Return one line of the table of results."""
    of_error, within, held, error, of_loss = np.nanmean(rows[:, 3:], axis=0)
    return (
        f"| {name} | {len(rows)} | {error:.3f} | {np.exp(of_error):.2f} | {within:.1%} | "
        f"{held:.1%} | {np.exp(of_loss):.2f} |"
    )


def run(tables=TABLES):
    """Return the section of RESULTS.md."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # where there is no truth, none is found
        found = simulated(tables)
    ratio = found[:, 0] / (UNITS * (found[:, 1] + 2) + 1)
    lines = [
        "## Is what a fit says of itself true on fresh rows?",
        "",
        f"{len(found):,} simulated tables of numbers, and as many of classes where there were",
        f"{TOO_FEW} of each; noise {NOISE}; estimators as they come. Leave-one-out over fresh:",
        "1 is honest, less is too sure.",
        "",
        "| tables | | error | leave-one-out / fresh | ± 1.96 std hold | 95 % intervals hold | "
        "log loss, leave-one-out / fresh |",
        "| --- " * 7 + "|",
        line("all", found),
    ]
    lines += [line(f"truth {name}", found[found[:, 2] == k]) for k, name in enumerate(TRUTHS)]
    lines += [line(f"{n} rows", found[found[:, 0] == n]) for n in ROWS]
    lines += [line(f"{d} columns", found[found[:, 1] == d]) for d in COLUMNS]
    for low, high in RATIOS:
        name = (
            f"{low:g} to {high:g} rows for each weight" if np.isfinite(high) else f"{low:g} or more"
        )
        lines.append(line(name, found[(ratio >= low) & (ratio < high)]))
    return lines


if __name__ == "__main__":
    print(machine(), *run(*map(int, sys.argv[1:2])), sep="\n")
