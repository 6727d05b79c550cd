"""`sekisho campaign`: claims of single letters and of archives, by the command."""

import json
import mailbox
import os
import random
from datetime import date, timedelta
from email.message import EmailMessage
from pathlib import Path
from xml.etree import ElementTree

import pytest

from command import sekisho
from covers import covers
from shared import shared

PUSHED = """Symbol to buy: ZO R_K
Long Term Target Price: $1.50
Name: Zorkmid Corp.
Last Trade: 0.045
Trading Date: Jul 22
"""


def letter(words: str, day: str, *, page: bool = False) -> EmailMessage:
    message = EmailMessage()
    message["From"], message["Subject"], message["Date"] = "a@example.com", "tip", day
    if page:
        lines = words.strip().replace("ZO R_K", "ZO<span style='display:none'>x</span> R<!-- y -->_K")
        message.set_content("once upon a time")
        message.add_alternative("<br>".join(lines.split("\n")), subtype="html", cte="quoted-printable")
    else:
        message.set_content(words)
    return message


@pytest.mark.parametrize("page", [False, True])
@covers("X-01", partly="the three mails as MIME variants from the source itself")
def test_a_letter_s_claims(tmp_path: Path, page: bool) -> None:
    """The same as text and as a page with hidden pieces; each with its words and confidence."""
    path = tmp_path / "tip.eml"
    path.write_bytes(bytes(letter(PUSHED, "Sat, 20 Jul 2013 10:00:00 +0000", page=page)))
    ended = sekisho("campaign", "extract", "--json", str(path))
    found = json.loads(ended.out)
    assert ended.code == 0
    assert found["ticker"]["value"] == "ZORK"
    assert found["ticker"]["raw"] == "ZO R_K"
    assert found["price"]["value"] == 0.045
    assert [(target["value"], target["horizon"]) for target in found["targets"]] == [(1.5, "long")]
    assert found["ratio"] == 33.3
    assert found["trade_date"]["value"] == "2013-07-22"
    assert found["company"]["value"] == "Zorkmid Corp"
    assert found["received"] == "2013-07-20"


DISGUISED = (
    "ZO R_K", "Z_O RK", "Z.O.R.K", "Z-O-R-K", "Z O R K", "(Z)(O)(R)(K)", "<ZORK>", "{ZORK}", ".:ZORK:.",
    "*ZORK*", "ZO\u200bRK", "Z\u00adO\u00adRK", "\uff3a\uff2f\uff32\uff2b", "Z\u041eRK", "Z\u039fR\u039a",
    "ZORK.PK", "Z_O_R_K_",
)  # fmt: skip
PAGES = (
    "Z<b>O</b>R<i>K</i>",
    "Z<span style='display:none'>xx</span>ORK",
    "ZO<font color=#ffffff>xx</font>RK",
    "ZO<!-- ordinary words -->RK",
    "Z&#79;RK",
)


HONEST = ("we", "met", "ACME", "at", "NOON", "the", "LAB", "is", "HA I R", "PDF")


@covers("X-02")
def test_symbols_in_disguise_and_honest_letters(tmp_path: Path) -> None:
    """22 disguises, in text and in pages, are one symbol; of 200 ordinary letters none has one."""
    for number, said in enumerate((*DISGUISED, *PAGES)):
        message = EmailMessage()
        if said in PAGES:
            message.set_content(f"Symbol: {said}<br>Last Trade: 0.045", subtype="html")
        else:
            message.set_content(f"Symbol: {said}\nLast Trade: 0.045\n")
        (tmp_path / f"{number:02}.eml").write_bytes(bytes(message))
    found = sekisho("campaign", "extract", "--json", "--received", "2013-07-20", str(tmp_path)).rows()
    assert [one["ticker"]["value"] for one in found if one["ticker"]] == ["ZORK"] * 22
    honest = tmp_path / "honest"
    honest.mkdir()
    chance = random.Random(3)
    for number in range(200):
        words = " ".join(chance.choice(HONEST) for _ in range(60))
        message = letter(f"Dear all,\n{words}.\n", "Sat, 20 Jul 2013 10:00:00 +0000")
        (honest / f"{number}.eml").write_bytes(bytes(message))
    ended = sekisho("campaign", "extract", str(honest))
    assert ended.code == 1
    assert ended.out.count("pushes no share") == 200


