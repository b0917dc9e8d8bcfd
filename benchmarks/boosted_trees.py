"""Boosted trees and ours on the published splits of Hernández-Lobato & Adams (2015).

All fit the same rows of the same splits, one after the other, in this process. There is no answer
to agree on first: what is compared is how well each predicts rows it has not seen. Trees are tuned
as in `_trees`; ours is `effort="best"` for every set. The log likelihood of ours and of NGBoost is
that of a Gaussian with the mean and standard deviation that each says.

    python benchmarks/boosted_trees.py boston 3        the first three splits of one set
"""

import sys
import time
import warnings
from pathlib import Path

import numpy as np

from _timing import machine
from _trees import lightgbm, ngboost, xgboost
from chainrule import NetworkRegressor
from uci import COVERAGE, of_set, with_error

SPLITS = {"boston": 10, "energy": 5, "power": 1}  # naval and protein take an hour: by name
WAYS = ("ours", "ours, one fit", "XGBoost", "LightGBM", "NGBoost")
MOST_ROWS_OF_NGBOOST = 10_000  # with more it takes hours
FIGURE = Path(__file__).with_name("boosted_trees.png")


def run():
    """Return the section of RESULTS.md."""
    found = {name: splits(name, most) for name, most in SPLITS.items()}
    draw(found)
    lines = [
        "## Boosted trees and ours, on the published splits",
        "",
        "![](boosted_trees.png)",
        "",
        "`NetworkRegressor(effort='best')` for every set; one fit is `effort='normal'`. XGBoost",
        "and LightGBM: three depths, early stopping on a tenth, refitted; NGBoost: early stopping",
        "on a tenth, refitted. RMSE ± standard error over splits; seconds are medians, search",
        "included.",
        "",
        f"| set | splits | {' | '.join(WAYS)} |",
        "| --- " * (len(WAYS) + 2) + "|",
    ]
    for name, rows in found.items():
        cells = [of_way(rows, way, 0) for way in WAYS]
        lines.append(f"| {name} | {len(rows['ours'])} | {' | '.join(cells)} |")
    lines += [
        "",
        "| set | log likelihood: ours | ours, one fit | NGBoost | 95 % intervals of ours hold |",
    ]
    lines.append("| --- " * 5 + "|")
    for name, rows in found.items():
        cells = [of_way(rows, way, 1) for way in ("ours", "ours, one fit", "NGBoost")]
        lines.append(f"| {name} | {' | '.join(cells)} | {rows['ours'][:, 2].mean():.3f} |")
    lines += ["", f"| seconds | {' | '.join(WAYS)} |", "| --- " * (len(WAYS) + 1) + "|"]
    for name, rows in found.items():
        cells = [f"{np.median(rows[way][:, 3]):.3g}" if way in rows else "-" for way in WAYS]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return [*lines, "", *verdict(found)]


def of_way(rows, way, column):
    """Return the mean over splits with its standard error."""
    if way not in rows:
        return "-"
    values = rows[way][:, column]
    return with_error(values) if len(values) > 1 else f"{values[0]:.4g}"


def verdict(found):
    """Return where ours is ahead, and where it is not."""
    for name, rows in found.items():
        trees = {way: rows[way][:, 0].mean() for way in WAYS[2:] if way in rows}
        best = min(trees, key=trees.get)
        ours = rows["ours"][:, 0].mean()
        where = "ahead of" if ours < trees[best] else "behind"
        yield f"* {name}: {where} {best}, RMSE {ours:.4g} against {trees[best]:.4g}."


def splits(name, most):
    """Return RMSE, log likelihood, coverage and seconds of each way and split."""
    X, y, known = of_set(name)
    rows = {}
    for i in range(most):
        train, test = known[f"train_{i}"], known[f"test_{i}"]
        for way, one in of_split(X, y, train, test).items():
            rows.setdefault(way, []).append(one)
            print(f"{name} {i + 1} {way}:", " ".join(f"{value:.4g}" for value in one), flush=True)
    return {way: np.array(of) for way, of in rows.items()}


def of_split(X, y, train, test):
    """Return the same of each way."""
    found = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # rows far from the others are part of the protocol
        for way in WAYS:
            if way == "NGBoost" and len(train) > MOST_ROWS_OF_NGBOOST:
                continue
            began = time.perf_counter()
            fit = {
                "ours": lambda: NetworkRegressor(effort="best").fit(X[train], y[train]),
                "ours, one fit": lambda: NetworkRegressor().fit(X[train], y[train]),
                "XGBoost": lambda: xgboost(X[train], y[train]),
                "LightGBM": lambda: lightgbm(X[train], y[train]),
                "NGBoost": lambda: ngboost(X[train], y[train]),
            }[way]()
            seconds = time.perf_counter() - began
            std, held = np.full(len(test), np.nan), np.nan
            if way.startswith("ours"):
                mean, std = fit.predict(X[test], return_std=True)
                lower, upper = fit.predict_interval(X[test], COVERAGE)
                held = np.mean((lower <= y[test]) & (y[test] <= upper))
            else:
                mean = fit.predict(X[test])
            if way == "NGBoost":
                std = fit.pred_dist(X[test]).scale
            error = y[test] - mean
            ll = -0.5 * (error / std) ** 2 - np.log(std) - 0.5 * np.log(2.0 * np.pi)
            found[way] = np.sqrt(np.mean(error**2)), ll.mean(), held, seconds
    return found


def draw(found):
    """Draw RMSE by set over that of the best tree, and error against time."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
    marks = dict(zip(WAYS, "osD^v", strict=True))
    colors = dict(zip(WAYS, ("#0072b2", "#56b4e9", "#d55e00", "#e69f00", "#009e73"), strict=True))
    for k, (name, rows) in enumerate(found.items()):
        best = min(rows[way][:, 0].mean() for way in WAYS[2:] if way in rows)
        for m, way in enumerate(WAYS):
            if way not in rows:
                continue
            ratio = rows[way][:, 0] / best
            error = ratio.std(ddof=1) / np.sqrt(len(ratio)) if len(ratio) > 1 else 0.0
            at = k + 0.12 * (m - 2)
            style = {"fmt": marks[way], "color": colors[way], "capsize": 3}
            left.errorbar(at, ratio.mean(), error, label=way if k == 0 else None, **style)
            seconds = np.median(rows[way][:, 3])
            right.plot(seconds, ratio.mean(), marks[way], color=colors[way])
            right.annotate(
                name, (seconds, ratio.mean()), xytext=(4, 3), textcoords="offset points", fontsize=7
            )
    left.axhline(1.0, color="0.6", lw=0.8, zorder=0)
    left.set_xticks(range(len(found)), found)
    left.set_ylabel("RMSE on unseen rows / that of the best trees")
    left.legend(frameon=False, fontsize=8)
    right.axhline(1.0, color="0.6", lw=0.8, zorder=0)
    right.set_xscale("log")
    right.xaxis.set_major_formatter("{x:g}")
    right.set_xlabel("seconds of a fit, search included")
    figure.savefig(FIGURE, dpi=110)
    plt.close(figure)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        splits(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 1)
    else:
        print(machine(), "", *run(), sep="\n")
