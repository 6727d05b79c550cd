"""Letters that look alike made alike, each in its place: what is found keeps its span in the words as
written."""

import unicodedata

_LOOKALIKES = str.maketrans(
    "АВЕЅІЈКМНОРСТХУаеѕіјорсухԁԛԝΑΒΕΖΗΙΚΜΝΟΡΤΥΧοιν’‘ʼ`´“”„–—−‐‑․。，：＄",
    "ABESIJKMHOPCTXYaesijopcyxdqwABEZHIKMNOPTYXoiv'''''\"\"\"-----..,:$",
)
"""Cyrillic and Greek letters that a reader takes for Latin ones; quotes, dashes and points of all kinds."""


def folded(text: str) -> str:
    """As long as `text`: full width, mathematical and circled letters as plain ones (NFKC), lookalikes as
    Latin.
    """
    if text.isascii():
        return text
    return "".join(map(_plain, text.translate(_LOOKALIKES)))


def _plain(char: str) -> str:
    if char <= "\x7f":
        return char
    plain = unicodedata.normalize("NFKC", char).translate(_LOOKALIKES)
    return plain if len(plain) == 1 else char
