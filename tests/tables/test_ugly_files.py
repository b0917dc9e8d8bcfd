"""Files as people have them: each opens as it is meant, or is refused with a sentence."""

import gzip
import io
import zipfile

import numpy as np
import polars as pl
import pytest

from chainrule import DataError
from chainrule.tables.encoding import encode, find_types
from chainrule.tables.number_format import NumberFormat
from chainrule.tables.reading import Format, read_table

EXPECTED = [[1.5, 2.0, 10.0], [2.5, 3.0, 20.0], [-3.5, 4.0, 30.0]]
PLAIN = "a,b,y\n1.5,2,10\n2.5,3,20\n-3.5,4,30\n"
COMMA = PLAIN.replace(",", ";").replace(".", ",")

OPENED = {
    "Excel, German": (b"\xef\xbb\xbf" + COMMA.replace("\n", "\r\n").encode(), "decimal comma"),
    "Excel, sep=": (("sep=;\r\n" + COMMA.replace("\n", "\r\n")).encode(), "delimiter semicolon"),
    "Excel, Unicode text": (PLAIN.replace(",", "\t").encode("utf-16"), "encoding UTF-16"),
    "Excel, empty rows and columns": (PLAIN.replace("\n", ",,\n") + ",,,,\n,,,,\n", "column 4 has"),
    "R, write.csv": (
        '"","a","b","y"\n"1",1.5,2,10\n"2",2.5,3,20\n"3",-3.5,4,30\n',
        "column 1 has no name, taken as names of rows and left out",
    ),
    "R, write.csv2": (
        '"";"a";"b";"y"\n"1";1,5;2;10\n"2";2,5;3;20\n"3";-3,5;4;30\n',
        "decimal comma",
    ),
    "old Mac": (PLAIN.replace("\n", "\r"), ""),
    "every cell in quotes": ("".join(f'"{c}"' if c.isalnum() else c for c in PLAIN), ""),
    "spaces around": (PLAIN.replace(",", " , "), ""),
    "tab": (PLAIN.replace(",", "\t"), "delimiter tab"),
    "bar": (PLAIN.replace(",", "|"), "delimiter bar"),
    "gz under any name": (gzip.compress(PLAIN.encode(), mtime=0), ""),
    "exponents": ("a,b,y\n15e-1,2E0,1.0e+1\n2.5,+3,20.\n-3.5,4,30\n", ""),
    "a column of nothing": (PLAIN.replace("\n", ",\n").replace("y,", "y,note"), ""),
}


def numbers(table):
    return table.numbers(["a", "b", "y"]).tolist()


@pytest.mark.parametrize("name", [n for n in OPENED if n != "every cell in quotes"])
def test_it_opens_without_options_and_says_what_was_found(name):
    content, found = OPENED[name]
    table = read_table("t.csv", content if isinstance(content, bytes) else content.encode())
    assert numbers(table) == EXPECTED
    assert found in ", ".join(table.decided)


def test_latin_1_is_found_and_said():
    text = "Größe,Stück,y\n1.5,2,10\n2.5,3,20\n-3.5,4,30\n"
    table = read_table("t.csv", text.encode("latin-1"))
    assert table.names == ("Größe", "Stück", "y")
    assert "encoding Latin-1" in ", ".join(table.decided)
    said = read_table("t.csv", text.encode("latin-1"), Format(encoding="latin-1"))
    assert said.decided == ()
    with pytest.raises(DataError, match="byte 0xf6 is not utf-8; say another --encoding"):
        read_table("t.csv", text.encode("latin-1"), Format(encoding="utf-8"))


def zipped():
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("xl/workbook.xml", "<x/>")
    return content.getvalue()


