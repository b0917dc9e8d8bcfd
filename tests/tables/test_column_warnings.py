"""What a column may mean besides is said, for files and data frames alike."""

import pandas as pd
import polars as pl
import pytest

from chainrule import DataError
from chainrule.tables.cells import Missing
from chainrule.tables.encoding import find_types
from chainrule.tables.frames import from_frame
from chainrule.tables.reading import Format, read_table
from chainrule.tables.targets import read_targets

FRAMES = {
    "file": lambda cells, missing: read_table(
        "t.csv", "\n".join(["x,y", *(f"{c},{i}" for i, c in enumerate(cells))]).encode(),
        Format(missing=missing),
    ),
    "pandas": lambda cells, missing: from_frame(pd.DataFrame({"x": cells}), "d", missing),
    "polars": lambda cells, missing: from_frame(pl.DataFrame({"x": cells}), "d", missing),
}  # fmt: skip

every_kind = pytest.mark.parametrize("kind", FRAMES)


def found(kind, cells, missing=Missing(), **options):  # noqa: B008
    types, remarks = find_types(FRAMES[kind](cells, missing), ["x"], **options)
    return types[0], " | ".join(remarks)


@every_kind
@pytest.mark.parametrize(
    ("cells", "words"),
    [
        (["0E0", "1E1", "2E2"], "is written with exponents ('0E0') and taken as a number"),
        (["007", "008", "123"], "is written with leading zeros ('007')"),
        (["3.8", "3.9", "3.10"], "has '3.10', which is the number 3.1; if these are versions"),
        (["20240101", "20240115", "20240202", "20240301", "20240405"], "looks like dates without"),
        (["12345678901234567", "5"], "more than 15 digits, which float64 rounds"),
        (["5mg", "10mg", "5mg", "10mg"], "holds numbers with a unit ('5mg') and is taken as cat"),
    ],
)
def test_codes_that_look_like_numbers_are_said(kind, cells, words):
    assert words in found(kind, cells)[1]


@every_kind
@pytest.mark.parametrize(
    "cells", [["1.5", "2.50", "3"], ["1e5", "2.5e3"][1:] * 2, ["A1", "B2"] * 3]
)
def test_ordinary_columns_raise_no_doubt(kind, cells):
    assert found(kind, cells)[1] == ""


@every_kind
@pytest.mark.parametrize("word", ["NA", "None", "nan", "null"])
def test_a_word_that_marks_a_missing_value_may_be_one_like_others(kind, word):
    cells = [word, "ZA", "US"] * 4
    column, remarks = found(kind, cells)
    assert column.levels == ("US", "ZA")
    assert f"{word!r} in 4 rows is taken as a missing value" in remarks
    assert "--missing-values none (missing_values=() in Python)" in remarks
    column, remarks = found(kind, cells, Missing(()))
    assert set(column.levels) == {word, "ZA", "US"}
    assert remarks == ""
    with pytest.raises(DataError, match=rf"the value is missing \('{word}' marks it; as in 4 row"):
        find_types(FRAMES[kind](cells, Missing()), ["x"], missing="error")


@every_kind
def test_a_class_may_be_called_none(kind):
    cells = ["high", "None", "None", "high", "low", "low"]
    with pytest.raises(
        DataError, match=r"\('None' marks it; as in 2 rows\).*If it is a class, say"
    ):
        read_targets(FRAMES[kind](cells, Missing()), ["x"])
    assert read_targets(FRAMES[kind](cells, Missing(())), ["x"]).classes == (
        ("None", "high", "low"),
    )
    with pytest.raises(
        DataError, match=r"one class in every row \('high'\).*'None' in 2 rows is tak"
    ):
        read_targets(FRAMES[kind](cells[:4], Missing()), ["x"])


@pytest.mark.parametrize(
    ("text", "words"),
    [(None, None), ("none", ()), ("NA,-", ("NA", "-")), (" ? , ", ("?",)), ("", ())],
)
def test_the_option_says_which_words(text, words):
    missing = Missing.of_option(text)
    assert (missing and missing.words) == words


@every_kind
def test_words_that_look_the_same_are_said(kind):
    cells = ["New York", "New\u00a0York", "b"] * 3
    column, remarks = found(kind, cells)
    assert len(column.levels) == 3
    assert r"'New York' and 'New\xa0York' look the same and are taken as two words" in remarks


@pytest.mark.parametrize("task", ["auto", "classification"])
def test_whole_numbers_beyond_float64_are_classes_of_their_own(task):
    ids = ["9007199254740992", "9007199254740993", "123456789012345678901"]
    for cells, expected in (
        ([ids[0], ids[1]] * 3, (9007199254740992, 9007199254740993)),
        ([ids[0], ids[2]] * 3, (ids[2], ids[0])),
    ):
        table = FRAMES["file"](cells, None)
        if task == "classification":
            assert read_targets(table, ["x"], task).classes == (expected,)


def test_truth_values_of_a_model_are_found_in_text():
    table = FRAMES["file"](["True", "False", "true"], None)
    assert read_targets(table, ["x"], classes=((False, True),)).Y[:, 0].tolist() == [1, 0, 1]
