"""Is what a fit says of itself true on fresh rows? Simulated tables, everything as it comes.

Each table has rows from 20 to 2,000, columns from 2 to as many as there are rows, noise from a
tenth to as much as there is to learn, one of three truths - a linear one, a bent one, and none at
all - and is fitted with 3 units or with 10. What `NetworkRegressor(units)` and
`NetworkClassifier(units)` say is compared with 1,000 fresh rows of the same kind: the leave-one-out
error with the error, ± 1.96 standard deviations and the 95 % interval with how many rows they hold,
and of classes the leave-one-out log loss with the log loss. Ratios of errors are geometric means
over tables; that of log losses is of their means, since the logarithm of a mean over few rows is
too low. In brackets the lowest and the highest of the cells of rows, columns and truth.

    python benchmarks/honesty.py 4        a fourth of all tables
"""

from __future__ import annotations

import itertools
import sys
import time
import warnings

import numpy as np

from _timing import RESULTS, machine
from chainrule import NetworkClassifier, NetworkRegressor
from chainrule.pictures.style import BLACK, BLUE, ORANGE, figure, save

PICTURE = RESULTS.with_name("honesty.png")
# rows, columns, tables of each truth
CELLS = (
    *((20, d, 48) for d in (2, 5, 10)),
    (20, 20, 24),
    *((50, d, 48) for d in (2, 5, 10)),
    (50, 30, 12),
    (50, 50, 18),
    *((100, d, 48) for d in (2, 5, 10)),
    (100, 30, 12),
    *((200, d, 42) for d in (2, 5, 10)),
    (200, 30, 12),
    *((500, d, 24) for d in (2, 5, 10)),
    (500, 30, 6),
    *((2_000, d, 6) for d in (2, 5, 10)),
)
UNITS, NOISE, FRESH = (3, 10), (0.1, 0.3, 1.0), 1_000
TRUTHS = {
    "linear": lambda X: X[:, 0] - X[:, 1] + 0.5 * X[:, -1],
    "bent": lambda X: np.sin(2 * X[:, 0]) + 0.5 * X[:, 1] ** 2,
    "none": lambda X: np.zeros(len(X)),
}
SHARES = (0.0, 0.1, 0.2, 0.3, 1.0)  # γ for each number that was learned
TOO_FEW = 5  # of a class, below which nothing is asked
COLUMNS = [
    "n",
    "d",
    "truth",
    "units",
    "noise",
    "share",
    "folds",
    "error",
    "loo",
    "within",
    "held",
    "log_loss_left_out",
    "log_loss",
    "seconds",
]


def table(n, d, truth, noise, seed):
    """Return inputs, targets and classes of n rows, and of fresh ones."""
    rng = np.random.default_rng([n, d, list(TRUTHS).index(truth), seed])
    X = rng.standard_normal((n + FRESH, d))
    f = TRUTHS[truth](X)
    y = f + noise * rng.standard_normal(len(X))
    classes = rng.uniform(size=len(X)) < 1.0 / (1.0 + np.exp(-2.0 * (f - f.mean())))
    return X[:n], y[:n], classes[:n], X[n:], y[n:], classes[n:]


def of_numbers(units, X, y, X_new, y_new):
    """Return γ's share, folds, error, log of loo over it, what deviations and intervals hold."""
    fitted = NetworkRegressor(units).fit(X, y)
    mean, std = fitted.predict(X_new, return_std=True)
    lower, upper = fitted.predict_interval(X_new)
    error = float(np.sqrt(np.mean((mean - y_new) ** 2)))
    known = fitted.model_.report.posterior
    refits = known.leave_one_out.refits
    return [
        known.gamma_per_observation,
        0 if refits is None else refits.n_folds,
        error,
        np.log(fitted.loo_scores_["y"]["rmse"] / error),
        np.mean(np.abs(mean - y_new) <= 1.96 * std),
        np.mean((lower <= y_new) & (y_new <= upper)),
    ]


def of_classes(units, X, c, X_new, c_new):
    """Return the leave-one-out log loss, and the log loss of fresh rows."""
    fitted = NetworkClassifier(units).fit(X, c)
    p = fitted.predict_proba(X_new)[np.arange(len(c_new)), c_new.astype(int)]
    return [fitted.loo_scores_["class"]["log_loss"], -np.mean(np.log(p))]


