"""HTML as a reader sees it: cut words are whole again, and what is hidden stays hidden."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sekisho.mail.sight import seen


@pytest.mark.parametrize(
    ("page", "wanted"),
    [
        ("H<b></b>A<i>I</i>R", "HAIR"),
        ("H<!-- x > y -->AIR", "HAIR"),
        ("HA<span style='display:none'>no</span>IR", "HAIR"),
        ("HA<span style='DISPLAY : none'>n<b>o</b></span>IR", "HAIR"),
        ("HA<div hidden>no</div>IR", "HA\n\nIR"),
        ("HA<font color=#fffffe>no</font>IR", "HAIR"),
        ("HA<font color=white>no</font>IR", "HAIR"),
        ("<body bgcolor=black text=white>HA<font color='#010101'>no</font>IR", "HAIR"),
        ("<table><tr><td bgcolor='#000'><font color=#fff>seen</font></td><td>too</td></table>", "seen\ttoo"),
        ("HA<span style='font-size:1px'>no</span>IR", "HAIR"),
        ("HA<span style='font-size:0'>no</span>IR", "HAIR"),
        ("HA<span style='visibility:hidden'>no</span>IR", "HAIR"),
        (
            "<style>.x{display:none} p.y, #z {color:#fff}</style>H<i class='a x'>no</i>A<i id=z>no</i>IR",
            "HAIR",
        ),
        ("<p class=y>no</p><style>p.y{color:#fff}</style>HAIR<p class=y>no</p>", "no\nHAIR"),
        ("<title>no</title>HAIR<script>if (a<b) document.write('no')</script>", "HAIR"),
        ("HA\u200bI\u00adR", "HAIR"),
        ("HA&#8203;I&shy;R &amp; &lt;b&gt;", "HAIR & <b>"),
        ("a<br>b<p>c</p>d", "a\nb\nc\nd"),
        ("a &nbsp; \n b", "a b"),
        ("1 < 2 and 3 > 2", "1 < 2 and 3 > 2"),
        ("<a href='x>y' title=\"a>b\">word</a>", "word"),
        ("<span style='color:#fff'>no<p>no</span>seen", "seen"),
        ("</b></b>HAIR</p>", "HAIR"),
        ("<img src=x alt=no>HAIR", "HAIR"),
        ("HAIR <b never ended", "HAIR"),
        ("<span style='font-size:12pt;color:red'>HAIR</span>", "HAIR"),
    ],
)
def test_the_reader_sees(page: str, wanted: str) -> None:
    """Tags without a sight, hidden text, colour on colour, no size, classes, entities, invisible letters."""
    assert seen(page) == wanted


@given(st.text(alphabet="<>/!-ab=\"' \n&;#{}:.", max_size=300))
def test_every_page_has_a_sight(page: str) -> None:
    """No exception, whatever the page."""
    assert isinstance(seen(page), str)


HOSTILE = {
    "no end": "<" * 400_000,
    "tags": "<b>" * 130_000,
    "ends": "</q>" * 100_000,
    "quotes": '<a b="' * 66_000 + ">",
    "comments": "<!--" * 100_000,
    "styles": "<style>" + "a{" * 190_000,
    "sheets": "<style>" + "x{a:b}" * 60 + "</style>" + "<style>.a{color:red}</style>" * 10_000,
    "attributes": "<p " + "a=b " * 90_000 + ">",
    "spaces": "<p style='" + " " * 390_000 + "'>",
    "colours": "<p style='color:rgb(" + "1," * 190_000 + "'>x",
    "blanks": " \n" * 200_000,
    "entities": "&" * 400_000,
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_pages_cost_no_more_than_plain_ones(kind: str) -> None:
    """Linear: the largest page that is looked at, in any shape, within two seconds on a busy machine."""
    begun = time.process_time()
    seen(HOSTILE[kind])
    assert time.process_time() - begun < 2
