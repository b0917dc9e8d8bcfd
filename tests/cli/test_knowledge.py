"""What is known of a fit, on the command line."""

import csv
import io
import json
import re

import numpy as np
import pytest


@pytest.fixture
def table(tmp_path):
    """Return the path of a table with a target, words, and one row far from the others."""
    rng = np.random.default_rng(1)
    x, kind = rng.uniform(-2, 2, 60), rng.choice(["a", "b"], 60)
    y = 10 + 3 * np.sin(2 * x) + 2 * (kind == "b") + 0.3 * rng.standard_normal(60)
    lines = [f"{a:.3f},{k},{b:.3f}" for a, k, b in zip(x, kind, y, strict=True)]
    path = tmp_path / "t.csv"
    path.write_text("\n".join(["x,kind,y", *lines]) + "\n")
    return path


@pytest.fixture
def fitted(run, table, tmp_path):
    path = tmp_path / "m.json"
    done = run("fit", table, "--target", "y", "--hidden", 4, "--restarts", 3, "--out", path)
    assert done.code == 0, done.err
    return path


def test_predict_with_intervals(run, fitted, table, tmp_path):
    new = tmp_path / "new.csv"
    new.write_text("x,kind\n0.5,a\n30,b\n")
    done = run("predict", fitted, new, "--interval", 0.9)
    assert done.code == 0
    near, far = csv.DictReader(io.StringIO(done.out))
    assert list(near) == ["y", "y lower", "y upper", "y std", "far"]
    assert float(near["y lower"]) < float(near["y"]) < float(near["y upper"])
    assert (near["far"], far["far"]) == ("0", "1")
    assert float(far["y std"]) > 2 * float(near["y std"])
    assert "1 of 2 rows are far from those that were learned (row 2)" in done.err
    document = json.loads(run("predict", fitted, table, "--interval", 0.9, "--json").out)
    inside = [
        low <= y <= high
        for low, y, high in zip(
            document["predictions"]["y lower"],
            np.loadtxt(table, delimiter=",", skiprows=1, usecols=2),
            document["predictions"]["y upper"],
            strict=True,
        )
    ]
    assert np.mean(inside) > 0.85


@pytest.mark.parametrize("coverage", ["0", "1", "95", "nan", "much"])
def test_a_coverage_that_is_none_is_refused(run, fitted, table, coverage):
    done = run("predict", fitted, table, "--interval", coverage)
    assert done.code == 2
    assert "Error: " in done.err


def test_classes_have_no_intervals_and_say_so(run, table, tmp_path):
    path = tmp_path / "c.json"
    assert run("fit", table, "--target", "kind", "--restarts", 2, "--out", path).code == 0
    done = run("predict", path, table, "--interval", 0.9)
    assert done.code == 2
    assert "learns probabilities: they are the uncertainty" in done.err
    shown = run("show", path).out
    assert "unseen rows  kind: accuracy" in shown
    best = json.loads(run("best", path, "--target", "p(kind=b)", "--json").out)
    assert 0 < best["prediction"] < 1
    assert best["std"] is None
    votes = run("influence", path, table, "--row", 1)
    assert votes.code == 2
    assert "has no votes" in votes.err


def test_the_page_says_what_is_known(run, fitted):
    shown = run("show", fitted).out
    for words in (
        "unseen rows  y: rmse",
        "evidence     ",
        "priors ",
        "noise        y: standard deviation",
        "coverage     leave-one-out coverage of ± 1.96 standard deviations:",
        "sensitivity  average partial effect on y ± posterior sd; of a word: from the mean",
        "influence    leverage",
    ):
        assert words in shown
    training = json.loads(run("show", fitted, "--json").out)["training"]
    assert set(training["known"]["relevance"]["y"]) == {"x", "kind=a", "kind=b"}
    assert training["evidence"]["groups"] == ["x", "kind", "b[1]", "W[2]"]


