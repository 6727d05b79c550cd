"""Thieves with the right password: each kind of attack as visits in time order, from a seed.

An attack knows what a thief could know or be: the account, in some cases the owner's network or computer.
"""

import random
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from msgspec import Struct, structs

from sekisho.lab import habits
from sekisho.lab.book import outside_address
from sekisho.lab.people import Person
from sekisho.lab.places import Places, Site
from sekisho.lab.visits import DAY, SECOND, Letter, Visit

LURES = (
    "Your parcel",
    "Account notice",
    "Payment",
    "Photo of you",
    "Winning ticket",
    "Last reminder",
    "Cheap pills",
)


class Pace(Struct, frozen=True):
    """`rate` multiplies how fast an attack goes (0.5, 1, 2); `refused` of its recipients say 5yz."""

    rate: float = 1.0
    refused: float = 0.30


class Raid:
    """One attack on one account, from `start` on: draws letters and addresses in its own manner."""

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

    def times(self, count: int, first_hour: float, last_hour: float) -> list[int]:
        """So many moments between two hours of the attack."""
        return sorted(self.at(3600 * self.rng.uniform(first_hour, last_hour)) for _ in range(count))

    def bots(self, count: int) -> list[str]:
        """So many different addresses from all over the world."""
        found: dict[str, None] = {}
        while len(found) < count:
            found[self.bot_site().address(self.rng)] = None
        return list(found)

    def bot_site(self) -> Site:
        if self.rng.random() < self.hosting:
            return self.places.hoster(self.rng)
        return self.places.anywhere(self.rng)

    def compatriots(self, count: int) -> list[str]:
        """Addresses of homes in the owner's country."""
        return [self.places.home(self.victim.country, self.rng).address(self.rng) for _ in range(count)]

    def letter(self, recipients: int = 0) -> Letter:
        """To strangers: so many, or about as many as this attack's letters have."""
        rng = self.rng
        count = recipients or max(1, round(self.recipients * habits.BOT_SCATTER.draw(rng)))
        to = tuple(dict.fromkeys(outside_address(rng) for _ in range(count)))
        refused = frozenset(one for one in to if rng.random() < self.pace.refused)
        after_s = habits.BOT_ANSWER_AFTER.draw(rng)
        return Letter(self.victim.account, to, rng.randint(800, 6000), after_s, refused, subject=self.subject)

    def sends(self, at: int, address: str, letters: tuple[Letter, ...]) -> Visit:
        pause_s = habits.BOT_PAUSE.draw(self.rng)
        return Visit(
            at, self.victim.account, address, "submission", "attack", self.fingerprint, letters, pause_s
        )

    def reads(self, at: int, address: str) -> Visit:
        return Visit(at, self.victim.account, address, "imap", "attack", self.fingerprint)

    def one_letter_each(self, times: Sequence[int], addresses: Sequence[str]) -> list[Visit]:
        """A new login for every letter."""
        return [
            self.sends(at, address, (self.letter(),)) for at, address in zip(times, addresses, strict=True)
        ]


def botnet(raid: Raid) -> list[Visit]:
    """The source document's case: 880 addresses in 24 hours, most of them used once, a few three times."""
    logins = habits.BOTNET_LOGINS.whole(raid.rng)
    addresses = raid.bots(habits.BOTNET_ADDRESSES)
    again = raid.rng.choices(addresses, k=logins - len(addresses))
    uses = raid.rng.sample(addresses + again, logins)
    return raid.one_letter_each(raid.times(logins, 0, 24), uses)


def ten_per_twelve_hours(raid: Raid) -> list[Visit]:
    """Ten logins about five minutes apart, each from a new address, then silence until the twelfth hour."""
    seconds = []
    for period in range(habits.TEN_PERIODS):
        second = period * 12 * 3600.0
        for _ in range(10):
            seconds.append(second)
            second += habits.TEN_GAP.draw(raid.rng)
    return raid.one_letter_each([raid.at(second) for second in seconds], raid.bots(len(seconds)))