@pytest.mark.parametrize("kind", ["mbox", "maildir", "folder"])
@covers("X-05")
def test_the_oldest_copy_is_found_in_any_archive(tmp_path: Path, kind: str) -> None:
    """mbox, Maildir and a folder of letters: what pushes the share, the oldest first."""
    days = [
        "Mon, 29 Jul 2013 10:00:00 +0000",
        "Sat, 08 Jun 2013 10:00:00 +0000",
        "Sat, 20 Jul 2013 10:00:00 +0000",
    ]
    letters = [letter(PUSHED, day) for day in days] + [letter("From here on, nothing.", days[0])]
    archive = tmp_path / "archive"
    if kind == "folder":
        archive.mkdir()
        for number, one in enumerate(letters):
            (archive / f"{number}.eml").write_bytes(bytes(one))
    else:
        box = mailbox.mbox(archive) if kind == "mbox" else mailbox.Maildir(archive)
        for one in letters:
            box.add(one)
        box.flush()
    ended = sekisho("campaign", "search", "--json", "--ticker", "zork", str(archive))
    found = [json.loads(line) for line in ended.out.splitlines()]
    assert [one["received"] for one in found] == ["2013-06-08", "2013-07-20", "2013-07-29"]


@covers("X-03")
def test_campaigns_of_an_archive(tmp_path: Path) -> None:
    """The three mails of the source among 200 others, and one for another share: one of three."""
    shared("fixtures/source")
    box = mailbox.mbox(tmp_path / "archive")
    for number in (1, 2, 3):
        words = shared(f"fixtures/source/stock_mail_{number}.txt").read_text()
        box.add(letter(words, f"Mon, {8 + 7 * number:02} Jul 2013 10:00:00 +0000"))
    box.add(letter(PUSHED, "Mon, 15 Jul 2013 10:00:00 +0000"))
    for number in range(200):
        box.add(letter(f"Dear Bob, invoice {number} of our SHOP is due.", "Mon, 15 Jul 2013 10:00:00 +0000"))
    box.flush()
    ended = sekisho("campaign", "scan", "--json", str(tmp_path / "archive"))
    found = json.loads(ended.out)
    assert found["letters"] == 204
    assert [(one["ticker"], one["letters"]) for one in found["campaigns"]] == [("HAIR", 3), ("ZORK", 1)]
    assert found["campaigns"][0]["days"] == {"2013-07-15": 1, "2013-07-22": 1, "2013-07-29": 1}
    assert "HAIR" in sekisho("campaign", "scan", str(tmp_path / "archive")).out


@covers("X-04")
def test_years_sessions_and_holidays(tmp_path: Path) -> None:
    """January behind December is next year's; a holiday names the next session."""
    for said, received, value, session in (
        ("Jul 22", "2013-07-20", "2013-07-22", "2013-07-22"),
        ("Jul, 29", "2013-07-28", "2013-07-29", "2013-07-29"),
        ("Mon, June 10th", "2013-06-08", "2013-06-10", "2013-06-10"),
        ("Jan 3", "2012-12-28", "2013-01-03", "2013-01-03"),
        ("Jul 4", "2013-07-02", "2013-07-04", "2013-07-05"),
    ):
        path = tmp_path / "tip.txt"
        path.write_text(PUSHED.replace("Jul 22", said))
        ended = sekisho("campaign", "extract", "--json", "--received", received, str(path))
        day = json.loads(ended.out)["trade_date"]
        assert (day["value"], day["session"]) == (value, session)
    assert day["closed"] == "holiday"


@covers("X-07")
def test_the_three_mails_of_the_source() -> None:
    """All fields of the catalogue's 6.1, and what contradicts itself."""
    wanted = (
        ("stock_mail_1.txt", "2013-07-20", 0.045, 33.3, "2013-07-22", ["not_sub_penny"]),
        ("stock_mail_2.txt", "2013-07-28", 0.035, 32.9, "2013-07-29", []),
        ("stock_mail_3.txt", "2013-06-08", None, None, "2013-06-10", ["gain_contradicts"]),
    )
    for name, received, price, ratio, day, flags in wanted:
        path = shared(f"fixtures/source/{name}")
        found = json.loads(sekisho("campaign", "extract", "--json", "--received", received, str(path)).out)
        assert found["ticker"]["value"] == "HAIR"
        assert (found["price"] or {"value": None})["value"] == price
        assert (found["ratio"], found["trade_date"]["value"], found["flags"]) == (ratio, day, flags)
        assert "biostem" in found["company"]["value"].lower()


def test_what_is_no_mailbox_is_told(tmp_path: Path) -> None:
    """A pipe would keep everybody waiting: its name, and 69; the letters before it were shown."""
    letters, pipe = tmp_path / "a.eml", tmp_path / "b"
    letters.write_text(PUSHED)
    os.mkfifo(pipe)
    ended = sekisho("campaign", "extract", "--json", str(letters), str(pipe))
    assert ended.code == 69
    assert len(ended.out.splitlines()) == 1
    assert f"{pipe} cannot be read" in ended.err


def test_a_day_that_is_none(tmp_path: Path) -> None:
    """Usage, with what would be right."""
    path = tmp_path / "tip.txt"
    path.write_text(PUSHED)
    ended = sekisho("campaign", "extract", "--received", "tomorrow", str(path))
    assert ended.code == 64
    assert "2013-06-08" in ended.err


