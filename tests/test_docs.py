"""What the documents show runs, and is what comes out."""

import contextlib
import inspect
import io
import json
import re
import shlex
from dataclasses import fields
from pathlib import Path

import pytest

import chainrule
from chainrule._records import to_json
from chainrule.cli import run
from chainrule.cli._run import COMMANDS
from chainrule.model.fit_report import FitOptions
from chainrule.optimize.stopping import SENTENCES
from chainrule.tables.reading import MOST_CELLS

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def blocks(language, text=README):
    return re.findall(rf"```{language}\n(.*?)```", text, re.S)


def same_but_for_the_last_digits(shown, printed):
    """Compare texts number by number: rounding differs from machine to machine."""
    number = r"[+-]?\d+\.?\d*(?:e[+-]?\d+)?"
    assert re.sub(number, "#", shown) == re.sub(number, "#", printed)
    for a, b in zip(re.findall(number, shown), re.findall(number, printed), strict=True):
        tiny = max(abs(float(a)), abs(float(b))) < 1e-8
        assert tiny or float(b) == pytest.approx(float(a), rel=1e-4)


def test_the_session_with_a_table(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("scores.csv").write_text("sleep,study,score\n3,5,75\n5,1,82\n10,2,93\n")
    _, session = blocks("console")
    assert Path("scores.csv").read_text() in session
    for command, shown in re.findall(r"\$ chainrule (.*)\n((?:[^$].*\n)*)", session):
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            assert run(shlex.split(command)) == 0
        if shown:
            same_but_for_the_last_digits(shown, printed.getvalue())
    for command in re.findall(r"`chainrule (explain.*?)`", README.replace("\n", " ")):
        with contextlib.redirect_stdout(io.StringIO()):
            assert run(shlex.split(command)) == 0


def test_the_examples_of_how_to_add_things_run():
    code = "\n".join(blocks("python", (ROOT / "CONTRIBUTING.md").read_text()))
    exec(compile(code, "CONTRIBUTING.md", "exec"), {"__name__": "contributing"})


def test_the_session_of_a_scientist(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    page = (ROOT / "docs" / "science.md").read_text()
    for language, block in re.findall(r"```(python|console)\n(.*?)```", page, re.S):
        if language == "python":
            exec(compile(block, "science.md", "exec"), {})
            continue
        for command, shown in re.findall(r"\$ chainrule (.*)\n((?:[^$].*\n)*)", block):
            printed = io.StringIO()
            with contextlib.redirect_stdout(printed):
                assert run(shlex.split(command)) == 0
            lines = printed.getvalue().splitlines()
            for line in shown.splitlines():  # the page leaves most of a summary out
                words = re.sub(r"[\d.+-]+|▇+", "#", line)
                like = [one for one in lines if re.sub(r"[\d.+-]+|▇+", "#", one) == words]
                assert like, line
                assert any(close(line, one) for one in like), (line, like)


def close(shown, printed):
    # the evidence is rounded to a percent, and kernels round differently on the way
    numbers = (re.findall(r"[+-]?\d+\.?\d*", text) for text in (shown, printed))
    pairs = zip(*numbers, strict=True)
    return all(float(b) == pytest.approx(float(a), rel=2e-2, abs=1e-2) for a, b in pairs)


@pytest.mark.parametrize(
    "page", ["README.md", pytest.param("docs/migration.md", marks=pytest.mark.in_c)]
)
def test_the_python_examples(page, capsys):
    text = (ROOT / page).read_text()
    examples, shown = blocks("python", text), blocks("text", text)
    assert len(examples) == len(shown) > 0
    for example, expected in zip(examples, shown, strict=True):
        exec(compile(example, page, "exec"), {})
        assert capsys.readouterr().out == expected


def test_the_readme_names_only_what_exists():
    for name in re.findall(r"\]\(([^)]+)\)", README):
        assert (ROOT / name).exists(), name
    for name in re.findall(r"chainrule\.([A-Z]\w+|check_gradient|minimize)", README):
        assert name in chainrule.__all__
    for command in re.findall(r"`(explain|show|plot|check|fit|predict|demo)`", README):
        assert command in COMMANDS
    for path in re.findall(r"`(src/[^`]+)`", README):
        assert len((ROOT / path).read_text().splitlines()) <= 150


def test_the_page_on_tables_names_only_options_that_exist(capsys):
    page = (ROOT / "docs" / "tables.md").read_text()
    run(["fit", "--help"])
    described = capsys.readouterr().out
    options = set(re.findall(r"--[a-z][a-z-]+", page))
    assert len(options) >= 8
    for option in options:
        assert option in described, option
    assert f"more than {MOST_CELLS:,} cells" in page


def test_notation_and_linter_agree():
    notation = (ROOT / "docs" / "notation.md").read_text()
    pyproject = (ROOT / "pyproject.toml").read_text()
    listed = re.search(r"extend-ignore-names = \[(.*?)\]", pyproject, re.S)[1]
    tutorial = {"getParams", "setParams", "costFunction", "computeGradients"}
    for name in set(re.findall(r'"(\w+)"', listed)) - tutorial:
        assert re.search(rf"`{name}[`\[]", notation), f"{name} is not in docs/notation.md"


def test_the_documented_formats_are_those_written(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("scores.csv").write_text("sleep,study,score\n3,5,75\n5,1,82\n10,2,93\n")
    run(["fit", "scores.csv", "--target", "score", "--out", "m.json", "--restarts", "1"])
    capsys.readouterr()
    run(["explain", "m.json", "scores.csv", "--json"])
    written = {
        "model-file.md": json.loads(Path("m.json").read_text()),
        "trace-json.md": json.loads(capsys.readouterr().out),
    }
    for name, document in written.items():
        table = (ROOT / "docs" / name).read_text().split("\n| of ")[0]
        rows = re.findall(r"^\| (`.*?) \|", table, re.M)
        assert {key for row in rows for key in re.findall(r"`(\w+)`", row)} == set(document)


@pytest.mark.in_c
def test_what_is_known_of_a_model_is_documented_as_it_is_written(noisy_rows):
    X, Y = noisy_rows
    written = {}
    several = {"hidden_layer_sizes": "auto", "noise": "student", "ensemble": 2}
    for options in (several, {"alpha": "rule"}):
        regressor = chainrule.NetworkRegressor(**options).fit(X, Y[:, 0])
        written |= to_json(regressor.model_.report)
    written["asked"] = {field.name: None for field in fields(FitOptions)}  # of the command line
    table = (ROOT / "docs" / "model-file.md").read_text().split("| of `training` |")[1]
    rows = re.findall(r"^\| `(\w+)` \| (.*) \|$", table, re.M)
    assert {name for name, _ in rows} - {"no_posterior"} <= set(written)
    for name, text in rows:
        names = set(re.findall(r"`(\w+)`", text))
        assert names == keys(written.get(name)) - {"x1", "x2", "rmse", "r2", "max_error", "y"}


def keys(document):
    """Return the names of all fields, at any depth."""
    if isinstance(document, list):
        return {key for item in document for key in keys(item)}
    if not isinstance(document, dict):
        return set()
    return set(document) | {key for item in document.values() for key in keys(item)}


DOCUMENTED = [
    chainrule.Network,
    chainrule.NetworkRegressor,
    chainrule.Network.backward,
    chainrule.Objective,
    chainrule.check_gradient,
    chainrule.minimize,
]


@pytest.mark.parametrize("thing", DOCUMENTED)
def test_every_documented_parameter_exists(thing):
    text = inspect.getdoc(thing).split("Parameters\n----------\n")[1]
    section = re.split(r"\n\n\w[\w ]*\n---", text)[0]
    listed = re.findall(r"^(\w[\w, ]*) :", section, re.M)
    names = {name for line in listed for name in line.split(", ")}
    arguments = set(inspect.signature(thing).parameters) - {"self"}
    assert names == arguments


def test_changelog_and_vision_are_kept_short():
    vision = (ROOT / "VISION.md").read_text()
    assert len(re.findall(r"^\d+\. ", vision, re.M)) == 10
    assert "## Unreleased" in (ROOT / "CHANGELOG.md").read_text()
    assert len(README.splitlines()) < 100


def test_every_stop_is_a_sentence_people_can_act_on():
    for name, sentence in SENTENCES.items():
        assert sentence[0].isupper(), name
        assert 40 < len(sentence) < 220, name
