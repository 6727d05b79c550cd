"""Writes log lines of vpopmail, qmail-send and spamd from a seed, and keeps its own truth about them.

Every form x service x log level x address family x hostile password occurs. Nothing here uses the parser:
what a line means is known because it was written so.
"""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import NamedTuple

SERVICES = ("smtp", "pop3", "imap", "smtps", "submission", "imaps", "pop3s", "webmail", "2525")
MECHANISMS = ("PLAIN", "CRAM-MD5", "APOP", "LOGIN", "")
V4 = "203.0.113.77"
V6 = "2001:db8:0:1::5"
ADDRESSES = (V4, V6, "::ffff:198.51.100.9", "2001:DB8::A")
TRUE_ADDRESSES = {"::ffff:198.51.100.9": "198.51.100.9", "2001:DB8::A": "2001:db8::a"}
"""How an address is spelt once it is read, where that differs."""

PASSWORDS = (
    "secret",
    "a succ b",
    "it's",
    "x:y:z",
    "a@b.example:192.0.2.66",
    "') boss@example.com:192.0.2.66",
    "login success boss@example.com:192.0.2.66",
    "vchkpw-submission: (PLAIN) login success boss@example.com:192.0.2.66",
    "(pass: 'x') boss@example.com:192.0.2.66",
    "#s#s#n",
    "пароль",
    "",
    " ",
)
MARK = "hunter2"
"""Stands in every password, so that a test can look for it in whatever comes out."""


class Told(NamedTuple):
    """What a vchkpw line says: None for `account` where it says nothing of an account."""

    text: str
    ok: bool
    service: str
    account: str
    address: str
    mechanism: str = ""
    why: str = ""


FAILURES = {
    "password fail": "password",
    "system password fail": "password",
    "vpopmail user not found": "unknown_user",
    "system user not found": "unknown_user",
    "system user shadow entry not found": "unknown_user",
    "user has no password": "denied",
    "pop access denied": "denied",
    "smtp access denied": "denied",
    "webmail access denied": "denied",
    "imap access denied": "denied",
    "invalid user/domain characters": "malformed",
    "null password given": "malformed",
}


def logins() -> Iterator[Told]:
    """Every form of vchkpw, at every level of its logging: failures or all, with passwords or without."""
    for service in SERVICES:
        for address in ADDRESSES:
            true = TRUE_ADDRESSES.get(address, address)
            for user in ("hello@example.com", "Hello.World+tag@Sub.Example.COM", "o'brien@example.net"):
                yield from _of(service, user, address, true)
            yield Told(
                f"vchkpw-{service}: null user name given :{address}",
                False,
                service,
                "",
                true,
                why="malformed",
            )


def _of(service: str, user: str, address: str, true: str) -> Iterator[Told]:
    head, who = f"vchkpw-{service}: ", user.lower()
    for mechanism in MECHANISMS:
        shown = f"({mechanism}) " if mechanism else ""
        yield Told(f"{head}{shown}login success {user}:{address}", True, service, who, true, mechanism)
    yield Told(f"{head}system password login success {user}:{address}", True, service, who, true, "system")
    for words, why in FAILURES.items():
        yield Told(f"{head}{words} {user}:{address}", False, service, who, true, why=why)
    for words in ("password fail", "system password fail"):
        for password in PASSWORDS:
            for shown in (password + MARK, MARK + password):
                text = f"{head}{words} (pass: '{shown}') {user}:{address}"
                yield Told(text, False, service, who, true, why="password")


class Clock:
    """Headers of one host's log, in one style, from a moment on."""

    def __init__(self, style: str, start: datetime, host: str = "mx1") -> None:
        self.style, self.host = style, host
        self.zone = start.tzinfo or UTC
        self.at = start

    def later(self, seconds: float) -> datetime:
        self.at += timedelta(seconds=seconds)
        return self.at

    def header(self) -> str:
        if self.style == "iso":
            return f"{self.at.replace(microsecond=0).isoformat()} {self.host} "
        if self.style == "priority":
            return f"<22>{self.at:%b} {self.at.day:2d} {self.at:%H:%M:%S} {self.host} "
        if self.style == "freebsd":
            return f"{self.at:%b} {self.at.day:2d} {self.at:%H:%M:%S} <mail.info> {self.host} "
        return f"{self.at:%b} {self.at.day:2d} {self.at:%H:%M:%S} {self.host} "

    def epoch(self) -> str:
        """splogger's stamp of this moment."""
        return f"{micros(self.at) / 1e6:.6f}"

    def tai(self) -> str:
        """multilog's stamp: 2^62 + 10 s + Unix time, then nanoseconds."""
        whole, part = divmod(micros(self.at), 1_000_000)
        return f"@{2**62 + 10 + whole:016x}{part * 1000:08x}"