def simulated(part):
    """Return one row for each table, as COLUMNS says, NaN where nothing came out."""
    found = []
    for n, d, tables in CELLS:
        kinds = itertools.cycle(itertools.product(UNITS, NOISE))
        for seed, (units, noise) in zip(range(max(1, tables // part)), kinds, strict=False):
            for k, truth in enumerate(TRUTHS):
                X, y, c, X_new, y_new, c_new = table(n, d, truth, noise, seed)
                began = time.perf_counter()
                row = [n, d, k, units, noise, *of_numbers(units, X, y, X_new, y_new)]
                seconds = time.perf_counter() - began
                known = min(c.sum(), (~c).sum()) >= TOO_FEW
                row += of_classes(units, X, c, X_new, c_new) if known else [np.nan, np.nan]
                found.append([*row, seconds])
        print(f"{n} rows, {d} columns: {len(found)} tables", flush=True)
    return dict(zip(COLUMNS, np.array(found).T, strict=True))


def cells(found, mask, value):
    """Return ``value(found, mask)`` of each cell of rows, columns and truth."""
    keys = np.column_stack([found[key] for key in ("n", "d", "truth")])
    each = [mask & (keys == key).all(axis=1) for key in np.unique(keys[mask], axis=0)]
    values = np.array([value(found, of) for of in each])
    return values[~np.isnan(values)]


def of_errors(found, mask):
    """Return the geometric mean of leave-one-out errors over fresh ones."""
    return np.exp(found["loo"][mask].mean())


def of_log_losses(found, mask):
    """Return the mean of leave-one-out log losses over that of fresh ones."""
    known = mask & ~np.isnan(found["log_loss"])
    if not known.any():
        return np.nan
    return found["log_loss_left_out"][known].mean() / found["log_loss"][known].mean()


def within(found, mask):
    """Return how many fresh rows ± 1.96 standard deviations hold."""
    return found["within"][mask].mean()


def held(found, mask):
    """Return how many fresh rows 95 % intervals hold."""
    return found["held"][mask].mean()


def line(title, found, mask):
    """Return one line of the table of results."""
    texts = []
    for value in (of_errors, within, held, of_log_losses):
        form = ".1%" if value in (within, held) else ".2f"
        low, high = (f(cells(found, mask, value)) for f in (np.min, np.max))
        texts.append(f"{value(found, mask):{form}} ({low:{form}} – {high:{form}})")
    return f"| {title} | {mask.sum():,} | " + " | ".join(texts) + " |"


def drawn(found):
    """Draw the four numbers against γ's share, a dot for each table."""
    with figure(11, 7) as fig:
        axes = fig.subplots(2, 2)
        loo = found["log_loss_left_out"] / found["log_loss"]
        panels = (
            (of_errors, np.exp(found["loo"]), "leave-one-out error / fresh error", (0.85, 1.15)),
            (within, found["within"], "± 1.96 standard deviations hold", (0.92, 0.98)),
            (held, found["held"], "95 % intervals hold", (0.92, 0.98)),
            (of_log_losses, loo, "leave-one-out log loss / fresh", (0.9, 1.1)),
        )
        share = found["share"]
        edges = np.quantile(share, np.linspace(0, 1, 13))
        middle = 0.5 * (edges[1:] + edges[:-1])
        for ax, (value, each, title, bar) in zip(axes.ravel(), panels, strict=True):
            is_ratio = value in (of_errors, of_log_losses)
            ax.axhspan(*bar, color="#dddddd", zorder=0)
            ax.axhline(1.0 if is_ratio else 0.95, color=BLACK, linewidth=1)
            ax.plot(share, each, ".", color=BLUE, alpha=0.15, markersize=4)
            rows = [(share >= a) & (share <= b) for a, b in itertools.pairwise(edges)]
            ax.plot(middle, [value(found, of) for of in rows], "o-", color=ORANGE)
            ax.set(title=title, ylim=(0.4, 1.8) if is_ratio else (0.6, 1.02))
            ax.set_xlabel("γ for each number that was learned")
        save(fig, PICTURE)


def run(part=1):
    """Return the section of RESULTS.md."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # where there is no truth, none is found
        found = simulated(part)
    return section(found)


def section(found):
    """Return the section of RESULTS.md from what was found, and draw its figure."""
    drawn(found)
    every = np.ones(len(found["n"]), dtype=bool)
    n_classes = int((~np.isnan(found["log_loss"])).sum())
    lines = [
        "## Is what a fit says of itself true on fresh rows?",
        "",
        f"{len(every):,} simulated tables of numbers and {n_classes:,} of classes; estimators as "
        "they come, 3 or 10",
        f"units. Leave-one-out over fresh: 1 is honest, less is too sure. In brackets the lowest "
        f"and highest of the {len(cells(found, every, of_errors))}",
        "cells of rows, columns and truth, of 6 to 48 tables each: part of that spread is chance. "
        f"Median time of a fit {np.median(found['seconds']):.2f} s.",
        "",
        "| tables | | leave-one-out / fresh | ± 1.96 std hold | 95 % intervals hold | "
        "log loss, leave-one-out / fresh |",
        "| --- " * 6 + "|",
        line("all", found, every),
    ]
    lines += [line(f"truth {name}", found, found["truth"] == k) for k, name in enumerate(TRUTHS)]
    for key, title in (("n", "{:g} rows"), ("d", "{:g} columns"), ("units", "{:g} units")):
        lines += [line(title.format(v), found, found[key] == v) for v in np.unique(found[key])]
    lines += [line(f"noise {v:g}", found, found["noise"] == v) for v in NOISE]
    for low, high in itertools.pairwise(SHARES):
        mask = (found["share"] >= low) & (found["share"] < high)
        lines.append(line(f"γ {low:g} to {high:g} of the numbers learned", found, mask))
    mask = (found["share"] >= SHARES[1]) & (found["folds"] == 0)
    if mask.any():
        lines.append(line("first order where that is too much", found, mask))
    return [*lines, "", f"![]({PICTURE.name})"]


if __name__ == "__main__":
    print(machine(), *run(*map(int, sys.argv[1:2])), sep="\n")
