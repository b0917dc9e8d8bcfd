"""scikit-learn's networks and ours, as they come: cross-validated scores and fit times.

Both fit the same rows of the same folds, alternately, in this process. There is no answer to
agree on first: scikit-learn's networks do not go to an optimum, and what is compared is how well
each predicts rows it has not seen. Prechelt's published errors stand beside proben1's tables, on
the test rows that he had; he held a quarter of the rows out to stop on, both of ours train on them.
"""

import time
import warnings

import numpy as np
from sklearn.metrics import accuracy_score, r2_score
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.neural_network import MLPClassifier, MLPRegressor

from _tables import PROBEN1, bundled, of_folder, proben1
from _timing import machine
from chainrule import NetworkClassifier, NetworkRegressor
from chainrule.comparison import error_of_mean

FOLDS = 10
WAYS = {
    "classification": (NetworkClassifier, lambda: MLPClassifier(random_state=0), accuracy_score),
    "regression": (NetworkRegressor, lambda: MLPRegressor(random_state=0), r2_score),
}
# test errors in percent, Prechelt (1994), table 11: pivot architectures with shortcuts; linear
PUBLISHED = {"cancer1": (1.47, 2.93), "card1": (13.64, 13.37), "heart1": (19.89, 20.65)}
PUBLISHED["gene1"] = (15.05, 13.64)


def run():
    """Return the section of RESULTS.md."""
    tables = [*bundled(), *of_folder()]
    columns = (
        "table",
        "rows x columns",
        "ours",
        "theirs",
        "difference",
        "ours s",
        "theirs s",
        "ratio",
    )
    lines = [
        "## scikit-learn's networks and ours, as they come",
        "",
        f"Accuracy or R² in {FOLDS} folds, ± standard error (Nadeau & Bengio 2003); seconds of one",
        "fit, medians. Our penalty by rule and 3 starts were settled looking at these tables.",
        "",
        row(*columns),
        row(*["---"] * len(columns)),
    ]
    ratios, worse, better = [], [], []
    for name, X, y, task in tables:
        ours, theirs, seconds = scores(X, np.asarray(y), task)
        difference = ours - theirs
        mean, error = difference.mean(), error_of_mean(difference)
        ratio = float(np.median(seconds[:, 1] / seconds[:, 0]))
        ratios.append(ratio)
        worse += [name] if mean < -error else []
        better += [name] if mean > 0 else []
        shown = [f"{of.mean():.4f} ± {error_of_mean(of):.4f}" for of in (ours, theirs)]
        times = [f"{of:.3f}" for of in np.median(seconds, axis=0)]
        size, gain = f"{X.shape[0]} x {X.shape[1]}", f"{mean:+.4f} ± {error:.4f}"
        lines.append(row(name, size, *shown, gain, *times, f"{ratio:.1f}"))
    lines += [
        "",
        f"Better on {len(better)} of {len(tables)}; worse by more than a standard error on "
        f"{', '.join(worse) or 'none'}; {np.median(ratios):.1f} times as fast in the median.",
        "",
        "Test errors in percent on the test rows of Prechelt (1994), who held a quarter of all",
        "out to stop on:",
        "",
        row("proben1", "ours", "his best network", "his linear network"),
        row(*["---"] * 4),
    ]
    return lines + [row(*cells) for cells in published()]


def row(*cells):
    return f"| {' | '.join(cells)} |"


def scores(X, y, task):
    """Return the scores of ours and theirs in every fold, and the seconds of each fit."""
    ours, theirs, score = WAYS[task]
    kind = StratifiedKFold if task == "classification" else KFold
    found, seconds = [], []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that theirs has not converged is known
        for train, test in kind(FOLDS, shuffle=True, random_state=0).split(X, y):
            for make in (ours, theirs):
                model = make()
                began = time.perf_counter()
                model.fit(X[train], y[train])
                seconds.append(time.perf_counter() - began)
                found.append(score(y[test], model.predict(X[test])))
    both = np.array(found).reshape(FOLDS, 2)
    return both[:, 0], both[:, 1], np.array(seconds).reshape(FOLDS, 2)


def published():
    for name in PROBEN1:
        X, y, test = proben1(name)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = NetworkClassifier().fit(X[:test], y[:test])
        error = 100 * (1 - model.score(X[test:], y[test:]))
        network, linear = PUBLISHED[name]
        yield name, f"{error:.2f}", f"{network}", f"{linear}"


if __name__ == "__main__":
    print(machine(), "", *run(), sep="\n")
