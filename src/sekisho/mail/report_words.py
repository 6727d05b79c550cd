"""Recipients in the words of a bounce: where programs without fields for machines put them.

Three places, the first that has any decides: fields of the bounce's head that name them; lines of the words
that begin with an address, or are about one; the letter that came back. Whoever the bounce is to, and whoever
wrote it, is never a recipient.
"""

import re

from sekisho.mail.report_parts import Pieces

ADDRESS = r"[^\s<>\"'@,;:()\[\]{}|=]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,250})"
FOUND_MAX = 100
WORDS_READ = 32 * 1024
"""Nobody says more in words than this before he names the recipient."""
SAID_BYTES = 1200
"""How much behind a recipient belongs to it."""

_ANY = re.compile(ADDRESS)
_ALONE = re.compile(rf"^[ \t>*.|-]{{0,20}}[<\"'(\[]?({ADDRESS})[>\"')\]]?[ \t]*[:.,;]?[ \t]*$", re.M)
_LEADS = re.compile(
    rf"^[ \t>*|-]{{0,20}}(?:[45]\d\d[ -](?:[45]\.\d{{1,3}}\.\d{{1,3}}[ ])?)?[<\"'(\[]?({ADDRESS})"
    r"[>\"')\]]?(?=[ \t:;,(.-]|$)",
    re.M,
)
_KEYWORD = re.compile(
    r"\b(?:recipients?|address(?:es|ee)?|users?|mailbox(?:es)?|account|deliver(?:ed|y|ing)?|rcpt|failed|to|for"
    r"|unknown|box)\b[^@]{0,80}$",
    re.I,
)
BEFORE = 80
"""How much before an address is looked at for what it is."""

_HEAD_FIELDS = ("x-failed-recipients", "x-failed-recipient", "x-actual-recipient", "x-original-recipient")
_FIELD_TO = re.compile(rf"^(?:To|X-Original-To|Delivered-To)[ \t]*:[^\n@]{{0,200}}?({ADDRESS})", re.I | re.M)
_FIELD_FROM = re.compile(rf"^(?:From|Return-Path|Sender)[ \t]*:[^\n@]{{0,200}}?({ADDRESS})", re.I | re.M)
_RECEIVED_FOR = re.compile(rf"\bfor[ \t]+<?({ADDRESS})>?", re.I)
_DAEMONS = re.compile(r"^(?:mailer-daemon|postmaster|mail-?daemon|no-?reply|abuse)@", re.I)
_POSTMASTER = re.compile(r"postmaster@", re.I)
_NO_ADDRESS = re.compile(r"(?:message-id|in-reply-to|references|id)[ \t]*[:=]?[ \t]*<?$", re.I)


def recipients_in(pieces: Pieces) -> list[str]:
    """The likeliest, in order, each once."""
    words, original = pieces.words[:WORDS_READ], pieces.original[:WORDS_READ]
    never = _addresses(pieces, "from", "sender", "reply-to", "to", "delivered-to")
    bounce_to = _addresses(pieces, "x-original-to")
    named = [found for name in _HEAD_FIELDS for found in _ANY.findall(pieces.head.get(name, ""))]
    about, others = _mentioned(words)
    for found in (named, _ALONE.findall(words), _LEADS.findall(words), about, others):
        if chosen := _chosen(found, never | bounce_to):
            return chosen
    returned = _FIELD_TO.findall(original) + _RECEIVED_FOR.findall(original)
    senders = {found.lower() for found in _FIELD_FROM.findall(original)}
    for found in (returned, list(bounce_to)):
        if chosen := _chosen(found, never | (bounce_to if found is returned else senders)):
            return chosen[:1]
    return list(
        dict.fromkeys(each for each in about if _POSTMASTER.match(each) and each.lower() not in never)
    )


def _addresses(pieces: Pieces, *names: str) -> set[str]:
    return {found.lower() for name in names for found in _ANY.findall(pieces.head.get(name, ""))}


def _mentioned(words: str) -> tuple[list[str], list[str]]:
    """Addresses behind a word that says what they are, and all others."""
    about, others = [], []
    for match in _ANY.finditer(words):
        before = words[max(0, match.start() - BEFORE) : match.start()].rpartition("\n")[2]
        if _KEYWORD.search(before):
            about.append(match[0])
        elif not _NO_ADDRESS.search(before):
            others.append(match[0])
    return about, others


def _chosen(found: list[str], never: set[str]) -> list[str]:
    chosen: dict[str, str] = {}
    for each in found:
        address = each.strip(".-")
        key = address.lower()
        domain = key.rpartition("@")[2]
        if key in never or _DAEMONS.match(key) or "." not in domain or len(chosen) == FOUND_MAX:
            continue
        chosen.setdefault(key, address)
    return list(chosen.values())


def said_of(recipient: str, words: str) -> str:
    """What stands behind the recipient, up to the next empty line but one."""
    at = words.find(recipient)
    said = words[at + len(recipient) :][:SAID_BYTES] if at >= 0 else words[:SAID_BYTES]
    return " ".join(said.split())