def test_fit_as_json_has_it_all(run, table, tmp_path):
    path = tmp_path / "m.json"
    options = (
        "--hidden",
        "auto",
        "--ensemble",
        2,
        "--restarts",
        3,
        "--noise",
        "constant",
        "--json",
    )
    document = json.loads(run("fit", table, "--target", "y", *options, "--out", path).out)
    assert document["hidden"][0] in [size["hidden"] for size in document["sizes"]]
    assert np.isfinite(document["evidence"]["log_evidence"])
    assert 0.8 < document["known"]["coverage"] <= 1
    assert "2 networks predict together" in run("show", path).out
    assert "chosen" in run("show", path).out


def test_influence_names_rows_and_votes(run, fitted, table):
    done = run("influence", fitted, table, "--top", 4)
    assert done.code == 0
    assert len(done.out.splitlines()) == 6
    rows = json.loads(run("influence", fitted, table, "--json").out)
    gamma = json.loads(run("show", fitted, "--json").out)["training"]["known"]["gamma"]
    assert sum(rows["leverage"]) == pytest.approx(gamma)
    votes = json.loads(run("influence", fitted, table, "--row", 7, "--json").out)
    assert sum(votes["votes"]) == pytest.approx(1.0)
    assert votes["votes"][6] == pytest.approx(rows["leverage"][6])
    assert "all 60 add up to 1.0000" in run("influence", fitted, table, "--row", 7).out
    assert "rows 1 to 60" in run("influence", fitted, table, "--row", 61).err


def test_the_best_input(run, fitted):
    done = run("best", fitted, "--fix", "kind=a")
    assert done.code == 0
    assert done.out.startswith("highest y: ")
    assert "  kind                 a   given" in done.out
    twice = run("best", fitted, "--fix", "kind=a", "--fix", "kind=b")
    assert "--fix kind is given twice" in twice.err
    assert "far from the rows" in run("best", fitted, "--fix", "x=1e7").err
    found = json.loads(run("best", fitted, "--minimize", "--json").out)
    assert found["inputs"]["x"] == pytest.approx(-np.pi / 4, abs=0.3)
    for wrong, words in (
        ("x", "is not NAME=VALUE"),
        ("z=1", "there is no column 'z'"),
        ("kind=c", "it is one of 'a', 'b'"),
    ):
        bad = run("best", fitted, "--fix", wrong)
        assert bad.code == 2
        assert words in bad.err


def test_what_auto_cannot_do_is_said(run, table, scores, tmp_path):
    few = run("fit", scores, "--target", "score", "--hidden", "auto", "--out", tmp_path / "m")
    assert few.code == 2
    assert "fewer than 10 rows: too few to tell noise" in few.err
    fixed = run(
        "fit", table, "--target", "y", "--hidden", "auto", "--alpha", 0.1, "--out", tmp_path / "m"
    )
    assert fixed.code == 2
    assert "with alpha 'evidence'" in fixed.err


def test_rows_are_named_as_they_are_in_the_table(run, table, tmp_path):
    lines = table.read_text().splitlines()
    counts = [0 if 10 <= i < 30 else 1 for i in range(60)]
    weighted = [f"{line},{count}" for line, count in zip(lines[1:], counts, strict=True)]
    weighted[50] = "1.0,a,500,1"
    other = tmp_path / "w.csv"
    other.write_text("\n".join([lines[0] + ",count", *weighted]) + "\n")
    options = ("--target", "y", "--weight", "count", "--hidden", 2, "--restarts", 2, "--json")
    known = json.loads(run("fit", other, *options, "--out", tmp_path / "m").out)["known"]
    assert known["influential"][0]["row"] == 51
    assert not {row["row"] for row in known["influential"]} & set(range(11, 31))


def test_other_rows_than_those_that_were_learned_are_noticed(run, fitted, table, tmp_path):
    assert run("influence", fitted, table).err == ""
    few = tmp_path / "few.csv"
    few.write_text("\n".join(table.read_text().splitlines()[:31]) + "\n")
    done = run("influence", fitted, few)
    assert done.code == 0
    assert "was fitted to 60 rows, these are 30" in done.err
    lines = table.read_text().splitlines()
    few.write_text("\n".join([*lines[:31], *lines[1:31]]) + "\n")
    assert "these are not the rows that" in run("influence", fitted, few).err


