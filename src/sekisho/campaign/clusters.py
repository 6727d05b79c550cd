"""Letters of one campaign brought together: they push one share, or say nearly the same words.

A share is known by its symbol, its ISIN or WKN, and its company under all of its names; what ties two of them
once ties them for good. Letters without a share are compared by the words they have in common. One letter
after the other, with bounded memory: of each campaign a summary is kept, never the letters.
"""

import heapq
import re
import zlib
from collections import Counter
from datetime import date

from msgspec import Struct, field

from sekisho.campaign.claim import Claims
from sekisho.campaign.names import kernel

SHINGLE_WORDS = 3
"""Words in a row that are compared: single words are in every letter."""

SKETCH = 48
"""Smallest hashes of its shingles that are kept of a letter (bottom-k sketch): likeness to about 0.07."""

ALIKE = 0.35
"""Share of common hashes from which two letters say the same in other words."""

CAMPAIGNS_MAX = 20_000
SEEN_MAX = 2_000_000
"""Most hashes that are remembered; beyond it new ones are looked up and not kept."""

SENDERS_MAX = 5_000
PHRASES_MAX = 400
"""Phrases of a campaign that are counted; later ones only while they come again."""

COMMON = 0.5
"""Share of a campaign's letters that a phrase stands in to be called common."""

_WORD = re.compile(r"[^\W\d_]{2,}")


class Campaign(Struct):
    """`number` from 1. `keys` name the share; `days` counts letters by day of arrival (ISO)."""

    number: int
    first: date
    last: date
    first_place: str
    keys: set[str] = field(default_factory=set)
    symbols: Counter[str] = field(default_factory=Counter)
    companies: Counter[str] = field(default_factory=Counter)
    letters: int = 0
    days: Counter[str] = field(default_factory=Counter)
    senders: set[str] = field(default_factory=set)
    phrases: Counter[str] = field(default_factory=Counter)
    prices: list[float] = field(default_factory=list)
    targets: list[float] = field(default_factory=list)
    trade_days: Counter[str] = field(default_factory=Counter)

    def symbol(self) -> str:
        return self.symbols.most_common(1)[0][0] if self.symbols else ""

    def common(self) -> list[str]:
        """What most of its letters say, the most frequent first."""
        return [
            said for said, times in self.phrases.most_common(12) if times >= max(2, COMMON * self.letters)
        ]


class Seen(Struct, frozen=True):
    """What of a letter decides where it belongs."""

    place: str
    received: date
    sender: str
    words: str
    claims: Claims


class Campaigns:
    """The index of what was seen so far."""

    def __init__(self) -> None:
        self._all: dict[int, Campaign] = {}
        self._by_key: dict[str, int] = {}
        self._by_hash: dict[int, int] = {}
        self._next = 1

    def add(self, letter: Seen) -> int:
        """The number of the campaign that the letter belongs to; 0 where the index is full."""
        keys = keys_of(letter.claims)
        sketch = sketch_of(letter.words)
        numbers = sorted({self._by_key[key] for key in keys if key in self._by_key})
        if not keys:
            alike = self._alike(sketch)
            numbers = [alike] if alike else []
        if not numbers:
            if len(self._all) >= CAMPAIGNS_MAX:
                return 0
            numbers = [self._next]
            self._all[self._next] = Campaign(self._next, letter.received, letter.received, letter.place)
            self._next += 1
        campaign = self._all[numbers[0]]
        for other in numbers[1:]:
            self._join(campaign, self._all.pop(other))
        self._count(campaign, letter, keys)
        for one in sketch:
            if len(self._by_hash) < SEEN_MAX:
                self._by_hash.setdefault(one, campaign.number)
        return campaign.number

    def shares(self) -> list[Campaign]:
        """Campaigns that push a share, the largest first."""
        found = [campaign for campaign in self._all.values() if campaign.keys]
        return sorted(found, key=lambda campaign: (-campaign.letters, campaign.first, campaign.number))

    def _alike(self, sketch: list[int]) -> int:
        votes = Counter(self._by_hash[one] for one in sketch if one in self._by_hash)
        votes = Counter({number: times for number, times in votes.items() if number in self._all})
        best = votes.most_common(1)
        return best[0][0] if best and best[0][1] >= ALIKE * len(sketch) and len(sketch) > 4 else 0

    def _join(self, campaign: Campaign, other: Campaign) -> None:
        """Two that turned out to push one share."""
        for key in other.keys:
            self._by_key[key] = campaign.number
        for one, number in self._by_hash.items():
            if number == other.number:
                self._by_hash[one] = campaign.number
        if other.first < campaign.first:
            campaign.first, campaign.first_place = other.first, other.first_place
        campaign.last = max(campaign.last, other.last)
        campaign.keys |= other.keys
        campaign.letters += other.letters
        campaign.senders |= other.senders
        campaign.prices += other.prices
        campaign.targets += other.targets
        for name in ("symbols", "companies", "days", "phrases", "trade_days"):
            getattr(campaign, name).update(getattr(other, name))

    def _count(self, campaign: Campaign, letter: Seen, keys: set[str]) -> None:
        claims = letter.claims
        if letter.received < campaign.first:
            campaign.first, campaign.first_place = letter.received, letter.place
        campaign.last = max(campaign.last, letter.received)
        campaign.letters += 1
        campaign.days[letter.received.isoformat()] += 1
        if len(campaign.senders) < SENDERS_MAX:
            campaign.senders.add(letter.sender)
        for key in keys:
            self._by_key[key] = campaign.number
        campaign.keys |= keys
        campaign.symbols.update(claims.tickers[0].value for _ in claims.tickers[:1])
        campaign.companies.update(" ".join(claims.company.value.split()) for _ in (1,) if claims.company)
        campaign.prices += [claims.price.value] if claims.price and len(campaign.prices) < SENDERS_MAX else []
        campaign.targets += [target.value for target in claims.targets if len(campaign.targets) < SENDERS_MAX]
        campaign.trade_days.update([claims.day.session.isoformat()] if claims.day else [])
        for phrase in _phrases(letter.words):
            if phrase in campaign.phrases or len(campaign.phrases) < PHRASES_MAX:
                campaign.phrases[phrase] += 1


def keys_of(claims: Claims) -> set[str]:
    """By which the share is known: `t:` symbol without its market, `i:` ISIN, `w:` WKN, `c:` company."""
    keys = {f"t:{claims.tickers[0].value.partition('.')[0]}"} if claims.tickers else set()
    if claims.isin:
        keys.add(f"i:{claims.isin.value}")
    if claims.wkn:
        keys.add(f"w:{claims.wkn.value}")
    if claims.company and keys and claims.company.confidence >= 0.9 and len(kernel(claims.company.value)) > 4:
        keys.add(f"c:{kernel(claims.company.value)}")
    return keys


def sketch_of(words: str) -> list[int]:
    """The smallest hashes of the words in threes: letters that share many of them say the same."""
    said = [word.lower() for word in _WORD.findall(words[:20_000])]
    threes = {
        zlib.crc32(" ".join(said[at : at + SHINGLE_WORDS]).encode("utf-8", "replace"))
        for at in range(len(said) - SHINGLE_WORDS + 1)
    }
    return heapq.nsmallest(SKETCH, threes)


def _phrases(words: str) -> set[str]:
    """Lines of a letter as they are seen, numbers left open."""
    lines = (" ".join(line.split())[:80] for line in words[:4000].split("\n"))
    return {re.sub(r"\d+", "#", line) for line in lines if len(line) >= 12}
