"""The rules that close known holes, one test or more for each; the numbers are those of the rules."""

import pytest

from covers import covers
from guard.streams import (
    AIRPORT,
    CAFE,
    DAY,
    HOME,
    HOTEL,
    HOUR,
    MINUTE,
    NO_TABLE,
    OFFICE,
    OWNER,
    PHONE,
    SECOND,
    TABLE,
    Town,
    bot,
    strangers,
)  # fmt: skip
from sekisho.guard.memory import RECIPIENTS_KEPT, digest
from sekisho.guard.network_csv import read_rows
from sekisho.guard.networks import NetworkTable
from sekisho.guard.packing import pack
from sekisho.model import config
from sekisho.model.event import Accepted
from sekisho.model.incident import Grade


@pytest.fixture
def town() -> Town:
    """An account with a month of ordinary life behind it."""
    return Town().lives(30)


# Rule 1


def test_rule_1_logging_in_alone_never_confirms_a_network(town: Town) -> None:
    """Weeks of quiet reading from one stranger's network do not make it the account's own."""
    for _ in range(40):
        town.wait(DAY).read(HOTEL)
    assert town.guard.standing(OWNER, HOTEL, town.at).place == "unfamiliar"


def test_rule_1_three_quiet_days_and_mail_to_known_people_confirm(town: Town) -> None:
    """Days under watch do not count, mail to somebody the account knows does."""
    town.login(HOTEL)
    for _ in range(6):
        town.wait(DAY).login(HOTEL)
        town.letter(HOTEL, ["friend1@example.net"])
    assert town.guard.standing(OWNER, HOTEL, town.at).place == "known"


def test_rule_1_the_confirmed_client_confirms_too() -> None:
    """A reader who never writes is known by how the client speaks."""
    town = Town()
    for _ in range(20):
        town.wait(DAY).read(HOME, fingerprint="EHLO mua")
    for _ in range(6):
        town.wait(DAY).read(CAFE, fingerprint="EHLO mua")
    assert town.guard.standing(OWNER, CAFE, town.at).place == "known"


def test_rule_1_at_most_two_networks_a_week(town: Town) -> None:
    """Three new networks used in the same week: the third waits."""
    for _ in range(7):
        for address in ("63.1.1.1", "64.1.1.1", HOTEL):
            town.wait(4 * HOUR).login(address)
            town.letter(address, ["friend1@example.net"])
        town.wait(12 * HOUR)
    known = [
        town.guard.standing(OWNER, address, town.at).place for address in ("63.1.1.1", "64.1.1.1", HOTEL)
    ]
    assert known.count("known") <= 2


def test_rule_1_networks_in_use_are_never_evicted(town: Town) -> None:
    """An intruder's many networks push out none of the owner's."""
    for number in range(200):
        town.wait(MINUTE).login(bot(number))
    for address in (HOME, PHONE, OFFICE):
        assert town.guard.standing(OWNER, address, town.at).place == "known"


# Rule 2


def test_rule_2_learning_confirms_three_networks_a_day() -> None:
    """On the first days no more than three networks become the account's own in 24 hours."""
    town = Town()
    for _ in range(2):
        for address in (HOME, PHONE, OFFICE, "63.1.1.1", "64.1.1.1"):
            town.wait(10 * MINUTE).login(address)
        town.wait(9 * HOUR)
    assert len(town.guard.memory(OWNER).confirmed) <= 3


def test_rule_2_learning_confirms_nothing_under_suspicion() -> None:
    """A botnet on the first day of an account makes none of its networks the account's own, but the first."""
    town = Town()
    for round_ in range(3):
        for number in range(10):
            town.wait(MINUTE).login(bot(number))
        town.wait((round_ + 1) * 9 * HOUR)
    assert len(town.guard.memory(OWNER).confirmed) == 1


def test_rule_2_learning_lowers_no_threshold() -> None:
    """A botnet on a fresh account is found like any other."""
    town = Town()
    for number in range(6):
        town.wait(2 * MINUTE).sends(bot(number), strangers(10, f"{number}."))
    assert Grade.CONTAIN in town.grades()


# Rule 3


def test_rule_3_a_watch_is_kept_a_day(town: Town) -> None:
    """However fast the evidence fades, mail from strangers waits for a day."""
    town.login(HOTEL)
    assert town.grade() == Grade.WATCH
    for _ in range(23):
        town.wait(HOUR).login(HOME)
    assert town.grade() == Grade.WATCH
    town.wait(30 * HOUR)
    assert town.grade() == Grade.CLEAR


