"""Writes a big mail log of splogger, vpopmail and spamd lines from a seed, and says what is in it.

    python -m bench.biglog FILE [--mb 200] [--seed 1] [--accounts 2000] [--days 7]

The mix is that of a small provider: about 42 % qmail-send, 37 % vpopmail (mostly polling), 21 % spamd. One
account is hijacked by a botnet for a day; the numbers printed as JSON are the generator's own truth about it.
"""

import argparse
import json
import random
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import IO, Any

ZONE = timezone(timedelta(hours=9))
START = datetime(2013, 7, 18, tzinfo=ZONE)
VICTIM = "hello@example.com"
BOTS = 880
LINE_BYTES = 118
"""Average length of a line, by which --mb becomes a number of messages."""

Line = tuple[float, str]


class Town:
    """The provider: accounts with their places, and the counters that its daemons print."""

    def __init__(self, seed: int, accounts: int) -> None:
        self.chance = random.Random(seed)
        self.names = [f"user{n:05d}@d{n % 40:02d}.example.net" for n in range(accounts)]
        self.places = [[self.address()] for _ in self.names]
        for places in self.chance.sample(self.places, max(1, accounts * 15 // 100)):
            places.extend(self.near(places[0]) for _ in range(self.chance.randint(4, 29)))
        office = self.address()
        for places in self.chance.sample(self.places, accounts // 20):
            places[0] = office
        self.pid = 1000
        self.delivery = 0
        self.inodes = [self.chance.randint(60_000, 900_000) for _ in range(4000)]
        self.turn = 0

    def address(self) -> str:
        draw = self.chance.randrange
        return f"{draw(20, 220)}.{draw(256)}.{draw(256)}.{draw(1, 255)}"

    def near(self, home: str) -> str:
        """Another address of the same provider: a telephone's, a line's after its nightly renewal."""
        first, second, third, _ = home.split(".")
        draw = self.chance.randrange
        return f"{first}.{second}.{int(third) & ~3 | draw(4)}.{draw(1, 255)}"

    def next_pid(self) -> int:
        self.pid = self.pid + self.chance.randint(1, 9)
        if self.pid > 32_768:
            self.pid -= 32_000
        return self.pid

    def inode(self) -> int:
        self.turn = (self.turn + 1) % len(self.inodes)
        return self.inodes[self.turn]


def syslog(at: float, tail: str) -> Line:
    return at, tail


def login(town: Town, at: float, service: str, account: str, address: str) -> Line:
    return at, f"vpopmail[{town.next_pid()}]: vchkpw-{service}: (PLAIN) login success {account}:{address}"


def failure(
    town: Town, at: float, service: str, account: str, address: str, text: str = "password fail"
) -> Line:
    return at, f"vpopmail[{town.next_pid()}]: vchkpw-{service}: {text} {account}:{address}"


def qmail(at: float, text: str) -> Line:
    return at, f"qmail: {at:.6f} {text}"


def message(town: Town, at: float, sender: str, recipients: list[str], kind: str) -> Iterator[Line]:
    """The lines of one message's life; three of ten recipients of the botnet do not exist."""
    number, size = town.inode(), town.chance.randint(900, 60_000)
    yield qmail(at, f"new msg {number}")
    yield qmail(at + 0.00004, f"info msg {number}: bytes {size} from <{sender}> qp {town.next_pid()} uid 103")
    later = at
    for recipient in recipients:
        town.delivery += 1
        start = later + 0.003
        later = start + town.chance.uniform(0.2, 4)
        yield qmail(start, f"starting delivery {town.delivery}: msg {number} to {kind} {recipient}")
        yield qmail(start + 0.00002, "status: local 1/100 remote 3/50")
        text = "success: 203.0.113.5_accepted_message./Remote_host_said:_250_ok/"
        if sender == VICTIM and town.chance.random() < 0.3:
            text = "failure: 203.0.113.5_does_not_like_recipient./Remote_host_said:_550_no_such_user/"
        yield qmail(later, f"delivery {town.delivery}: {text}")
        yield qmail(later + 0.00002, "status: local 0/100 remote 2/50")
    yield qmail(later + 0.0001, f"end msg {number}")


def spamd(town: Town, at: float, user: str) -> Iterator[Line]:
    pid, port = 900 + town.chance.randrange(20), town.chance.randint(30_000, 60_000)
    mid = f"<{at:.0f}.{port}@mail.example.org>"
    head = f"spamd[{pid}]: spamd: "
    yield at, f"{head}connection from localhost.localdomain [127.0.0.1] at port {port}"
    yield at, f"{head}handle_user unable to find user: '{user}'"
    yield at, f"{head}processing message {mid} for {user}:109"
    yield at + 2, f"{head}clean message (0.0/18.0) for {user}:109 in 2.0 seconds, 2050 bytes."
    yield (
        at + 2,
        f"{head}result: . 0 - AWL,BAYES_20 scantime=2.0,size=2050,user={user},uid=109,mid={mid},autolearn=no",
    )


def hour(town: Town, start: float, inbound: int) -> Iterator[Line]:
    """Everything honest that happens in one hour, and the noise of dictionary attacks."""
    draw = town.chance
    for _ in range(inbound):
        at, number = start + draw.uniform(0, 3590), draw.randrange(len(town.names))
        user = town.names[number]
        local = f"{user.partition('@')[2]}-{user}"
        yield from message(
            town, at, f"w{draw.randrange(10**6)}@sender{draw.randrange(900)}.example", [local], "local"
        )
        yield from spamd(town, at, user)
        if draw.random() < 0.3:
            place = draw.choice(town.places[number])
            yield login(town, at - 4, "submission", user, place)
            friends = [
                f"friend{draw.randrange(40)}.{number}@other.example" for _ in range(draw.randint(1, 3))
            ]
            yield from message(town, at, user, friends, "remote")
        for _ in range(8):
            number = draw.randrange(len(town.names))
            yield login(
                town,
                start + draw.uniform(0, 3590),
                "pop3",
                town.names[number],
                draw.choice(town.places[number]),
            )
        if draw.random() < 0.3:
            yield failure(
                town,
                at,
                "smtp",
                f"admin{draw.randrange(90)}@d01.example.net",
                town.address(),
                "vpopmail user not found",
            )


def botnet(town: Town, start: float, truth: Counter[str]) -> list[Line]:
    """A day of logins from many addresses, each with a message of twenty recipients."""
    bots = list({town.address() for _ in range(BOTS * 2)})[:BOTS]
    town.chance.shuffle(bots)
    visits = bots + bots[: BOTS // 14] + bots[:5]
    lines: list[Line] = []
    for number, bot in enumerate(visits):
        at = float(int(start + 86_000 * number / len(visits)))
        truth[bot] += 1
        lines.append(login(town, at, "submission", VICTIM, bot))
        victims = [
            f"v{town.chance.randrange(10**8)}@target{town.chance.randrange(500)}.example" for _ in range(20)
        ]
        lines.extend(message(town, at + town.chance.uniform(1, 12), VICTIM, victims, "remote"))
    return lines


def write(out: IO[str], args: argparse.Namespace) -> dict[str, Any]:
    town = Town(args.seed, args.accounts)
    bots: Counter[str] = Counter()
    attack_from = START.timestamp() + 86_400 * args.days * 0.6
    attack = sorted(botnet(town, attack_from, bots))
    hours = args.days * 24
    inbound = max(1, int((args.mb * 1e6 / LINE_BYTES - len(attack)) / hours / 24.3))
    lines = total = place = 0
    for number in range(hours):
        start = START.timestamp() + 3600 * number
        end = start + 3600
        upto = place
        while upto < len(attack) and attack[upto][0] < end:
            upto += 1
        batch = sorted([*hour(town, start, inbound), *attack[place:upto]])
        place = upto
        text = "".join(f"{stamp(at)} mx1 {tail}\n" for at, tail in batch)
        out.write(text)
        lines, total = lines + len(batch), total + len(text)
    return {
        "lines": lines, "bytes": total, "account": VICTIM,
        "logins": bots.total(), "distinct_addresses": len(bots),
        "logins_per_address": dict(sorted(Counter(bots.values()).items())),
        "attack_from": datetime.fromtimestamp(int(attack_from), UTC).astimezone(ZONE).isoformat(),
    }  # fmt: skip


def stamp(at: float) -> str:
    """As syslog prints it: no year, no zone, the day padded with a space."""
    when = datetime.fromtimestamp(at, ZONE)
    return f"{when:%b} {when.day:2d} {when:%H:%M:%S}"


def main() -> None:
    parser = argparse.ArgumentParser(
        description="Writes a big mail log from a seed; prints its truth as JSON."
    )
    parser.add_argument("file")
    parser.add_argument("--mb", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--accounts", type=int, default=2000)
    parser.add_argument("--days", type=int, default=7)
    args = parser.parse_args()
    with open(args.file, "w") as out:
        truth = write(out, args)
    json.dump(truth, sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    main()
