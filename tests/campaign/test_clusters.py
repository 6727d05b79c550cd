"""Letters of one campaign come together, and others stay away; each again within bounded memory."""

import random
from datetime import date, timedelta

from sekisho.campaign.claims import claims_of
from sekisho.campaign.clusters import SKETCH, Campaigns, Seen, sketch_of

WORDS = [
    "river",
    "stone",
    "window",
    "market",
    "summer",
    "garden",
    "paper",
    "silver",
    "candle",
    "bridge",
    "winter",
    "letter",
    "forest",
    "table",
    "morning",
]
START = date(2013, 6, 8)


def seen(words: str, day: int = 0, place: str = "x") -> Seen:
    received = START + timedelta(day)
    return Seen(place, received, f"{place}@example.com", words, claims_of("", words, received))


def prose(chance: random.Random, length: int = 60) -> str:
    return " ".join(chance.choice(WORDS) for _ in range(length))


def test_one_share_under_all_its_names_and_words() -> None:
    """Random prose, another layout, an ISIN for the symbol: one campaign, and its oldest letter is named."""
    chance = random.Random(1)
    index = Campaigns()
    index.add(seen(f"{prose(chance)}\nSymbol: ZO R_K\nCompany: Zorkmid Corp\n{prose(chance)}", 4, "a"))
    index.add(seen("ISIN: US4145402032\nWKN: A0H05Q\nFirma: Zorkmid U.S. Corp\nKaufen!", 0, "b"))
    index.add(seen(f"To buy: Z_O RK. {prose(chance)}", 9, "c"))
    (campaign,) = index.shares()
    assert campaign.letters == 3
    assert (campaign.first, campaign.first_place, campaign.last) == (START, "b", START + timedelta(9))
    assert campaign.symbol() == "ZORK"
    assert len(campaign.senders) == 3


def test_two_campaigns_become_one_when_a_letter_ties_them() -> None:
    """Symbol alone and ISIN alone are two, until somebody writes both."""
    index = Campaigns()
    index.add(seen("Symbol: ZORK\nbuy now"))
    index.add(seen("ISIN: US4145402032, WKN: A0H05Q"))
    assert len(index.shares()) == 2
    index.add(seen("Symbol: ZORK\nISIN: US4145402032"))
    (campaign,) = index.shares()
    assert campaign.letters == 3


def test_other_shares_and_other_letters_stay_away() -> None:
    """Same template, another symbol: another campaign; letters that push nothing make none."""
    chance = random.Random(2)
    index = Campaigns()
    template = "Symbol: {}\nCurrent: $0.10\n5 Day Target price: $0.50\nStrong Buy, call your broker now!"
    for symbol in ("ZORK", "FROB", "ZORK"):
        index.add(seen(template.format(symbol)))
    for _ in range(200):
        index.add(seen(prose(chance)))
    assert [(campaign.symbol(), campaign.letters) for campaign in index.shares()] == [
        ("ZORK", 2),
        ("FROB", 1),
    ]


def test_a_letter_without_its_symbol_is_known_by_its_words() -> None:
    """The last copy left the symbol to a picture; most of the words are the same."""
    chance = random.Random(3)
    body = prose(chance, 120)
    index = Campaigns()
    number = index.add(seen(f"Symbol: ZORK\n{body}"))
    assert index.add(seen(f"Dear Bob,\n{body}")) == number
    assert index.add(seen(prose(chance, 120))) != number


def test_what_is_common_is_told() -> None:
    """Lines that most letters have, numbers left open."""
    index = Campaigns()
    for day in range(4):
        index.add(
            seen(f"Symbol: ZORK\nOur {day}th pick of the month is here\nonly once: {'x' * (20 + day)}", day)
        )
    assert "Our #th pick of the month is here" in index.shares()[0].common()


def test_a_sketch_is_bounded() -> None:
    """Of the longest letter no more hashes than of any."""
    chance = random.Random(4)
    assert len(sketch_of(prose(chance, 50_000))) == SKETCH
    assert sketch_of("too short") == []
