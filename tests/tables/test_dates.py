"""Day and month are told apart by what leaves no choice, or by who reads them."""

import datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule import ConfigurationError, DataError
from chainrule.tables import dates
from chainrule.tables.encoding import encode, find_types
from chainrule.tables.reading import read_table
from chainrule.tables.text import Text

EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
MIXED = [f"{1 + 7 * i % 12:02d}/{1 + 5 * i % 11:02d}/2022" for i in range(20)]
DAYS = [datetime.date(2021, 1, 3) + datetime.timedelta(17 * i) for i in range(60)]
IN_ORDER = [day for day in DAYS if day.day <= 12]


def table(**columns):
    rows = zip(*columns.values(), strict=True)
    text = "\n".join([",".join(columns), *(",".join(map(str, row)) for row in rows)])
    return read_table("t.csv", text.encode())


def styles(orders=None, **columns):
    types, remarks = find_types(table(**columns), list(columns), orders=orders)
    return [of.style for of in types], remarks


def test_what_nothing_decides_is_refused_with_both_readings():
    with pytest.raises(DataError, match="cannot be told apart") as caught:
        styles(when=MIXED)
    for words in (
        "'08/06/2022' is 8 June 2022 or 6 August 2022",
        "--dates when=dmy or --dates whe",
    ):
        assert words in str(caught.value)


@pytest.mark.parametrize(
    ("orders", "style"),
    [
        ({None: "mdy"}, "M/D/YYYY"),
        ({"when": "dmy"}, "D/M/YYYY"),
        ({None: "mdy", "when": "dmy"}, "D/M/YYYY"),
    ],
)
def test_who_reads_them_decides(orders, style):
    assert styles(orders, when=MIXED) == ([style], ())


def test_an_order_is_one_of_three_and_fits_the_column():
    with pytest.raises(ConfigurationError, match="dates is 'ydm'; it can be dmy, mdy, ymd"):
        styles({"when": "ydm"}, when=MIXED)
    with pytest.raises(DataError, match=r"'13/2/2022' is a date written as D/M/YYYY"):
        styles({"when": "mdy"}, when=["13/2/2022", "1/2/2022"])


def test_one_cell_that_leaves_no_choice_decides():
    assert styles(when=[*MIXED, "13/01/2022"]) == (["D/M/YYYY"], ())
    assert styles(when=[*MIXED, "01/13/2022"]) == (["M/D/YYYY"], ())


def test_the_other_dates_of_the_table_decide():
    found, remarks = styles(a=MIXED, b=["01/13/2022"] * 20)
    assert found == ["M/D/YYYY", "M/D/YYYY"]
    assert "column 'a' is read as M/D/YYYY, as the other dates of the table" in remarks[0]
    with pytest.raises(DataError, match="cannot be told apart"):
        styles(a=MIXED, b=["01/13/2022"] * 20, c=["13/01/2022"] * 20)


@pytest.mark.parametrize(("form", "style"), [("%d/%m/%Y", "D/M/YYYY"), ("%m/%d/%Y", "M/D/YYYY")])
def test_the_order_of_the_rows_decides(form, style):
    found, remarks = styles(when=[f"{day:{form}}" for day in IN_ORDER])
    assert found == [style]
    assert "in which the rows are in order of time" in remarks[0]
    assert "reads it the other way" in remarks[0]


def test_the_order_of_the_alphabet_is_no_order_of_time():
    # in one year M/D/Y in order of time is in order of the alphabet too, as a sorted D/M/Y is
    in_text_order = sorted(f"{day:%d/%m/%Y}" for day in IN_ORDER if day.year == 2022)
    with pytest.raises(DataError, match="cannot be told apart"):
        styles(when=in_text_order)


def test_an_even_spacing_decides():
    months = [f"01/{m:02d}/{y}" for y in (2021, 2022) for m in range(1, 13)]
    shuffled = np.random.default_rng(0).permutation(months).tolist()
    found, remarks = styles(when=shuffled)
    assert found == ["D/M/YYYY"]
    assert "in which the same time lies between all dates" in remarks[0]


def test_readings_that_are_the_same_need_no_decision():
    assert styles(when=["03/03/2022", "04/04/2022", "05/05/2022"])[1] == ()