def one_ip_blast(raid: Raid) -> list[Visit]:
    """Everything from one address, many letters in a session."""
    rng = raid.rng
    address = raid.bot_site().address(rng)
    left = habits.BLAST_MESSAGES.whole(rng)
    pause_s = habits.BLAST_HOURS.draw(rng) * 3600 / left / raid.pace.rate
    visits, at = [], raid.start
    while left > 0:
        count = min(left, habits.BLAST_PER_LOGIN.whole(rng))
        letters = tuple(raid.letter(habits.BLAST_RECIPIENTS.whole(rng)) for _ in range(count))
        account, fingerprint = raid.victim.account, raid.fingerprint
        visits.append(Visit(at, account, address, "submission", "attack", fingerprint, letters, pause_s))
        at += int((count + 1) * pause_s * SECOND)
        left -= count
    return visits


def imap_replay(raid: Raid) -> list[Visit]:
    """Two days of reading the mailbox from everywhere, then a day of sending."""
    logins, messages = habits.REPLAY_LOGINS.whole(raid.rng), habits.REPLAY_MESSAGES.whole(raid.rng)
    addresses = raid.bots(logins + messages)
    reading = [
        raid.reads(at, address) for at, address in zip(raid.times(logins, 0, 48), addresses, strict=False)
    ]
    return reading + raid.one_letter_each(raid.times(messages, 48, 72), addresses[logins:])


def residential(raid: Raid) -> list[Visit]:
    """Proxies in homes of the owner's own country, a new one for every letter."""
    messages = habits.RESIDENTIAL_MESSAGES.whole(raid.rng)
    return raid.one_letter_each(raid.times(messages, 0, 24), raid.compatriots(messages))


def slow_residential(raid: Raid) -> list[Visit]:
    """The same, one letter to twenty strangers an hour."""
    messages = habits.SLOW_MESSAGES.whole(raid.rng)
    times = [raid.at(hour * 3600 + raid.rng.uniform(0, 600)) for hour in range(messages)]
    letters = [(raid.letter(habits.SLOW_RECIPIENTS),) for _ in times]
    return [raid.sends(*one) for one in zip(times, raid.compatriots(messages), letters, strict=True)]


def owner_pc(raid: Raid) -> list[Visit]:
    """Malware on the owner's computer: the owner's address, and the owner's mail program."""
    raid.fingerprint = raid.victim.is_like.fingerprints[0]
    times = raid.times(habits.OWNER_PC_MESSAGES.whole(raid.rng), 0, habits.OWNER_PC_HOURS.draw(raid.rng))
    line, start = raid.victim.line, raid.victim.around.start
    return raid.one_letter_each(times, [line.address((at - start) // DAY, raid.rng) for at in times])


def owner_isp(raid: Raid) -> list[Visit]:
    """A thief who is a customer of the owner's own provider, with a new address for every letter."""
    messages = habits.OWNER_ISP_MESSAGES.whole(raid.rng)
    site = raid.victim.line.site
    return raid.one_letter_each(
        raid.times(messages, 0, 24), [site.address(raid.rng) for _ in range(messages)]
    )


def webmail_replay(raid: Raid) -> list[Visit]:
    """Through a web mail that forwards no client address: all logins come from loopback."""
    times = raid.times(habits.WEBMAIL_MESSAGES.whole(raid.rng), 0, 24)
    account = raid.victim.account
    return [Visit(at, account, "127.0.0.1", "webmail", "attack", "webmail", (raid.letter(),)) for at in times]


def stuffing(raids: Sequence[Raid]) -> list[Visit]:
    """One botnet with a list of leaked passwords: wrong ones, then the right one, then a few letters."""
    first, rng = raids[0], raids[0].rng
    addresses = first.bots(habits.STUFFING_ADDRESSES.whole(rng))
    hours = habits.STUFFING_HOURS.draw(rng)
    visits: list[Visit] = []
    for raid in raids:
        raid.fingerprint, raid.subject = first.fingerprint, first.subject
        times = raid.times(habits.STUFFING_MESSAGES.whole(rng), 0, hours)
        sent = raid.one_letter_each(times, rng.choices(addresses, k=len(times)))
        visits += [structs.replace(sent[0], wrong=habits.STUFFING_WRONG.whole(rng)), *sent[1:]]
    return sorted(visits, key=lambda visit: (visit.at, visit.account))


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
"""Attacks on one account, by the names of `simulate --attack`; `stuffing` is on many accounts at once."""

KINDS = (*ATTACKS, "stuffing")
