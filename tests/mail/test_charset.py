"""Bytes into text: said, unsaid and wrongly said charsets."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sekisho.mail.charset import decoded

JAPANESE = "これは株の話です。すぐに買ってください。"
RUSSIAN = "покупайте акции сегодня, завтра будет поздно"
CHINESE = "请立即购买这支股票，明天价格会上涨。"


@pytest.mark.parametrize(
    ("raw", "charset", "wanted"),
    [
        (JAPANESE.encode("iso-2022-jp"), "iso-2022-jp", JAPANESE),
        (JAPANESE.encode("iso-2022-jp"), "us-ascii", JAPANESE),
        (JAPANESE.encode("cp932"), "x-sjis", JAPANESE),
        (JAPANESE.encode("cp932"), "", JAPANESE),
        (JAPANESE.encode("euc_jp"), "", JAPANESE),
        (JAPANESE.encode("utf-8"), "", JAPANESE),
        (JAPANESE.encode("cp932"), "utf-8", JAPANESE),
        (RUSSIAN.encode("koi8_r"), "koi8-r", RUSSIAN),
        (RUSSIAN.encode("koi8_r"), "", RUSSIAN),
        (RUSSIAN.encode("cp1251"), "x-unknown", RUSSIAN),
        (CHINESE.encode("gb18030"), "gb2312", CHINESE),
        (CHINESE.encode("gb18030"), "", CHINESE),
        ("für 2,50 €".encode("cp1252"), "iso-8859-1", "für 2,50 €"),
        ("für 2,50 €".encode("cp1252"), "", "für 2,50 €"),
        ("für 2,50 €".encode().decode("cp1252").encode(), "utf-8", "für 2,50 €"),
        (b"plain", "rot13", "plain"),
        (b"eJw=", "zlib", "eJw="),
        (b"a\xffb", "us-ascii", "aÿb"),
        (b"", "", ""),
    ],
)
def test_text_is_read_as_it_was_written(raw: bytes, charset: str, wanted: str) -> None:
    """Also where the charset is missing, is none of text, or is another's."""
    assert decoded(raw, charset) == wanted


@given(
    st.binary(max_size=300), st.sampled_from(["", "utf-8", "iso-2022-jp", "gb2312", "koi8-r", "utf-7", "hex"])
)
def test_any_bytes_have_a_text(raw: bytes, charset: str) -> None:
    """No exception."""
    assert isinstance(decoded(raw, charset), str)