@pytest.mark.parametrize(
    ("cell", "style", "moment"),
    [
        ("2024-01-05T00:30:00+01:00", "YYYY-MM-DD UTC", (2024, 1, 4, 23, 30)),
        ("2024-01-05 00:30-0500", "YYYY-MM-DD UTC", (2024, 1, 5, 5, 30)),
        ("2024-01-05T00:30Z", "YYYY-MM-DD", (2024, 1, 5, 0, 30)),
        ("2024/1/5", "YYYY/MM/DD", (2024, 1, 5)),
        ("5-1-2024 1:05 PM", "D-M-YYYY", (2024, 1, 5, 13, 5)),
        ("1/5/2024 12:05 am", "M/D/YYYY", (2024, 1, 5, 0, 5)),
        ("5.1.24", "D.M.YY", (2024, 1, 5)),
        ("1/5/69", "M/D/YY", (1969, 1, 5)),
        ("1/5/68", "M/D/YY", (2068, 1, 5)),
    ],
)
def test_dates_as_people_write_them(cell, style, moment):
    values, places = dates.days(Text.of([cell, "NA"]), dates.STYLES[style])
    expected = (datetime.datetime(*moment, tzinfo=datetime.UTC) - EPOCH).total_seconds() / 86_400
    assert values[0] == expected
    assert np.isnan(values[1])
    assert len(places) == 0


@given(st.datetimes(datetime.datetime(1700, 1, 1), datetime.datetime(2200, 1, 1)), st.data())
def test_every_style_reads_what_it_writes(moment, data):
    style = data.draw(st.sampled_from([of for of in dates.STYLES.values() if not of.short]))
    zone = data.draw(st.integers(-14 * 60, 14 * 60)) if style.zoned else 0
    parts = {"D": f"{moment:%d}", "M": f"{moment:%m}", "Y": f"{moment.year:04d}"}
    cell = style.mark.join(parts[p] for p in style.order.upper()) + f" {moment:%H:%M:%S.%f}"
    cell += f"{'+' if zone >= 0 else '-'}{abs(zone) // 60:02d}:{abs(zone) % 60:02d}" * style.zoned
    values, places = dates.days(Text.of([cell]), style)
    utc = moment.replace(tzinfo=datetime.UTC) - datetime.timedelta(minutes=zone)
    assert values[0] == utc.timestamp() / 86_400
    assert len(places) == 0


def test_mixed_time_zones_are_read_and_half_of_them_refused():
    zoned = ["2024-01-05T00:30+01:00", "2024-01-06T00:30-05:00", "2024-01-07T00:30Z"]
    assert styles(when=zoned) == (["YYYY-MM-DD UTC"], ())
    with pytest.raises(DataError, match="with a time zone, and most of the column is written as"):
        styles(when=[*zoned[:1], "2024-01-05T00:30", "2024-01-06T00:30"])


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        (["07/23/2023", "2022-03-01", "2022-05-06"], "'07/23/2023' is a date written as M/D/YYYY"),
        (["2024-01-01", "2024-02-30", "2024-03-01"], "'2024-02-30' is not a date as the others"),
        (
            ["2024-01-01", "soon", "2024-03-01"],
            "row 2 (line 3): 'soon' is not a date as the others",
        ),
        (["3 Jan 2024", "5 Feb 2024", "7 March 24"], "'3 Jan 2024' is not a date that can be read"),
        (["Jan 3rd, 2024", "May 5, 2024"], "'Jan 3rd is not a date"),
        (
            ["2024-01-01T25:00", "2024-01-01T23:00"],
            "'2024-01-01T25:00' is not a date as the others",
        ),
    ],
)
def test_what_is_meant_as_dates_is_refused_as_dates(cells, words):
    quoted = [f'"{cell}"' for cell in cells]
    with pytest.raises(DataError) as caught:
        styles(when=quoted)
    assert words.replace("'Jan 3rd is", "'Jan 3rd, 2024' is") in str(caught.value)


def test_short_years_are_said_and_the_model_keeps_what_was_decided():
    found, remarks = styles(when=["12/31/99", "1/5/00"])
    assert found == ["M/D/YY"]
    assert "years of two digits are from 1969 to 2068" in remarks[0]
    types, _ = find_types(table(when=MIXED), ["when"], orders={None: "mdy"})
    later = encode(types, table(when=["02/07/2022"])).X[0, 0]
    assert dates.as_date(later) == "2022-02-07"
    with pytest.raises(DataError, match=r"'13/07/2022' is not a date; write it as M/D/YYYY"):
        encode(types, table(when=["13/07/2022"]))


@pytest.mark.parametrize("words", [["1.2.3", "1.2.10", "1.10.3"], ["1/2", "3/4"], ["10.0.0.1"] * 2])
def test_versions_and_fractions_are_no_dates(words):
    assert not dates.mostly_dates(Text.of(words))
