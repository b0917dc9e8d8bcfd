"""Classes, columns of every kind and comparisons from the command line."""

import json

import numpy as np
import pytest

from chainrule import load_model

FLOWERS = "petal;color;wild;seen;kind\n" + "\n".join(
    f"{1 + i % 5},{i % 7};{['red', 'blue'][i % 2]};{['yes', 'no'][i // 2 % 2]};"
    f"{1 + i % 28}.0{1 + i % 9}.2020;{['rose', 'iris', 'tulip'][i % 5 // 2]}"
    for i in range(60)
)


@pytest.fixture
def flowers(tmp_path):
    path = tmp_path / "flowers.csv"
    path.write_text(FLOWERS)
    return path


@pytest.fixture
def kinds(run, flowers, tmp_path):
    path = tmp_path / "kinds.json"
    done = run("fit", flowers, "--target", "kind", "--out", path, "--restarts", 2)
    assert done.code == 0, done.err
    return path


def test_what_is_found_is_shown_before_it_is_fitted(run, flowers, tmp_path):
    done = run("fit", flowers, "--target", "kind", "--out", tmp_path / "m", "--restarts", 2)
    for line in (
        "delimiter semicolon, decimal comma",
        "  petal  number",
        "  color  category of 2: blue, red",
        "  wild   no / yes, as 0 / 1",
        "  seen   date, D.M.YYYY, in days",
        "  kind   target, 3 classes: 'iris', 'rose', 'tulip'",
    ):
        assert line in done.err
    for words in ("3 softmax", "3 classes: iris, rose, tulip", "accuracy", "evidence "):
        assert words in done.out


def test_classes_and_their_probabilities(run, kinds, flowers):
    done = run("predict", kinds, flowers)
    head, first, *_ = done.out.splitlines()
    assert head == "kind,p(kind=iris),p(kind=rose),p(kind=tulip)"
    label, *p = first.split(",")
    assert label == "rose"
    assert sum(map(float, p)) == pytest.approx(1.0, abs=1e-12)
    document = json.loads(run("predict", kinds, flowers, "--json").out)
    assert document["predictions"]["kind"][0] == "rose"
    assert set(document["probabilities"]) == {f"p(kind={k})" for k in ("iris", "rose", "tulip")}


def test_a_raw_table_in_any_order(run, kinds, tmp_path):
    table = tmp_path / "new.csv"
    table.write_text("seen,wild,extra,color,petal\n05.03.2020,no,1,green,2.5\n06.03.2020,,1,red,\n")
    done = run("predict", kinds, table)
    assert done.code == 0, done.err
    for words in (
        "columns the model does not use: 'extra'",
        "columns taken by name, in the order 'petal', 'color', 'wild', 'seen'",
        "column 'color': 'green' in 1 row was not seen in training",
        "column 'petal': missing in 1 row, but never in training; it is taken as",
        "column 'wild': missing in 1 row, but never in training; it is taken as yes",
    ):
        assert words in done.err, words
    table.write_text("seen,wild,petal\n05.03.2020,no,2.5\n")
    assert "has no column 'color', which the model needs" in run("predict", kinds, table).err


@pytest.mark.parametrize("command", ["check", "explain", "show"])
def test_every_command_takes_a_model_of_classes(run, kinds, flowers, command):
    rows = ["--row", 1] if command == "explain" else []
    tables = [] if command == "show" else [flowers]
    for as_json in ([], ["--json"]):
        done = run(command, kinds, *tables, *rows, *as_json)
        assert done.code == 0, done.err
    if command == "explain":
        assert "    kind = rose    (in the table: rose)" in run(command, kinds, flowers, *rows).out
        assert "more rows (--json has all)" in run(command, kinds, flowers).out


def test_pictures_of_a_model_of_classes(run, kinds, flowers, tmp_path):
    for kind in ("cost", "contour", "fit", "network"):
        out = tmp_path / f"{kind}.png"
        done = run("plot", kinds, flowers, "--kind", kind, "--out", out, "--target", "p(kind=rose)")
        assert done.code == 0, done.err
        assert out.stat().st_size > 5000


