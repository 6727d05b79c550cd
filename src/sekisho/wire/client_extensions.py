"""What a server offered in its answer to EHLO (RFC 5321 4.1.1.1), and the numbers in it (RFC 1870, 9422)."""

from collections.abc import Mapping

from sekisho.wire.client_replies import Said

DIGITS_MAX = 18


def extensions_of(said: Said) -> dict[str, str]:
    """Behind the first line, one extension a line. `AUTH=LOGIN` is an old way to say it."""
    found: dict[str, str] = {}
    for line in said.lines[1:]:
        text = line.decode("latin-1").strip()
        if text[:5].upper() == "AUTH=":
            text = "AUTH " + text[5:]
        name, _, parameters = text.partition(" ")
        if name.isascii():
            found[name.upper()] = parameters.strip()
    return found


def size_limit(extensions: Mapping[str, str]) -> int:
    """What stands behind SIZE; 0 when it named no limit (RFC 1870 4)."""
    return _number(extensions.get("SIZE", ""))


def limit(extensions: Mapping[str, str], name: str) -> int:
    """What LIMITS says of MAILMAX, RCPTMAX or RCPTDOMAINMAX (RFC 9422 3, 4); 0 when it says nothing."""
    if "LIMITS" not in extensions:  # as nearly always, and this is asked for each letter
        return 0
    for word in extensions["LIMITS"].upper().split():
        key, _, value = word.partition("=")
        if key == name:
            return _number(value)
    return 0


def _number(text: str) -> int:
    return int(text[:DIGITS_MAX]) if text.isascii() and text.isdigit() else 0
