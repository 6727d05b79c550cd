"""Writes what happens in the simulated house as Exim or sendmail would log it, and its map as a CSV.

The people, their journeys and the thieves are the lab's (`sekisho simulate`); here they only get another
voice. A sign-in to read mail is Dovecot's, if it is logged at all.
"""

import random
from collections.abc import Iterable, Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import NamedTuple

from sekisho.lab import raids
from sekisho.lab.attacks import Pace
from sekisho.lab.places import MadeUp
from sekisho.lab.play import events
from sekisho.lab.traffic import Scale, Traffic
from sekisho.model.event import Accepted, DeliveryTried, Event, LoginTried

SENDING = ("submission", "smtp", "submissions", "smtps")
REFUSED = "550 5.1.1 no such user"


class Told(NamedTuple):
    """What really happened: whose password was stolen, by attack, and the moment of the first theft."""

    stolen: dict[str, str]
    accounts: int
    kinds: dict[str, str]


def happenings(seed: int, scale: Scale, kinds: tuple[str, ...], each: int) -> tuple[list[Event], Told]:
    find = MadeUp(seed).find
    traffic = Traffic(seed, scale, find)
    rng = random.Random(f"raids {seed}")
    planned = raids.draw(traffic, kinds, each, rng)
    stolen = {person.account: one.kind for one in planned for person in one.victims}
    happened = list(events(raids.mixed(traffic, planned, Pace(), rng), find))
    return happened, Told(
        stolen, len(traffic.people), {person.account: person.kind for person in traffic.people}
    )


def write_map(path: Path, seed: int) -> None:
    """The invented plan of addresses, as an operator's own table of networks."""
    plan = MadeUp(seed)
    with path.open("w") as file:
        for start in range(1 << 16):
            first = f"{start >> 8}.{start & 255}.0.0"
            try:
                network = plan.find(first[:-3] + "1.1")
            except ValueError:
                continue
            if network.place:
                file.write(f"{first}/16,,{network.asn},{network.country},{network.name}\n")


class Scribe:
    """One line of log for each thing that the server would write down."""

    def __init__(self, zone: timezone) -> None:
        self.zone = zone
        self.sessions: dict[str, LoginTried] = {}
        self.rng = random.Random(1)

    def lines(self, happened: Iterable[Event]) -> Iterator[str]:
        for event in happened:
            match event:
                case LoginTried():
                    yield from self.login(event)
                case Accepted() if event.account:
                    yield from self.letter(event)
                case DeliveryTried() if event.account:
                    yield from self.result(event)

    def when(self, at: int) -> datetime:
        return datetime.fromtimestamp(at / 1e6, self.zone)

    def login(self, event: LoginTried) -> Iterator[str]:
        if event.service in SENDING:
            yield from self.sent_with(event)
        elif event.ok:
            yield self.dovecot(
                event,
                (
                    f"Login: user=<{event.account}>, method=PLAIN, rip={event.address},"
                    " lip=192.0.2.1, mpid=7, TLS"
                ),
            )
        else:
            yield self.dovecot(
                event,
                f"Aborted login (auth failed, 1 attempts in 2 secs): user=<{event.account}>,"
                " method=PLAIN,"
                f" rip={event.address}, lip=192.0.2.1, TLS",
            )

    def dovecot(self, event: LoginTried, text: str) -> str:
        return f"{self.syslog(event.at)}dovecot: imap-login: {text}, session=<{event.id[-12:]}>"

    def syslog(self, at: int) -> str:
        when = self.when(at)
        return f"{when:%b} {when.day:2d} {when:%H:%M:%S} mx1 "

    def sent_with(self, event: LoginTried) -> Iterator[str]:
        raise NotImplementedError

    def letter(self, event: Accepted) -> Iterator[str]:
        raise NotImplementedError

    def result(self, event: DeliveryTried) -> Iterator[str]:
        raise NotImplementedError


