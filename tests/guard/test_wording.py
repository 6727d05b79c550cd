"""The one sentence of a case: true, whole and grammatical, whatever the evidence was."""

import re
from functools import partial

import pytest

from guard.streams import CAFE, DAY, HOME, HOTEL, HOUR, MINUTE, OWNER, Town, bot, strangers
from sekisho.cli.gate import GuardGate
from sekisho.guard.guard import Guard
from sekisho.lab.attacks import KINDS
from sekisho.lab.simulation import Order, play
from sekisho.lab.traffic import Scale
from sekisho.model import config
from sekisho.model.incident import Grade
from sekisho.store.networktable import built_in


@pytest.fixture
def town() -> Town:
    """An account with a month of ordinary life behind it."""
    return Town().lives(30)


def last(town: Town) -> str:
    return str(town.findings[-1].sentence)


def test_a_botnet_is_told_as_it_was(town: Town) -> None:
    """Sign-ins, networks, countries, how long they were not used, recipients, and what was done."""
    for number in range(2):
        town.wait(MINUTE).sends(bot(number), strangers(10, f"{number}."))
    assert re.fullmatch(
        r"hello@example.com: 2 sign-ins in 60 s from 2 networks in 2 countries it has not used in 30 days "
        r"\([A-Z]{2} AS\d+, [A-Z]{2} AS\d+\), then 10 first-time recipients at once \(usual maximum 1\); "
        r"evidence [\d.]+ >= 9, mail from those networks held at \d\d:\d\d:\d\d UTC after 1 message",
        last(town),
    )


def test_a_country_is_called_new_only_if_it_is(town: Town) -> None:
    """A strange network of the account's own country: the network is new, the country is not mentioned."""
    town.login("63.1.1.1")
    town.letter("63.1.1.1", strangers(60))
    assert ": 1 sign-in from 1 network it has not used in 30 days (JP AS4713), then " in last(town)


def test_a_long_story_says_before_what(town: Town) -> None:
    """The network was used during the whole episode: not used before it, that is."""
    town.login(HOTEL)
    town.wait(DAY).login(HOTEL)
    town.wait(HOUR).letter(HOTEL, strangers(60))
    assert "2 sign-ins in 24 h from 1 network in 1 country it had not used in the 30 days before" in last(
        town
    )


def test_an_account_of_today_claims_no_history() -> None:
    """There are no days in which it did not use what."""
    town = Town()
    town.login(HOME)
    town.wait(HOUR).sends(HOTEL, strangers(30))
    assert "from 1 network in 1 country new to it (FR AS3215); evidence" in last(town)


def test_a_usual_maximum_that_nobody_knows_is_not_told() -> None:
    """A week has to pass before there is one."""
    town = Town()
    town.login(HOME)
    town.wait(HOUR).sends(HOTEL, strangers(30))
    assert "usual maximum" not in last(town)


def test_sign_ins_that_count_no_longer_are_not_told(town: Town) -> None:
    """A journey of three weeks ago has nothing to do with a list of strangers sent from next door."""
    town.login(HOTEL)
    town.wait(21 * DAY).lives(10)
    town.letter("60.200.7.7", strangers(80))
    assert last(town).startswith("hello@example.com: 18 first-time recipients at once (usual")
    assert "mail from unfamiliar networks waits 300 s" in last(town)


def test_the_own_places_are_told_without_the_strangers(town: Town) -> None:
    """A harmless stranger of today, then the owner's computer with a list of dead addresses."""
    town.login(CAFE)
    town.wait(HOUR).letter(HOME, strangers(60))
    for place in range(30):
        town.result(HOME, f"x{place}@stranger.example", "550 5.1.1 unknown")
    assert re.search(
        r": 60 first-time recipients at once \(usual maximum \d+\), \d+ of \d+ refused; "
        r"evidence [\d.]+ >= 8, "
        r"its waiting mail and all mail to first-time recipients held at",
        last(town),
    )
    assert {item.term for item in town.findings[-1].evidence} <= {"country", "volume", "letters", "refused"}


