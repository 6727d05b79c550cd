"""The town's mail as sendmail 8.14 and 8.17 log it: a sign-in, then letters of the same process."""

from collections.abc import Iterable
from datetime import datetime

from cli.mailtown import Town

LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


class SendmailTown(Town):
    """`new`: the protocol says that its session had signed in (RFC 3848), as it does since 8.16. Who reads
    mail is not in this log."""

    def __init__(self, seed: int, start: datetime, *, new: bool = True) -> None:
        super().__init__(seed, start)
        self.new = new
        self.sessions: dict[str, tuple[int, str]] = {}

    def login(self, at: datetime, service: str, account: str, address: str) -> None:
        if service != "submission":
            return
        pid = self.pid()
        self.sessions[account] = pid, relay(self, address)
        self.say(
            at,
            f"sm-mta[{pid}]: AUTH=server, relay={self.sessions[account][1]}, authid={account},"
            f" mech={self.chance.choice(('PLAIN', 'LOGIN'))}, bits=0",
        )

    def failure(self, at: datetime, service: str, account: str, address: str, password: str = "") -> None:
        if service == "submission":
            self.say(
                at,
                f"sm-mta[{self.pid()}]: {self.name(1)}: AUTH failure (LOGIN): authentication failure (-13)"
                " SASL(-13): authentication failure: checkpass failed,"
                f" user={account}, relay={relay(self, address)}",
            )

    def message(self, at: datetime, sender: str, recipients: Iterable[str], refused: int = 0) -> None:
        recipients, (pid, where) = list(recipients), self.sessions[sender]
        name, protocol = self.name(pid), "ESMTPSA" if self.new else "ESMTP"
        self.say(
            at,
            f"sm-mta[{pid}]: {name}: from=<{sender}>, size={self.chance.randint(400, 90_000)}, class=0,"
            f" nrcpts={len(recipients)}, msgid=<{name}@{sender}, relay=x [198.51.100.66]>, proto={protocol},"
            f" daemon=MSP-v4, relay={where}",
        )
        good, bad = recipients[refused:], recipients[:refused]
        for several, said in (
            (good, "dsn=2.0.0, stat=Sent (ok 1352754085)"),
            (bad, "dsn=5.1.1, stat=User unknown"),
        ):
            if several:
                to = ",".join(f"<{recipient}>" for recipient in several)
                self.say(
                    at,
                    f"sm-mta[{pid + 1}]: {name}: to={to}, ctladdr=<{sender}> (1000/1000), delay=00:00:01,"
                    f" xdelay=00:00:01, mailer=esmtp, pri=121391, relay=mx.test. [203.0.113.6], {said}",
                )

    def name(self, pid: int) -> str:
        return "".join(self.chance.choices(LETTERS, k=8)) + f"{pid:06d}"


def relay(town: Town, address: str) -> str:
    if ":" in address:
        return f"[IPv6:{address}]"
    forged = " (may be forged)" if town.chance.random() < 0.3 else ""
    return f"host-{address.replace('.', '-')}.example.net [{address}]{forged}"
