"""Automatic replies of people who are away (RFC 3834): to whom, and what the letter is.

Every reason not to answer is a reason to stay silent: lists, bulk mail, other machines, letters that do not
name the recipient. The reply goes to the return path, without one of its own, so that nothing answers it.
"""

import re
from collections.abc import Sequence
from datetime import tzinfo

from msgspec import Struct

from sekisho.mail.date import written
from sekisho.mail.headers import Head
from sekisho.mail.mime import header_text, text_part
from sekisho.model.account import key_of, split

TEXT_BYTES = 16 * 1024
SUBJECT_CHARACTERS = 200
FIELD_BYTES = 64 * 1024
"""Of longer To and Cc fields only the beginning is looked at: a letter to thousands is not personal."""

ADDRESSES = 100

_ADDRESS = re.compile(r"[^\s<>,;:\"()]{1,64}@[^\s<>,;:\"()]{1,255}")
_ID = re.compile(r"<[!-;=?-~]{1,250}>")
_MACHINES = re.compile(
    r"(?:mailer-daemon|postmaster|listserv|majordomo|mdaemon|no-?reply|do-?not-?reply|bounces?|owner-.*|.*-request"
    r"|.*-owner|.*-bounces?|bounces?[+-].*|root|daemon|nobody|www-data)"
)
_SIGNED = re.compile(r"prvs=[^=]*=(.+)")
_FORWARDED = re.compile(r"srs0[-+=][^=]*=[^=]*=([^=@]+)=(.+)")
_LISTS = (
    "list-id", "list-unsubscribe", "list-post", "list-help", "list-subscribe", "list-owner", "mailing-list",
)  # fmt: skip
_NAMED_IN = (b"to", b"cc", b"bcc", b"resent-to", b"resent-cc", b"resent-bcc")


class Autoreply(Struct, frozen=True, forbid_unknown_fields=True):
    """`since` and `until` in microseconds, 0 for no limit; `days` until the same sender is told again.

    `addresses` are other names of the account: a letter to one of them is to it.
    """

    subject: str
    text: str
    since: int = 0
    until: int = 0
    days: int = 7
    addresses: tuple[str, ...] = ()

    def holds(self, at: int) -> bool:
        return self.since <= at and (not self.until or at < self.until)


class Away(Struct, frozen=True):
    """Who is away: the account, and the address that this letter came to."""

    account: str
    recipient: str
    reply: Autoreply


def declined(head: Head, sender: str, away: Away) -> str:
    """Why this letter is not answered, "" if it is (RFC 3834 2)."""
    local = key_of(sender).rpartition("@")[0]
    if not local or '"' in local:  # nor one beyond ASCII, which has no key
        return "no sender"
    if _MACHINES.fullmatch(split(person(sender))[0]):
        return "a machine"
    if person(sender) == away.account:
        return "oneself"
    submitted = (head.first(b"auto-submitted") or b"no").lower()
    if not submitted.startswith(b"no") or submitted.startswith(b"no-"):
        return "a machine"
    if any(head.count(name.encode()) for name in _LISTS):
        return "a list"
    if (head.first(b"precedence") or b"").strip().lower() in (b"bulk", b"list", b"junk", b"auto_reply"):
        return "bulk"
    suppress = (head.first(b"x-auto-response-suppress") or b"").lower()
    if any(word in suppress for word in (b"all", b"oof", b"autoreply")):
        return "not wanted"
    if (head.first(b"x-spam-flag") or b"").lower().startswith(b"yes"):
        return "spam"
    return "" if _names(head, away) else "not addressed"


def person(sender: str) -> str:
    """One name for one person: behind the return paths that change with each letter (BATV, SRS)."""
    key = key_of(sender)
    local, domain = split(key)
    if (sent_on := _FORWARDED.fullmatch(local)) is not None:
        return f"{sent_on[2]}@{sent_on[1]}"
    signed = _SIGNED.fullmatch(local)
    return f"{signed[1]}@{domain}" if signed is not None else key


def letter(head: Head, sender: str, away: Away, stamp: tuple[str, str, int, tzinfo]) -> bytes:
    """The reply with LF lines. `stamp`: its id, our host's name, the time and the zone."""
    ident, hostname, at, zone = stamp
    lines = [
        f"From: <{away.account}>",
        f"To: <{sender}>",
        f"Subject: {header_text(away.reply.subject)}",
        f"Date: {written(at, zone)}",
        f"Message-ID: <{ident}@{hostname}>",
        "Auto-Submitted: auto-replied",  # RFC 3834 3.1.7
        "X-Auto-Response-Suppress: All",
        "MIME-Version: 1.0",
    ]
    answered = _ID.fullmatch((head.first(b"message-id") or b"").decode("ascii", "replace"))
    if answered is not None:  # RFC 3834 3.1.6
        lines += [f"In-Reply-To: {answered[0]}", f"References: {answered[0]}"]
    return "\n".join(lines).encode("utf-8", "replace") + b"\n" + text_part(away.reply.text)


def _names(head: Head, away: Away) -> bool:
    """RFC 3834 2: whoever is answered has written to this person, not to a list that they are on."""
    ours = {away.account, key_of(away.recipient), *map(key_of, away.reply.addresses)}
    for field in head.fields:
        if field.name in _NAMED_IN:
            text = field.value[:FIELD_BYTES].decode("utf-8", "replace")
            if any(_is_among(key_of(found), ours) for found in _ADDRESS.findall(text)):
                return True
    return False


def _is_among(address: str, ours: Sequence[str] | set[str]) -> bool:
    """By itself, or as an extension of one: hello+news@d."""
    if address in ours:
        return True
    local, domain = split(address)
    return any(f"{local[:end]}@{domain}" in ours for end in range(1, len(local)) if local[end] in "+-=_.")