def test_rows_of_classes_are_shown_by_their_words(run, table, tmp_path):
    lines = table.read_text().splitlines()
    words = [
        ",".join([*line.split(",")[:2], "lmh"[int(float(line.split(",")[2])) % 3]])
        for line in lines[1:]
    ]
    table.write_text("\n".join([lines[0], *words]) + "\n")
    out = tmp_path / "classes.json"
    done = run("fit", table, "--target", "y", "--hidden", 2, "--restarts", 2, "--out", out)
    assert done.code in (0, 1)
    shown = run("influence", out if done.code == 0 else f"{out}.unconverged", table, "--top", 3)
    assert shown.code == 0
    assert re.search(r" [lmh] +p = [0-9.e-]+", shown.out)


def test_rows_with_heavy_tails_have_the_leverage_they_had(run, table, tmp_path):
    text = table.read_text().splitlines()
    for i in range(5, 55, 12):  # far off
        x, kind, y = text[i].split(",")
        text[i] = f"{x},{kind},{float(y) + 15}"
    table.write_text("\n".join(text) + "\n")
    out = tmp_path / "student.json"
    done = run("fit", table, "--target", "y", "--hidden", 3, "--noise", "student", "--out", out)
    gamma = json.loads(out.read_text())["training"]["known"]["gamma"]
    assert done.code == 0
    shown = run("influence", out, table, "--json")
    assert (shown.code, shown.err) == (0, "")
    leverage = json.loads(shown.out)["leverage"]
    assert sum(leverage) == pytest.approx(gamma)
    assert max(leverage[i - 1] for i in range(5, 55, 12)) < 0.1 * max(leverage)
    assert run("influence", out, table, "--row", 2).code == 0


def test_more_cannot_predict_together_than_there_are(run, table, tmp_path):
    options = ("--ensemble", 4, "--restarts", 3, "--out", tmp_path / "m.json")
    done = run("fit", table, "--target", "y", *options)
    assert done.code == 2
    assert "ensemble is 4, and there are only 3 starts" in done.err


def test_votes_are_for_the_target_that_is_asked_for(run, tmp_path):
    rng = np.random.default_rng(0)
    x = rng.uniform(-2, 2, 40)
    rows = np.column_stack([x, np.sin(x), x**2]) + 0.05 * rng.standard_normal((40, 3))
    table, out = tmp_path / "two.csv", tmp_path / "two.json"
    np.savetxt(table, rows, "%.4f", ",", header="x,u,v", comments="")
    assert run("fit", table, "--target", "u", "--target", "v", "--out", out).code == 0
    leverage = json.loads(run("influence", out, table, "--json").out)["leverage"]
    asked = ("influence", out, table, "--row", 3, "--json")
    votes = {name: json.loads(run(*asked, "--target", name).out)["votes"] for name in ("u", "v")}
    assert json.loads(run(*asked).out)["votes"] == votes["u"]
    # each target's own vote is its part of the leverage
    assert votes["u"][2] + votes["v"][2] == pytest.approx(leverage[2])
    assert votes["u"][2] != votes["v"][2]
    shown = run("influence", out, table, "--row", 3, "--target", "v", "--top", 1).out
    assert "votes for the v of row 3" in shown
    assert float(shown.split()[-1]) == pytest.approx(rows[int(shown.split()[-3]) - 1, 2], abs=1e-3)
    assert "the model has no target 'w'; it has 'u', 'v'" in run(*asked, "--target", "w").err
    assert "give --row too" in run("influence", out, table, "--target", "u").err