def test_columns_can_be_overruled(run, flowers, tmp_path):
    done = run(
        "fit", flowers, "--target", "wild", "--drop", "seen", "--category", "petal", "--weight",
        "petal", "--out", tmp_path / "m",
    )  # fmt: skip
    assert done.code == 2
    assert "column 'petal' is named twice in the options" in done.err
    done = run("fit", flowers, "--target", "wild", "--drop", "seen", "--category", "petal",
        "--skip", "--alpha", "0.1,1", "--restarts", 1, "--out", tmp_path / "m")  # fmt: skip
    assert done.code == 0, done.err
    model = load_model(tmp_path / "m")
    assert [column.kind for column in model.columns] == ["category", "category", "category"]
    assert model.classes == (("no", "yes"),)
    assert model.network.skip
    assert model.report.plan.alpha == (0.1, 1.0)


def test_weights_are_rows_repeated(run, tmp_path):
    rows = [(i, (i * 7) % 5, 1 + i % 3) for i in range(12)]
    (tmp_path / "w.csv").write_text("x,y,w\n" + "".join(f"{x},{y},{w}\n" for x, y, w in rows))
    (tmp_path / "r.csv").write_text("x,y\n" + "".join(f"{x},{y}\n" * w for x, y, w in rows))
    options = ["--target", "y", "--alpha", 0.1, "--task", "regression"]
    run("fit", tmp_path / "w.csv", "--weight", "w", *options, "--out", tmp_path / "w")
    run("fit", tmp_path / "r.csv", *options, "--out", tmp_path / "r")
    grid = [[x / 2] for x in range(24)]
    weighted, repeated = (load_model(tmp_path / name).predict(grid) for name in "wr")
    assert weighted == pytest.approx(repeated, abs=1e-7)


def test_a_number_that_may_be_a_class_is_said(run, tmp_path):
    table = tmp_path / "t.csv"
    table.write_text("x,y\n" + "".join(f"{i},{i % 3}\n" for i in range(12)))
    done = run("fit", table, "--target", "y", "--out", tmp_path / "m", "--restarts", 2)
    assert "has 3 whole values and is learned as a number; if these are classes, say" in done.err
    options = ("--task", "classification", "--allow-unconverged")  # there is nothing to learn
    run("fit", table, "--target", "y", *options, "--out", tmp_path / "m")
    assert load_model(tmp_path / "m").classes == ((0, 1, 2),)


def test_compare(run, flowers, tmp_path):
    done = run("compare", flowers, "--target", "kind", "--folds", 3)
    assert done.code == 0, done.err
    for name in ("chainrule", "frequencies", "logistic regression", "MLP, lbfgs", "MLP, adam"):
        assert name in done.out
    assert "standard errors" in done.out
    table = tmp_path / "t.csv"
    table.write_text("x,y\n" + "".join(f"{i},{(i * 0.37) % 3 + i * 0.01}\n" for i in range(30)))
    document = json.loads(run("compare", table, "--target", "y", "--folds", 3, "--json").out)
    assert document["measure"] == "r2"
    names = [result["name"] for result in document["results"]]
    assert sorted(names) == sorted(
        ["chainrule", "mean", "linear regression", "MLP, lbfgs", "MLP, adam", "gradient boosting"]
    )
    for result in document["results"]:
        assert len(result["r2"]["folds"]) == 3
        assert result["r2"]["standard_error"] >= 0
    means = [result["r2"]["mean"] for result in document["results"]]
    assert means == sorted(means, reverse=True)
    assert "it can be 2 to 15" in run("compare", table, "--target", "y", "--folds", 40).err
    alone, together = (
        json.loads(run("compare", table, "--target", "y", "--folds", 2, *more, "--json").out)
        for more in ((), ("--ensemble", 3))
    )
    ours = [next(r for r in of["results"] if r["name"] == "chainrule") for of in (alone, together)]
    assert ours[0]["r2"]["folds"] != ours[1]["r2"]["folds"]


