"""Daily prices out of the CSVs that people have."""

import contextlib
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sekisho.campaign.bars import BadPrices, Bar, bars_of

DAYS = [Bar(date(2013, 7, 22), 0.045, 1_200_000), Bar(date(2013, 7, 23), 0.041, 300_000)]

DIALECTS = {
    "yahoo": """\
Date,Open,High,Low,Close,Adj Close,Volume
2013-07-22,1,1,1,0.9,0.045,1200000
2013-07-23,1,1,1,0.9,0.041,300000
""",
    "yahoo, old dates": """\
Date,Open,High,Low,Close,Volume
"Jul 23, 2013",1,1,1,0.041,300000
"Jul 22, 2013",1,1,1,.045,1200000
""",
    "slashes": """\
Date,Close/Last,Volume
7/22/2013,$0.045,1200000
7/23/2013,$0.041,300000
""",
    "day first": """\
Date,Close,Volume
22/07/2013,0.045,1200000
23/07/2013,0.041,300000
""",
    "stooq": """\
<TICKER>,<PER>,<DATE>,<TIME>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<VOL>,<OPENINT>
ZORK.US,D,20130722,000000,1,1,1,0.045,1200000,0
ZORK.US,D,20130723,000000,1,1,1,0.041,300000,0
""",
    "pandas": """\
,open,high,low,close,volume
2013-07-22 00:00:00,1,1,1,0.045,1200000.0
2013-07-23 00:00:00,1,1,1,0.041,300000.0
""",
    "German": """\
Datum;Erster;Hoch;Tief;Schlusskurs;Stuecke
22.07.2013;1,0;1,0;1,0;0,045;1.200.000
23.07.2013;1,0;1,0;1,0;0,041;300.000
""",
    "no heading": """\
2013-07-22,1,1,1,0.045,1200000
2013-07-23,1,1,1,0.041,300000
""",
    "symbols": """\
symbol,date,open,high,low,close,volume
FROB,2013-07-22,1,1,1,7,5
ZORK,2013-07-22,1,1,1,0.045,1200000
ZORK,2013-07-23,1,1,1,0.041,300000
""",
    "minutes": """\
date,close,volume
2013-07-22 09:30:00,0.05,700000
2013-07-22 16:00:00,0.045,500000
2013-07-23 10:00:00,0.041,300000
""",
    "running totals": """\
"2013-07-22 09:30:00","1","1","1","0.05","700000"
"2013-07-22 16:00:00","1","1","1","0.045","1200000"
"2013-07-23 10:00:00","1","1","1","0.041","300000"
""",
    "gaps": """\
Date,Close,Volume
2013-07-22,0.045,1200000

2013-07-24,null,null
2013-07-23,0.041,300000
""",
    "letters": """\
Date,Close,Volume
2013-07-22,0.045,1.2M
2013-07-23,0.041,300K
""",
    "tabs": """\
Date	Close	Volume
2013-07-22	0.045	1200000
2013-07-23	0.041	300000
""",
    "seconds": """\
timestamp,close,volume
1374451200,0.045,1200000
1374537600,0.041,300000
""",
}


@pytest.mark.parametrize("dialect", DIALECTS)
def test_each_dialect_says_the_same(dialect: str) -> None:
    """Headings in other words, dates of all kinds, decimal commas, several rows a day, rows without trade."""
    assert bars_of(iter(DIALECTS[dialect].splitlines(keepends=True)), "ZORK") == DAYS


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", 1),
        ("hello\nworld\n", 1),
        ("Date,Close\n2013-07-22,1\nyesterday,2\n", 3),
        ("symbol,date,close\nA,2013-07-22,1\nB,2013-07-22,1\n", 1),
        ("Date,Close\n2013-07-22,\n", 1),
    ],
)
def test_what_is_wrong_is_told_with_its_line(text: str, line: int) -> None:
    """No prices, no dates, several symbols."""
    with pytest.raises(BadPrices) as bad:
        bars_of(iter(text.splitlines(keepends=True)), "ZORK")
    assert bad.value.line == line


@given(st.text(max_size=300))
def test_any_file_has_bars_or_a_reason(text: str) -> None:
    """No other exception."""
    with contextlib.suppress(BadPrices):
        bars_of(iter(text.splitlines(keepends=True)))