REFUSED = {
    "one field more than names, as R's write.table": (
        "a,b\n1,2,3\n4,5,6\n",
        r"line 2: 3 cells where the first line has 2 names",
    ),
    "a row too short": ("a,b,y\n1,2,3\n4,5\n", "line 3: 2 cells"),
    "no names": ("1.5,2,10\n2.5,3,20\n", "holds numbers, not column names"),
    "the same name twice": ("a,b,a\n1,2,3\n", "'a' occurs more than once"),
    "a comment first": ("# made by me\na,b\n1,2\n", "line 2: 2 cells where the first line has 1"),
    "an Excel workbook": (zipped(), "is an Excel workbook or another zip file; save the table as"),
    "a quote that never ends": ('a,b\n1,"2\n3,4\n', "unexpected end of data"),
    "bytes of no text": (b"a,b\n\x00\x01", "it has a zero byte"),
    "a damaged Parquet file": (b"PAR1broken", "is a Parquet file that cannot be read"),
    "only the delimiter": ("sep=;\n", "names the delimiter, and nothing else"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_it_is_refused_with_a_sentence(name):
    content, message = REFUSED[name]
    with pytest.raises(DataError, match=message):
        read_table("t.csv", content if isinstance(content, bytes) else content.encode())


CELLS = {
    "a thousands point": ("1.234,5", "is not a number"),
    "percent": ("5%", "is not a number"),
    "money": ("$5", "is not a number"),
    "underscore": ("1_000", "is not a number"),
    "Arabic digits": ("٣٤", "is not a number"),
    "hexadecimal": ("0x10", "is not a number"),
    "Fortran": ("1d5", "is not a number"),
    "infinite": ("inf", "is not finite"),
    "too large": ("1e400", "is larger than any float64"),
    "another decimal comma": ("1,5", "is it a decimal comma"),
}


@pytest.mark.parametrize("name", CELLS)
def test_a_number_is_ascii_digits_and_nothing_else(name):
    cell, message = CELLS[name]
    table = read_table("t.tsv", f"a\tb\n1.25\t1\n{cell}\t2\n3.5\t3\n4.5\t4\n".encode())
    with pytest.raises(DataError, match=message) as caught:
        encode(find_types(table, ["a"])[0], table)
    assert "t.tsv, column 'a', row 2 (line 3)" in str(caught.value)


def test_what_is_found_can_be_overruled():
    content = b"a;b\n1,5;x,y\n2,5;z\n"
    found = read_table("t.csv", content)
    assert found.columns["a"].values.form == NumberFormat(",")
    said = read_table("t.csv", content, Format(decimal="."))
    with pytest.raises(DataError, match="is it a decimal comma"):
        said.numbers(["a"])
    assert read_table("t.csv", b"a:b\n1:2\n", Format(delimiter=":")).names == ("a", "b")
    with pytest.raises(ValueError, match="delimiter and decimal are both ','"):
        Format(delimiter=",", decimal=",")


def test_thousands_of_columns():
    names = [f"c{j}" for j in range(3000)]
    text = ",".join(names) + "\n" + ",".join(map(str, range(3000))) + "\n"
    table = read_table("wide.csv", text.encode())
    assert table.numbers(names).tolist() == [list(map(float, range(3000)))]


def test_a_folder_and_a_pattern_are_read_as_one(tmp_path):
    (tmp_path / "1.csv").write_text("a,b\n1,2\n")
    (tmp_path / "2.csv.gz").write_bytes(gzip.compress(b"b;a\n4,5;3\n"))
    (tmp_path / "notes.txt").write_text("not a table")
    with pytest.raises(DataError, match="has decimal mark ','"):
        read_table(str(tmp_path))
    (tmp_path / "2.csv.gz").write_bytes(gzip.compress(b"b;a\n4;3\nx;5\n"))
    table = read_table(str(tmp_path))
    assert table.numbers(["a"])[:, 0].tolist() == [1, 3, 5]
    assert table.decided[0] == "2 files"
    with pytest.raises(DataError, match=r"2\.csv\.gz, column 'b', row 2 \(line 3\): 'x'"):
        table.numbers(["b"])
    assert len(read_table(str(tmp_path / "*.csv"))) == 1
    (tmp_path / "3.csv").write_text("a,c\n1,2\n")
    with pytest.raises(DataError, match="do not have the same columns"):
        read_table(str(tmp_path))


def test_parquet_keeps_its_types(tmp_path):
    frame = pl.DataFrame(
        {
            "n": [1.5, None, 3.0],
            "whole": [1, 2, 3],
            "town": ["Ulm", "Bonn", "Ulm"],
            "yes": [True, None, False],
            "day": [None, "2020-01-02", "2020-01-03"],
        }
    ).with_columns(pl.col("day").str.to_date())
    frame.write_parquet(tmp_path / "t.parquet")
    table = read_table(str(tmp_path / "t.parquet"))
    kinds = [t.kind for t in find_types(table, table.names)[0]]
    assert kinds == ["number", "number", "category", "yes/no", "date"]
    day = table.columns["day"].values
    assert np.isnan(day[0])
    assert day[2] - day[1] == 1.0
    assert day[1] == 18263.0  # days from 1970-01-01 to 2020-01-02
