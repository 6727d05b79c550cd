"""Writes whole mail logs of a small provider with honest people and a stolen password; tells its own truth.

Addresses of the botnet are drawn from the whole space, so that most have a network and a country in the
built-in table; nothing is taken from the fixtures.
"""

import random
from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import NamedTuple

VICTIM = "victim@corp.example"


class Line(NamedTuple):
    at: datetime
    text: str


class Attack(NamedTuple):
    """What the botnet really did. `retries` are the starts of its bursts after the password was changed."""

    uses: Counter[str]
    first: datetime
    last: datetime
    recipients: int
    refused: int
    failures: int


class Town:
    def __init__(self, seed: int, start: datetime) -> None:
        self.chance = random.Random(seed)
        self.start = start
        self.lines: list[Line] = []
        self.delivery = 0
        self.inode = 1000
        self.epochs = True

    def login(self, at: datetime, service: str, account: str, address: str) -> None:
        self.say(at, f"vpopmail[{self.pid()}]: vchkpw-{service}: (PLAIN) login success {account}:{address}")

    def failure(self, at: datetime, service: str, account: str, address: str, password: str = "") -> None:
        shown = f"(pass: '{password}') " if password else ""
        self.say(at, f"vpopmail[{self.pid()}]: vchkpw-{service}: password fail {shown}{account}:{address}")

    def message(self, at: datetime, sender: str, recipients: Iterable[str], refused: int = 0) -> None:
        self.inode += 1
        self.qmail(at, f"info msg {self.inode}: bytes 1200 from <{sender}> qp {self.pid()} uid 89")
        for place, recipient in enumerate(recipients):
            self.delivery += 1
            result = "failure: 192.0.2.9_does_not_like_recipient./Remote_host_said:_550_no_such_user/"
            if place >= refused:
                result = "success: 192.0.2.9_accepted_message./Remote_host_said:_250_ok/"
            self.qmail(at, f"starting delivery {self.delivery}: msg {self.inode} to remote {recipient}")
            self.qmail(at, f"delivery {self.delivery}: {result}")
        self.qmail(at, f"end msg {self.inode}")

    def qmail(self, at: datetime, text: str) -> None:
        epoch = f"{at.timestamp():.6f} " if self.epochs else ""
        self.say(at, f"qmail: {epoch}{text}")

    def say(self, at: datetime, text: str) -> None:
        self.lines.append(Line(at, text))

    def pid(self) -> int:
        return self.chance.randint(300, 32_000)

    def address(self) -> str:
        draw = self.chance.randrange
        return f"{draw(20, 99)}.{draw(256)}.{draw(256)}.{draw(1, 255)}"

    def address_6(self) -> str:
        draw = self.chance.randrange
        return f"2a0{draw(2, 8):x}:{draw(1, 0x8000):x}:7::{draw(1, 999):x}"

    def text(self) -> bytes:
        """As syslog writes it: no year, no zone."""
        lines = sorted(self.lines, key=lambda line: line.at)
        said = (f"{at:%b} {at.day:2d} {at:%H:%M:%S} mail {text}" for at, text in lines)
        return "\n".join(said).encode() + b"\n"


def polling(town: Town, account: str, address: str, days: int) -> None:
    """A mail program at home that asks every ten minutes and sends now and then."""
    for minute in range(0, days * 1440, 10):
        at = town.start + timedelta(minutes=minute, seconds=town.chance.randrange(50))
        town.login(at, "pop3", account, address)
        if town.chance.random() < 0.02:
            town.login(at, "submission", account, address)
            town.message(
                at + timedelta(seconds=3), account, [f"friend{town.chance.randrange(9)}@friends.example"]
            )


def telephone(town: Town, account: str, days: int, prefix: int = 49) -> None:
    """One provider's CGNAT: a new address for nearly every sign-in. The table knows 49, of 126 only parts."""
    for hour in range(days * 24):
        if town.chance.random() < 0.7:
            at = town.start + timedelta(hours=hour, minutes=town.chance.randrange(60))
            draw = town.chance.randrange
            address = f"{prefix}.{draw(96, 100)}.{draw(256)}.{draw(1, 255)}"
            town.login(at, town.chance.choice(("imaps", "submission")), account, address)


def wanderer(town: Town, account: str, days: int) -> None:
    """Somebody with a dozen providers all over the world, who comes back to each of them."""
    places = [town.address() for _ in range(12)]
    for hour in range(days * 24):
        at = town.start + timedelta(hours=hour, minutes=town.chance.randrange(60))
        town.login(at, "pop3", account, town.chance.choice(places))


def office(town: Town, accounts: Iterable[str], address: str, days: int) -> None:
    """Many people behind one address in working hours, some of whom mistype."""
    for account in accounts:
        for day in range(days):
            for _ in range(6):
                at = town.start + timedelta(days=day, hours=town.chance.uniform(0, 9))
                town.login(at, "imaps", account, address)
                if town.chance.random() < 0.1:
                    town.failure(at - timedelta(seconds=9), "imaps", account, address)
                if town.chance.random() < 0.3:
                    town.login(at, "submission", account, address)
                    town.message(
                        at + timedelta(seconds=2), account, [f"c{town.chance.randrange(5)}@customers.example"]
                    )


def botnet(town: Town, begin: datetime, hours: float, bots: int) -> Attack:
    """Sign-ins spread over some hours, most addresses once, each with a message to ten strangers."""
    addresses = [town.address_6() if town.chance.random() < 0.1 else town.address() for _ in range(bots)]
    addresses = list(dict.fromkeys(addresses))
    visits = addresses + town.chance.sample(addresses, bots // 10) + addresses[:3]
    town.chance.shuffle(visits)
    uses, at, refused = Counter(visits), begin, 0
    for address in visits:
        town.login(at, "submission", VICTIM, address)
        bad = town.chance.randint(2, 6)
        victims = [f"x{town.chance.randrange(10**7)}@strangers.example" for _ in range(10)]
        town.message(at + timedelta(seconds=town.chance.randint(1, 9)), VICTIM, victims, bad)
        refused += bad
        last, at = at, at + timedelta(seconds=int(hours * 3600 / len(visits)))
    return Attack(uses, begin, last, 10 * len(visits), refused, 0)


def knocking(town: Town, begin: datetime, bursts: int, attempts: int, every: timedelta) -> None:
    """What a botnet does once the password is changed."""
    for burst in range(bursts):
        at = begin + burst * every
        for _ in range(attempts):
            town.failure(at, "submission", VICTIM, town.address())
            at += timedelta(seconds=town.chance.randint(300, 340))
