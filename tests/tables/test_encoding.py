"""What columns hold is found by rule, can be overruled, and is part of the model."""

import datetime

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule import ConfigurationError, DataError
from chainrule.tables import dates
from chainrule.tables.encoding import ColumnType, encode, find_types, input_names
from chainrule.tables.frames import from_array, from_frame
from chainrule.tables.reading import read_table
from chainrule.tables.targets import labels, one_hot, probabilities, read_targets
from chainrule.tables.text import Text


def table(**columns):
    rows = zip(*columns.values(), strict=True)
    lines = [",".join(columns), *(",".join(f'"{cell}"' for cell in row) for row in rows)]
    return read_table("t.csv", "\n".join(lines).encode())


def kind(values, **options):
    types, _ = find_types(table(x=values, y=range(len(values))), ["x"], **options)
    return types[0].kind


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["1", "2.5", "-3e2"], "number"),
        (["1", "NA", "3"], "number"),
        (["yes", "no", "yes"], "yes/no"),
        (["Ja", "", "Nein"], "yes/no"),
        (["TRUE", "FALSE", "TRUE"], "yes/no"),
        (["2020-01-01", "2021-02-03"], "date"),
        (["2020-01-01 10:30", "2021-02-03T12:00:05Z"], "date"),
        (["31.12.2020", "1.1.2021"], "date"),
        (["12/31/2020", "1/2/2021"], "date"),
        (["red", "blue", "red"], "category"),
        (["A", "B"] * 3, "category"),
        ([f"k{i % 40}" for i in range(100)], "category"),
    ],
)
def test_kinds_by_rule(values, expected):
    assert kind(values) == expected


@pytest.mark.parametrize("values", [["Anna", "Berta", "Cäsar"], [f"k{i % 60}" for i in range(200)]])
def test_text_is_refused_by_name_with_what_helps(values):
    with pytest.raises(DataError, match=r"column 'x' holds text, \d+ different ones in") as caught:
        kind(values)
    assert "--drop x" in str(caught.value)
    assert "--category x" in str(caught.value)
    assert kind(values, kinds={"x": "category"}) == "category"


def test_a_column_of_nothing_is_left_out_aloud():
    types, remarks = find_types(table(x=["", "NA", "?"], y=[1, 2, 3]), ["x", "y"])
    assert [t.name for t in types] == ["y"]
    assert remarks == ("column 'x' is empty and left out",)
    for kind in ("number", "category", "date"):
        said, _ = find_types(table(x=["", "NA", "?"], y=[1, 2, 3]), ["x", "y"], kinds={"x": kind})
        assert [t.name for t in said] == ["y"]


def test_what_may_be_a_label_is_said():
    zip_code = find_types(table(x=["01234", "50667", "10115"]), ["x"])[1]
    assert "leading zeros ('01234')" in zip_code[0]
    number = find_types(table(x=["12345678901234567", "22345678901234567"]), ["x"])[1]
    assert "more than 15 digits" in number[0]
    assert find_types(table(x=["0.5", "0", "10"]), ["x"])[1] == ()


def test_every_kind_becomes_inputs():
    t = table(
        n=["1", "", "3", "8"],
        town=["Ulm", "Bonn", "", "Ulm"],
        yes=["no", "yes", "yes", ""],
        day=["1970-01-03", "1970-01-01", "1970-01-02T12:00", ""],
    )
    types, _ = find_types(t, t.names)
    assert input_names(types) == (
        "n", "n missing", "town=Bonn", "town=Ulm", "town missing", "yes", "yes missing",
        "day", "day missing",
    )  # fmt: skip
    assert encode(types, t).X.tolist() == [
        [1, 0, 0, 1, 0, 0, 0, 2, 0],
        [3, 1, 1, 0, 0, 1, 0, 0, 0],
        [3, 0, 0, 0, 1, 1, 0, 1.5, 0],
        [8, 0, 0, 1, 0, 1, 1, 1.5, 1],
    ]


def test_what_training_never_saw_is_handled_by_the_rule_and_said():
    types, _ = find_types(table(n=[1, 2, 9], town=["Ulm", "Bonn", "Ulm"]), ["n", "town"])
    new = table(town=["Rome", ""], n=["", "4"], more=[1, 2])
    encoded = encode(types, new)
    assert encoded.X.tolist() == [[2, 0, 0], [4, 0, 0]]
    said = " | ".join(encoded.remarks)
    assert "column 'n': missing in 1 row, but never in training; it is taken as 2" in said
    assert "'Rome' in 1 row was not seen in training; it is taken as none of those" in said
    with pytest.raises(DataError, match="has no column 'town', which the model needs"):
        encode(types, table(n=["1"]))


def test_missing_values_can_be_refused():
    with pytest.raises(DataError, match=r"column 'x', row 2 \(line 3\): the value is missing \(as"):
        find_types(table(x=["1", "", "", "3"]), ["x"], missing="error")
    types, _ = find_types(table(x=["1", "2"]), ["x"], missing="error")
    with pytest.raises(DataError, match="the value is missing"):
        encode(types, table(x=["1", "NA"]))
    with pytest.raises(ConfigurationError, match="missing is 'guess'"):
        find_types(table(x=["1", "2"]), ["x"], missing="guess")


