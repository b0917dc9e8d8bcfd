"""Boosted trees as one tunes them by hand: three depths, early stopping on a tenth, refitted."""

import numpy as np

DEPTHS = (3, 5, 8)
RATE, MOST_TREES, PATIENCE = 0.04, 3_000, 50
SHARE_HELD_OUT = 0.1


def halves(n):
    """Return which rows trees are grown on, and those that decide when to stop."""
    order = np.random.default_rng(0).permutation(n)
    cut = max(1, int(SHARE_HELD_OUT * n))
    return order[cut:], order[:cut]


def xgboost(X, y):
    """Return an XGBoost regressor of the depth and number of trees that a tenth likes best."""
    from xgboost import XGBRegressor

    grown, held = halves(len(y))
    found = []
    for depth in DEPTHS:
        model = XGBRegressor(
            max_depth=depth,
            learning_rate=RATE,
            n_estimators=MOST_TREES,
            early_stopping_rounds=PATIENCE,
            random_state=0,
        )
        model.fit(X[grown], y[grown], eval_set=[(X[held], y[held])], verbose=False)
        found.append((model.best_score, depth, model.best_iteration + 1))
    _, depth, n = min(found)
    return XGBRegressor(max_depth=depth, learning_rate=RATE, n_estimators=n, random_state=0).fit(
        X, y
    )


def lightgbm(X, y):
    """Return the same of LightGBM, with as many leaves as such a depth has."""
    from lightgbm import LGBMRegressor, early_stopping

    grown, held = halves(len(y))
    found = []
    for depth in DEPTHS:
        options = {"max_depth": depth, "num_leaves": 2**depth - 1, "learning_rate": RATE}
        model = LGBMRegressor(n_estimators=MOST_TREES, random_state=0, verbose=-1, **options)
        stop = early_stopping(PATIENCE, verbose=False)
        model.fit(X[grown], y[grown], eval_set=[(X[held], y[held])], callbacks=[stop])
        found.append((model.best_score_["valid_0"]["l2"], model.best_iteration_, options))
    _, n, options = min(found, key=lambda of: of[0])
    return LGBMRegressor(n_estimators=n, random_state=0, verbose=-1, **options).fit(X, y)


def ngboost(X, y):
    """Return NGBoost's Gaussian with as many trees as a tenth likes best."""
    from ngboost import NGBRegressor

    grown, held = halves(len(y))
    options = {"learning_rate": RATE, "random_state": 0, "verbose": False}
    model = NGBRegressor(n_estimators=MOST_TREES, early_stopping_rounds=PATIENCE, **options)
    model.fit(X[grown], y[grown], X_val=X[held], Y_val=y[held])
    n = max(1, int(model.best_val_loss_itr or 0) + 1)
    return NGBRegressor(n_estimators=n, **options).fit(X, y)
