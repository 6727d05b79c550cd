"""Names that users type: what can be a domain, an account, an alias or its target. Never repaired."""

import unicodedata

from sekisho.model.account import key_of, split
from sekisho.model.address import BadAddress, Mailbox, parse_path
from sekisho.model.phrase import Phrase, phrase
from sekisho.model.text import printable
from sekisho.queue.listing import INCLUDE

SHOWN = 100
"""Most characters of a bad name that a refusal repeats."""


class Refusal(Exception):
    """What was asked for cannot be; `sentence` is for the user."""

    def __init__(self, sentence: Phrase) -> None:
        super().__init__(str(sentence))
        self.sentence = sentence


class Misspelt(Refusal):
    """What was typed can be no name of that kind, whatever is here."""


def domain_name(text: str) -> str:
    """A domain in its A-label form. A full-width letter or the like is a twin of a plain one: refused."""
    plain = unicodedata.normalize("NFC", text)
    mailbox = _parsed("x@" + plain) if unicodedata.normalize("NFKC", plain) == plain else None
    if mailbox is None or mailbox.domain.startswith("["):
        raise Misspelt(phrase("{name} is not the name of a domain", name=printable(text, SHOWN)))
    return mailbox.domain


def account_address(text: str) -> str:
    """The key of an account. Only ASCII stands before the @: without SMTPUTF8 nobody could write to it."""
    mailbox = _parsed(text)
    if mailbox is None or not mailbox.domain or mailbox.domain.startswith("["):
        raise Misspelt(phrase("{name} is not a mail address", name=printable(text, SHOWN)))
    if not mailbox.local.isascii():
        name = printable(text, SHOWN)
        raise Misspelt(phrase("{name}: only plain ASCII can stand before the @", name=name))
    return key_of(f"{mailbox.local}@{domain_name(mailbox.domain)}")


def alias_address(text: str) -> str:
    """An address, or "@domain" for a catch-all."""
    return "@" + domain_name(text[1:]) if text.startswith("@") else account_address(text)


def target_address(text: str) -> str:
    """Where an alias leads: as an alias, but with the local part's case, for it may be another host's; or
    ":include:/path", a file of addresses."""
    if text.startswith(INCLUDE):
        return _list(text)
    key = alias_address(text)
    if key.startswith("@"):
        return key
    mailbox = _parsed(text)
    assert mailbox is not None  # alias_address has parsed it
    return f"{mailbox.local}@{split(key)[1]}"


def _list(text: str) -> str:
    path = text.removeprefix(INCLUDE)
    if not path.startswith("/") or printable(path) != path or ".." in path.split("/"):
        name = printable(text, SHOWN)
        raise Misspelt(phrase("{name}: a list is a file by its absolute path, without links", name=name))
    return text


def _parsed(text: str) -> Mailbox | None:
    try:
        mailbox = parse_path(text.encode(), smtputf8=True)
    except UnicodeEncodeError:  # the terminal sent bytes that are not UTF-8
        return None
    return None if isinstance(mailbox, BadAddress) else mailbox
