"""Reports read a model; their numbers are recomputed here from the equations."""

import numpy as np
import pytest

from chainrule import Network
from chainrule.model.model import Model
from chainrule.report.summary import summary
from chainrule.report.trace_json import trace_json
from chainrule.report.worked_example import worked_example
from chainrule.tables.scaling import fit_scaling
from random_problems import random_problem


def model_of(seed):
    """Return an untrained model in odd units with a table that fits it."""
    net, theta, X, Y, _ = random_problem(seed)
    X = np.vstack([X, X[:1] + 1.0])
    Y = np.vstack([Y, Y[:1]])
    kind = "standard" if net.output == "identity" else "none"
    names = tuple(f"x{i}" for i in range(X.shape[1])), tuple(f"y{k}" for k in range(Y.shape[1]))
    scaling = fit_scaling("max", X)
    return Model(net, theta, scaling, fit_scaling(kind, Y), *names), X, Y


@pytest.mark.parametrize("seed", range(25))
def test_the_trace_obeys_the_equations(seed):
    model, X, Y = model_of(seed)
    t = trace_json(model, X, Y, list(range(1, len(X) + 1)))
    L, net = model.network.n_layers, model.network
    forward = {name: np.array(A) for name, A in t["forward"].items()}
    backward = {name: np.array(A) for name, A in t["backward"].items()}
    weights = {name: np.array(A) for name, A in t["weights"].items()}
    for l in range(1, L):
        z = forward[f"a[{l}]"] @ weights[f"W[{l}]"] + weights.get(f"b[{l}]", 0)
        if l == L - 1 and net.skip:
            z = z + forward["a[1]"] @ weights["W[0]"]
            dJdW = forward["a[1]"].T @ backward[f"delta[{L}]"]
            assert backward["dJdW[0]"] == pytest.approx(dJdW, rel=1e-12, abs=1e-13)
        assert forward[f"z[{l + 1}]"] == pytest.approx(z, rel=1e-13, abs=1e-13)
        dJdW = forward[f"a[{l}]"].T @ backward[f"delta[{l + 1}]"]
        assert backward[f"dJdW[{l}]"] == pytest.approx(dJdW, rel=1e-12, abs=1e-13)
        if l > 1:
            back = backward[f"delta[{l + 1}]"] @ weights[f"W[{l}]"].T * backward[f"slope[{l}]"]
            assert backward[f"delta[{l}]"] == pytest.approx(back, rel=1e-12, abs=1e-13)
    assert t["J"] == pytest.approx(sum(t["losses"]), rel=1e-13)
    assert np.array(t["prediction"]) == pytest.approx(model.predict(X), rel=1e-15)
    assert t["network"]["layers"] == list(net.layers)


@pytest.mark.parametrize("seed", range(25))
@pytest.mark.parametrize("rows", [1, None])
def test_every_worked_example_can_be_printed(seed, rows):
    model, X, Y = model_of(seed)
    X, Y = X[:rows], Y[:rows]
    text = worked_example(trace_json(model, X, Y, list(range(1, len(X) + 1))))
    for l in range(1, model.network.n_layers):
        assert f"z[{l + 1}] = a[{l}] W[{l}]" in text
        assert f"dJdW[{l}] = a[{l}]ᵀ delta[{l + 1}]" in text
    assert "nan" not in text


def test_the_sums_of_the_worked_example_add_up():
    model = Model(
        Network([2, 1]), np.array([2.0, -3.0, 0.5]), fit_scaling("none", np.zeros((1, 2))),
        fit_scaling("none", np.zeros((1, 1))), ("a", "b"), ("y",),
    )  # fmt: skip
    text = worked_example(trace_json(model, np.array([[4.0, 1.0]]), np.array([[5.0]]), [1]))
    assert "z[2][1] = (4)(2) + (1)(-3) + 0.5 = 5.5" in text
    assert "J = ½ (5 - 5.5)² = 0.125" in text
    assert "delta[2][1] = -(5 - 5.5) = 0.5" in text
    assert "dJdW[1][1,1] = (4)(0.5) = 2" in text


def test_wide_networks_are_cut_not_spilled():
    net = Network([50, 40, 30, 20])
    names = tuple(f"x{i}" for i in range(50)), tuple(f"y{k}" for k in range(20))
    none = [fit_scaling("none", np.zeros((1, d))) for d in (50, 20)]
    model = Model(net, net.initial(0), *none, *names)
    X, Y = np.ones((1, 50)), np.ones((1, 20))
    text = worked_example(trace_json(model, X, Y, [1]))
    assert "… (35 terms)" in text
    assert "… 16 more (--json has all)" in text
    assert max(map(len, text.splitlines())) < 500
    many = worked_example(trace_json(model, np.ones((30, 50)), None, list(range(1, 31))))
    assert "… 20 more rows (--json has all)" in many
    assert "W[2]         40 x 30 weights" in summary(model)


def test_scores_are_in_the_unit_of_the_target():
    net = Network([1, 1])
    none = fit_scaling("none", np.zeros((1, 1)))
    model = Model(net, np.array([2.0, 1.0]), none, none, ("x",), ("y",))
    X, Y = np.array([[0.0], [1.0], [2.0]]), np.array([[1.0], [3.0], [8.0]])
    found = model.scores(X, Y)["y"]
    assert found.rmse == pytest.approx(np.sqrt(9 / 3))
    assert found.r2 == pytest.approx(1 - 9 / 26)
    assert found.max_error == 3.0


@pytest.mark.parametrize("output", ["identity", "sigmoid", "softmax", "exp"])
def test_the_printed_differences_are_those_of_the_numbers(output):
    net = Network([1, 2], output=output)
    theta, Y = np.array([0.3, -0.4, 0.1, 0.2]), np.array([[0.5, 0.2]])
    plain = [fit_scaling("none", np.zeros((1, d))) for d in (1, 2)]
    text = worked_example(
        trace_json(Model(net, theta, *plain, ("x",), ("y", "z")), np.array([[0.7]]), Y, [1])
    )
    lines = [line for line in text.splitlines() if line.startswith("    delta[2][")]
    assert len(lines) == 2
    for line in lines:
        _, expression, value = line.split(" = ")
        assert eval(expression) == pytest.approx(float(value), abs=1e-5)  # six digits are printed
