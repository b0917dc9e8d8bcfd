"""Every command as its user runs it."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from chainrule.model.model_file import load_model


def test_help_and_version(run):
    assert run("--help").code == 0
    listed = run("--help").out
    for name in ("check", "demo", "explain", "fit", "plot", "predict", "show"):
        assert f"  {name} " in listed
        assert run(name, "--help").code == 0
    assert run("--version").out.startswith("chainrule 0.1.0 (kernel: ")


@pytest.mark.parametrize("arguments", [["--help"], ["--version"]])
def test_help_is_light(arguments):
    code = (
        "import sys; from chainrule.cli import run; run(sys.argv[1:]); "
        "print(sorted({m.split('.')[0] for m in sys.modules} & "
        "{'scipy', 'sklearn', 'matplotlib', 'rich', 'pandas', 'polars'}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"


def test_fit_prints_a_summary_and_writes_the_model(run, scores, tmp_path):
    done = run("fit", scores, "--target", "score", "--out", tmp_path / "m.json")
    assert done.code == 0
    assert "score  target, number" in done.err
    assert "2 → 10 tanh → 1 identity   41 weights, squared loss" in done.out
    assert "of 3 starts agree on the lowest cost" in done.out
    assert "point        local minimum: relative gradient" in done.out
    assert "fewer than 10 rows per weight" in done.out
    assert done.out.splitlines()[-1] == f"wrote {tmp_path / 'm.json'}"
    assert load_model(tmp_path / "m.json").input_names == ("sleep", "study")


def test_fit_as_json(run, scores, tmp_path):
    out = tmp_path / "m.json"
    document = json.loads(run("fit", scores, "--target", "score", "--out", out, "--json").out)
    assert document["converged"] is True
    assert document["model"] == str(out)
    assert (document["rows"], document["weights"]) == (3, 41)
    assert len(document["restarts"]) == 3
    assert document["scores"]["score"]["rmse"] < 0.1


def test_fit_is_reproducible(run, scores, tmp_path):
    for name in ("a", "b"):
        run("fit", scores, "--target", "score", "--out", tmp_path / name, "--seed", 3)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_fit_the_tutorials_own_network(run, scores, tmp_path):
    done = run(
        "fit", scores, "--target", "score", "--out", tmp_path / "m.json", "--activation", "sigmoid",
        "--output", "sigmoid", "--loss", "squared", "--no-bias", "--scale", "max", "--alpha", 0,
        "--hidden", 3, "--restarts", 2,
    )  # fmt: skip
    assert done.code == 0, done.err
    model = load_model(tmp_path / "m.json")
    assert model.network.n_parameters == 9
    # the score is divided by its maximum, 93, which a sigmoid only approaches
    assert model.predict([[3, 5], [5, 1]]) == pytest.approx(np.array([[75], [82]]), abs=0.1)


def test_fit_any_depth_several_targets_and_dropped_columns(run, tmp_path):
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((40, 5))
    table = tmp_path / "t.tsv"
    lines = ["name\ta\tb\tc\ty\tz"]
    lines += ["id\t" + "\t".join(repr(x) for x in row.tolist()) for row in rows]
    table.write_text("\n".join(lines))
    done = run(
        "fit", table, "--target", "y", "--target", "z", "--drop", "name", "--out", tmp_path / "m",
        "--hidden", "3,2", "--activation", "tanh,sigmoid", "--alpha", 0.1, "--restarts", 2,
    )  # fmt: skip
    assert done.code == 0, done.err
    assert load_model(tmp_path / "m").network.layers == (3, 3, 2, 2)
    linear = run(
        "fit", table, "--target", "y", "--drop", "name", "--out", tmp_path / "l", "--hidden", 0
    )
    assert linear.code == 0
    assert load_model(tmp_path / "l").network.layers == (4, 1)


def test_a_linear_network_is_least_squares(run, tmp_path):
    rng = np.random.default_rng(1)
    X = rng.standard_normal((30, 2))
    y = 3 + X @ [1.5, -2.0] + 0.1 * rng.standard_normal(30)
    table = tmp_path / "t.csv"
    rows = [f"{a!r},{b!r},{c!r}" for (a, b), c in zip(X.tolist(), y.tolist(), strict=True)]
    table.write_text("\n".join(["a,b,y", *rows]))
    run("fit", table, "--target", "y", "--out", tmp_path / "m", "--hidden", 0, "--alpha", 0)
    A = np.column_stack([X, np.ones(30)])
    truth = A @ np.linalg.lstsq(A, y, rcond=None)[0]
    assert load_model(tmp_path / "m").predict(X)[:, 0] == pytest.approx(truth, abs=1e-8)


def test_unconverged_says_so_keeps_the_old_model_and_loses_nothing(run, scores, model, tmp_path):
    out = tmp_path / "m.json"
    older = model.read_bytes()
    out.write_bytes(older)
    options = ["fit", scores, "--target", "score", "--out", out, "--max-iter", 2]
    done = run(*options)
    assert done.code == 1
    assert "training did not converge: max_iter: The iteration limit was reached" in done.err
    assert out.read_bytes() == older
    assert load_model(f"{out}.unconverged").report.optimizer.termination.name == "max_iter"
    allowed = run(*options, "--allow-unconverged")
    assert allowed.code == 0
    assert "did not converge" in allowed.err
    assert load_model(out).report.optimizer.termination.name == "max_iter"


def test_a_time_limit_ends_all_starts_and_says_so(run, scores, tmp_path):
    done = run(
        "fit", scores, "--target", "score", "--out", tmp_path / "m", "--restarts", 10**12,
        "--max-time", 1,
    )  # fmt: skip
    assert done.code == 0
    assert "time_limit after" in done.err
    assert "of 1000000000000 starts" in done.err


def test_a_model_on_stdout(run, scores, model, tmp_path):
    done = run("fit", scores, "--target", "score", "--out", "-", "--hidden", 3, "--restarts", 2)
    assert done.code == 0
    assert done.out.encode() == model.read_bytes()
    cut = run("fit", scores, "--target", "score", "--out", "-", "--max-iter", 2)
    assert (cut.code, cut.out) == (1, "")
    assert run("fit", scores, "--target", "score", "--out", "-", "--json").code == 2


@pytest.mark.parametrize("unit", ["e300", "e-300"])
def test_scores_in_any_unit(run, tmp_path, unit):
    table = tmp_path / "t.csv"
    table.write_text(f"x,y\n1,1{unit}\n2,2{unit}\n3,4{unit}\n4,3{unit}\n")
    done = run("fit", table, "--target", "y", "--out", tmp_path / "m", "--hidden", 0, "--alpha", 0)
    assert done.code == 0
    assert "x  number" in done.err
    assert "R² 0.640000" in done.out  # as of 1, 2, 4, 3


def test_a_model_that_did_not_converge_says_so_when_it_is_used(run, scores, tmp_path):
    run("fit", scores, "--target", "score", "--out", tmp_path / "m", "--max-iter", 3)
    done = run("predict", tmp_path / "m.unconverged", scores)
    assert done.code == 0
    assert "Note: the training of this model did not converge: max_iter" in done.err


def test_predict(run, model, scores, tmp_path):
    done = run("predict", model, scores)
    assert done.code == 0
    assert "Note" not in done.err
    name, *values = done.out.splitlines()
    assert name == "score"
    assert [float(value) for value in values] == pytest.approx([75, 82, 93], abs=0.1)
    again = run("predict", model, scores, "--out", tmp_path / "p.csv")
    assert again.out == ""
    assert (tmp_path / "p.csv").read_text() == done.out
    document = json.loads(run("predict", model, scores, "--json").out)
    assert document == {"rows": 3, "predictions": {"score": [float(value) for value in values]}}


def test_predict_takes_columns_by_name_and_says_so(run, model, scores, tmp_path):
    straight = run("predict", model, scores).out
    shuffled = tmp_path / "shuffled.csv"
    shuffled.write_text("who,study,sleep\nA,5,3\nB,1,5\nC,2,10\n")
    done = run("predict", model, shuffled)
    assert done.out == straight
    assert "columns the model does not use: 'who'" in done.err
    assert "columns taken by name, in the order 'sleep', 'study'" in done.err


def test_predict_from_stdin(model, scores):
    command = [sys.executable, "-m", "chainrule", "predict", str(model), "-"]
    done = subprocess.run(command, input=scores.read_bytes(), capture_output=True, check=True)
    assert len(done.stdout.splitlines()) == 4
    piped = subprocess.run(
        [*command[:4], "-", str(scores)], input=model.read_bytes(), capture_output=True, check=True
    )
    assert piped.stdout == done.stdout


def test_names_that_a_spreadsheet_would_run_are_defused(run, tmp_path):
    table = tmp_path / "t.csv"
    table.write_text("x,=cmd()\n1,2\n2,3\n3,5\n")
    run("fit", table, "--target", "=cmd()", "--out", tmp_path / "m", "--restarts", 1)
    assert run("predict", tmp_path / "m", table).out.splitlines()[0] == "'=cmd()"


def test_check(run, model, scores):
    done = run("check", model, scores)
    assert done.code == 0
    assert "the gradient is right" in done.out
    document = json.loads(run("check", model, scores, "--json").out)
    assert document["passed"] is True
    assert document["ratio"] < 1e-8
    assert sorted(document["by_layer"]) == ["1", "2"]
    assert run("check", model, scores, "--step", "1e-4").code == 0


def test_check_says_no_with_code_1(run, model, scores, monkeypatch):
    from chainrule.heart import chain_rule

    right = chain_rule.backward

    def wrong(delta_L, trace, W, b, f):
        grads = right(delta_L, trace, W, b, f)
        grads.dJdW[1][:] = -grads.dJdW[1]
        return grads

    monkeypatch.setenv("CHAINRULE_KERNEL", "reference")
    monkeypatch.setattr(chain_rule, "backward", wrong)
    done = run("check", model, scores)
    assert done.code == 1
    assert "the gradient is wrong in layer 1" in done.out


def test_explain_one_row(run, model, scores):
    done = run("explain", model, scores, "--row", 2)
    assert done.code == 0
    for line in (
        "Row 2",
        "z[2] = a[1] W[1] + b[1]",
        "a[2] = tanh(z[2])",
        "prediction = y_hat * scale + center",
        "delta[3] = dJ/dz[3] = -(y - y_hat)",
        "dJdW[2] = a[2]ᵀ delta[3]",
        "delta[2] = delta[3] W[2]ᵀ * tanh'(z[2])",
        "dJdW[1] = a[1]ᵀ delta[2]",
    ):
        assert line in done.out
    assert "(5 - 6) / 2.94392 = -0.339683    sleep" in done.out
    assert "(in the table: 82)" in done.out
    (line,) = [line for line in done.out.splitlines() if line.startswith("    delta[2][1]")]
    slope, delta = (float(x) for x in re.match(r".* \* (\S+) = (\S+)  ", line).groups())
    a = float(re.search(r"a\[2\]\[1\] = tanh\(\S+\) = (\S+)", done.out)[1])
    assert slope == pytest.approx(1 - a * a, rel=1e-4)
    assert delta != 0


def test_explain_all_rows_and_without_target(run, model, scores, tmp_path):
    done = run("explain", model, scores)
    assert "z[2] = a[1] W[1] + b[1]    (3, 3)" in done.out
    assert "dJdb[2] = Σ rows of delta[3]    (1,)" in done.out
    bare = tmp_path / "bare.csv"
    bare.write_text("sleep,study\n8,3\n")
    forward = run("explain", model, bare, "--row", 1)
    assert forward.code == 0
    assert "prediction" in forward.out
    assert "delta" not in forward.out


def test_explain_as_json_is_the_trace(run, model, scores):
    document = json.loads(run("explain", model, scores, "--row", 1, "--json").out)
    assert (document["format"], document["version"]) == ("chainrule-trace", 1)
    assert document["rows"] == [1]
    assert document["X"] == [[3, 5]]
    loaded = load_model(model)
    assert document["prediction"] == loaded.predict([[3.0, 5.0]]).tolist()


def test_show(run, model):
    done = run("show", model)
    assert done.code == 0
    assert "standard scaling" in done.out
    assert "converged" in done.out
    document = json.loads(run("show", model, "--json").out)
    assert document["layers"] == [2, 3, 1]
    assert document["converged"] is True
    assert "history" not in document["training"]


@pytest.mark.parametrize("kind", ["cost", "contour", "surface", "fit", "residuals", "network"])
@pytest.mark.parametrize("ending", ["png", "svg"])
def test_plot(run, model, scores, tmp_path, kind, ending):
    out = tmp_path / f"figure.{ending}"
    done = run("plot", model, scores, "--kind", kind, "--out", out)
    assert done.code == 0, done.err
    assert done.out == f"wrote {out}\n"
    assert out.read_bytes()[:5] in (b"\x89PNG\r", b"<?xml")
    document = json.loads(run("plot", model, scores, "--kind", kind, "--out", out, "--json").out)
    assert document == {"kind": kind, "file": str(out)}


def test_plot_chosen_inputs(run, model, scores, tmp_path):
    options = ["plot", model, scores, "--kind", "contour", "--out", tmp_path / "f.png"]
    assert run(*options, "--x", "study", "--y", "sleep").code == 0
    assert run(*options, "--x", "study").code == 0
    assert "no input 'coffee'" in run(*options, "--x", "coffee").err
    assert "two different inputs" in run(*options, "--x", "study", "--y", "study").err
    assert "no target 'grade'" in run(*options, "--target", "grade").err


def test_demo(run, tmp_path):
    done = run("demo", "--out", tmp_path / "demo", "--json")
    assert done.code == 0
    document = json.loads(done.out)
    sections = document["sections"]
    assert len(document["figures"]) == len(list((tmp_path / "demo").glob("*.png"))) == 11
    assert sections["The numerical check"]["ratio"] < 1e-8
    steps = sections["One step up, one step down"]
    assert steps["up"] > steps["here"] > steps["down"]
    assert sections["Training"]["prediction"] == pytest.approx([75, 82, 93], abs=1e-3)
    assert sections["Training"]["termination"] == "converged"
    overfitting = sections["Overfitting, and lambda"]
    assert overfitting["0.0001"]["J"] == pytest.approx(0.0026175751, rel=1e-7)
    assert overfitting["0"]["train_rmse"] < overfitting["0.0001"]["train_rmse"]
    assert overfitting["0"]["test_rmse"] > overfitting["0.0001"]["test_rmse"]
    assert (
        document["sections"]["Brute force"]["bfgs_on_two"]["J"]
        <= (sections["Brute force"]["two_weights"]["lowest"])
    )


def test_demo_tells_its_story(run, tmp_path):
    done = run("demo", "--out", tmp_path / "demo")
    for phrase in (
        "z[2]      (3, 3)", "An untrained prediction", "1,000,000", "years", "dJdW[1]  = Xᵀ delta",
        "uphill", "downhill", "norm(grad - num) / norm(grad + num)", "iterations", "8 hours of",
        "lambda", "0.0026175751",
    ):  # fmt: skip
        assert phrase in done.out
    assert "Note" not in done.err


def test_a_fit_like_another_is_the_same_to_the_last_bit(run, scores, tmp_path):
    first, again, other = (tmp_path / name for name in ("a.json", "b.json", "c.json"))
    options = "--target", "score", "--hidden", "2", "--alpha", "rule", "--restarts", 2, "--seed", 3
    assert run("fit", scores, *options, "--out", first).code == 0
    assert run("fit", scores, "--like", first, "--out", again).code == 0
    assert again.read_bytes() == first.read_bytes()
    assert run("fit", scores, "--like", first, "--seed", 4, "--out", other).code == 0
    plan = run("show", other, "--plan").out
    assert "2 hidden units, as asked or by default" in plan
    assert "penalty      by rule" in plan
    assert "starts       2, seed 4" in plan
    assert run("fit", scores, "--out", other).code == 2  # nobody says what to predict
    fixture = Path(__file__).parents[1] / "fixtures" / "model-v4-folds.json"
    refused = run("fit", scores, "--like", fixture, "--out", other)
    assert (refused.code, "does not say how it was asked for" in refused.err) == (2, True)


def test_long_lists_are_printed_in_full_only_if_asked_for(run, tmp_path):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((40, 14))
    names = [f"x{k}" for k in range(14)]
    path, out = tmp_path / "t.csv", tmp_path / "m.json"
    rows = np.column_stack([X, X[:, 0] + 0.1 * rng.standard_normal(40)])
    np.savetxt(path, rows, "%.6f", ",", header=",".join([*names, "y"]), comments="")
    options = "--target", "y", "--hidden", 3, "--alpha", 1, "--restarts", 1, "--out", out
    short = run("fit", path, *options).out
    assert short.startswith("Predicts y to about ±")
    assert "inputs       14 columns, standard scaling; --full and `chainrule show`" in short
    assert "unit 1" not in short
    full = run("fit", path, *options, "--full").out
    assert "unit 1" in full
    assert "x13" in full
    assert run("show", out).out in full


def test_plot_of_the_depths_and_widths_that_were_compared(run, model, scores, tmp_path):
    rng = np.random.default_rng(0)
    x = rng.uniform(-2.0, 2.0, 60)
    table, out = tmp_path / "t.csv", tmp_path / "m.json"
    rows = np.column_stack([x, np.sin(2 * x) + 0.1 * rng.standard_normal(60)])
    np.savetxt(table, rows, "%.5f", ",", header="x,y", comments="")
    assert run("fit", table, "--target", "y", "--hidden", "auto", "--out", out).code == 0
    done = run("plot", out, table, "--kind", "layers", "--out", tmp_path / "layers.png")
    assert done.code == 0, done.err
    assert (tmp_path / "layers.png").stat().st_size > 5_000
    none = run("plot", model, scores, "--kind", "layers", "--out", tmp_path / "none.png")
    assert none.code == 2
    assert "no depths and widths were compared for this model" in none.err
