"""Small tables of scientists: R's nnet as its examples call it, and ours as it comes.

rock is the example of nnet (Venables & Ripley 2002, sec. 8.10), twoinput that of R's brnn, of which
it is known that the noise is 0.25; bodyfat is the one that MATLAB's shallow networks are shown on.
Ten folds, the same rows for both. brnn itself is not in Debian, and not compared.
"""

import warnings

import numpy as np
import pandas as pd
from sklearn.model_selection import KFold

from _peers import R
from _timing import MissingData, data_folder
from chainrule import NetworkRegressor
from uci import CONFIGURATION, with_error

FOLDS = 10
# hidden units, decay and skip layer of nnet: rock as in its example; others as is usual
NNET = {"rock": (3, 1e-3, True), "twoinput": (10, 1e-2, False), "bodyfat": (3, 1e-2, False)}


def tables():
    """Yield (name, X, y)."""
    folder = data_folder()
    rock = pd.read_csv(folder / "r_nnet" / "rock.csv")
    inputs = np.column_stack([rock.area / 1e4, rock.peri / 1e4, rock["shape"]])
    yield "rock", inputs, np.log(rock.perm.to_numpy())
    two = pd.read_csv(folder / "brnn_twoinput" / "twoinput.csv")
    yield "twoinput", two[["x1", "x2"]].to_numpy(), two.y.to_numpy()
    fat = pd.read_csv(folder / "bodyfat" / "bodyfat.csv")
    inputs = fat.drop(columns=["BodyFat", "Density"]).to_numpy(float)
    yield "bodyfat", inputs, fat.BodyFat.to_numpy(float)


def run():
    """Return the section of RESULTS.md."""
    if not R.present():
        raise MissingData("R with its package nnet is not installed")
    lines = [
        "## Small tables of scientists",
        "",
        "Root mean square error on rows left out in ten folds, ± standard error over folds;",
        "`alone` is what ours says of it before, without folds. nnet as its examples call it.",
        "",
        "| table | rows x columns | ours | nnet | alone | units | noise | 95 % intervals hold |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name, X, y in tables():
        ours, theirs, held = in_folds(name, X, y)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            whole = NetworkRegressor(**CONFIGURATION).fit(X, y)
        units, noise = whole.coefs_[0].shape[1], whole.noise_[0]
        alone = whole.loo_scores_["y"]["rmse"]
        lines.append(
            f"| {name} | {X.shape[0]} x {X.shape[1]} | {with_error(ours)} | {with_error(theirs)} | "
            f"{alone:.4g} | {units} | {noise:.3g} | {held:.3f} |"
        )
    about = "The noise in twoinput is 0.25 by construction. brnn is not in Debian: not compared."
    return [*lines, "", about]


def in_folds(name, X, y):
    """Return the errors of ours and of nnet in each fold, and how many targets were held."""
    folds = list(KFold(FOLDS, shuffle=True, random_state=0).split(X))
    ours, held = [], []
    for train, test in folds:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # rows far from the others are part of it
            regressor = NetworkRegressor(**CONFIGURATION).fit(X[train], y[train])
            lower, upper = regressor.predict_interval(X[test])
        ours.append(rmse(y[test] - regressor.predict(X[test])))
        held += list((lower <= y[test]) & (y[test] <= upper))
    return np.array(ours), np.array(of_nnet(name, X, y, folds)), np.mean(held)


def of_nnet(name, X, y, folds):
    """Return the errors of R's nnet in each fold; but for rock on standardized columns."""
    size, decay, skip = NNET[name]
    call = f"size={size}, decay={decay}, skip={str(skip).upper()}, linout=TRUE, maxit=1000"
    errors = []
    with R() as r:
        for k, (train, test) in enumerate(folds):
            center, scale = X[train].mean(axis=0), X[train].std(axis=0)
            middle, width = y[train].mean(), y[train].std()
            if name == "rock":
                center, scale, middle, width = 0.0, 1.0, 0.0, 1.0
            r.give("X", (X[train] - center) / scale)
            r.give("Y", (y[train, None] - middle) / width)
            r.give("new", (X[test] - center) / scale)
            r(f"{{set.seed({k}); fit <- nnet(X, Y, {call}, trace=FALSE); 0}}")
            errors.append(rmse(y[test] - (np.array(r("predict(fit, new)")) * width + middle)))
    return errors


def rmse(errors):
    """Return the root of the mean square."""
    return float(np.sqrt(np.mean(errors**2)))