class EximScribe(Scribe):
    """`mainlog`; a sign-in shows in the letter only."""

    def name(self, message: str) -> str:
        code = random.Random(message).getrandbits(62)
        text = f"{code:016x}"
        return f"1{text[:5]}-{text[5:11]}-{text[11:13]}"

    def stamp(self, at: int) -> str:
        return f"{self.when(at):%Y-%m-%d %H:%M:%S} "

    def sent_with(self, event: LoginTried) -> Iterator[str]:
        if not event.ok:
            yield (
                f"{self.stamp(event.at)}plain_server authenticator failed for (pc) [{event.address}]:4711:"
                f" 535 Incorrect authentication data (set_id={event.account})"
            )

    def letter(self, event: Accepted) -> Iterator[str]:
        yield (
            f"{self.stamp(event.at)}{self.name(event.message)} <= {event.sender or '<>'} H=(pc)"
            f" [{event.address}]:4711"
            f" P=esmtpsa X=TLS1.3:TLS_AES_256_GCM_SHA384:256 CV=no A=plain_server:{event.account}"
            f" S={event.size or 900}"
            f" id={event.message}@x.test"
        )

    def result(self, event: DeliveryTried) -> Iterator[str]:
        head = f"{self.stamp(event.at)}{self.name(event.message)}"
        way = f"{event.recipient} R=dnslookup T=remote_smtp"
        match event.result:
            case "delivered":
                yield f'{head} => {way} H=mx.example.net [203.0.113.6] C="250 ok"'
            case "failed":
                yield (
                    f"{head} ** {way} H=mx.example.net [203.0.113.6]: SMTP error from remote mail"
                    f" server: {REFUSED}"
                )
            case _:
                yield f"{head} == {way} defer (-53): retry time not reached for any host"


class SendmailScribe(Scribe):
    """`maillog`: the sign-in, then the letter by the same process."""

    def name(self, message: str) -> str:
        code = random.Random(message).getrandbits(40)
        return f"s{code % 10**7:07d}{code % 30_000 + 300:06d}"

    def sent_with(self, event: LoginTried) -> Iterator[str]:
        pid = self.pid(event.id)
        if event.ok:
            yield (
                f"{self.syslog(event.at)}sm-mta[{pid}]: AUTH=server, relay={self.relay(event.address)},"
                f" authid={event.account}, mech=PLAIN, bits=0"
            )
        else:
            yield (
                f"{self.syslog(event.at)}sm-mta[{pid}]: x12345678{pid:06d}: AUTH failure (PLAIN):"
                " authentication failure (-13)"
                f" SASL(-13): authentication failure: checkpass failed, user={event.account},"
                f" relay={self.relay(event.address)}"
            )

    def pid(self, ident: str) -> int:
        return random.Random(ident).randrange(300, 4_000_000)

    def relay(self, address: str) -> str:
        return f"[IPv6:{address}]" if ":" in address else f"host.example.net [{address}]"

    def letter(self, event: Accepted) -> Iterator[str]:
        yield (
            f"{self.syslog(event.at)}sm-mta[{self.pid(event.login)}]: {self.name(event.message)}:"
            f" from=<{event.sender}>,"
            f" size={event.size or 900}, class=0, nrcpts={event.recipient_count},"
            f" msgid=<{event.message}@x.test>,"
            f" proto=ESMTPSA, daemon=MSA, relay={self.relay(event.address)}"
        )

    def result(self, event: DeliveryTried) -> Iterator[str]:
        said = {
            "delivered": "dsn=2.0.0, stat=Sent (ok)", "failed": (f"dsn=5.1.1, reply={REFUSED}, stat=User"
                " unknown"),
        }.get(event.result, "dsn=4.0.0, stat=Deferred: Connection refused by mx.example.net.")  # fmt: skip
        yield (
            f"{self.syslog(event.at)}sm-mta[77]: {self.name(event.message)}: to=<{event.recipient}>,"
            f" ctladdr=<{event.account}> (1000/1000), delay=00:00:02, xdelay=00:00:01, mailer=esmtp, pri=1,"
            f" relay=mx.example.net. [203.0.113.6], {said}"
        )