def amounts(form):
    """Return a table of 60 amounts that all differ."""
    return "\n".join(["a;y", *(f"{i};{form.format(i + 1)}" for i in range(60))]) + "\n"


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        (
            amounts("{}.684.709,65"),
            ["has marks of thousands: to read it as 1684709.65 (--thousands . --decimal ,)"],
        ),
        (amounts("{},5 €"), ["has a unit: write the number alone"]),
        ("a,y\n1,\n2,\n3,\n", ["target 'y' is missing in every row"]),
        ("a,y\n1,rose\n2,\n3,lily\n4,rose\n", ["row 2 (line 3): the value is missing; fill it"]),
    ],
)
def test_a_target_that_cannot_be_read_says_how_to_write_it(run, tmp_path, text, sentences):
    table = tmp_path / "t.csv"
    table.write_text(text)
    done = run("fit", table, "--target", "y", "--out", tmp_path / "m.json", "--decimal", ".")
    assert done.code == 2
    for sentence in sentences:
        assert sentence in done.err


def test_doubts_about_numbers_are_said(run, tmp_path):
    table = tmp_path / "t.csv"
    rows = [f"{1000 + i};{i + 10}.{100 + 7 * i};NA" for i in range(25)]
    table.write_text("\n".join(["id;km;price", *rows[:-1], "1024;34.555;1.234"]) + "\n")
    done = run("fit", table, "--target", "km", "--out", tmp_path / "m.json", "--restarts", 1)
    assert "column 'id' counts the rows; if it only names them, say --drop id" in done.err
    assert "column 'km' has '10.100': taken as a decimal '.'" in done.err
    assert "'NA': taken" not in done.err


def test_folds_keep_what_columns_are(run, tmp_path):
    rng = np.random.default_rng(0)
    x = rng.standard_normal(40)
    dates = [f"{1 + i % 12}/{1 + i % 9}/2020" for i in range(39)] + ["8/25/2020"]
    rare = ["no"] * 39 + ["yes"]
    rows = zip(x, rare, dates, x + 0.1 * rng.standard_normal(40), strict=True)
    lines = [f"{a:.4f},{b},{c},{d:.4f}" for a, b, c, d in rows]
    (tmp_path / "t.csv").write_text("\n".join(["x,rare,day,y", *lines]) + "\n")
    done = run("compare", tmp_path / "t.csv", "--target", "y", "--folds", 4, "--restarts", 1)
    assert done.code == 0, done.err
    assert "chainrule with effort normal" in done.out


@pytest.mark.parametrize("name", ["cp1252", "Windows-1252", "ISO-8859-1", "latin1"])
def test_encodings_by_the_names_people_know(run, tmp_path, name):
    (tmp_path / "t.csv").write_bytes("größe,y\n1,2\n2,4\n3,7\n".encode("cp1252"))
    options = "--target", "y", "--out", tmp_path / "m", "--restarts", 1, "--encoding", name
    done = run("fit", tmp_path / "t.csv", *options)
    assert done.code == 0, done.err
    assert "größe" in done.out


def test_words_with_a_loss_that_was_named_are_classes(run, flowers, tmp_path):
    options = "--out", tmp_path / "m", "--restarts", 1, "--loss", "cross_entropy"
    done = run("fit", flowers, "--target", "wild", "--output", "sigmoid", "--alpha", 0.01, *options)
    assert done.code == 0, done.err
    assert "2 classes" in done.out


def test_the_probability_of_the_first_class_can_be_drawn_too(run, flowers, tmp_path):
    run("fit", flowers, "--target", "wild", "--out", tmp_path / "m", "--alpha", 0.01)
    for name in ("no", "yes"):
        out = tmp_path / f"{name}.png"
        done = run("plot", tmp_path / "m", flowers, "--target", f"p(wild={name})", "--out", out)
        assert done.code == 0, done.err


def test_one_wrong_date_is_named(run, tmp_path):
    days = [f"2020-01-{1 + i % 28:02d}" for i in range(60)]
    days = [f"{day[:4]}-{1 + i // 28:02d}-{day[8:]}" for i, day in enumerate(days)]
    days[36] = "2020-02-30"
    lines = [f"{day},{i}" for i, day in enumerate(days)]
    (tmp_path / "t.csv").write_text("\n".join(["day,y", *lines]) + "\n")
    done = run("fit", tmp_path / "t.csv", "--target", "y", "--out", tmp_path / "m.json")
    assert done.code == 2
    assert "row 37 (line 38): '2020-02-30' is not a date as the others are (YYYY" in done.err
