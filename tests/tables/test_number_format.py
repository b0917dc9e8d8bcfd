"""How numbers are written is decided for a file by cells that leave no choice, or refused."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule import DataError
from chainrule.tables.cells import Missing
from chainrule.tables.number_format import NumberFormat, advice, with_unit
from chainrule.tables.reading import Format, read_table
from chainrule.tables.text import Text


def column(cells, delimiter=";", others=None, **said):
    others = range(len(cells)) if others is None else others
    rows = [f'"{cell}"{delimiter}{other}' for cell, other in zip(cells, others, strict=True)]
    content = "\n".join([f"a{delimiter}y", *rows]) + "\n"
    return read_table("t.csv", content.encode(), Format(**said))


READ = {
    "thousands beside decimals": (["1,200", "950", "2,300.5"], ",", [1200, 950, 2300.5]),
    "thousands twice in a cell": (["1,200,000", "950"], ",", [1200000, 950]),
    "decimals elsewhere": (["1,200", "950"], ",", [1200, 950], ["0.5", "1.25"]),
    "points of thousands": (["2.922", "950"], ";", [2922, 950], ["1,94", "0,5"]),
    "both, German": (["1.234,5", "2,5"], ";", [1234.5, 2.5]),
    "quoted decimal commas": (["0,0", "1,1", "2,25"], ",", [0, 1.1, 2.25]),
    "spaces of typography": (["1\u202f200", "12\u00a0300\u00a0400", "7"], ",", [1200, 12300400, 7]),
    "apostrophes": (["1'200.5", "1\u2019200", "3"], ",", [1200.5, 1200, 3]),
    "minus signs": (["\u22121.5", "\u20132", "\uff0d3", "-4"], ",", [-1.5, -2, -3, -4]),
    "parentheses": (["(1.5)", "2.5", "3"], ",", [-1.5, 2.5, 3]),
    "thousands in parentheses": (["(1,234.5)", "2.5", "3"], ",", [-1234.5, 2.5, 3]),
    "thousands behind a minus": (["\u22121,234.5", "2.5"], ",", [-1234.5, 2.5]),
}


@pytest.mark.parametrize("name", READ)
def test_what_is_certain_is_read(name):
    cells, delimiter, expected, *others = READ[name]
    table = column(cells, delimiter, others[0] if others else None)
    assert table.numbers(["a"])[:, 0].tolist() == expected


def test_what_was_found_is_said():
    assert column(["1.234,5", "2,5"]).decided == (
        "delimiter semicolon", "decimal comma", "thousands marked by points",
    )  # fmt: skip


REFUSED = {
    "1,234 alone": (
        ["1,234", "950"],
        ",",
        ["could be 1234 (--thousands ,) or 1.234 (--decimal ,)"],
    ),
    "both ambiguous": (["1,234", "5.678"], ";", ["1234 (--thousands ,)", "1.234 (--decimal ,)"]),
    "one decimal comma": (["1,5", "2"], ",", ["is it a decimal comma"]),
    "percent": (["45%", "5", "6"], ",", ["has a unit: write the number alone, '45'"]),
    "money": (["$1,200.50", "5", "6"], ",", ["write the number alone, '1,200.50'"]),
    "sign at the end": (["5-", "4", "3"], ",", ["has its sign at the end: write '-5'"]),
    "Fortran": (["1.5D+03", "4", "3"], ",", ["an exponent of Fortran: write '1.5e+03'"]),
    "hexadecimal": (["0x1F", "4", "3"], ",", ["is hexadecimal: write 31"]),
    "underscores": (["1_000", "4", "3"], ",", ["to read it as 1000 (--thousands _)"]),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_certain_is_refused_with_what_would_work(name):
    cells, delimiter, sentences = REFUSED[name]
    with pytest.raises(DataError, match=r"t\.csv, column 'a', row 1 \(line 2\)") as caught:
        column(cells, delimiter).numbers(["a"])
    for sentence in sentences:
        assert sentence in str(caught.value)


@pytest.mark.parametrize(
    ("said", "expected"),
    [({"thousands": ","}, [1234, 950]), ({"decimal": ","}, [1.234, 950])],
)
def test_the_readings_that_are_offered_work(said, expected):
    assert column(["1,234", "950"], ",", **said).numbers(["a"])[:, 0].tolist() == expected


def test_marks_that_cannot_be_told_apart_are_refused():
    for said in ({"decimal": ",", "thousands": ","}, {"thousands": "x"}, {"delimiter": "7"}):
        with pytest.raises(ValueError, match=r"thousands|delimiter"):
            Format(**said)


@given(
    st.floats(-1e12, 1e12, allow_nan=False),
    st.sampled_from([(".", ","), (",", "."), (".", " "), (",", " "), (".", "'")]),
)
def test_grouped_numbers_are_those_without_groups(value, marks):
    decimal, mark = marks
    text = f"{value:,.3f}".replace(",", "T").replace(".", decimal).replace("T", mark)
    assert NumberFormat(decimal, mark).number(text) == float(f"{value:.3f}")


@pytest.mark.parametrize(
    "cell", ["1,23", "1,2345", "12,34,567", "1,,234", ",234", "1,234,", "1 234"]
)
def test_groups_have_three_digits(cell):
    assert NumberFormat(".", ",").number(cell) is None


def test_cells_without_end_cost_no_more_than_others():
    for cell in ("9" * 100_000 + "x", "1" + " " * 100_000 + "x", "1," * 50_000, "(" * 100_000):
        assert NumberFormat(".", ",").number(cell) is None
        assert advice(cell, NumberFormat()) == ""
        assert with_unit(cell, NumberFormat()) is None


CELLS = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.integers(-(10**20), 10**20).map(str),
    st.sampled_from(["", "NA", "null", "1e999", "+5", ".5", "5.", "\u22125", "(3)", "x", "inf"]),
    st.text("0123456789.,eE+- ()x", max_size=8),
)  # fmt: skip


@given(st.lists(CELLS, min_size=1, max_size=30), st.sampled_from([None, (), ("x", "-999", "5.")]))
def test_polars_reads_numbers_as_python_does(cells, words):
    import polars

    from chainrule.tables.series_text import SeriesText

    cells = [cell.strip() for cell in cells]
    for form in (NumberFormat(), NumberFormat(","), NumberFormat(".", ",")):
        ours = Text.of(cells, Missing(words), form)
        theirs = SeriesText(polars.Series(cells, dtype=polars.String), Missing(words), form)
        assert theirs.numbers[0].tobytes() == ours.numbers[0].tobytes()
        assert theirs.numbers[1].tolist() == ours.numbers[1].tolist()
        assert theirs.is_missing.tolist() == ours.is_missing.tolist()
        assert theirs.n_present == ours.n_present
        assert [theirs[i] for i in range(len(cells))] == cells
        assert theirs.present == ours.present
        rows = np.arange(0, len(cells), 2)
        assert theirs[rows].numbers[0].tobytes() == ours[rows].numbers[0].tobytes()
        for pattern in ("^[0-9]+$", "[.]"):
            assert theirs.count(pattern) == ours.count(pattern)
            assert (theirs.find(pattern) is None) == (ours.find(pattern) is None)


def test_a_number_may_mark_what_is_missing():
    table = column(["-999", "1.5", "-"], missing=Missing(("-999", "-")))
    values = table.read_numbers("a")
    assert np.isnan(values[[0, 2]]).all()
    assert values[1] == 1.5