def test_rule_3_a_watch_that_has_ended_can_begin_again(town: Town) -> None:
    """The second journey is a finding of its own, as the first was."""
    town.login(HOTEL)
    town.wait(30 * DAY).sends("93.1.1.1", strangers(12))
    assert town.grades() == [Grade.WATCH, Grade.WATCH]


def test_rule_3_a_containment_ends_by_release_only(town: Town) -> None:
    """A quarter of a year later it still stands, and the owner worked all the time."""
    for number in range(5):
        town.wait(MINUTE).login(bot(number))
    assert town.grade() == Grade.CONTAIN
    town.lives(90)
    assert town.grade() == Grade.CONTAIN
    assert town.login(bot(77)).treatment == "refuse"
    town.guard.release(OWNER, town.at, teach=False)
    assert town.grade() == Grade.CLEAR


def test_rule_3_only_confirmed_networks_lower_the_evidence(town: Town) -> None:
    """A stranger who comes again and again from the same place gains nothing."""
    town.login(HOTEL)
    before = town.score()
    for _ in range(30):
        town.wait(SECOND).login(HOTEL)
    assert town.score() == pytest.approx(before, abs=0.01)
    town.login(HOME)
    assert town.score() < before


def test_rule_3_the_owner_lowers_it_once_an_hour(town: Town) -> None:
    """A telephone that asks for mail every minute does not wash a stranger clean."""
    town.login(HOTEL)
    town.login(HOME)
    before = town.score()
    for _ in range(50):
        town.wait(MINUTE).login(PHONE)
    assert town.score() == pytest.approx(before, abs=0.1)


def test_rule_3_denied_logins_change_nothing(town: Town) -> None:
    """After the containment the botnet may knock as often as it likes: the sum stands still, and never
    locks all."""
    for number in range(5):
        town.wait(MINUTE).login(bot(number))
    before = town.score()
    for number in range(5, 300):
        assert town.login(bot(number)).treatment == "refuse"
    assert town.score() == before
    assert max(town.grades()) == Grade.CONTAIN
    assert town.login(HOME).treatment == "pass"


# Rule 4


@pytest.mark.parametrize(("once", "again"), [("5.1.1.1", "5.1.2.1"), ("6.1.1.1", "6.1.2.1")])
def test_rule_4_hosting_counts_per_24(once: str, again: str) -> None:
    """Another /24 of a rented-server provider is another network, by number or by name of the provider."""
    first, second = TABLE.find(once), TABLE.find(again)
    assert first.shared and second.shared
    assert first.key != second.key
    assert first.key == once[:-1] + "0/24"


def test_rule_4_an_ordinary_provider_is_one_network_per_country() -> None:
    """A telephone that gets a new address for every session is always at the same place; IPv6 too."""
    assert TABLE.find("61.1.1.1").key == TABLE.find("61.250.3.9").key == "AS9605/JP"
    assert TABLE.find("2a00:1::1").key == TABLE.find(HOME).key


def test_rule_4_unmapped_addresses_are_networks_of_their_own() -> None:
    """Without a table each /24 (/48) is a network in an unknown country."""
    assert NO_TABLE.find("198.18.7.9").key == "198.18.7.0/24"
    assert NO_TABLE.find("2001:db8:1:2::3").key == "2001:db8:1::/48"


# Rule 5


def test_rule_5_the_message_in_hand_counts_at_every_recipient(town: Town) -> None:
    """One endless message is caught before it is complete."""
    town.login(HOTEL)
    words = [town.names(HOTEL, recipient, session="s").treatment for recipient in strangers(150)]
    assert words[0] == "delay"
    assert words[30] == "hold"
    assert Grade.CONTAIN in town.grades()


def test_rule_5_rset_takes_nothing_back(town: Town) -> None:
    """Naming recipients and starting over, again and again, is counted like sending."""
    town.login(HOTEL)
    for number, recipient in enumerate(strangers(120)):
        town.names(HOTEL, recipient, session=f"after rset {number}")
    assert Grade.CONTAIN in town.grades()


def test_rule_5_under_watch_more_than_20_strangers_are_held(town: Town) -> None:
    """Mail to a few waits, mail to many is held, before anything has left."""
    town.login(HOTEL)
    assert town.letter(HOTEL, strangers(5)).treatment == "delay"
    assert town.letter(HOTEL, strangers(22, "y")).treatment == "hold"


