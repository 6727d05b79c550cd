"""Companies and numbers of shares: `Biostem U.S. Corp`, ISIN (ISO 6166) with its check digit, the German
WKN."""

import re

from sekisho.campaign.claim import Name
from sekisho.campaign.labels import Label, says

COMPANY_LABELS = frozenset((
    "company", "company name", "name", "firma", "organization name", "organization", "unternehmen", "firm",
    "issuer", "co name",
))  # fmt: skip
_ENDING = (
    r"(?:Inc(?:orporated)?|Corp(?:oration)?|Ltd|Limited|LLC|PLC|AG|GmbH|SE|Holdings?|Group|Co|Enterprises"
    r"|Technologies|International)"
)
_COMPANY = re.compile(
    r"(?<![\w.])(?P<name>(?:[A-Z0-9][\w&'.-]{0,20},?[ ]){1,6}" + _ENDING + r")\b\.?(?![\w])"
)
_ISIN = re.compile(r"(?<![A-Z0-9])(?P<isin>[A-Z]{2}[A-Z0-9]{9}[0-9])(?![A-Z0-9])")
_WKN = re.compile(r"\bWKN\b[\s:.]{0,4}(?P<wkn>[A-HJ-NP-Z0-9]{6})(?![A-Z0-9])", re.I)
_WORD = re.compile(r"[a-z0-9]+")
_LEGAL = frozenset(
    (
        "inc",
        "incorporated",
        "corp",
        "corporation",
        "ltd",
        "limited",
        "llc",
        "plc",
        "ag",
        "gmbh",
        "se",
        "co",
        "company",
        "the",
    )
)


def company_of(words: str, labels: list[Label], raw: str, near: int) -> Name | None:
    """By its label, else the name with a legal form that stands nearest to the symbol, which is at `near`."""
    for label in labels:
        if says(label.name, COMPANY_LABELS):
            value = words[label.start : label.end].split("\t")[0].split("(")[0].strip(" .,*")
            if 2 < len(value) <= 60:
                start = words.index(value, label.start)
                return Name(raw[start : start + len(value)], start, start + len(value), 0.95, value)
    found = list(_COMPANY.finditer(words))[:200]
    if not found:
        return None
    match = min(found, key=lambda match: abs(match.end() - near))
    start, end = match.span("name")
    if start < near < end:  # the symbol stands in front of the name
        start = near
    name = words[start:end].lstrip(" .,:;-)")
    start = end - len(name)
    return Name(raw[start:end], start, end, 0.7, " ".join(name.split()))


def isin_of(words: str, raw: str) -> Name | None:
    for match in _ISIN.finditer(words):
        if isin_is_right(match["isin"]):
            start, end = match.span("isin")
            return Name(raw[start:end], start, end, 0.99, match["isin"])
    return None


def isin_is_right(isin: str) -> bool:
    """The check digit of ISO 6166: letters as two digits, then Luhn's sum."""
    digits = "".join(str(int(char, 36)) for char in isin)
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + place % 2)
        total += value - 9 * (value > 9)
    return total % 10 == 0


def wkn_of(words: str, raw: str) -> Name | None:
    match = _WKN.search(words)
    if match is None:
        return None
    start, end = match.span("wkn")
    return Name(raw[start:end], start, end, 0.95, match["wkn"].upper())


def same_company(one: str, other: str) -> bool:
    """`Biostem Corp.`, `Biostem U.S.` and `BioStem US Corp` are one: what is left without legal forms and the
    country begins alike.
    """
    first, second = kernel(one), kernel(other)
    return bool(first) and bool(second) and (first.startswith(second) or second.startswith(first))


def kernel(name: str) -> str:
    """A company's name as letters in a row, without what its legal form and country add."""
    plain = name.lower().replace("u.s.", "us").replace(".", "")
    kept = [word for word in _WORD.findall(plain) if word not in _LEGAL]
    return "".join(kept[:-1] if len(kept) > 1 and kept[-1] in ("us", "usa") else kept)
