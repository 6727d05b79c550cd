"""Writes the log of a Postfix and Dovecot house from a seed, with stolen passwords in it, and its truth.

    python -m bench.postfixlog FILE [--mb 200] [--seed 1] [--accounts 300] [--days 20] [--stamps iso]

People and thieves are those of `sekisho simulate`; here they are told as syslog would tell of them: doors,
queue ids, a content filter that gives messages back, deferrals, and the noise of strangers who guess.
"""

import argparse
import heapq
import json
import random
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import IO, Any

from msgspec import Struct, field

from sekisho.lab import raids
from sekisho.lab.attacks import Pace
from sekisho.lab.places import Find
from sekisho.lab.traffic import Scale, Traffic
from sekisho.lab.visits import SECOND, Letter, Visit
from sekisho.store import networktable

ZONE = timezone(timedelta(hours=2))
HOST = "mx1"
FILTER = "127.0.0.1[127.0.0.1]:10024"
KINDS = ("botnet", "ten-per-twelve-hours", "imap-replay", "residential", "one-ip-blast")
SHORT, LONG = "0123456789ABCDEF", "0123456789BCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxy"
INBOUND_PER_VISIT = 3
NOISE_SHARE = 0.4
Line = tuple[int, int, str]


class Order(Struct, frozen=True):
    """`filtered`: every message goes through a content filter. `stamps`: classic or iso."""

    seed: int = 1
    accounts: int = 300
    learning: int = 14
    days: int = 6
    each: int = 1
    filtered: bool = True
    long_ids: bool = False
    stamps: str = "classic"
    inbound: int = INBOUND_PER_VISIT


class Theft(Struct):
    """What one thief really did: his sign-ins and messages, not the owner's."""

    kind: str
    logins: int = 0
    addresses: Counter[str] = field(default_factory=Counter)
    messages: int = 0
    recipients: int = 0
    refused: int = 0
    first: int = 0
    last: int = 0