def test_rule_5_the_same_stranger_counts_once(town: Town) -> None:
    """Ten letters to one new acquaintance are no volume."""
    for _ in range(10):
        town.wait(MINUTE).letter(HOME, ["new@example.org"])
    assert sum(town.guard.memory(OWNER).hours) == 1


def test_rule_5_whom_one_writes_to_every_few_days_is_known() -> None:
    """An only correspondent, written to every other day, is no stranger, and from a hotel neither."""
    town = Town()
    town.login(HOME)
    for _ in range(10):
        town.wait(2 * DAY).letter(HOME, ["only@example.net"])
    town.wait(2 * DAY).login(HOTEL)
    town.letter(HOTEL, ["only@example.net"])
    assert town.guard.memory(OWNER).strange.named == 0


# Rule 6


def test_rule_6_bounces_cannot_be_mailed_in(town: Town) -> None:
    """Letters that claim to be bounces are no evidence, however many come."""
    before = town.guard.snapshot(OWNER)
    for number in range(100):
        message = {"message": f"m{number}", "sender": "", "recipients": (OWNER,), "recipient_count": 1}
        event = Accepted(id=f"dsn {number}", at=town.at, source="front", bounce_of="claimed", **message)
        assert town.guard.observe(event) == ()
    assert town.guard.snapshot(OWNER) == before


def test_rule_6_a_delivery_counts_once(town: Town) -> None:
    """The same result told twice is one."""
    town.login(HOTEL)
    town.letter(HOTEL, strangers(3))
    town.result(HOTEL, "x0@stranger.example", "550 5.1.1 unknown")
    told = town.guard.memory(OWNER).strange.refused
    town.guard.observe(town.fed[-1])
    assert town.guard.memory(OWNER).strange.refused == told == 1


# Rule 7


def test_rule_7_the_usual_maximum_learns_after_a_week(town: Town) -> None:
    """Today's flood is not tomorrow's habit."""
    town.letter(HOME, strangers(60))
    town.wait(DAY).lives(3)
    assert town.guard.memory(OWNER).usual < 10
    town.lives(8)
    assert town.guard.memory(OWNER).usual > 3


def test_rule_7_it_grows_slowly() -> None:
    """From five a flood of 150 a day takes weeks to become usual."""
    town = Town().lives(10)
    for day in range(20):
        town.wait(DAY).letter(HOME, strangers(150, f"{day}."))
    assert town.guard.memory(OWNER).usual < 5 * 1.2**14


def test_rule_7_days_before_an_incident_teach_nothing() -> None:
    """What was sent in the week before a release without teaching is not the account's habit."""
    town = Town().lives(20)
    before = town.guard.memory(OWNER).usual
    town.letter(HOME, strangers(100))
    town.guard.release(OWNER, town.at, teach=False)
    town.wait(DAY).lives(10)
    assert town.guard.memory(OWNER).usual == before


def test_rule_7_three_issues_in_a_fortnight_make_a_newsletter() -> None:
    """After three bulk days over 14 days, a week old, the cap is the list's size; strangers gain nothing."""
    town = Town().lives(20)
    for issue in range(6):
        for part in range(6):
            town.letter(HOME, strangers(25, f"{issue}.{part}."))
        town.lives(7)
    assert town.letter(HOME, strangers(210, "new")).treatment != "hold"
    town.login(HOTEL)
    assert town.letter(HOTEL, strangers(40, "other")).treatment == "hold"


