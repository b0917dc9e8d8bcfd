"""Rows are asked, never held: what one implementation says, another that nobody can keep says."""

import numpy as np
import pytest

from chainrule import Network, Objective
from chainrule.bayes import fitted_posterior
from chainrule.bayes.laplace import inverse_root
from chainrule.bayes.leverage import influence
from chainrule.kernels import native
from chainrule.model.model_file import dump_model
from chainrule.rows.memory import BLOCK_ROWS, MemoryRows
from chainrule.tables.scaling import scaling_of
from random_problems import random_problem, relative_error
from sevens import sevens
from trainings import train


def both(n=40, d=3, K=1, seed=0, w=None):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, d))
    Y = np.sin(X[:, :1]) + 0.3 * X[:, 1:2] + 0.1 * rng.standard_normal((n, K))
    w = np.ones(n) if w is None else w
    return MemoryRows(X, Y, w), sevens(X, Y, w)


@pytest.mark.parametrize("seed", range(12))
def test_costs_and_all_their_derivatives_are_those_of_rows_in_memory(seed):
    net, theta, X, Y, w = random_problem(seed)
    X, Y = np.repeat(X, 3, axis=0), np.repeat(Y, 3, axis=0)
    w = np.ones(len(X)) if w is None else np.repeat(w, 3)
    one = Objective.on(MemoryRows(X, Y, w), net, 0.3)
    other = Objective.on(sevens(X, Y, w), net, 0.3)
    for here, there in zip(one.evaluate(theta, 2), other.evaluate(theta, 2), strict=True):
        assert relative_error(np.atleast_1d(here), np.atleast_1d(there)) < 1e-12
    v = np.random.default_rng(seed).standard_normal(len(theta))
    products = [o.hessian_product(theta, v) for o in (one, other)]
    assert relative_error(*products) < 1e-10
    assert relative_error(one.hessian(theta), other.hessian(theta)) < 1e-10
    inverse = np.eye(len(theta))
    slopes = [o.slope_of_log_determinant(theta, 2.0, inverse) for o in (one, other)]
    assert relative_error(*slopes) < 1e-9
    for name in ("baseline", "scale"):
        assert getattr(other, name) == pytest.approx(getattr(one, name), rel=1e-13)
    assert (one.varies, one.size, one.can_fit_all) == (other.varies, other.size, other.can_fit_all)
    assert one.saturated(theta) == other.saturated(theta)
    free = [o.with_alpha(0.0).running_away(1e5 * theta) for o in (one, other)]
    assert free[0] == free[1]
    root = inverse_root(one, theta)
    found = [influence(net, theta, o.rows, root) for o in (one, other)]
    for name in ("leverage", "max_leverage", "z", "S", "z_loo", "distance"):
        here, there = (getattr(of, name) for of in found)
        assert here == pytest.approx(there, rel=1e-9, abs=1e-12)


def test_moments_and_scalings_are_those_of_rows_in_memory():
    w = np.random.default_rng(1).integers(0, 3, 40).astype(float)
    one, other = both(w=w)
    for here, there in zip(one.moments, other.moments, strict=True):
        for name in ("mean", "variance", "lowest", "highest"):
            assert getattr(here, name) == pytest.approx(getattr(there, name), rel=1e-13, abs=1e-15)
    for kind in ("none", "max", "standard"):
        here, there = (scaling_of(kind, rows, lambda of: of.X) for rows in (one, other))
        assert here.center == pytest.approx(there.center, rel=1e-13, abs=1e-15)
        assert here.scale == pytest.approx(there.scale, rel=1e-13)


@pytest.mark.parametrize("rows", both(), ids=["memory", "sevens"])
def test_what_is_made_of_rows(rows):
    X, Y = rows.map(lambda of: (of.X, of.Y))
    assert np.array_equal(rows.map(lambda of: np.arange(40)[of.of_all]), np.arange(40))
    assert rows.sum(lambda of: of.w @ of.Y) == pytest.approx(rows.w @ Y)
    some = rows.take(np.array([5, 3, 30])).reweighted(np.array([1.0, 2.0, 0.0]))
    assert np.array_equal(some.map(lambda of: of.X), X[[5, 3, 30]])
    assert some.weight_sum == 3.0
    assert (some.n_rows, some.n_inputs, some.n_outputs) == (3, 3, 1)
    changed = rows.transformed(lambda A: 2.0 * A, lambda B: B - 1.0).retargeted(Y**2)
    changed = changed.take(slice(0, None, 2))
    assert np.array_equal(changed.map(lambda of: of.X), 2.0 * X[::2])
    assert np.array_equal(changed.map(lambda of: of.Y), Y[::2] ** 2)
    few = rows.sample(9, 3)
    assert few.n_rows == 9
    assert np.array_equal(few.map(lambda of: of.X), rows.sample(9, 3).map(lambda of: of.X))
    assert rows.sample(100, 3) is rows
    assert rows.fingerprint == rows.take(slice(None)).fingerprint
    assert rows.fingerprint != some.fingerprint
    before = rows.n_passes
    rows.sum(lambda of: 0.0)
    assert rows.n_passes == before + 1 == pytest.approx(some.n_passes)


