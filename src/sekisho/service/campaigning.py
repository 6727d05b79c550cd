"""Archives and single letters read for what they claim: `sekisho campaign`."""

import os
import random
from collections.abc import Iterator
from datetime import UTC, date, datetime

from msgspec import Struct

from sekisho.campaign.arrival import arrived
from sekisho.campaign.bars import Bar, bars_of
from sekisho.campaign.chart import Words, chart
from sekisho.campaign.claim import Claims
from sekisho.campaign.claims import claims_of
from sekisho.campaign.clusters import Campaign, Campaigns, Seen
from sekisho.campaign.reading import Reading, read
from sekisho.campaign.study import Event, Study, study
from sekisho.store.mailboxes import Kept, letters_in


class Extract(Struct, frozen=True):
    """One letter of an archive and its claims. `received`: the day from which years are inferred; `how`
    says where it was taken from: `given`, `received`, `date` or `file`.
    """

    place: str
    received: date
    how: str
    reading: Reading
    claims: Claims


def extracts(paths: tuple[str, ...], given: date | None) -> Iterator[Extract]:
    """In the order of the archive. Raises OSError for a path that cannot be read."""
    for path in paths:
        for kept in letters_in(path):
            yield _extract(kept, given)


def campaigns(paths: tuple[str, ...], given: date | None) -> tuple[Campaigns, int]:
    """All letters of the archives in one index, and how many there were."""
    index, letters = Campaigns(), 0
    for one in extracts(paths, given):
        index.add(Seen(one.place, one.received, one.reading.sender, one.reading.words, one.claims))
        letters += 1
    return index, letters


def priced(path: str, ticker: str) -> list[Bar]:
    """The share's days of trade out of a CSV. Raises OSError, UnicodeError and BadPrices."""
    with open(path, encoding="utf-8-sig", errors="replace", newline="") as file:
        return bars_of(file, ticker)


def days_of(campaign: Campaign) -> list[Event]:
    """On which days letters came, and which days they claim, each once, in order."""
    mails = [Event(date.fromisoformat(day), "mail") for day in campaign.days]
    claimed = [Event(date.fromisoformat(day), "claimed") for day in campaign.trade_days]
    return sorted(mails + claimed, key=lambda event: (event.day, event.kind))


def studied(bars: list[Bar], campaign: Campaign, market: list[Bar] | None) -> Study:
    """The same files give the same answer."""
    return study(bars, days_of(campaign), market, random.Random(1).sample)


def picture(campaign: Campaign, bars: list[Bar], words: Words) -> str:
    """SVG of the share's price and volume, with the campaign's days."""
    letters = {date.fromisoformat(day): count for day, count in campaign.days.items()}
    return chart(words, bars, letters, [date.fromisoformat(day) for day in campaign.trade_days])


def _extract(kept: Kept, given: date | None) -> Extract:
    reading = read(kept.letter)
    received, how = _day(kept, given)
    return Extract(kept.place, received, how, reading, claims_of(reading.subject, reading.words, received))


def _day(kept: Kept, given: date | None) -> tuple[date, str]:
    if given:
        return given, "given"
    found = arrived(kept.letter)
    if found:
        return found
    written = kept.kept or os.path.getmtime(kept.place.rpartition(":")[0] or kept.place)
    return datetime.fromtimestamp(written, UTC).date(), "file"
