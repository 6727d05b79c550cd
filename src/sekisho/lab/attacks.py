"""Thieves with the right password: each kind of attack as visits in time order, from a seed.

An attack knows what a thief could know or be: the account, and for some kinds the owner's own network or computer.
"""

import random
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType

from msgspec import Struct

from sekisho.lab import habits
from sekisho.lab.people import Person, outside_address
from sekisho.lab.places import Places, Site
from sekisho.lab.visits import DAY, HOUR, SECOND, Letter, Visit


class Pace(Struct, frozen=True):
    """`rate` multiplies how fast an attack goes (0.5, 1, 2), `refused` is the share of its recipients that say 5yz."""

    rate: float = 1.0
    refused: float = 0.30


class Raid:
    """One attack on one account: draws letters and addresses in its own manner."""

    def __init__(self, victim: Person, places: Places, start: int, pace: Pace, rng: random.Random) -> None:
        self.victim = victim
        self.places = places
        self.start = start
        self.pace = pace
        self.rng = rng
        self.hosting = habits.BOT_HOSTING.draw(rng)
        self.recipients = habits.BOT_RECIPIENTS.whole(rng)
        self.fingerprint = f"bot-{rng.getrandbits(20):05x}"
        self.subject = f"{rng.choice(LURES)} {rng.randrange(1000)}"

    def at(self, seconds: float) -> int:
        """So many seconds of the attack's own time after its start."""
        return self.start + int(seconds / self.pace.rate * SECOND)

    def sorted_times(self, count: int, hours: float) -> list[int]:
        return sorted(self.at(self.rng.uniform(0, hours * 3600)) for _ in range(count))

    def bot_site(self) -> Site:
        if self.rng.random() < self.hosting:
            return self.places.hoster(self.rng)
        return self.places.anywhere(self.rng)

    def bots(self, count: int) -> list[str]:
        """So many different addresses from all over the world."""
        found: dict[str, None] = {}
        while len(found) < count:
            found[self.bot_site().address(self.rng)] = None
        return list(found)

    def letter(self, recipients: int = 0) -> Letter:
        rng = self.rng
        count = recipients or max(1, min(20, round(rng.gauss(self.recipients, 2))))
        to = tuple(dict.fromkeys(outside_address(rng) for _ in range(count)))
        refused = frozenset(one for one in to if rng.random() < self.pace.refused)
        after_s = habits.BOT_ANSWER_AFTER.draw(rng)
        return Letter(self.victim.account, to, rng.randint(800, 6000), after_s, refused, subject=self.subject)

    def visit(self, at: int, address: str, letters: tuple[Letter, ...], by: str) -> Visit:
        service = "submission" if letters else "imap"
        return Visit(at, self.victim.account, address, service, by, self.fingerprint, letters, self.rng.uniform(0.5, 4))

    def one_letter_each(self, times: list[int], addresses: list[str], by: str) -> list[Visit]:
        """A new login for every letter."""
        return [
            self.visit(at, addresses[number % len(addresses)], (self.letter(),), by) for number, at in enumerate(times)
        ]


LURES = ("Your parcel", "Account notice", "Payment", "Photo of you", "Winning ticket", "Last reminder", "Cheap pills")


