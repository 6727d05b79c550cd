"""What letters claim: each fact with its words, whatever its disguise; nothing where nothing is pushed."""

import json
import time
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sekisho.campaign.claim import Claims
from sekisho.campaign.claims import claims_of
from sekisho.campaign.days import next_session
from sekisho.campaign.names import isin_is_right, same_company
from sekisho.campaign.reading import read
from shared import shared

MONDAY = date(2007, 5, 14)


def claims(words: str, received: date = MONDAY) -> Claims:
    return claims_of("", words, received)


def symbol(words: str) -> str:
    found = claims(words).tickers
    return found[0].value if found else ""


@pytest.mark.parametrize(
    "written",
    [
        "Symbol: ZORK",
        "Symbol to buy: ZO R_K",
        "To buy: Z_O RK",
        "Symbol: Z O R K",
        "Symbol: Z.O.R.K",
        "Symbol: Z-O-R-K",
        "Sym8oL: ZORK",
        "S.umbol: ZORK",
        "L00kup: ZORK, Current: $0.10",
        "Ticker: (Z)(O)(R)(K)",
        "Symbol: <ZORK>",
        "Symbol: *ZORK*",
        "Symbol: .:ZORK:.",
        "Symbol: ＺＯＲＫ",
        "Symbol: ZОRК",  # Cyrillic letters in it
        "SYM-Z O R K",
        "{zork:PK}0.27",
        "Zorkmid Mining Inc. (OTCBB: ZORK) soars",
        "(OTC BB:ZORK.OB - News)",
        "Pink Sheets: ZORK",
        "ZORK.PK goes up",
        "stock symbol ( zork ) otcbb : zork",
        "_Z_O_R_K_\nget on ZORK first thing Monday!",
        "Kürzel : ZORK",
        "WATCH ZORK TRADE! ADD ZORK TO YOUR RADAR!\nZorkmid Inc. (ZORK)\n$0.16\n",
        "Symbol\tZORK",
        "OTC:ZORK - Last: 0.20",
    ],
)
def test_the_symbol_in_every_disguise(written: str) -> None:
    """Separators, brackets, other alphabets, misspelt labels, markets beside and behind it."""
    assert symbol(written) == "ZORK"


@pytest.mark.parametrize(
    "written",
    [
        "HA I R is what THE BOSS said.",
        "Our CEO met the SEC in NYC (USA).",
        "The symbol of the party is a rose.",
        "Ticker tape was thrown on MAIN street",
        "I moved to MIT. Get on it, and WATCH VIDEO now.",
        "NASDAQ: SATC reports its quarter",
        "Growth Company (ABCD) had a good year.",
        "Your ISIN is US4145402033",
    ],
)
def test_prose_names_no_share(written: str) -> None:
    """Without a cue there is none; and a large market's share is not moved by letters."""
    assert claims(written) == Claims()


@pytest.mark.parametrize(
    ("written", "price"),
    [
        ("Last Trade: .035", 0.035),
        ("Last Trade: 0.045", 0.045),
        ("Current price: $0.02", 0.02),
        ("Recent Price: 16 cents", 0.16),
        ("Price: 2 Cents", 0.02),
        ("Letzter Preis: 0,95", 0.95),
        ("Price: $o.o5", 0.05),
        ("Price: $0.|5", 0.15),
        ("current price : $ 2 . 25", 2.25),
        ("Current: $0.81 (UP! +15.71%)", 0.81),
        ("Squeeze trigger prices: 1.05\nRecent price: 0.34", 0.34),
        ("Kurs: 3,32 Euro", 3.32),
        ("it is trading at $1,250.50 now", 1250.5),
        ("Market cap: $9M", None),
        ("5-day Target: $3", None),
    ],
)
def test_the_price_as_it_is_meant(written: str, price: float | None) -> None:
    """Points that are commas, cents, letters for digits, blanks inside; a target is no price."""
    found = claims(f"Symbol: ZORK\n{written}\n").price
    assert (found.value if found else None) == price


@pytest.mark.parametrize(
    ("written", "targets"),
    [
        ("Long Term Target Price: $1.50", [(1.5, "long")]),
        ("5 Day Target price: $.425!", [(0.425, "5d")]),
        ("5-T Prognose: 1.06 +236%!", [(1.06, "5d")]),
        ("target price in next 3 - 5 days : $ 0 . 75 - 0 . 80", [(0.75, "3-5d"), (0.8, "3-5d")]),
        ("Projected Price: $0.48 (900% + INCREASE!!!)", [(0.48, "")]),
        ("Expected: Steadily climb for the top.", []),
        ("Kursziel: 2,50 EUR", [(2.5, "")]),
        ("we see it hit as high as 6.25 a share in 5 days", [(6.25, "5d")]),
    ],
)
def test_targets_with_their_horizon(written: str, targets: list[tuple[float, str]]) -> None:
    """By label and in sentences; two where a range is given."""
    found = claims(f"Symbol: ZORK\n{written}\n").targets
    assert [(target.value, target.horizon) for target in found] == targets


@pytest.mark.parametrize(
    ("written", "received", "day"),
    [
        ("Trading Date: Jul 22", date(2013, 7, 20), date(2013, 7, 22)),
        ("Trade Date: Jul, 29", date(2013, 7, 28), date(2013, 7, 29)),
        ("Buy it on Mon, June 10th", date(2013, 6, 8), date(2013, 6, 10)),
        ("Trading Date: Jan 3", date(2012, 12, 30), date(2013, 1, 3)),
        ("Sehen Sie es am Dienstag, 29. Mai!", date(2007, 5, 27), date(2007, 5, 29)),
        ("Sehen Sie es am 3.Donnerstag!", date(2007, 5, 2), date(2007, 5, 3)),
        ("get on ZORK first thing Monday!", date(2007, 5, 12), date(2007, 5, 14)),
        ("get on ZORK first\nthing Tuesday!", date(2007, 5, 15), date(2007, 5, 15)),
        ("HOUSTON, Jun 6, 2007 -- Zorkmid announced", date(2007, 6, 7), None),
        ("Wednesday June 6, 6:30 am ET", date(2007, 6, 7), None),
    ],
)
def test_the_day_to_buy(written: str, received: date, day: date | None) -> None:
    """The year is inferred from the arrival; dates of news are none."""
    found = claims(f"Symbol: ZORK\n{written}\n", received).day
    assert (found.value if found else None) == day