def micros(at: datetime) -> int:
    whole = at.replace(microsecond=0)
    return int(whole.timestamp()) * 1_000_000 + at.microsecond


STYLES = ("classic", "iso", "priority", "freebsd")


class Letter(NamedTuple):
    """What one message's lines say."""

    number: int
    sender: str
    size: int
    recipients: int
    delivered: int
    failed: int
    deferred: int


def letter(chance: random.Random, clock: Clock, number: int, first_delivery: int) -> tuple[list[str], Letter]:
    """A message's life as qmail-send tells it through splogger, and what became of it."""
    sender = chance.choice(("user@example.com", "", "list-owner@example.org", "<odd> one@example.net"))
    size, results = chance.randint(200, 99_000), [chance.choice("sfd") for _ in range(chance.randint(1, 6))]
    said = [
        f"new msg {number}",
        f"info msg {number}: bytes {size} from <{sender}> qp {chance.randint(300, 30000)} uid 89",
    ]
    words = {
        "s": "success: 192.0.2.25_accepted_message./Remote_host_said:_250_ok/",
        "f": "failure: 192.0.2.25_does_not_like_recipient./Remote_host_said:_550_no/",
        "d": "deferral: Sorry,_I_wasn't_able_to_establish_an_SMTP_connection._(#4.4.1)/",
    }
    for place, result in enumerate(results):
        delivery = first_delivery + place
        kind = chance.choice(("remote", "local example.net-"))
        to = f"{kind}{' ' if kind == 'remote' else ''}r{place}@example.net"
        said.append(f"starting delivery {delivery}: msg {number} to {to}")
        said.append(f"status: local 1/10 remote {place}/20")
        said.append(f"delivery {delivery}: {words[result]}")
    if "d" not in results:
        said.append(f"end msg {number}")
    lines = []
    for text in said:
        clock.later(chance.uniform(0.0001, 0.4))
        lines.append(f"{clock.header()}qmail: {clock.epoch()} {text}")
    counts = (results.count("s"), results.count("f"), results.count("d"))
    return lines, Letter(number, sender.lower(), size, len(results), *counts)


def spam(chance: random.Random, clock: Clock) -> list[str]:
    """spamd's five forms, as old and as new versions print them."""
    old = chance.random() < 0.5
    user, port = "hello@example.com", chance.randint(1025, 65000)
    connection = f"[127.0.0.1] at port {port}" if old else f"[127.0.0.1]:{port} to port 783, fd 5"
    handle = (
        "handle_user" if old else f"handle_user ({chance.choice(('getpwnam', 'userdir', 'sql', 'ldap'))})"
    )
    rest = (
        f"uid=109,required_score=18.0,rhost=localhost,raddr=127.0.0.1,rport={port},"
        f"mid=<{port}@mail.example.com>,bayes=0.09,autolearn=disabled"
    )
    texts = (
        f"connection from localhost {connection}",
        f"{handle} unable to find user: '{user}'",
        f"processing message <{port}@mail.example.com> for {user}:109",
        f"clean message (0.0/18.0) for {user}:109 in 5.9 seconds, 2050 bytes.",
        f"result: . 0 - AWL,BAYES_20 scantime=5.9,size=2050,user={user},{rest}",
    )
    return [f"{clock.header()}spamd[937]: spamd: {text}" for text in texts]


NOISE = (
    "kernel: [12345.678] eth0: link up",
    "vpopmail[77]: vchkpw-pop3: setuid: permission denied",
    "vpopmail[77]: vchkpw-pop3: password fail (pass: 'hunter2 cut off in the mid",
    "postfix/smtpd[99]: connect from unknown[192.0.2.1]",
    "",
    "\\x00\\xff",
)


def mixed(seed: int, style: str = "classic", count: int = 300) -> bytes:
    """A log of everything, in one style of header, with noise between."""
    chance = random.Random(seed)
    zone = timezone(timedelta(minutes=chance.choice((-480, -210, 0, 330, 540, 765))))
    clock = Clock(style, datetime(chance.randint(2001, 2026), chance.randint(1, 12), 20, tzinfo=zone))
    every = list(logins())
    lines: list[str] = []
    delivery = 1
    for number in range(count):
        clock.later(chance.uniform(0, 400))
        match chance.randrange(5):
            case 0:
                said, told = letter(chance, clock, 1000 + number % 40, delivery)
                delivery += told.recipients
                lines += said
            case 1:
                lines += spam(chance, clock)
            case 2:
                lines.append(clock.header() + chance.choice(NOISE))
            case _:
                lines.append(
                    f"{clock.header()}vpopmail[{chance.randint(2, 32000)}]: {chance.choice(every).text}"
                )
    return "\n".join(lines).encode("utf-8", "surrogateescape") + b"\n"
