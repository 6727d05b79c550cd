"""A letter's parts (RFC 2045, 2046, 2231): found where mail programs find them, whatever is broken."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sekisho.mail.parts import DEPTH_MAX, PARTS_MAX, content, parts_of

MIXED = b"""Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=
Content-Type: multipart/mixed; boundary="out er"

what no reader shows
--out er
Content-Type: multipart/alternative;
\tboundary=inner

--inner
Content-Type: text/plain; charset=ISO-2022-JP

plain
--inner
Content-Type: text/html; charset=utf-8
Content-Transfer-Encoding: quoted-printable

<p>ht=
ml=21</p>
--inner--
--out er
Content-Type: image/gif; name*0*=utf-8''%E5%9B%B3; name*1=".gif"
Content-Disposition: attachment
Content-Transfer-Encoding: base64

R0lG ODlh!
--out er--
what comes behind the end
"""


@pytest.mark.parametrize("ending", [b"\n", b"\r\n"])
def test_leaves_in_their_order(ending: bytes) -> None:
    """With both line ends: kinds, charset, names in pieces, alternatives, contents."""
    letter = MIXED.replace(b"\n", ending)
    taken = parts_of(letter)
    assert [part.kind for part in taken.parts] == ["text/plain", "text/html", "image/gif"]
    plain, page, picture = taken.parts
    assert plain.choice == page.choice == 1 and picture.choice == 0
    assert plain.charset == "iso-2022-jp"
    assert content(letter, page, 1000).strip() == b"<p>html!</p>"
    assert (picture.name, picture.attached) == ("図.gif", True)
    assert content(letter, picture, 1000) == b"GIF89a"
    assert content(letter, picture, 3) == b"GIF"
    assert taken.whole


@pytest.mark.parametrize(
    ("letter", "kinds"),
    [
        (b"", ["text/plain"]),
        (b"\nonly words", ["text/plain"]),
        (b"Content-Type: multipart/mixed; boundary=b\n\nno part at all", ["multipart/mixed"]),
        (b"Content-Type: multipart/mixed; boundary=b\n\n--b\n\nnever ended", ["text/plain"]),
        (
            b"Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: image/png\n\nx\n--b",
            ["image/png"],
        ),
        (b"Content-Type: multipart/digest; boundary=b\n\n--b\n\nSubject: x\n\nwords\n--b--", ["text/plain"]),
        (b"Content-Type: message/rfc822\n\nContent-Type: text/html\n\n<b>", ["text/html"]),
        (b"Content-Type: broken\n\nx", ["text/plain"]),
        (b"Content-Type: text/plain;charset=a;charset=b\n\nx", ["text/plain"]),
    ],
)
def test_what_is_broken_still_has_parts(letter: bytes, kinds: list[str]) -> None:
    """Boundaries that nobody uses, multiparts without an end, types that are none."""
    assert [part.kind for part in parts_of(letter).parts] == kinds


def test_the_first_parameter_counts() -> None:
    """Two charsets are a trick on filters."""
    assert parts_of(b"Content-Type: text/plain;charset=a;charset=b\n\nx").parts[0].charset == "a"


@given(st.binary(max_size=400) | st.binary(max_size=200).map(lambda raw: MIXED[:300] + raw + MIXED[300:]))
def test_no_letter_is_too_broken(letter: bytes) -> None:
    """Whatever the bytes, every leaf lies within the letter."""
    for part in parts_of(letter).parts:
        assert 0 <= part.start <= part.end <= len(letter)
        content(letter, part, 100)


NESTED = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (n, n) for n in range(300))
HOSTILE = {
    "deep": NESTED + b"x" * 500_000,
    "many": b"Content-Type: multipart/mixed; boundary=b\n\n" + b"--b\n\nx\n" * 120_000,
    "one long field": b"Content-Type: text/plain" + b"; a=b" * 200_000,
    "folds": b"Subject: x\n" + b" y\n" * 300_000,
    "never ended": (b"Content-Type: multipart/mixed; boundary=b\n\n--b\n") * 20_000,
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_shapes_cost_no_more_than_plain_ones(kind: str) -> None:
    """Linear in the letter: a megabyte of any shape within 0.25 s, five times what is allowed to it."""
    begun = time.process_time()
    taken = parts_of(HOSTILE[kind])
    assert time.process_time() - begun < 0.25
    assert len(taken.parts) <= PARTS_MAX


def test_depth_ends() -> None:
    """Below the bound a multipart is a leaf of its own kind."""
    assert parts_of(HOSTILE["deep"]).parts[0].kind == "multipart/mixed"
    assert DEPTH_MAX < 300
