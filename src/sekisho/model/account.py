"""Who lives here: domains, accounts, aliases. Users change them, so they are in the house database.

Addresses in these types are keys, as `key_of` makes them: ASCII, lower case, `local@domain`.
"""

import re

from msgspec import Struct

KEY_LENGTH = 320
"""Longest address, in characters: 64 of local part, @, 255 of domain (RFC 5321 4.5.3.1)."""

_KEY = re.compile(r"[\x20-\x7e]{1,320}")
_TO_LOWER = {code: code + 32 for code in range(ord("A"), ord("Z") + 1)}

POSTMASTER = "postmaster"
ROLES = (POSTMASTER, "abuse", "mailer-daemon", "root")
"""Local parts of every domain: RFC 5321 4.5.1 wants the first, RFC 2142 the second, programs the rest."""


class Domain(Struct, frozen=True):
    """`delimiters` are the characters that end a user's name: with "+-", user+x and user-x reach user.

    `quota` is that of accounts without their own, as `quota.written` reads it; "" is none.
    `postmaster` is where mail for the roles goes when nobody has their names; "" is their own mailbox.
    """

    name: str
    delimiters: str = "+-"
    postmaster: str = ""
    created_at: int = 0
    quota: str = ""


class Account(Struct, frozen=True):
    """`active`: exists at all for others. `sends`: may submit mail. `receives`: its mailbox takes mail.

    A locked account takes mail and lets nobody log in. `send_as` are other addresses, or "@domain",
    that it may write as. `language` "" is the house's, `quota` "" the domain's. Microseconds;
    `locked_at` 0 is not locked.
    """

    address: str
    language: str = ""
    active: bool = True
    sends: bool = True
    receives: bool = True
    locked_at: int = 0
    locked_why: str = ""
    send_as: tuple[str, ...] = ()
    created_at: int = 0
    quota: str = ""

    @property
    def locked(self) -> bool:
        return self.locked_at > 0


class Alias(Struct, frozen=True):
    """`address` is `local@domain`, or "@domain" for what nothing else matches. No targets: a refusal.

    A target is an address, the alias's own address (its mailbox, beside the others), or "@domain": the
    same local part there.
    """

    address: str
    targets: tuple[str, ...] = ()
    created_at: int = 0

    @property
    def refuses(self) -> bool:
        return not self.targets


def key_of(address: str) -> str:
    """The key of an address, or "" for text that is nobody's: not ASCII, too long, control characters.

    Only A to Z are folded: str.lower() would make a k of U+212A, and one account of two names.
    """
    if not _KEY.fullmatch(address):
        return ""
    return address.translate(_TO_LOWER)


def split(key: str) -> tuple[str, str]:
    """Local part and domain; the domain is "" where there is none."""
    local, at, domain = key.rpartition("@")
    return (local, domain) if at else (key, "")
