"""`sekisho campaign study`: a campaign's days held against price and volume."""

from typing import Any

import click
import msgspec

from sekisho.campaign.bars import BadPrices, Bar
from sekisho.campaign.chart import Words
from sekisho.campaign.clusters import Campaign
from sekisho.campaign.study import Finding, Study
from sekisho.cli import speech
from sekisho.cli.campaign_options import mailboxes, readable_archives, received_option, the_day
from sekisho.cli.where import json_option
from sekisho.model.phrase import Phrase, phrase
from sekisho.model.text import printable
from sekisho.service.campaigning import campaigns, picture, priced, studied

MATCH = 0.1
"""A claimed price within this share of the last close is called right."""

CAVEAT = phrase(
    "This shows which days went together with unusual trade. It is a correlation: it does not say who traded,"
    " or why; splits, days without trade and time zones can move it."
)


@click.command("study")
@json_option
@received_option
@click.option("--ticker", metavar="SYMBOL", required=True, help="The share's symbol.")
@click.option(
    "--prices",
    metavar="CSV",
    required=True,
    type=click.Path(exists=True),
    help="Its daily prices and volumes.",
)
@click.option(
    "--benchmark", metavar="CSV", type=click.Path(exists=True), help="Prices of a market to compare with."
)
@click.option(
    "--chart", metavar="SVG", type=click.Path(dir_okay=False), help="Draw price, volume and letters."
)
@mailboxes
def command(ticker: str, prices: str, paths: tuple[str, ...], **given: Any) -> int:
    """Whether price and volume were unusual on the days of a share's letters, and on those they claim.

    Example: sekisho campaign study --ticker HAIR --prices hair.csv ~/Maildir
    """
    bars = _bars(prices, ticker)
    market = _bars(given["benchmark"], "") if given["benchmark"] else None
    with readable_archives():
        index, _ = campaigns(paths, the_day(given["received"]))
    symbol = ticker.upper().partition(".")[0]
    found = [campaign for campaign in index.shares() if f"t:{symbol}" in campaign.keys]
    if not found:
        speech.fail(phrase("no letter pushes {ticker}", ticker=printable(symbol, 20)))
    result = studied(bars, found[0], market)
    if given["chart"]:
        _draw(given["chart"], found[0], bars)
    if given["as_json"]:
        speech.emit(_fields(found[0], result, bars))
    else:
        speech.tell(_told(found[0], result))
    return 0 if any(one.unusual_volume or one.unusual_change for one in result.findings) else 1


def _bars(path: str, ticker: str) -> list[Bar]:
    try:
        return priced(path, ticker)
    except BadPrices as bad:
        text = phrase(
            "{path}, line {line}: {why}",
            path=printable(path, 200),
            line=bad.line,
            why=bad.why,
        )
        speech.fail(text, speech.USAGE)
    except OSError as error:
        text = phrase("{path} cannot be read: {why}", path=printable(path, 200), why=str(error.strerror))
        speech.fail(text, speech.UNAVAILABLE)


def _draw(path: str, campaign: Campaign, bars: list[Bar]) -> None:
    say = speech.texts().say
    words = Words(
        title=say(phrase("{ticker}: price, volume and letters", ticker=campaign.symbol())),
        price=say(phrase("price at the close")),
        volume=say(phrase("shares traded")),
        letters=say(phrase("letters a day")),
        claimed=say(phrase("claimed day")),
    )
    try:
        with open(path, "w", encoding="utf-8") as file:
            file.write(picture(campaign, bars, words))
    except OSError as error:
        text = phrase("{path} cannot be written: {why}", path=printable(path, 200), why=str(error.strerror))
        speech.fail(text, speech.UNAVAILABLE)


def _fields(campaign: Campaign, result: Study, bars: list[Bar]) -> dict[str, Any]:
    """Names as in docs/campaign.md."""
    fields: dict[str, Any] = msgspec.to_builtins(result)
    fields["ticker"] = campaign.symbol()
    fields["letters"] = campaign.letters
    fields["claimed_price"] = _claimed(campaign, bars)
    fields["caveat"] = speech.texts().say(CAVEAT)
    return fields


def _claimed(campaign: Campaign, bars: list[Bar]) -> dict[str, Any] | None:
    """The lowest price that is claimed beside the last close before the first letter."""
    before = [bar for bar in bars if bar.day <= campaign.first]
    if not before or not campaign.prices:
        return None
    claimed, close = campaign.prices[0], before[-1].close
    return {
        "claimed": claimed,
        "close": close,
        "day": before[-1].day.isoformat(),
        "right": abs(claimed / close - 1) <= MATCH,
    }


def _told(campaign: Campaign, result: Study) -> str:
    say = speech.texts().say
    head = phrase(
        "{ticker}: {n} letters held against {days} usual days, {first} to {last}",
        ticker=campaign.symbol(),
        n=campaign.letters,
        days=result.baseline,
        first=result.first.isoformat(),
        last=result.last.isoformat(),
    )
    lines = [say(head), *(f"  {_finding(one)}" for one in result.findings)]
    if result.together_volume is not None:
        text = phrase(
            "volume of these days together: by chance in {share} of draws",
            share=f"{result.together_volume:.2%}",
        )
        lines.append(f"  {say(text)}")
    lines.extend(f"  ! {say(_flag(flag))}" for flag in result.flags)
    return "\n".join([*lines, say(CAVEAT)])


def _finding(one: Finding) -> str:
    say = speech.texts().say
    kind = say(phrase("letters")) if one.kind == "mail" else say(phrase("claimed day"))
    if one.session is None or one.volume is None:
        return f"{one.day.isoformat()}  {kind}  {say(phrase('no trade within a week, or too few days'))}"
    change = f"{one.change:+.1%}" if one.change is not None else ""
    ratio = f"x{one.ratio:g}" if one.ratio is not None else ""
    marks = [say(phrase("unusual volume"))] * one.unusual_volume + [
        say(phrase("unusual price"))
    ] * one.unusual_change
    volume = f"{one.volume:,.0f} {ratio} p={one.p_volume}"
    return "  ".join(
        [one.day.isoformat(), kind, f"{one.close:g} {change}", volume, ", ".join(marks)]
    ).rstrip()


def _flag(flag: str) -> Phrase:
    return {
        "too_few_days": phrase("too few days of trade for a statement"),
        "thin_trading": phrase("on many days nothing was traded: changes of the price say little"),
        "splits_adjusted": phrase("a split was found, and earlier prices and volumes were adjusted"),
        "days_without_trade": phrase("some of these days had no trade; the next session was taken"),
    }[flag]
