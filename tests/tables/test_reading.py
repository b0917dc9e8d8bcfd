"""Reading tables: what is right is read exactly, what is not is named with its line."""

import gzip

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule import DataError
from chainrule.tables.reading import read_table

GOOD = "sleep,study,score\n3,5,75\n5,1,82\n10,2,93\n"


def parse(text):
    return read_table("t.csv", text if isinstance(text, bytes) else text.encode())


def numbers(text):
    table = parse(text)
    return table.numbers(table.names).tolist()


EXPECTED = [[3, 5, 75], [5, 1, 82], [10, 2, 93]]


@pytest.mark.parametrize(
    "content",
    [
        GOOD,
        GOOD.replace("\n", "\r\n"),
        GOOD.rstrip("\n"),
        GOOD + "\n\n",
        GOOD.replace(",", ";"),
        GOOD.replace(",", "\t"),
        GOOD.replace(",", " , "),
        GOOD.replace("3,", '"3", ').replace("score", '"score"'),
        b"\xef\xbb\xbf" + GOOD.encode(),
        GOOD.encode("utf-16"),
        gzip.compress(GOOD.encode(), mtime=0),
    ],
)
def test_one_table_in_many_dresses(content):
    assert parse(content).names == ("sleep", "study", "score")
    assert numbers(content) == EXPECTED


def test_from_a_file(tmp_path):
    (tmp_path / "scores.csv").write_text(GOOD)
    table = read_table(str(tmp_path / "scores.csv"))
    assert len(table) == 3
    assert table.numbers(["score", "sleep"]).tolist() == [[75, 3], [82, 5], [93, 10]]


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=20))
def test_floats_survive_to_the_last_bit(values):
    found = parse("x\n" + "\n".join(map(repr, values)) + "\n").numbers(["x"])[:, 0]
    assert found.tobytes() == np.array(values).tobytes()


@pytest.mark.parametrize("cell", ["1", "-1", "+1", "1.", ".5", "1e5", "1E-5", "007", " 2 "])
def test_numbers_as_people_write_them(cell):
    assert numbers(f"x,y\n{cell},0\n") == [[float(cell), 0.0]]


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ("", "the value is missing; fill it in, or remove the row"),
        ("NA", "'NA' marks a missing value"),
        ("nan", "'nan' marks a missing value"),
        ("inf", "'inf' is not finite"),
        ("-Infinity", "'-Infinity' is not finite"),
        ("1e400", "'1e400' is larger than any float64"),
        ('"1,5"', "'1,5' is not a number; is it a decimal comma"),
        ("red", "'red' is not a number; correct it"),
        ("1_000", "is not a number"),
        ("0x10", "is not a number"),
        ("1d5", "is not a number"),
        ("٣", "is not a number"),
        ("5%", "is not a number"),
        ("1 2", "is not a number"),
    ],
)
def test_what_is_not_a_number_is_named_with_its_place(cell, message):
    with pytest.raises(DataError, match=r"t\.csv, column 'b', row 2 \(line 3\): ") as caught:
        numbers(f"a,b\n1,2\n3,{cell}\n")
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "t.csv is empty"),
        (" \n\n", "t.csv is empty"),
        ("a,b\n", "t.csv has column names but no rows"),
        ("a,b\n1,2,3\n", r"line 2: 3 cells where the first line has 2 names \(delimiter: comma\)"),
        ("a,b\n1,2\n3\n4,5\n", "line 3: 1 cells where the first line has 2 names"),
        ("a,b\n1,2\n\n4,5\n", "line 3: 0 cells"),
        ("a,b,a\n1,2,3\n", "the column name 'a' occurs more than once"),
        ("a,,c\n1,2,3\n", "column 2 has no name"),
        ("3,5,75\n5,1,82\n", r"the first line \('3', '5', '75'\) holds numbers, not column names"),
        ('a,b\n1,"2\n', "line 2: unexpected end of data"),
        ("a" * 10_001 + ",c\n1,2\n", r"column 1, 'a{60}…', has 10,001 characters, at most 10,000"),
        (b"a,b\n1,2\n" + b"\x81,3\n", "line 3: byte 0x81 is neither utf-8 nor latin-1"),
        ("a,b\n1,\0\n", "it has a zero byte"),
        (b"\x1f\x8b\x08broken", "t.csv is a damaged gzip file"),
    ],
)
def test_what_is_not_a_table_is_refused(content, message):
    with pytest.raises(DataError, match=message):
        parse(content)


def test_quoted_line_breaks_keep_the_line_numbers_right():
    with pytest.raises(DataError, match=r"row 2 \(line 4\): 'x' is not"):
        numbers('a,b\n1,"\n2"\n3,x\n')


def test_missing_columns_are_listed_with_those_there_are():
    with pytest.raises(DataError, match="no column 'grade'; its columns are 'sleep', 'study', 'sc"):
        parse(GOOD).numbers(["grade"])


@pytest.mark.parametrize(
    ("path", "message"),
    [("no/such.csv", "cannot read .*: no such file"), (".", r"\.: there is no table there")],
)
def test_unreadable_files(path, message):
    with pytest.raises(DataError, match=message):
        read_table(path)


def test_a_column_of_text_that_is_not_asked_for_does_no_harm():
    assert parse("name,x\nAnna,1\n").numbers(["x"]).tolist() == [[1.0]]


def test_a_small_file_cannot_fill_the_memory(monkeypatch):
    monkeypatch.setattr("chainrule.tables.decoding._LARGEST_UNZIPPED", 1000)
    with pytest.raises(DataError, match="unzips to more than 1,000 bytes"):
        parse(gzip.compress(b"x\n" + b"1\n" * 1000))


@pytest.mark.parametrize("rows", [2, 3, 4, 9])
def test_a_table_of_many_blocks_reads_as_one_of_one_block(monkeypatch, rows):
    lines = [
        "a;b;c",
        *(f' {i},5;"x{i % 3}\ny";{["NA", "", "7"][i % 3]}' for i in range(9)),
        ";;",
        "",
    ]
    content = "\n".join(lines)
    whole = parse(content)
    monkeypatch.setattr("chainrule.tables.reading._BLOCK", rows)
    parts = parse(content)
    assert parts.decided == whole.decided
    assert parts.lines.tolist() == whole.lines.tolist()
    for name in whole.names:
        one, other = (of.columns[name].values for of in (whole, parts))
        assert [one[i] for i in range(9)] == [other[i] for i in range(9)]
        assert one.numbers[0].tobytes() == other.numbers[0].tobytes()
        assert one.form == other.form


def test_files_of_any_size_are_joined_alike(monkeypatch, tmp_path):
    for name, rows in (("1", 3), ("2", 40), ("3", 2)):
        text = "\n".join(["a,t", *(f"{i}.5,w{i % 4}" for i in range(rows))])
        (tmp_path / f"{name}.csv").write_text(text)
    small = read_table(str(tmp_path))
    for block in (10, 3, 2):  # the second of them, all of them by polars
        monkeypatch.setattr("chainrule.tables.reading._BLOCK", block)
        large = read_table(str(tmp_path))
        assert large.numbers(["a"]).tobytes() == small.numbers(["a"]).tobytes()
        assert [large.columns["t"].values[i] for i in range(45)] == [
            small.columns["t"].values[i] for i in range(45)
        ]
        assert large.place("t", 44) == small.place("t", 44)
