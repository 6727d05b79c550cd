"""`sekisho campaign`: which share a letter pushes and what it claims; what an archive's letters push,
oldest first."""

from collections.abc import Iterator

import click
import msgspec

from sekisho.campaign.claim import Amount, Claims, Found
from sekisho.campaign.clusters import Campaign
from sekisho.cli import speech
from sekisho.cli.campaign_options import mailboxes, readable_archives, received_option, the_day
from sekisho.cli.campaign_study import command as study
from sekisho.cli.where import json_option
from sekisho.model.phrase import Phrase, phrase
from sekisho.model.text import printable
from sekisho.service.campaigning import Extract, campaigns, extracts

SHOWN_CHARS = 60
DAYS_SHOWN = 40
BAR_CHARS = 30


@click.group("campaign")
def command() -> None:
    """Find out what letters claim about a share: mbox, Maildir, folders of letters, single files.

    Example: sekisho campaign extract suspicious.eml
    """


@command.command("extract")
@json_option
@received_option
@mailboxes
def extract(as_json: bool, received: str | None, paths: tuple[str, ...]) -> int:
    """Each letter's claims: symbol, company, price, targets, day, with the words as they are written.

    Example: sekisho campaign extract --json archive.mbox
    """
    found = False
    for one in _each(paths, received):
        found = found or bool(one.claims.tickers or one.claims.isin)
        if as_json:
            speech.emit(_fields(one))
        else:
            speech.tell(_told(one))
    return 0 if found else 1


@command.command("scan")
@json_option
@received_option
@mailboxes
def scan(as_json: bool, received: str | None, paths: tuple[str, ...]) -> int:
    """The campaigns of an archive: letters that push one share, together; the largest first.

    Example: sekisho campaign scan ~/Maildir archive.mbox
    """
    with readable_archives():
        index, letters = campaigns(paths, the_day(received))
    found = index.shares()
    if as_json:
        speech.emit({"letters": letters, "campaigns": [_summary(campaign) for campaign in found]})
        return 0 if found else 1
    for campaign in found:
        speech.tell(_summed_up(campaign))
    if not found:
        speech.tell(speech.texts().say(phrase("{n} letters, and none pushes a share", n=letters)))
    return 0 if found else 1


@command.command("search")
@json_option
@received_option
@click.option("--ticker", metavar="SYMBOL", required=True, help="The share's symbol.")
@mailboxes
def search(as_json: bool, received: str | None, ticker: str, paths: tuple[str, ...]) -> int:
    """The letters of an archive that push a share, the oldest first.

    Example: sekisho campaign search --ticker HAIR ~/Maildir
    """
    wanted = ticker.upper().partition(".")[0]
    matching = [
        one for one in _each(paths, received) if any(_base(t.value) == wanted for t in one.claims.tickers)
    ]
    for one in sorted(matching, key=lambda one: (one.received, one.place)):
        if as_json:
            speech.emit(_fields(one))
        else:
            speech.tell(_told(one))
    return 0 if matching else 1


def _base(symbol: str) -> str:
    return symbol.partition(".")[0]


def _summary(campaign: Campaign) -> dict[str, object]:
    """Names as in docs/campaign.md."""
    return {
        "campaign": campaign.number,
        "ticker": campaign.symbol(),
        "tickers": sorted(campaign.symbols),
        "keys": sorted(campaign.keys),
        "companies": [name for name, _ in campaign.companies.most_common(5)],
        "letters": campaign.letters,
        "senders": len(campaign.senders),
        "first": campaign.first.isoformat(),
        "first_place": campaign.first_place,
        "last": campaign.last.isoformat(),
        "days": dict(sorted(campaign.days.items())),
        "trade_dates": dict(sorted(campaign.trade_days.items())),
        "prices": [min(campaign.prices), max(campaign.prices)] if campaign.prices else [],
        "targets": [min(campaign.targets), max(campaign.targets)] if campaign.targets else [],
        "common": campaign.common(),
    }


