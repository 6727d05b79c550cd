"""Bytes into text: by the charset that was said, and by what the bytes look like where that is wrong.

For reading only, by people and by those who look for what a letter claims. It never raises.
"""

import codecs
import re

from sekisho.mail.words import is_codec_of_text

LOOKED_BYTES = 4096
"""Of an undeclared text this much decides in which charset it is read."""

_ALIASES = {
    "x-sjis": "cp932", "shift_jis": "cp932", "shift-jis": "cp932", "sjis": "cp932", "windows-31j": "cp932",
    "gb2312": "gb18030", "gbk": "gb18030", "x-gbk": "gb18030", "gb_2312-80": "gb18030",
    "ks_c_5601-1987": "cp949", "euc-kr": "cp949",
    "iso-8859-1": "cp1252", "latin1": "cp1252", "us-ascii": "", "ascii": "",
    "x-unknown": "", "unknown-8bit": "", "default": "", "_iso-2022-jp$esc": "iso-2022-jp", "utf8": "utf-8",
    "utf-7": "utf-7",
    "macintosh": "mac_roman", "x-mac-roman": "mac_roman",
}  # fmt: skip
"""What mail programs say, and the larger charset that contains it."""

_KANA = re.compile("[\u3041-\u30fe]")
_CHINESE = re.compile("[\u4e00-\u9fa5\u3001\u3002\uff01-\uff1f]")
_RUSSIAN = re.compile("[а-яё]")
_CANDIDATES = (
    ("cp932", _KANA, 0.25),
    ("euc_jp", _KANA, 0.25),
    ("koi8_r", _RUSSIAN, 0.6),
    ("cp1251", _RUSSIAN, 0.6),
    ("gb18030", _CHINESE, 0.8),
    ("big5", _CHINESE, 0.8),
)
"""Charsets in the order in which they are tried, and the share that such letters have among all that are no
ASCII in any longer text of the language. Half of Japanese is kana; the other Russian charset makes capitals
of small letters.
"""

STRANGE_LEAST = 4
"""Letters beyond ASCII that a text must have before it is taken for another alphabet's."""

STRANGE_SHARE = 0.2
"""And their share among all its letters: French has fewer."""

BROKEN_SHARE = 0.02
"""More that cannot be read than this, and it is another charset."""

_MOJIBAKE = re.compile("[\u00c2-\u00c5\u00e2\u00e3][\u0080-\u00bf\u0152-\u2122]")
"""UTF-8 that somebody read as Latin-1 and encoded again."""


def decoded(raw: bytes, charset: str) -> str:
    """Every byte has its place; what cannot be read is U+FFFD."""
    name = charset.strip().lower()
    name = _ALIASES.get(name, name)
    if b"\x1b$" in raw and name in ("", "utf-8"):
        name = "iso-2022-jp"
    if not name or not (is_codec_of_text(name) or name in _ALIASES.values()):
        return _guessed(raw)
    try:
        return _mended(raw.decode(name))
    except (UnicodeError, LookupError):
        pass
    if name == "utf-8":
        return _guessed(raw)
    try:
        return raw.decode(name, "replace")
    except (UnicodeError, LookupError):
        return _guessed(raw)


def _guessed(raw: bytes) -> str:
    if raw.isascii():
        return raw.decode("ascii")
    try:
        return _mended(raw.decode("utf-8"))
    except UnicodeError:
        pass
    return raw.decode(_likeliest(raw[:LOOKED_BYTES]), "replace")


def _likeliest(sample: bytes) -> str:
    """The first charset in which the sample looks like its language; else Windows' Latin."""
    for name, letters, share in _CANDIDATES:
        text = codecs.getincrementaldecoder(name)("replace").decode(sample)
        strange = sum(1 for char in text if char > "\x7f")
        written = sum(1 for char in text if char.isalnum() or char > "\x7f")
        if strange < STRANGE_LEAST or strange < written * STRANGE_SHARE:
            continue
        if text.count("\ufffd") <= strange * BROKEN_SHARE and len(letters.findall(text)) >= strange * share:
            return name
    return "cp1252"


def _mended(text: str) -> str:
    """UTF-8 inside of UTF-8 is taken out of it, where the whole text allows it."""
    if len(_MOJIBAKE.findall(text[:LOOKED_BYTES])) < 2:
        return text
    try:
        return text.encode("cp1252").decode("utf-8")
    except UnicodeError:
        return text