def test_no_data_are_copied_where_only_network_penalty_or_weights_change():
    one, _ = both()
    objective = Objective.on(one, Network([3, 2, 1]))
    for other in (
        objective.with_alpha(1.0),
        objective.with_weights(2.0 * objective.w),
        Objective.on(objective.rows, Network([3, 5, 1])),
    ):
        assert np.shares_memory(other.rows.X, one.X)
        assert np.shares_memory(other.rows.Y, one.Y)


def test_bits_do_not_depend_on_threads():
    rng = np.random.default_rng(0)
    n = 5 * BLOCK_ROWS + 3
    rows = MemoryRows(rng.standard_normal((n, 2)), rng.standard_normal((n, 1)), np.ones(n))
    one, four = (rows.sum(lambda of: of.X.sum(axis=0), threads=k) for k in (1, 4))
    assert np.array_equal(one, four)


NUMBERS = Network([3, 2, 1])
SIGNS = np.array([1.0, 1.0] + [0.0] * 9)
FIXED = np.append(0.5, np.full(10, np.nan))
KINDS = {
    "numbers": (NUMBERS, {}),
    "varying noise": (NUMBERS, {"noise": "varying"}),
    "given penalty": (NUMBERS, {"alpha": 0.1}),
    "in folds": (NUMBERS, {"alpha": 0.1}),
    "student": (NUMBERS, {"noise": "student"}),
    "ensemble": (NUMBERS, {"ensemble": 2, "alpha": 0.1}),
    "rule": (NUMBERS, {"alpha": "rule"}),
    "skip": (NUMBERS, {"skip": True}),
    "size": (lambda hidden: Network([3, hidden, 1]), {}),
    "fixed": (NUMBERS, {"fixed": FIXED, "alpha": 0.1}),
    "signs": (NUMBERS, {"signs": SIGNS, "alpha": 0.1}),
    "early stopping": (NUMBERS, {"validation": np.arange(60) % 4 == 0, "alpha": 0.1}),
    "several targets": (Network([3, 2, 2]), {}),
    "deep": (Network([3, 3, 2, 1]), {"alpha": 0.1}),
    "chances": (Network([3, 2, 1], output="sigmoid"), {}),
    "classes": (Network([3, 2, 3], output="softmax"), {"alpha": 0.1}),
    "counts": (Network([3, 2, 1], output="exp"), {"alpha": 0.1}),
}


def of_kind(kind, net):
    """Return the same rows in memory and in sevens, with targets that the network can learn."""
    outputs = 1 if callable(net) else net.layers[-1]
    w = np.ones(60) if kind != "given penalty" else np.tile([1.0, 2.0, 0.5], 20)
    one, _ = both(n=60, K=outputs, w=w)
    Y = np.array(one.Y)
    if kind == "chances":
        Y = (Y > 0.2).astype(float)
    elif kind == "classes":
        Y = np.eye(3)[np.digitize(Y[:, 0], [-0.3, 0.5])]
    elif kind == "counts":
        Y = np.round(np.exp(Y))
    return MemoryRows(one.X, Y, w), sevens(one.X, Y, w)


# the loops in Python take ten times longer, and ask rows in the same places
FEW = ("numbers", "in folds", "chances")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", KINDS if native.build() else FEW)
def test_a_whole_fit_asks_rows_only(kind, monkeypatch):
    net, given = KINDS[kind]
    if kind == "in folds":
        monkeypatch.setattr(fitted_posterior, "BEARABLE", 0.0)
    one, other = of_kind(kind, net)
    names = tuple("yzu"[: one.n_outputs])
    options = {"n_restarts": 2, "noise": "constant", "target_names": names, **given}
    memory, asked = (
        train(rows, None, net, input_names=("a", "b", "c"), **options) for rows in (one, other)
    )
    assert asked.fit.cost == pytest.approx(memory.fit.cost, rel=1e-6)
    assert asked.model.network == memory.model.network
    here, there = (t.model.report.posterior for t in (memory, asked))
    assert (here is None) == (there is None) == (kind == "early stopping")
    if here is not None:
        for k, name in enumerate(names):
            rmse = here.leave_one_out.scores[name].rmse
            assert there.leave_one_out.scores[name].rmse == pytest.approx(rmse, rel=1e-3), k
        assert there.gamma == pytest.approx(here.gamma, rel=1e-3)
        assert there.sensitivity.keys() == here.sensitivity.keys()
        rows, others = ([of.row for of in known.influence.rows] for known in (here, there))
        assert others == rows
    said, told = (t.model.outputs(np.array(one.X[:5])) for t in (memory, asked))
    assert told == pytest.approx(said, rel=1e-4, abs=1e-4)
    assert list(asked.passes) == ["prepare", "choose", "minimize", "posterior"]
    assert sum(asked.passes.values()) == pytest.approx(other.n_passes)
    assert memory.passes["prepare"] <= 8  # one each for extremes, means twice, variances, checks
    dump_model(asked.model)