def prices(path: Path, planted: date) -> str:
    """A quiet year of a share, with one loud day."""
    chance = random.Random(1)
    lines, day = ["Date,Open,High,Low,Close,Volume"], date(2013, 1, 2)
    while day < date(2013, 12, 31):
        if day.weekday() < 5:
            volume = 100_000 * chance.lognormvariate(0, 0.25) * (4 if day == planted else 1)
            price = 0.045 + chance.gauss(0, 0.001)
            lines.append(f"{day.isoformat()},{price:.4f},{price:.4f},{price:.4f},{price:.4f},{volume:.0f}")
        day += timedelta(1)
    path.write_text("\n".join(lines) + "\n")
    return str(path)


@covers("X-06")
def test_unusual_trade_on_the_day_that_letters_claim(tmp_path: Path) -> None:
    """Four times the volume on the claimed day, and none on the days of the letters; without it, exit 1."""
    box = mailbox.mbox(tmp_path / "archive")
    for day in ("Sat, 20 Jul 2013", "Fri, 19 Jul 2013"):
        box.add(letter(PUSHED, f"{day} 10:00:00 +0000"))
    box.flush()
    told = ["campaign", "study", "--ticker", "ZORK", "--prices"]
    loud = prices(tmp_path / "loud.csv", date(2013, 7, 22))
    ended = sekisho(*told, loud, "--json", str(tmp_path / "archive"))
    found = json.loads(ended.out)
    unusual = {(one["day"], one["kind"]) for one in found["findings"] if one["unusual_volume"]}
    assert ended.code == 0
    assert ("2013-07-22", "claimed") in unusual
    assert ("2013-07-19", "mail") not in unusual
    assert found["claimed_price"]["right"] is True
    quiet = prices(tmp_path / "quiet.csv", date(1999, 1, 1))
    assert sekisho(*told, quiet, str(tmp_path / "archive")).code == 1


@covers("X-09")
def test_a_study_says_what_it_cannot_say(tmp_path: Path) -> None:
    """Correlation, splits, thin trade, zones; never that anything is proven, in either language."""
    box = mailbox.mbox(tmp_path / "archive")
    box.add(letter(PUSHED, "Sat, 20 Jul 2013 10:00:00 +0000"))
    box.flush()
    loud = prices(tmp_path / "loud.csv", date(2013, 7, 22))
    told = ["campaign", "study", "--ticker", "ZORK", "--prices", loud, str(tmp_path / "archive")]
    english, japanese = sekisho(*told).out, sekisho(*told, language="ja").out
    assert "correlation" in english
    assert "prove" not in english.lower()
    assert "相関" in japanese
    assert "証明" not in japanese


def test_prices_that_cannot_be_read(tmp_path: Path) -> None:
    """The file, the line and the reason."""
    box = mailbox.mbox(tmp_path / "archive")
    box.add(letter(PUSHED, "Sat, 20 Jul 2013 10:00:00 +0000"))
    box.flush()
    bad = tmp_path / "bad.csv"
    bad.write_text("Date,Close\n2013-07-22,1\nsoon,2\n")
    ended = sekisho("campaign", "study", "--ticker", "ZORK", "--prices", str(bad), str(tmp_path / "archive"))
    assert ended.code == 64
    assert "bad.csv, line 3" in ended.err


@covers("X-08", partly="in the console; a PNG")
def test_one_picture_of_a_campaign(tmp_path: Path) -> None:
    """Price, volume, letters a day and the claimed days, in words and forms; well-formed."""
    box = mailbox.mbox(tmp_path / "archive")
    for said in ("Jul 22", "Jul 29", "Jul 31"):
        box.add(letter(PUSHED.replace("Jul 22", said), "Sat, 20 Jul 2013 10:00:00 +0000"))
    box.flush()
    drawn = tmp_path / "chart.svg"
    table = prices(tmp_path / "prices.csv", date(2013, 7, 22))
    ended = sekisho(
        "campaign",
        "study",
        "--ticker",
        "ZORK",
        "--prices",
        table,
        "--chart",
        str(drawn),
        str(tmp_path / "archive"),
    )
    assert ended.code == 0, ended.err
    root = ElementTree.fromstring(drawn.read_text())
    texts = [element.text or "" for element in root.iter("{http://www.w3.org/2000/svg}text")]
    for day in ("2013-07-22", "2013-07-29", "2013-07-31"):
        assert any(text == f"claimed day {day}" for text in texts)
    assert {"price at the close", "shares traded", "letters a day"} <= set(texts)
    dashed = [line for line in root.iter("{http://www.w3.org/2000/svg}line") if line.get("stroke-dasharray")]
    assert len(dashed) == 3
