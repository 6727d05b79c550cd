"""Stamps that only one program writes, made into the form that all others have (ISO 8601).

Web mails and groupware write their own logs, each with its own idea of a date.
"""

import re

_MONTHS = {
    name: number
    for number, name in enumerate(b"Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(), start=1)
}
_CLOCK = rb"(?P<clock>\d\d:\d\d:\d\d)"
_ZONE = rb"(?: (?P<zone>[+-]\d{4}))?"
_YEAR, _NAME = rb"(?P<year>\d{4})", rb"(?P<month>[A-Z][a-z]{2})"
_DAY, _NUMBER = rb"(?P<day>\d\d)", rb"(?P<number>\d\d)"
_ROUNDCUBE = rb"\[" + _DAY + rb"[-/]" + _NAME + rb"[-/]" + _YEAR + rb"[ :]" + _CLOCK + _ZONE + rb"\]:? ?"
_GROUPWARE = rb"\[" + _YEAR + rb"-" + _NUMBER + rb"-" + _DAY + rb" " + _CLOCK + rb"(?:,\d{3})?\] ?"
_CTIME = rb"[A-Z][a-z]{2} " + _NAME + rb" +(?P<day>\d{1,2}) " + _CLOCK + rb" " + _YEAR + rb" - "
_AMERICAN = _NUMBER + rb"/" + _DAY + rb"/" + _YEAR + rb" " + _CLOCK + rb" "
_DOMINO = rb"(?:\[[0-9A-F:-]+\] )?" + _DAY + rb"-" + _NUMBER + rb"-" + _YEAR + rb" " + _CLOCK + rb" +"
_ASSP = _NAME + rb"-" + _DAY + rb"-(?P<short>\d\d) " + _CLOCK + rb" "
_ORACLE = rb"(?=<co ts=\"" + _YEAR + rb"-" + _NUMBER + rb"-" + _DAY + rb"T" + _CLOCK + rb")"
_FORMS = tuple(
    re.compile(form) for form in (_ROUNDCUBE, _GROUPWARE, _CTIME, _AMERICAN, _DOMINO, _ASSP, _ORACLE)
)
"""roundcube's is Kerio's too, Group-Office's Mailu's, ctime openwebmail's; squirrelmail writes the month
first."""


def dated(raw: bytes) -> tuple[bytes, bytes] | None:
    """The stamp as ISO 8601 and what stands behind it; None if no form fits."""
    for form in _FORMS:
        match = form.match(raw)
        if match is not None:
            return _iso(match.groupdict()), raw[match.end() :]
    return None


def _iso(part: dict[str, bytes]) -> bytes:
    month = int(part["number"]) if part.get("number") else _MONTHS.get(part["month"], 0)
    year = part["year"] if part.get("year") else b"20" + part["short"]
    zone = part.get("zone") or b""
    return b"%s-%02d-%02dT%s%s" % (year, month, int(part["day"]), part["clock"], zone)
