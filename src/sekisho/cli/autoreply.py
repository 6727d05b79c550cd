"""`sekisho account autoreply`: what an account answers by itself while its owner is away."""

import sys
from datetime import datetime
from typing import Any

import click

from sekisho.cli import speech
from sekisho.cli.household import Household, household
from sekisho.cli.where import config_option, json_option, when
from sekisho.host import HostDisk
from sekisho.mail.autoreply import SUBJECT_CHARACTERS, TEXT_BYTES, Autoreply
from sekisho.model.account import Account
from sekisho.model.phrase import phrase
from sekisho.model.text import printable
from sekisho.service.names import Refusal
from sekisho.service.zone import zone_of
from sekisho.store import autoreplies
from sekisho.store.texts import Texts

DATES = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M"])
READABLE = 0o644
"""Mode of the file: local delivery may be another user, and what everybody is told is no secret."""


@click.command("autoreply")
@click.argument("address")
@click.option("--set", "setting", is_flag=True, help="Answer with the text on standard input.")
@click.option("--off", is_flag=True, help="Answer nobody any more.")
@click.option("--subject", default="", help="Of the answer.")
@click.option("--from", "since", type=DATES, default=None, help="Begin then; without it, now.")
@click.option("--until", type=DATES, default=None, help="End then; without it, when it is taken back.")
@click.option("--days", type=click.IntRange(1, 365), default=7, show_default=True,
              help="The same sender is answered once in so many days.")  # fmt: skip
@config_option
@json_option
def autoreply(address: str, path: str, as_json: bool, setting: bool, off: bool, **given: Any) -> None:
    """Show, set or end the automatic reply of an account.

    Lists, bulk mail, other machines and letters that do not name the account are not answered (RFC 3834).

    Example: sekisho account autoreply hello@example.com --set --until 2026-08-31 < away.txt
    """
    with household(path) as home:
        account = home.accounts.account(address)
        if setting and off:
            raise Refusal(phrase("give either --set or --off"))
        if setting and home.config.local.lmtp:
            raise Refusal(
                phrase("the LMTP server of [local] lmtp keeps the mailboxes: it must answer (as with Sieve)")
            )
        if setting:
            _write(home, account, _made(home, account, **given))
        elif off:
            _write(home, account, None)
        _show(home, account, as_json)


def _made(
    home: Household, account: Account, subject: str, since: datetime | None, until: datetime | None, days: int
) -> Autoreply:
    data = sys.stdin.buffer.read(TEXT_BYTES + 1)
    if len(data) > TEXT_BYTES:
        raise Refusal(phrase("the text has more than {count} bytes", count=TEXT_BYTES))
    text = _plain(data.decode("utf-8", "replace"))
    if not text.strip():
        raise Refusal(phrase("there is no text on standard input"))
    language = Texts.of(account.language or home.config.notify.language)
    begin, end = _time(since, home), _time(until, home)
    if end and end <= begin:
        raise Refusal(phrase("it would end before it begins"))
    title = _plain(subject).replace("\n", " ")[:SUBJECT_CHARACTERS]
    names = tuple(name for name in home.aliases.leading_to(account.address) if not name.startswith("@"))
    return Autoreply(title.strip() or language.say(phrase("Automatic reply")), text, begin, end, days, names)


def _time(given: datetime | None, home: Household) -> int:
    return int(given.replace(tzinfo=zone_of(home.config.zone)).timestamp() * 1_000_000) if given else 0


def _plain(text: str) -> str:
    """Nothing but text and line ends."""
    lines = text.replace("\r\n", "\n").replace("\t", "    ").split("\n")
    return "\n".join("".join(char for char in line if char.isprintable()) for line in lines)


def _write(home: Household, account: Account, reply: Autoreply | None) -> None:
    autoreplies.write(HostDisk(READABLE), home.config.state, account.address, reply)
    what = "autoreply ended" if reply is None else "autoreply set"
    home.house.note(home.hands.change(what, account.address, printable(reply.subject) if reply else ""))


def _show(home: Household, account: Account, as_json: bool) -> None:
    reply = autoreplies.read(home.config.state, account.address)
    if as_json:
        speech.emit(_row(account, reply, home))
    elif reply is None:
        speech.tell(phrase("{name} answers nobody by itself.", name=account.address))
    else:
        title = printable(reply.subject)
        speech.tell(phrase("{name} answers: {subject}", name=account.address, subject=title))
        if reply.since:
            speech.tell(phrase("  from {time}", time=when(reply.since, home.config)))
        if reply.until:
            speech.tell(phrase("  until {time}", time=when(reply.until, home.config)))
        speech.tell(phrase("  the same sender once in {days} days", days=reply.days))
        for line in reply.text.splitlines():
            speech.tell(f"  | {printable(line)}")


def _row(account: Account, reply: Autoreply | None, home: Household) -> dict[str, Any]:
    row: dict[str, Any] = {"address": account.address, "answers": reply is not None}
    if reply is None:
        return row
    return row | {
        "subject": reply.subject,
        "text": reply.text,
        "from": when(reply.since, home.config) if reply.since else None,
        "until": when(reply.until, home.config) if reply.until else None,
        "days": reply.days,
        "addresses": reply.addresses,
    }
