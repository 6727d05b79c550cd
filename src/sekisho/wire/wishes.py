"""The parameters that ask for reports (DSN, RFC 3461 4): NOTIFY and ORCPT of RCPT, RET and ENVID of MAIL.

What they say comes to stand in reports that we write, so their xtext is read here, once and strictly: what it
stands for is printable ASCII and cannot be more than a word of a report's field.
"""

import re

from sekisho.model.text import printable

ENVID_OCTETS = 100  # RFC 3461 4.4
ORCPT_OCTETS = 500  # RFC 3461 4.2

_XTEXT = re.compile(r"(?:[!-*,-<>-~]|\+[2-7][0-9A-F])++")  # RFC 3461 4; no control characters in disguise
_TYPE = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*+")
_EVENTS = ("SUCCESS", "FAILURE", "DELAY")


def notify(value: str) -> str:
    """In capitals and in one order, or "" for what is none: NEVER stands alone."""
    wanted = value.upper().split(",")
    if wanted == ["NEVER"]:
        return "NEVER"
    if not all(each in _EVENTS for each in wanted):
        return ""
    return ",".join(event for event in _EVENTS if event in wanted)


def is_envid(value: str) -> bool:
    return len(value) <= ENVID_OCTETS and is_xtext(value)


def is_original(value: str, *, smtputf8: bool) -> bool:
    """An address with its type. That of type utf-8 may say its letters as they are (RFC 6533 3)."""
    kind, semicolon, address = value.partition(";")
    if not semicolon or len(value.encode()) > ORCPT_OCTETS or _TYPE.fullmatch(kind) is None:
        return False
    if address.isascii():
        return is_xtext(address)
    return smtputf8 and kind.lower() == "utf-8" and printable(address) == address and " " not in address


def is_xtext(value: str) -> bool:
    """RFC 3461 4, of printable ASCII."""
    return _XTEXT.fullmatch(value) is not None and not re.search(r"\+7F", value)