def botnet(raid: Raid) -> list[Visit]:
    """The source document's case: 880 addresses in 24 hours, most of them used once, five of them three times."""
    logins = habits.BOTNET_LOGINS.whole(raid.rng)
    addresses = raid.bots(habits.BOTNET_ADDRESSES)
    uses = addresses + [raid.rng.choice(addresses[: len(addresses) // 8]) for _ in range(logins - len(addresses))]
    raid.rng.shuffle(uses)
    return raid.one_letter_each(raid.sorted_times(logins, 24), uses, "botnet")


def ten_per_twelve_hours(raid: Raid) -> list[Visit]:
    """Ten logins about five minutes apart, each from a new address, then silence until twelve hours are over."""
    addresses = raid.bots(habits.TEN_PERIODS * 10)
    times = []
    for period in range(habits.TEN_PERIODS):
        second = period * 12 * 3600.0
        for _ in range(10):
            times.append(raid.at(second))
            second += habits.TEN_GAP.draw(raid.rng)
    return raid.one_letter_each(times, addresses, "ten-per-twelve-hours")


def one_ip_blast(raid: Raid) -> list[Visit]:
    """Everything from one address, many letters in a session."""
    rng = raid.rng
    address = raid.bot_site().address(rng)
    left = habits.BLAST_MESSAGES.whole(rng)
    hours = habits.BLAST_HOURS.draw(rng)
    pause_s = hours * 3600 / left / raid.pace.rate
    visits, at = [], raid.start
    while left > 0:
        count = min(left, habits.BLAST_PER_LOGIN.whole(rng))
        letters = tuple(raid.letter(habits.BLAST_RECIPIENTS.whole(rng)) for _ in range(count))
        visits.append(
            Visit(at, raid.victim.account, address, "submission", "one-ip-blast", raid.fingerprint, letters, pause_s)
        )
        at += int((count + 1) * pause_s * SECOND)
        left -= count
    return visits


def imap_replay(raid: Raid) -> list[Visit]:
    """Two days of reading the mailbox from everywhere, then a day of sending."""
    logins, messages = habits.REPLAY_LOGINS.whole(raid.rng), habits.REPLAY_MESSAGES.whole(raid.rng)
    addresses = raid.bots(logins + messages)
    reading = [
        raid.visit(at, addresses[number], (), "imap-replay") for number, at in enumerate(raid.sorted_times(logins, 48))
    ]
    times = [at + raid.at(48 * 3600) - raid.start for at in raid.sorted_times(messages, 24)]
    return reading + raid.one_letter_each(times, addresses[logins:], "imap-replay")


def residential(raid: Raid) -> list[Visit]:
    """Proxies in homes of the owner's own country, a new one for every letter."""
    messages = habits.RESIDENTIAL_MESSAGES.whole(raid.rng)
    return raid.one_letter_each(raid.sorted_times(messages, 24), _compatriots(raid, messages), "residential")


def slow_residential(raid: Raid) -> list[Visit]:
    """The same, one letter to twenty strangers an hour."""
    messages = habits.SLOW_MESSAGES.whole(raid.rng)
    addresses = _compatriots(raid, messages)
    return [
        raid.visit(
            raid.at(number * 3600 + raid.rng.uniform(0, 600)),
            addresses[number],
            (raid.letter(habits.SLOW_RECIPIENTS),),
            "slow-residential",
        )
        for number in range(messages)
    ]


def owner_pc(raid: Raid) -> list[Visit]:
    """Malware on the owner's computer: the owner's address, and the owner's mail program."""
    raid.fingerprint = raid.victim.fingerprints[0]
    messages, hours = habits.OWNER_PC_MESSAGES.whole(raid.rng), habits.OWNER_PC_HOURS.draw(raid.rng)
    times = raid.sorted_times(messages, hours)
    addresses = [raid.victim.line.address(_day_of(raid, at), raid.rng) for at in times]
    return raid.one_letter_each(times, addresses, "owner-pc")


def owner_isp(raid: Raid) -> list[Visit]:
    """A thief who is a customer of the owner's own provider, with a new address for every letter."""
    messages = habits.OWNER_ISP_MESSAGES.whole(raid.rng)
    site = raid.victim.line.site
    addresses = [site.address(raid.rng) for _ in range(messages)]
    return raid.one_letter_each(raid.sorted_times(messages, 24), addresses, "owner-isp")


def webmail_replay(raid: Raid) -> list[Visit]:
    """Through a web mail that forwards no client address: every login comes from loopback, as the owner's do."""
    messages = habits.WEBMAIL_MESSAGES.whole(raid.rng)
    return [
        Visit(at, raid.victim.account, "127.0.0.1", "webmail", "webmail-replay", "webmail", (raid.letter(),))
        for at in raid.sorted_times(messages, 24)
    ]


def stuffing(victims: list[Person], places: Places, start: int, pace: Pace, rng: random.Random) -> list[Visit]:
    """One botnet with a list of leaked passwords: some wrong ones, then the right one, and a few letters of everybody."""
    first = Raid(victims[0], places, start, pace, rng)
    addresses = first.bots(habits.STUFFING_ADDRESSES.whole(rng))
    hours = habits.STUFFING_HOURS.draw(rng)
    visits: list[Visit] = []
    for victim in victims:
        raid = Raid(victim, places, start, pace, rng)
        raid.fingerprint, raid.subject = first.fingerprint, first.subject
        for number, at in enumerate(raid.sorted_times(habits.STUFFING_MESSAGES.whole(rng), hours)):
            wrong = habits.STUFFING_WRONG.whole(rng) if number == 0 else 0
            visits.append(
                Visit(at, victim.account, rng.choice(addresses), "submission", "stuffing", raid.fingerprint, (raid.letter(),), wrong=wrong)
            )
    return sorted(visits, key=lambda visit: (visit.at, visit.account))


def _compatriots(raid: Raid, count: int) -> list[str]:
    return [raid.places.home(raid.victim.country, raid.rng).address(raid.rng) for _ in range(count)]


def _day_of(raid: Raid, at: int) -> int:
    return (at - raid.victim.around.start) // DAY


ATTACKS: Mapping[str, Callable[[Raid], list[Visit]]] = MappingProxyType(
    {
        "botnet": botnet,
        "ten-per-twelve-hours": ten_per_twelve_hours,
        "one-ip-blast": one_ip_blast,
        "imap-replay": imap_replay,
        "residential": residential,
        "slow-residential": slow_residential,
        "owner-pc": owner_pc,
        "owner-isp": owner_isp,
        "webmail-replay": webmail_replay,
    }
)
"""Attacks on one account, by the name that `sekisho simulate --attack` knows them by; `stuffing` is on many at once."""

KINDS = (*ATTACKS, "stuffing")


def attack(kind: str, victim: Person, places: Places, start: int, pace: Pace, rng: random.Random) -> Iterator[Visit]:
    """The visits of one attack in time order."""
    yield from sorted(ATTACKS[kind](Raid(victim, places, start, pace, rng)), key=lambda visit: visit.at)


LONGEST = 8 * DAY
"""No attack at pace 1 lasts longer; at half the pace it is twice that."""

QUIET_HOUR = HOUR