def test_names_that_meet_are_refused():
    types = (ColumnType("a", "category", ("b",)), ColumnType("a=b"))
    with pytest.raises(DataError, match="two inputs are called 'a=b'"):
        input_names(types)


@pytest.mark.parametrize("style", ["YYYY-MM-DD", "D.M.YYYY", "D/M/YYYY", "M/D/YYYY"])
@given(day=st.dates(datetime.date(1700, 1, 1), datetime.date(2300, 1, 1)))
def test_dates_of_every_style(style, day):
    y, m, d = day.year, day.month, day.day
    written = {
        "YYYY-MM-DD": day.isoformat(),
        "D.M.YYYY": f"{d}.{m}.{y}",
        "D/M/YYYY": f"{d}/{m}/{y}",
        "M/D/YYYY": f"{m}/{d}/{y}",
    }[style]
    values, places = dates.days(Text.of([written, ""]), dates.STYLES[style])
    assert values[0] == (day - datetime.date(1970, 1, 1)).days
    assert np.isnan(values[1])
    assert len(places) == 0


def test_a_date_that_does_not_exist_is_none():
    for column, wrong in (
        (["31.02.2020"], "31.02.2020"),
        (["1.2.2020", "1/2/2020"], "1/2/2020"),
        (["13/1/2020", "1/13/2020"], "1/13/2020"),
    ):
        assert dates.admitted(Text.of(column)).wrong == wrong


# ---------------------------------------------------------------- targets


def test_classes_are_found_from_the_target():
    t = table(
        word=["a", "b", "c", "a", "b", "c"],
        answer=["no", "yes"] * 3,
        bit=[0, 1] * 3,
        number=[1.5, 2, 3, 4, 5, 6],
        count=[1, 2, 3, 1, 2, 3],
    )
    assert read_targets(t, ["word"]).classes == (("a", "b", "c"),)
    assert read_targets(t, ["answer"]).classes == (("no", "yes"),)
    assert read_targets(t, ["bit"]).classes == ((0, 1),)
    assert read_targets(t, ["answer", "bit"]).classes == (("no", "yes"), (0, 1))
    for name in ("number", "count"):
        assert read_targets(t, [name]).classes == ()
    assert read_targets(t, ["count"], "classification").classes == ((1, 2, 3),)
    assert read_targets(t, ["bit"], "regression").classes == ()
    assert read_targets(t, ["word"]).Y.tolist()[:3] == np.eye(3).tolist()
    with pytest.raises(DataError, match="too many to be classes"):
        read_targets(t, ["number"], "classification")
    with pytest.raises(DataError, match="several targets at once must have two classes each"):
        read_targets(t, ["word", "answer"])
    with pytest.raises(DataError, match="'b' is not a class of the model"):
        read_targets(t, ["word"], classes=(("a", "c"),))


@pytest.mark.parametrize(
    "of", [(("x", "y"),), ((1, 2, 5),), ((False, True),), (("n", "y"), (0, 1))]
)
def test_labels_and_probabilities_come_back(of):
    rng = np.random.default_rng(0)
    codes = np.column_stack([rng.integers(len(labels_), size=20) for labels_ in of])
    outputs = one_hot(codes, of)
    back = labels(outputs, of).reshape(20, -1)
    for column, code, names in zip(back.T, codes.T, of, strict=True):
        assert column.tolist() == [names[k] for k in code]
    p = probabilities(outputs, of)
    assert np.all((p > 0) & (p < 1))


# ---------------------------------------------------------------- data frames


def test_frames_say_themselves_what_they_hold():
    frame = pd.DataFrame(
        {
            "i": pd.array([1, None, 3], dtype="Int64"),
            "c": pd.Categorical(["u", None, "v"]),
            "b": pd.array([True, None, False], dtype="boolean"),
            "t": pd.to_datetime(["2020-01-01", None, "2020-01-03"]),
            "o": [1, 2.5, None],
            "s": ["x", None, "x"],
        }
    )
    found = from_frame(frame)
    assert [found.columns[n].kind for n in found.names] == [
        "number", "category", "yes/no", "date", "number", "text"
    ]  # fmt: skip
    for name in ("i", "b", "t", "o"):
        assert np.isnan(found.columns[name].values).sum() == 1, name
    assert [found.columns["s"].values[i] for i in range(3)] == ["x", "", "x"]
    same = from_frame(pl.from_pandas(frame))
    for name in ("i", "b", "t"):
        assert np.array_equal(
            same.columns[name].values, found.columns[name].values, equal_nan=True
        ), name


def test_what_no_input_can_be_made_of_is_refused():
    with pytest.raises(DataError, match="column 'x', row 1 holds a list"):
        from_frame(pd.DataFrame({"x": [[1], [2]]}))
    with pytest.raises(DataError, match="column 'x' holds List"):
        from_frame(pl.DataFrame({"x": [[1], [2]]}))


def test_the_median_counts_weights_as_repetitions():
    for values, weights in (([4.0, 1.0, 3.0, 2.0], [1, 1, 1, 1]), ([3.0, 1.0, 2.0], [2, 1, 1])):
        table = from_array(np.array(values)[:, None], ("x",))
        (found,), _ = find_types(table, ["x"], weights=np.array(weights, dtype=float))
        assert found.fill == np.median(np.repeat(values, weights)) == 2.5