def _summed_up(campaign: Campaign) -> str:
    """One campaign in a few lines, its days as bars."""
    say = speech.texts().say
    name = campaign.companies.most_common(1)[0][0] if campaign.companies else ""
    head = phrase(
        "{share}: {n} letters of {senders} senders, {first} to {last}",
        share=printable(" ".join((campaign.symbol() or sorted(campaign.keys)[0], name)).strip(), SHOWN_CHARS),
        n=campaign.letters,
        senders=len(campaign.senders),
        first=campaign.first.isoformat(),
        last=campaign.last.isoformat(),
    )
    lines = [say(head), f"  {say(phrase('oldest'))}: {printable(campaign.first_place, 200)}"]
    most = max(campaign.days.values())
    for day, letters in sorted(campaign.days.items())[:DAYS_SHOWN]:
        lines.append(f"  {day} {'#' * max(1, round(letters / most * BAR_CHARS))} {letters}")
    lines.extend(f"  = {printable(said, SHOWN_CHARS)}" for said in campaign.common()[:3])
    return "\n".join(lines)


def _each(paths: tuple[str, ...], received: str | None) -> Iterator[Extract]:
    with readable_archives():
        yield from extracts(paths, the_day(received))


def _fields(one: Extract) -> dict[str, object]:
    """Names as in docs/campaign.md; each claim with its words, span, value and confidence."""
    claims = one.claims
    first = claims.tickers[0] if claims.tickers else None
    return {
        "place": one.place,
        "received": one.received.isoformat(),
        "received_from": one.how,
        "subject": one.reading.subject,
        "sender": one.reading.sender,
        "message_id": one.reading.message_id,
        "ticker": msgspec.to_builtins(first),
        "tickers": [claim.value for claim in claims.tickers],
        "exchange": first.market if first else "",
        "company": msgspec.to_builtins(claims.company),
        "isin": msgspec.to_builtins(claims.isin),
        "wkn": msgspec.to_builtins(claims.wkn),
        "price": msgspec.to_builtins(claims.price),
        "targets": msgspec.to_builtins(claims.targets),
        "ratio": _ratio(claims),
        "changes": msgspec.to_builtins(claims.changes),
        "trade_date": msgspec.to_builtins(claims.day),
        "signals": [signal.raw for signal in claims.signals],
        "flags": list(claims.flags),
        "pictures": [picture.kind for picture in one.reading.pictures],
    }


def _ratio(claims: Claims) -> float | None:
    """How many times the price the highest target is."""
    if claims.price is None or not claims.targets:
        return None
    return round(max(target.value for target in claims.targets) / claims.price.value, 1)


def _told(one: Extract) -> str:
    say, claims = speech.texts().say, one.claims
    subject = printable(one.reading.subject, SHOWN_CHARS)
    head = f"{printable(one.place, 200)}  {one.received.isoformat()}  {subject}".rstrip()
    if not claims.tickers and claims.isin is None:
        return f"{head}\n  {say(phrase('pushes no share'))}"
    return "\n  ".join([head, *_claims(claims), *(f"! {say(_flag(flag))}" for flag in claims.flags)])


def _claims(claims: Claims) -> Iterator[str]:
    say = speech.texts().say
    for claim in claims.tickers:
        yield f"{say(phrase('share'))}: {claim.value} {claim.market}".rstrip() + f"  {_as_written(claim)}"
    for name, found in ((say(phrase("company")), claims.company), ("ISIN", claims.isin), ("WKN", claims.wkn)):
        if found:
            yield f"{name}: {printable(found.value, SHOWN_CHARS)}"
    if claims.price:
        yield f"{say(phrase('price'))}: {_amount(claims.price)}"
    for target in claims.targets:
        yield f"{say(phrase('target'))}: {_amount(target)} {target.horizon}".rstrip()
    if claims.day:
        yield f"{say(phrase('day to buy'))}: {claims.day.value.isoformat()}  {_as_written(claims.day)}"
        if claims.day.closed:
            yield say(phrase("no trade on that day; next session {day}", day=claims.day.session.isoformat()))


def _as_written(found: Found) -> str:
    return f'"{printable(found.raw, SHOWN_CHARS)}"'


def _amount(amount: Amount) -> str:
    return f"{amount.value:g} {amount.currency}".rstrip() + f"  {_as_written(amount)}"


def _flag(flag: str) -> Phrase:
    flags = {
        "gain_contradicts": phrase("the gain it promises is not the one that its own figures come to"),
        "not_sub_penny": phrase("it speaks of a sub-penny share, and its price is above a cent"),
        "many_shares": phrase("it pushes more than one share"),
    }
    return flags[flag]


command.add_command(study)