class House:
    """The daemons, with the numbers that they print. Lines come out in order of time, by `upto`."""

    def __init__(self, order: Order) -> None:
        self.order = order
        self.chance = random.Random(f"postfix {order.seed}")
        self.thefts: dict[str, Theft] = {}
        self._lines: list[Line] = []
        self._count = 0
        self._ident = 0

    def say(self, at: int, program: str, text: str) -> None:
        self._count += 1
        heapq.heappush(self._lines, (at, self._count, f"{program}: {text}"))

    def upto(self, at: int) -> Iterator[tuple[int, str]]:
        while self._lines and self._lines[0][0] < at:
            when, _, text = heapq.heappop(self._lines)
            yield when, text

    def pid(self) -> int:
        return self.chance.randint(900, 32_000)

    def ident(self) -> str:
        self._ident += 1
        if self.order.long_ids:
            return "4" + "".join(self.chance.choices(LONG, k=8)) + "z" + f"{self._ident:x}".translate(VOWELS)
        return f"{self._ident % 0xFFFFF:05X}" + "".join(self.chance.choices(SHORT, k=5))

    def visit(self, visit: Visit) -> None:
        self._count_theft(visit)
        if visit.service != "submission":
            self._door(visit)
        if visit.service != "imap" and (visit.letters or visit.wrong):
            self._submission(visit)

    def _count_theft(self, visit: Visit) -> None:
        theft = self.thefts.get(visit.account)
        if visit.by != "attack" or theft is None or not visit.right:
            return
        theft.logins += bool(visit.letters) if visit.service == "submission" else 1 + bool(visit.letters)
        theft.addresses[visit.address] += 1
        theft.first = theft.first or visit.at
        theft.last = visit.at
        theft.messages += len(visit.letters)
        theft.recipients += sum(len(letter.recipients) for letter in visit.letters)
        theft.refused += sum(len(letter.refused) for letter in visit.letters)

    def _door(self, visit: Visit) -> None:
        """IMAP: wrong passwords with the authentication server's word for each, then the right one."""
        at, session = visit.at, "".join(self.chance.choices(SHORT, k=10))
        tail = f"rip={visit.address}, lip=203.0.113.1, TLS, session=<{session}>"
        for _ in range(visit.wrong):
            self.say(
                at, f"dovecot: auth-worker({self.pid()})",
                f"sql({visit.account},{visit.address},<{session}>): Password mismatch",
            )  # fmt: skip
            at += 2 * SECOND
            self.say(
                at, "dovecot: imap-login",
                f"Disconnected (auth failed, 1 attempts in 2 secs): user=<{visit.account}>,"
                f" method=PLAIN, {tail}",
            )  # fmt: skip
        if visit.right:
            number = self.pid()
            self.say(at, "dovecot: imap-login", f"Login: user=<{visit.account}>, method=PLAIN, {tail}")
            self.say(
                at + self.chance.randint(1, 900) * SECOND,
                f"dovecot: imap({visit.account})<{number}><{session}>",
                f"Disconnected: Logged out in={number} out={number * 3}",
            )  # fmt: skip

    def _submission(self, visit: Visit) -> None:
        door, number = "postfix/submission/smtpd", self.pid()
        program, place = f"{door}[{number}]", f"unknown[{visit.address}]"
        at = visit.at
        self.say(at, program, f"connect from {place}")
        for _ in range(visit.wrong):
            why = f"authentication failure, sasl_username={visit.account}"
            self.say(at, program, f"warning: {place}: SASL PLAIN authentication failed: {why}")
            at += 2 * SECOND
        sent = 0
        for letter in visit.letters if visit.right else ():
            ident = self.ident()
            self.say(at, program, f"{ident}: client={place}, sasl_method=PLAIN,"
            f" sasl_username={visit.account}")
            self._message(at + SECOND // 10, ident, letter)
            at += int(max(1.0, visit.pause_s) * SECOND)
            sent += 1
        good = "auth=1" if visit.right else f"auth=0/{visit.wrong}"
        self.say(
            at, program, f"disconnect from {place} ehlo=2 starttls=1 {good} mail={sent} data={sent}"
            f" quit=1 commands=9"
        )

    def _message(self, at: int, ident: str, letter: Letter) -> None:
        count = len(letter.recipients)
        self._taken(at, ident, letter.sender, (letter.size, count))
        if self.order.filtered:
            second, begin = self.ident(), at + self.chance.randint(1, 30) * SECOND // 10
            program = f"postfix/smtpd[{self.pid()}]"
            self.say(begin, program, "connect from localhost[127.0.0.1]")
            self.say(begin, program, f"{second}: client=localhost[127.0.0.1]")
            self._taken(begin, second, letter.sender, (letter.size + 400, count))
            self.say(begin, program, "disconnect from localhost[127.0.0.1] ehlo=1 mail=1 rcpt=1 data=1"
            " commands=4")
            answer = f"250 2.0.0 from MTA(smtp:[127.0.0.1]:10025): 250 2.0.0 Ok: queued as {second}"
            for recipient in letter.recipients:
                self._result(begin, ident, (recipient, FILTER), ("2.0.0", "sent", answer))
            self.say(begin, "postfix/qmgr[900]", f"{ident}: removed")
            at, ident = begin, second
        self._deliver(at + int(letter.after_s * SECOND), ident, letter)

    def _taken(self, at: int, ident: str, sender: str, told: tuple[int, int]) -> None:
        self.say(at, f"postfix/cleanup[{self.pid()}]", f"{ident}: message-id=<{at}.{ident}@client.example>")
        self.say(at, "postfix/qmgr[900]", f"{ident}: from=<{sender}>, size={told[0]}, nrcpt={told[1]}"
        f" (queue active)")

    def _deliver(self, at: int, ident: str, letter: Letter) -> None:
        end = at
        for recipient in letter.recipients:
            host = f"mx.{recipient.partition('@')[2]}[198.51.100.{self.chance.randint(1, 250)}]"
            relay = f"{host}:25"
            if recipient in letter.refused:
                told = f"host {host} said: 550 5.1.1 <{recipient}>: no such user (in reply to RCPT TO"
                " command)"
                self._result(at, ident, (recipient, relay), ("5.1.1", "bounced", told))
                continue
            when = at
            if recipient in letter.deferred:
                told = f"host {host} said: 450 4.2.0 Greylisted (in reply to RCPT TO command)"
                self._result(at, ident, (recipient, relay), ("4.2.0", "deferred", told))
                when = at + int(letter.retry_s * SECOND)
            told = f"250 2.0.0 Ok: queued as {''.join(self.chance.choices(SHORT, k=10))}"
            self._result(when, ident, (recipient, relay), ("2.0.0", "sent", told))
            end = max(end, when)
        if letter.refused:
            report = self.ident()
            self.say(end, f"postfix/bounce[{self.pid()}]", f"{ident}: sender non-delivery notification:"
            f" {report}")
            self._taken(end, report, "", (letter.size + 2000, 1))
            self._saved(end, report, letter.sender)
        self.say(end, "postfix/qmgr[900]", f"{ident}: removed")

    def _result(self, at: int, ident: str, where: tuple[str, str], told: tuple[str, str, str]) -> None:
        to, relay = where
        dsn, status, reply = told
        self.say(
            at, f"postfix/smtp[{self.pid()}]",
            f"{ident}: to=<{to}>, relay={relay}, delay=1.2, delays=0.1/0/0.5/0.6, dsn={dsn},"
            f" status={status} ({reply})",
        )  # fmt: skip

    def _saved(self, at: int, ident: str, to: str) -> None:
        reply = f"250 2.0.0 <{to}> {ident}x Saved"
        self.say(
            at, f"postfix/lmtp[{self.pid()}]",
            f"{ident}: to=<{to}>, relay={HOST}[private/dovecot-lmtp], delay=0.1, delays=0/0/0/0.1, dsn=2.0.0,"
            f" status=sent ({reply})",
        )  # fmt: skip
        self.say(at, f"dovecot: lmtp({to})<77><{ident}>", "msgid=<x@y.example>: saved mail to INBOX")
        self.say(at, "postfix/qmgr[900]", f"{ident}: removed")

    def inbound(self, at: int, to: str) -> None:
        """Mail from outside: taken in and saved, or turned away."""
        draw = self.chance
        number, ident = self.pid(), self.ident()
        address = ".".join(str(draw.randint(20, 220)) for _ in range(4))
        program, place = f"postfix/smtpd[{number}]", f"mail{draw.randrange(400)}.sender.example[{address}]"
        sender = f"w{draw.randrange(10**6)}@sender{draw.randrange(900)}.example"
        self.say(at, program, f"connect from {place}")
        if draw.random() < NOISE_SHARE:
            self._noise(at, program, (place, address))
        else:
            self.say(at, program, f"{ident}: client={place}")
            self._taken(at, ident, sender, (draw.randint(900, 90_000), 1))
            self._saved(at + SECOND, ident, to)
        self.say(at + 2 * SECOND, program, f"disconnect from {place} ehlo=1 mail=1 rcpt=1 data=1 quit=1"
        f" commands=5")

    def _noise(self, at: int, program: str, place: tuple[str, str]) -> None:
        draw = self.chance
        user = f"{draw.choice(('admin', 'info', 'test', 'sales'))}{draw.randrange(90)}@example.com"
        if draw.random() < 0.5:
            self.say(
                at, program,
                f"NOQUEUE: reject: RCPT from {place[0]}: 554 5.7.1 Service unavailable; Client host"
                f" [{place[1]}]"
                f" blocked using bl.example; from=<a@b.example> to=<{user}> proto=ESMTP helo=<x>",
            )  # fmt: skip
            return
        self.say(at, f"dovecot: auth-worker({self.pid()})", f"sql({user},{place[1]}): unknown user")
        self.say(at + SECOND, program, f"warning: {place[0]}: SASL LOGIN authentication failed: UGFzc3dvcmQ6")


VOWELS = str.maketrans("ae", "pq")


def lines(order: Order, find: Find) -> Iterator[tuple[int, str] | dict[str, Theft]]:
    """The lines in order of time; the last thing given is what the thieves did, by account."""
    scale = Scale(order.accounts, order.learning, order.days)
    traffic = Traffic(order.seed, scale, find)
    rng = random.Random(f"thieves {order.seed}")
    plan = raids.draw(traffic, KINDS, order.each, rng)
    house = House(order)
    for one in plan:
        house.thefts.update({person.account: Theft(one.kind) for person in one.victims})
    names = [person.account for person in traffic.people]
    for visit in raids.mixed(traffic, plan, Pace(), rng):
        yield from house.upto(visit.at)
        house.visit(visit)
        for _ in range(order.inbound):
            house.inbound(visit.at + house.chance.randrange(600) * SECOND, house.chance.choice(names))
    yield from house.upto(2**62)
    yield house.thefts


def write(out: IO[str], order: Order, find: Find, most: int = 2**62) -> dict[str, Any]:
    """Writes the log, `most` bytes of it at most, and says what is in it."""
    count = total = 0
    thefts: dict[str, Theft] = {}
    minute, head = -1, ""
    for told in lines(order, find):
        if isinstance(told, dict):
            thefts = told
            break
        at, text = told
        if at // SECOND != minute:
            minute = at // SECOND
            head = stamp(minute, order.stamps)
        line = f"{head} {HOST} {text}\n"
        out.write(line)
        count, total = count + 1, total + len(line)
        if total >= most:
            break
    return {"lines": count, "bytes": total, "thefts": {name: _told(theft) for name, theft in thefts.items()}}


def _told(theft: Theft) -> dict[str, Any]:
    return {
        "kind": theft.kind, "logins": theft.logins, "distinct_addresses": len(theft.addresses),
        "messages": theft.messages, "recipients": theft.recipients, "bounced": theft.refused,
        "first": _shown(theft.first), "last": _shown(theft.last),
    }  # fmt: skip


def _shown(at: int) -> str:
    return datetime.fromtimestamp(at // SECOND, UTC).astimezone(ZONE).isoformat()


def stamp(second: int, style: str) -> str:
    when = datetime.fromtimestamp(second, ZONE)
    return when.isoformat() if style == "iso" else f"{when:%b} {when.day:2d} {when:%H:%M:%S}"


def main() -> None:
    parser = argparse.ArgumentParser(description="Writes a Postfix and Dovecot log; prints its truth as"
    " JSON.")
    parser.add_argument("file")
    parser.add_argument("--mb", type=int, default=0, help="stop after so many megabytes; then no truth"
    " is told")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--accounts", type=int, default=300)
    parser.add_argument("--days", type=int, default=6)
    parser.add_argument("--stamps", choices=("classic", "iso"), default="classic")
    args = parser.parse_args()
    order = Order(args.seed, args.accounts, days=args.days, stamps=args.stamps)
    with open(args.file, "w") as out:
        truth = write(out, order, networktable.built_in().find, args.mb * 1_000_000 or 2**62)
    json.dump(truth, sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    main()