@pytest.mark.parametrize(
    ("day", "session", "why"),
    [
        (date(2013, 7, 22), date(2013, 7, 22), ""),
        (date(2013, 7, 20), date(2013, 7, 22), "weekend"),
        (date(2013, 7, 4), date(2013, 7, 5), "holiday"),
        (date(2021, 7, 4), date(2021, 7, 6), "weekend"),
        (date(2024, 3, 29), date(2024, 4, 1), "holiday"),  # Good Friday
        (date(2024, 6, 19), date(2024, 6, 20), "holiday"),
        (date(2013, 6, 19), date(2013, 6, 19), ""),
        (date(2022, 1, 1), date(2022, 1, 3), "weekend"),
        (date(2021, 12, 31), date(2021, 12, 31), ""),
        (date(2023, 11, 23), date(2023, 11, 24), "holiday"),
        (date(2023, 5, 29), date(2023, 5, 30), "holiday"),
    ],
)
def test_the_next_session(day: date, session: date, why: str) -> None:
    """Holidays of New York, those that move and those that are observed on another day."""
    assert next_session(day) == (session, why)


def test_contradictions_are_flagged() -> None:
    """1300 % is fourteen times; 8'000 to 70'000 is less than nine."""
    words = "Symbol: ZORK\nas much as 1300%. USD 8'000 could become $70'000. Sub-penny!\nLast Trade: 0.045\n"
    assert claims(words).flags == ("gain_contradicts", "not_sub_penny")
    assert claims("Symbol: ZORK\nas much as 775%. USD 8'000 could become $70'000.").flags == ()


def test_numbers_and_names() -> None:
    """ISO 6166's check digit; one company under three names."""
    assert isin_is_right("US4145402032")
    assert not isin_is_right("US4145402033")
    assert same_company("Zorkmid Corp.", "ZORKMID U.S.")
    assert same_company("Zorkmid US Corp", "Zorkmid U.S. Corp")
    assert not same_company("Zorkmid Corp", "Frobozz Corp")


@given(st.text(max_size=300) | st.text(alphabet="SymbolA Z_.:$0,5%\n(){}<>", max_size=300))
def test_spans_are_places_in_the_words(words: str) -> None:
    """No words are too strange, and each claim's words stand where it says."""
    found = claims(words)
    for claim in (*found.tickers, *found.targets, *found.changes, *found.signals):
        assert f"\n{words}"[claim.start : claim.end].strip() == claim.raw.strip()


HOSTILE = {
    "capitals": "A " * 30_000,
    "labels": "symbol: " * 7_000,
    "dollars": "$" * 60_000,
    "numbers": "1,111" * 12_000,
    "acts": "get on " * 9_000,
    "markets": "otc " * 15_000,
    "weekdays": "monday " * 9_000,
    "months": "may 1 " * 10_000,
    "gains": "$1'000" * 10_000,
    "targets": "target price 1.0 " * 4_000,
    "letters": "A_" * 30_000,
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_words_are_read_in_linear_time(kind: str) -> None:
    """The longest words that are looked at, within two seconds on a busy machine."""
    begun = time.process_time()
    claims(HOSTILE[kind])
    assert time.process_time() - begun < 2


def test_the_collection() -> None:
    """Text messages of the labelled collection: the goals of the issue, and honest letters about finance."""
    folder = shared("corpora/stockspam")
    right = {"ticker": [0, 0], "price": [0, 0], "targets": [0, 0], "day": [0, 0]}
    for line in (folder / "labels_dev.jsonl").read_text().splitlines():
        label = json.loads(line)
        if label["modality"] in ("image", "pdf", "remote_image") or not label["tickers"]:
            continue
        reading = read((folder / label["file"]).read_bytes())
        found = claims_of(reading.subject, reading.words, date.fromisoformat(label["received"]))
        wanted = {
            "ticker": (label["tickers"][0], found.tickers[0].value if found.tickers else ""),
            "price": (label["price"], found.price.value if found.price else None),
            "targets": (
                {float(target["value"]) for target in label["targets"]},
                {target.value for target in found.targets},
            ),
            "day": (label["trade_date"], found.day.value.isoformat() if found.day else None),
        }
        for name, (want, got) in wanted.items():
            if want:
                right[name][1] += 1
                right[name][0] += want <= got if name == "targets" else want == got  # type: ignore[operator]
    shares = {name: good / all_of_them for name, (good, all_of_them) in right.items()}
    assert shares["ticker"] >= 0.95  # 0.98 is the goal: two letters name their share by ISIN alone
    assert shares["price"] >= 0.95
    assert shares["targets"] >= 0.9
    assert shares["day"] >= 0.9
    honest = [json.loads(line) for line in (folder / "hard_ham_dev.jsonl").read_text().splitlines()]
    wrong = [letter["file"] for letter in honest if _pushes((folder / letter["file"]).read_bytes())]
    assert len(wrong) <= 1, wrong


def _pushes(letter: bytes) -> bool:
    reading = read(letter)
    return bool(claims_of(reading.subject, reading.words, MONDAY).tickers)