def test_rows_that_count_nothing_have_no_say(run, table, tmp_path):
    lines = table.read_text().splitlines()
    weights = [(0.0, 0.5, 1.5)[i % 3] for i in range(60)]
    rows = [f"{line},{w}" for line, w in zip(lines[1:], weights, strict=True)]
    rows[0] = rows[0].replace(rows[0].split(",")[2], "")  # what it says need not be known
    table.write_text("\n".join([lines[0] + ",w", *rows]) + "\n")
    out = tmp_path / "m.json"
    assert run("fit", table, "--target", "y", "--weight", "w", "--out", out).code in (0, 1)
    shown = run("influence", out, table, "--weight", "w", "--json")
    assert (shown.code, shown.err) == (0, "")
    found = json.loads(shown.out)
    assert found["row"] == [i + 1 for i in range(60) if weights[i] > 0]
    assert len(found["leverage"]) == len(found["without"]) == 40
    assert np.all(np.isfinite(found["leverage"]))
    page = run("influence", out, table, "--weight", "w", "--top", 40).out
    named = [int(line.split()[0]) for line in page.splitlines()[2:]]
    assert sorted(named) == found["row"]
    gamma = json.loads(out.read_text())["training"]["known"]["gamma"]
    assert f"leverages add up to γ = {gamma:.2f}" in page
    votes = json.loads(run("influence", out, table, "--weight", "w", "--row", 3, "--json").out)
    assert votes["rows"] == found["row"]
    done = run("influence", out, table, "--weight", "w", "--row", 4)
    assert "--row 4 counts nothing" in done.err


def test_weights_are_shown_with_their_errors(run, fitted):
    page = run("show", fitted).out.splitlines()
    (first,) = (i for i, line in enumerate(page) if line.startswith("W[1]"))
    document = json.loads(run("show", fitted, "--json").out)
    assert {name: np.shape(of) for name, of in document["errors"].items()} == {
        name: np.shape(of) for name, of in document["weights"].items()
    }
    assert page[first + 1].split()[0] == "x"
    shown = page[first + 2].split()
    assert shown[0] == "±"
    assert [float(of) for of in shown[1:]] == pytest.approx(document["errors"]["W[1]"][0], rel=0.05)


def test_what_is_not_known_is_said(run, table, tmp_path):
    out = tmp_path / "m.json"
    options = ("--max-iter", 1, "--alpha", 0.1, "--allow-unconverged", "--out", out)
    assert run("fit", table, "--target", "y", *options).code == 0
    page = run("show", out).out
    assert "posterior    none: training was stopped before it came to a minimum" in page
    assert "±" not in page.split("\n\n", 1)[1]  # the first sentence has that of fitted rows
    done = json.loads(run("fit", table, "--target", "y", "--json", *options).out)
    assert done["no_posterior"] == "training was stopped before it came to a minimum"


def test_rows_far_from_those_learned_are_named_for_classes_too(run, table, tmp_path):
    path, new = tmp_path / "c.json", tmp_path / "new.csv"
    assert run("fit", table, "--target", "kind", "--restarts", 2, "--out", path).code == 0
    new.write_text("x,y\n0.5,12.5\n300,10\n")
    done = run("predict", path, new)
    assert done.code == 0
    assert "1 of 2 rows are far from those that were learned (row 2)" in done.err


def test_an_output_that_is_not_that_of_classes_is_refused_at_once(run, table, tmp_path):
    done = run("fit", table, "--target", "kind", "--output", "exp", "--out", tmp_path / "c.json")
    assert done.code == 2
    assert "--output is 'exp', and these classes are learned with 'sigmoid'" in done.err


def test_starts_that_agree_predict_as_one(run, table, tmp_path):
    out = tmp_path / "m.json"
    options = ("--hidden", 0, "--ensemble", 3, "--restarts", 3, "--out", out)
    page = run("fit", table, "--target", "y", *options).out
    assert "3 networks predict together; at the same minimum: as one of them does" in page


def test_compare_with_an_ensemble_and_another_noise(run, table):
    few = ("compare", table, "--target", "y", "--folds", 2, "--hidden", 2)
    done = run(*few, "--ensemble", 5, "--restarts", 3)
    assert "--ensemble is 5, and there are only 3 starts" in done.err
    assert run(*few, "--noise", "student").code == 0
    done = run("compare", table, "--target", "kind", "--folds", 2, "--noise", "student")
    assert "--noise student is that of numbers" in done.err
