"""The small types: safe text, secrets that stay secret, ids that sort, sentences that render."""

import pickle

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sekisho.model.ident import id_time, is_id, make_id
from sekisho.model.phrase import phrase, phrases
from sekisho.model.secret import Secret
from sekisho.model.text import printable
from sekisho.model.verdict import PASS, Act, reject, strongest


@given(st.binary(max_size=300))
def test_printable_is_one_harmless_line(raw: bytes) -> None:
    """Whatever the bytes, the text has no control, no surrogate and no line break, and encodes as UTF-8."""
    text = printable(raw)
    assert text.encode("utf-8").decode() == text
    assert not any(ord(char) < 32 or 0x7F <= ord(char) < 0xA0 for char in text)
    assert 1 == len(text.splitlines() or [""])


def test_printable_cannot_be_imitated() -> None:
    """A peer who writes an escape gets its backslash doubled; bidi controls and NEL are shown as codes."""
    assert r"\\x0a" == printable(rb"\x0a")
    assert r"\x0a" == printable(b"\n")
    assert r"\u202eabc\x85" == printable("\u202eabc\x85")
    assert r"\xff" == printable(b"\xff")
    assert "関所" == printable("関所".encode())
    assert "aaa…" == printable(b"a" * 10, 3)


def test_a_secret_cannot_be_seen() -> None:
    """repr, str, format, JSON, pickle: none of them shows or takes the password."""
    secret = Secret(b"canary")
    assert "***" == repr(secret) == str(secret) == f"{secret:>3}"
    assert b"canary" == secret.reveal()
    for encode in (msgspec.json.encode, msgspec.msgpack.encode, pickle.dumps):
        with pytest.raises(TypeError):
            encode(secret)


@given(st.integers(0, 2**55 - 1), st.integers(0, 2**30 - 1), st.integers(0, 2**55 - 1))
def test_ids_sort_by_time(at: int, chance: int, later: int) -> None:
    """Ids are read back, and sort as their times do."""
    first, second = make_id(at, chance), make_id(later, 0)
    assert is_id(first) and at == id_time(first)
    assert (first[:11] < second[:11]) == (at < later)


def test_phrases_render_numbers_and_lists() -> None:
    """One and many, nested phrases, and a list with commas."""
    assert "1 sign-in" == str(phrases("{count} sign-in", "{count} sign-ins", 1))
    inner = phrases("{count} sign-in", "{count} sign-ins", 3)
    assert "from BY, UA: 3 sign-ins" == str(
        phrase("from {places}: {n}", places=(phrase("BY"), phrase("UA")), n=inner)
    )


def test_the_strongest_verdict_wins_and_the_earlier_of_equals() -> None:
    """Order decides between equals; no verdict at all is a pass."""
    first, second = reject(550, "5.7.1", "first"), reject(550, "5.7.1", "second")
    assert first is strongest([PASS, first, second])
    assert Act.PASS is strongest([]).act
