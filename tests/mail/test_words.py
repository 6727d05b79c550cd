"""Encoded words as people read them (RFC 2047)."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sekisho.mail.words import READ_BYTES, readable


@pytest.mark.parametrize(
    ("raw", "wanted"),
    [
        (b"plain", "plain"),
        (b"=?utf-8?B?44GT44KT44Gr44Gh44Gv?=", "こんにちは"),
        (b"=?ISO-2022-JP?B?GyRCJDMkcyRLJEEkTxsoQg==?= x", "こんにちは x"),
        (b"=?iso-8859-1?Q?a=E4_b?=", "aä b"),
        (b"=?utf-8?q?a?= =?utf-8?q?b?= c", "ab c"),  # 6.2: white space between words is not shown
        (b"a =?utf-8*en?q?b?= c", "a b c"),  # RFC 2231 5
        (b"=?utf-8?B?44GT44KT44Gr44Gh44Gv", "=?utf-8?B?44GT44KT44Gr44Gh44Gv"),
        (b"=?utf-8?B?!?=", "=?utf-8?B?!?="),
        (b"=?utf-8?B?\xa3?=", "=?utf-8?B?\udca3?="),
        (b"=?utf-8?B?gICA?=", "���"),
        (b"=?rot13?q?uryyb?=", "=?rot13?q?uryyb?="),
        (b"=?zlib?B?eJw=?=", "=?zlib?B?eJw=?="),
        (b"=?punycode?q?a-b?=", "=?punycode?q?a-b?="),
        (b"caf\xc3\xa9", "café"),
        (b"", ""),
    ],
)
def test_words_are_decoded_or_left_alone(raw: bytes, wanted: str) -> None:
    """What is broken or in no known encoding of text stands as it was sent."""
    assert wanted == readable(raw)


@given(st.binary(max_size=200) | st.binary(max_size=60).map(lambda raw: b"=?utf-8?q?" + raw + b"?="))
def test_anything_can_be_read(raw: bytes) -> None:
    """No exception, whatever was sent."""
    assert isinstance(readable(raw), str)


@pytest.mark.parametrize("unit", [b"=?", b"=?utf-8?q?", b"=?utf-8?q?a?=", b"=?utf-8?q?=4", b"?="])
def test_a_long_field_is_read_to_a_limit(unit: bytes) -> None:
    """A subject of 280 KB takes no longer than one of 2 KB."""
    begun = time.process_time()
    assert len(readable(unit * (280_000 // len(unit)))) <= READ_BYTES
    assert time.process_time() - begun < 0.5