def test_the_cap_is_no_evidence(town: Town) -> None:
    """More first-time recipients than a day has: a count and its limit."""
    for part in range(21):
        town.wait(HOUR // 2).letter(HOME, strangers(10, f"{part}."))
    assert last(town).startswith(
        "hello@example.com: 201 first-time recipients in 24 h, 200 are allowed; "
        "mail to first-time recipients held from "
    )


def test_a_tool_of_several_accounts_is_told() -> None:
    """One address, strange to three accounts that have nothing in common."""
    town = Town()
    names = {"a@example.com": "60.1.1.1", "b@example.com": "61.1.1.1", "c@example.com": "62.1.1.1"}
    for name, home in names.items():
        for _ in range(20):
            town.wait(HOUR).login(home, name)
    for name in names:
        town.wait(MINUTE).login("93.1.1.1", name)
    assert "(BY AS6697), 93.1.1.1 is also new to 2 other accounts; evidence" in last(town)


def test_an_open_source_is_quoted_as_one(town: Town) -> None:
    """Its claims are its own, and nothing follows."""
    for number in range(8):
        town.wait(MINUTE).login(bot(number), trust="open")
    assert re.search(
        r": sign-ins from \d networks new to it, if an open source is right; evidence [\d.]+ >= 9, "
        r"nothing is held on the word of an open source",
        last(town),
    )


def test_mail_held_under_a_watch_says_why(town: Town) -> None:
    """The reason given with the hold is the number of strangers, not the delay of others."""
    town.login(HOTEL)
    standing = town.letter(HOTEL, strangers(22))
    assert (standing.grade, standing.treatment) == (Grade.WATCH, "hold")
    assert str(standing.reason).endswith(
        "mail from unfamiliar networks held: more than 20 first-time recipients"
    )


def test_the_reason_does_not_change_with_time(town: Town) -> None:
    """Months later it names the sum that was reached then, not what is left of it."""
    for number in range(3):
        town.wait(MINUTE).sends(bot(number), strangers(10, f"{number}."))
    (score,) = re.findall(r"evidence ([\d.]+) >= 9", last(town))
    town.lives(60)
    later = str(town.guard.standing(OWNER, bot(9), town.at).reason)
    assert f"evidence {score} >= 9, mail from unfamiliar networks held at" in later


def test_a_decision_is_no_evidence(town: Town) -> None:
    """The operator contained the account: nothing was observed, and nothing is claimed."""
    town.guard.set_grade(OWNER, Grade.CONTAIN, town.at)
    reason = str(town.guard.standing(OWNER, HOTEL, town.at).reason)
    assert re.fullmatch(r"hello@example.com: contained at \d\d:\d\d:\d\d UTC", reason)


TIME = r"( in \d+ \w+| at once)?"
SIGN_INS = (
    rf"\d+ sign-ins?{TIME} from \d+ networks?( in \d+ (country|countries))? "
    r"(new to it|it has not used in \d+ days?|it had not used in the \d+ days? before) "
    r"\(([A-Z]{2} )?[\w./:]+(, ([A-Z]{2} )?[\w./:]+)*(, \d+ more)?\)"
    r"(, \S+ is also new to \d+ other accounts?)?"
)
MAIL = (
    rf"\d+ first-time recipients?{TIME}( \(usual maximum [1-9]\d*\))?"
    r"(, [1-9]\d* of \d+ refused)?"
)
HELD = r"its waiting mail and all mail to first-time recipients held at [\d:]{8} UTC"
OUTCOME = (
    r"mail from (those|unfamiliar) networks (held at [\d:]{8} UTC after \d+ messages?|waits 300 s)|"
    rf"all outgoing mail of the account held at [\d:]{{8}} UTC|{HELD}"
)
CAP = (
    r"\d+ first-time recipients in 24 h, \d+ are allowed; "
    rf"(mail to first-time recipients held from [\d:]{{8}} UTC on|{HELD})"
)
EVIDENT = rf"({SIGN_INS}|({SIGN_INS}, then )?{MAIL}); evidence [\d.]+ >= [\d.]+, ({OUTCOME})"


@pytest.mark.parametrize("seed", [1, 2])
def test_every_sentence_of_a_simulation_is_one(seed: int) -> None:
    """Attacks of every kind and the false alarms: a first clause, an observed thing, and an outcome."""
    table = built_in()
    order = Order(seed, Scale(accounts=80, learning=14, days=14), KINDS, 2)
    _, gate = play(order, partial(GuardGate, Guard(config.Guard(), table)), table.find)
    odd = [
        alarm.sentence
        for alarm in gate.alarms
        if not re.fullmatch(rf"{alarm.account}: ({CAP}|{EVIDENT})", alarm.sentence)
    ]
    assert len(gate.alarms) > 50
    assert odd == []