def test_rule_7_the_cap_holds_what_no_evidence_does(town: Town) -> None:
    """Two hundred first-time recipients in 24 hours from the owner's own computer, then no more."""
    words = [town.wait(HOUR // 2).letter(HOME, strangers(10, f"{part}.")).treatment for part in range(24)]
    assert "hold" not in words[:20]
    assert words[21:] == ["hold"] * 3
    assert town.letter(HOME, ["friend1@example.net"]).treatment == "pass"


def test_rule_7_a_contained_thief_pushes_out_nobody_s_correspondents() -> None:
    """From the owner's computer, three days of strangers that are held: the owner's friends stay known."""
    town = Town().lives(20)
    friends = set(town.guard.memory(OWNER).recipients)
    town.guard.set_grade(OWNER, Grade.CONTAIN, town.at)
    for part in range(150):
        town.wait(HOUR // 2).letter(HOME, strangers(10, f"{part}."))
    memory = town.guard.memory(OWNER)
    assert set(memory.recipients) == friends
    assert len(memory.fresh) == RECIPIENTS_KEPT
    assert town.letter(HOME, ["friend1@example.net"]).treatment == "pass"
    town.guard.release(OWNER, town.at, teach=False)
    assert not memory.fresh and set(memory.recipients) == friends


def test_rule_7_whom_a_wronged_owner_wrote_to_is_known_after_the_release() -> None:
    """A newsletter that was contained by mistake: with --teach none of its readers is new again."""
    town = Town().lives(20)
    town.guard.set_grade(OWNER, Grade.CONTAIN, town.at)
    readers = strangers(600)
    for part in range(0, 600, 50):
        town.letter(HOME, readers[part : part + 50])
    town.guard.release(OWNER, town.at, teach=True)
    town.wait(DAY).letter(HOME, ["friend1@example.net", "somebody.new@example.net"])
    town.wait(DAY).letter(HOME, ["another.new@example.net"])
    assert {digest(reader) for reader in readers} <= town.guard.memory(OWNER).recipients.keys()


# Rule 8 is the shell's: tests/service/test_watching.py

# Rule 9


def test_rule_9_open_sources_alert_only(town: Town) -> None:
    """A world-reachable log door can report a botnet, and hold, deny or teach nothing."""
    for number in range(8):
        town.wait(MINUTE).login(bot(number), trust="open")
    (finding,) = [finding for finding in town.findings if finding.trust == "open"]
    assert finding.grade == Grade.CONTAIN
    assert town.grade() == Grade.CLEAR
    assert town.login(bot(99)).treatment != "refuse"


def test_rule_9_open_sources_do_not_prepare_a_containment(town: Town) -> None:
    """Lies about an account do not add to what a trusted source then says of a traveller."""
    for number in range(50):
        town.login(bot(number), trust="open")
    assert town.login(HOTEL).grade == Grade.WATCH


@covers("F-11")
def test_rule_9_failed_logins_change_nothing(town: Town) -> None:
    """A thousand wrong passwords leave the memory as it was, byte for byte."""
    before = town.guard.snapshot(OWNER)
    for number in range(1000):
        town.fails(bot(number))
    assert town.guard.snapshot(OWNER) == before


# Rules 10 and 11 are the doors' and the shell's: tests/service

# Rule 12


def test_rule_12_no_place_is_neither_evidence_nor_trust(town: Town) -> None:
    """Loopback and private addresses raise nothing, lower nothing, and are confirmed never."""
    town.login(HOTEL)
    before = town.score()
    for address in ("127.0.0.1", "10.0.0.1", "192.168.1.1", "::1", "fd00::1", "fe80::1", ""):
        standing = town.login(address)
        assert standing.place == "nowhere"
        assert standing.treatment == "pass"
    assert town.score() == before
    assert "" not in town.guard.memory(OWNER).confirmed


def test_rule_12_our_own_webmail_is_no_place() -> None:
    """Its address may be public: what is configured as web mail is nowhere."""
    town = Town(config.Guard(webmail=("93.1.1.1",))).lives(20)
    assert town.login("93.1.1.1").place == "nowhere"
    assert town.score() == 0


# Rule 13


def test_rule_13_replaying_changes_nothing(town: Town) -> None:
    """A month fed twice leaves the same memory, and raises nothing twice."""
    for number in range(5):
        town.wait(MINUTE).sends(bot(number), strangers(10, f"{number}."))
    before, found = town.guard.snapshot(OWNER), len(town.findings)
    again = [finding for event in town.fed for finding in town.guard.observe(event)]
    assert again == []
    assert town.guard.snapshot(OWNER) == before
    assert found == len(town.findings)


def test_rule_13_a_policy_request_and_its_log_line_are_one_login(town: Town) -> None:
    """The same account and address from another source within two minutes is dropped."""
    town.login(HOTEL, source="policy")
    town.wait(90 * SECOND).login(HOTEL, source="log:mail")
    assert town.guard.memory(OWNER).provisional["AS3215/FR"].logins == 1
    town.wait(10 * MINUTE).login(HOTEL, source="log:mail")
    assert town.guard.memory(OWNER).provisional["AS3215/FR"].logins == 2


# Rule 14


def test_rule_14_a_new_table_maps_what_is_remembered(town: Town) -> None:
    """The home provider gets another number: the home stays known, and the next login is no first sight."""
    renamed = NetworkTable(
        pack(read_rows(["60.0.0.0/8,,99999,JP,Home Line", "61.0.0.0/8,,9605,JP,x", "62.0.0.0/8,,2497,JP,x"]))
    )
    town.guard.use_table(renamed, town.at)
    assert town.login(HOME).place == "known"
    assert town.score() == 0


def test_rule_14_after_an_update_first_sights_weigh_little(town: Town) -> None:
    """For a day a new network in a known country weighs at most 1; a new country weighs in full."""
    town.guard.use_table(TABLE, town.at)
    town.wait(HOUR).login("63.1.1.1")
    assert 0 < town.score() <= 1
    town.login(bot(1))
    assert town.score() > 3


# Rule 15


def test_rule_15_a_mass_of_containments_holds_but_denies_nobody() -> None:
    """From the fifth within an hour on, without anything in common, mail is held and nobody locked out."""
    town = Town()
    names = [f"user{number}@example.com" for number in range(60)]
    for name in names:
        town.login(HOME, name)
    town.wait(20 * DAY)
    for place, name in enumerate(names[:9]):
        for number in range(4):
            town.wait(SECOND).login(bot(place * 4 + number), name)
    last = town.guard.standing(names[8], bot(150), town.at)
    assert last.grade == Grade.CONTAIN
    assert last.treatment == "hold"
    assert town.guard.standing(names[0], bot(150), town.at).treatment == "refuse"


def test_rule_15_one_botnet_on_many_accounts_is_no_mistake_of_ours() -> None:
    """Half of the victims were visited from the same network: everybody is contained in full."""
    town = Town()
    names = [f"user{number}@example.com" for number in range(60)]
    for name in names:
        town.login(HOME, name)
    town.wait(20 * DAY)
    for name in names[:9]:
        for number in range(4):
            town.wait(SECOND).login(bot(number), name)
    assert town.guard.standing(names[8], bot(150), town.at).treatment == "refuse"


def test_rule_15_who_leaps_over_containment_counts_too() -> None:
    """Accounts whose evidence jumps from watch to the whole account at once are containments as well."""
    town = Town(config.Guard(whole_account=8.0))
    names = [f"user{number}@example.com" for number in range(60)]
    for name in names:
        town.login(HOME, name)
    town.wait(20 * DAY)
    for place, name in enumerate(names[:6]):
        for number in range(4):
            town.wait(SECOND).login(bot(place * 4 + number), name)
    last = town.guard.standing(names[5], bot(150), town.at)
    assert last.grade == Grade.LOCK
    assert last.treatment == "hold"


# Honest people


def test_a_traveller_is_not_contained(town: Town) -> None:
    """Airport, hotel, café and a second country after a flight: watched, never held, and home again
    forgotten."""
    for address in (AIRPORT, HOTEL):
        town.wait(2 * HOUR).sends(address, ["friend1@example.net"])
    for _ in range(3):
        town.wait(4 * HOUR).sends(HOTEL, ["friend2@example.net"])
        town.wait(4 * HOUR).sends(CAFE, ["friend3@example.net", "newcomer@example.org"])
    town.wait(6 * HOUR).sends("91.1.1.1", ["friend4@example.net"])
    assert max(town.grades()) == Grade.WATCH
    assert all(finding.grade < Grade.CONTAIN for finding in town.findings)


@covers("O-01", partly="the message counts of a live replay are the end-to-end test's")
def test_a_roamer_with_eight_networks_in_a_day_is_not_contained(town: Town) -> None:
    """Eight networks of the own country within 24 hours, on a fresh account too."""
    rows = [f"7{place}.0.0.0/8,,{900 + place},JP,Roam {place}" for place in range(8)]
    table = NetworkTable(pack(read_rows(["60.0.0.0/8,,2516,JP,Home", *rows])))
    for fresh in (True, False):
        roamer = Town(table=table)
        roamer.login(HOME)
        if not fresh:
            for _ in range(60):
                roamer.wait(12 * HOUR).login(HOME)
        for place in range(8):
            roamer.wait(3 * HOUR).sends(f"7{place}.1.1.1", ["friend@example.net"])
        assert all(finding.grade < Grade.CONTAIN for finding in roamer.findings)


def test_the_owner_works_on_while_contained(town: Town) -> None:
    """Confirmed networks log in and send, and are answered at once; strangers are refused."""
    for number in range(5):
        town.wait(MINUTE).sends(bot(number), strangers(10, f"{number}."))
    for address in (HOME, OFFICE, PHONE):
        assert town.login(address).treatment == "pass"
        assert town.letter(address, ["friend1@example.net"]).treatment == "pass"
    assert town.login(bot(50)).treatment == "refuse"
    assert town.letter(bot(51), ["friend1@example.net"]).treatment == "hold"
