"""The head of a letter: what is a field, where it stands, and what it costs to find out."""

import contextlib
import time
from email import message_from_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sekisho.mail.headers import (
    HEAD_BYTES,
    LINES,
    Head,
    TooLarge,
    claims,
    fields_of,
    head_of,
    unfolded,
    without,
)


def head(text: bytes) -> Head:
    found = head_of(text + b"\r\nbody\r\n")
    assert found is not None
    return found


def test_fields_are_found_as_they_stand() -> None:
    """Folds stay in the value; names are compared without regard to case; duplicates count."""
    found = head(b"From: a@b\r\nSUBJECT:  hello\r\n\tworld \r\nreceived: x\r\nReceived :y\r\n")
    assert [b"from", b"subject", b"received", b"received"] == [field.name for field in found.fields]
    assert (b"hello\tworld", b"a@b", None) == (
        found.first(b"subject"),
        found.first(b"from"),
        found.first(b"to"),
    )
    assert (2, 0) == (found.count(b"received"), found.count(b"x"))
    assert (
        len(b"From: a@b\r\nSUBJECT:  hello\r\n\tworld \r\nreceived: x\r\nReceived :y\r\n\r\n") == found.size
    )


@pytest.mark.parametrize(
    ("text", "names"),
    [
        (b"", []),
        (b" folded from nothing\r\nA: b\r\n", []),
        (b"A: b\r\nno field\r\nC: d\r\n", [b"a"]),
        (b"From nobody Mon Jan 1\r\nA: b\r\n", []),
        (b"A: b\r\n: c\r\nD: e\r\n", [b"a"]),
        (b"A: b\r\nB\xc3\xa4: c\r\nD: e\r\n", [b"a"]),
        (b"A B: c\r\n", []),
        (b"A\t : c\r\nD:\r\n", [b"a", b"d"]),
        (b"A: b: c\r\n", [b"a"]),
        (b"A: b\r\n \r\nC: d\r\n", [b"a", b"c"]),  # a line of white space looks empty, and is a fold
    ],
)
def test_what_is_no_field_ends_the_head(text: bytes, names: list[bytes]) -> None:
    """As it does for who reads the letter; it is not repaired."""
    assert names == [field.name for field in fields_of(text)]


def test_the_head_ends_at_the_first_empty_line() -> None:
    """None while it has not come; at once where the letter begins with it."""
    assert head_of(b"A: b\r\n") is None
    assert Head((), 2) == head_of(b"\r\nA: b\r\n\r\n")
    assert [b"a"] == [field.name for field in head(b"A: b\r\n").fields]
    found = head_of(b"A: b\r\n\r\nC: d\r\n\r\n")
    assert found is not None and 8 == found.size


def test_limits_come_before_work() -> None:
    """In bytes and in lines."""
    assert head_of(b"a: " + b"x" * (HEAD_BYTES - 8) + b"\r\n\r\n") is not None
    with pytest.raises(TooLarge):
        head_of(b"a: " + b"x" * HEAD_BYTES + b"\r\n\r\n")
    assert LINES == len(fields_of(b"a:\r\n" * LINES))
    with pytest.raises(TooLarge):
        fields_of(b"a:\r\n" * (LINES + 1))
    with pytest.raises(TooLarge):
        fields_of(b"a: " + b"x" * HEAD_BYTES + b"\r\n")


@given(
    st.lists(
        st.tuples(
            st.from_regex(rb"[A-Za-z][A-Za-z0-9-]{0,10}", fullmatch=True),
            st.lists(st.from_regex(rb"[!-~][ -~]{0,20}", fullmatch=True), min_size=1, max_size=3),
        ),
        max_size=8,
    )
)
def test_it_reads_what_pythons_own_parser_reads(fields: list[tuple[bytes, list[bytes]]]) -> None:
    """On heads that are in order, names and values are the same."""
    text = b"".join(name + b": " + b"\r\n ".join(lines) + b"\r\n" for name, lines in fields)
    ours = [(field.name.decode(), unfolded(field.value).decode()) for field in head(text).fields]
    theirs = message_from_bytes(text + b"\r\n").items()
    assert ours == [(name.lower(), value.replace("\r\n", "").strip()) for name, value in theirs]


@given(st.binary(max_size=300).map(lambda raw: raw.replace(b"a", b"\r\n").replace(b"b", b": ")))
def test_fields_stand_where_they_say(text: bytes) -> None:
    """In order, apart, each with its own bytes; taking them all out leaves what is no field."""
    found = fields_of(text + b"\r\n")
    at = 0
    for field in found:
        assert at <= field.start < field.end
        raw = (text + b"\r\n")[field.start : field.end]
        assert raw.partition(b":")[0].strip(b" \t").lower() == field.name
        assert raw.partition(b":")[2] == field.value + b"\r\n"
        at = field.end
    rest = without(text + b"\r\n", found)
    assert len(text) + 2 - sum(field.end - field.start for field in found) == len(rest)


@pytest.mark.parametrize(
    "value",
    [
        b"mx.example.com; spf=pass",
        b" MX.Example.COM 1; spf=pass",
        b'"mx.example.com"; none',
        b" (we (said) so)\r\n mx.example.com (really);\r\n dkim=pass",
        b"mx.example.com.; none",
        b"mx.example.com",
        b"(" + b"x" * 5000 + b") mx.example.com; dkim=pass",
        b"(a\\) b) mx.example.com; dkim=pass",
        b"(a) (b)(c)mx.example.com; dkim=pass",
        b'"mx\\.example.com"; dkim=pass',
        b"mx.example.com/1; dkim=pass",
        b"mx.example.com(x); dkim=pass",
        b"((mx.example.com; x",
        b'"mx.example.com; dkim=pass',
    ],
)
def test_who_claims_to_be_us_is_found(value: bytes) -> None:
    """However it is written (RFC 8601 2.2)."""
    found = head(b"A: b\r\nAuthentication-Results:" + value + b"\r\nC: d\r\n")
    assert 1 == len(claims(found, "mx.example.com"))


@pytest.mark.parametrize(
    "value",
    [
        b"mx.example.org; x",
        b"amx.example.com; x",
        b"(mx.example.com) y; x",
        b"(mx.example.com;) y; z=mx.example.com",
        b"",
    ],
)
def test_others_may_claim_what_they_like(value: bytes) -> None:
    """Only our own name is ours."""
    assert not claims(head(b"Authentication-Results:" + value + b"\r\n"), "mx.example.com")
    assert not claims(head(b"X-Authentication-Results: mx.example.com\r\n"), "mx.example.com")


@pytest.mark.parametrize("unit", [b"a:\r\n b\r\n", b" \r\n", b"(", b":", b"\r\n\t", b"a: (\r\n"])
def test_the_time_it_takes_grows_with_the_length_only(unit: bytes) -> None:
    """Twice as much takes about twice as long, whatever it is made of."""

    def took_s(size: int) -> float:
        text = b"Authentication-Results: " + unit * (size // len(unit)) + b"\r\n"
        best = 1.0
        for _ in range(3):
            begun = time.process_time()
            with contextlib.suppress(TooLarge):
                claims(Head(fields_of(text), 0), "mx.example.com")
            best = min(best, time.process_time() - begun)
        return best

    took_s(1000)
    assert took_s(20_000) < 40 * max(took_s(2000), 0.0005)
