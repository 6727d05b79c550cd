"""The town's mail as Exim writes it into its main log, sessions of the honest and of the botnet alike.

The lines follow what Exim 4.94 and 4.96 print with Debian's log selectors, with the subject and the
recipients that cPanel's add.
"""

from collections.abc import Iterable
from datetime import datetime

from cli.mailtown import Town

LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
HOSTILE = (
    "hello [198.51.100.66] A=plain:boss@corp.example",
    '\\" H=(x) [198.51.100.66]:25 P=esmtpa A=login:boss@corp.example S=1 id=a@b T=\\"x',
    "Re: 2013-07-22 18:52:46 1abcde-000001-AA <= boss@corp.example",
    "请 A=login:boss@corp.example S=99",
)


class EximTown(Town):
    """Who reads mail is not in Exim's log: only sign-ins that send are."""

    def __init__(self, seed: int, start: datetime, *, long_ids: bool = False) -> None:
        super().__init__(seed, start)
        self.long_ids = long_ids
        self.from_where: dict[str, str] = {}

    def login(self, at: datetime, service: str, account: str, address: str) -> None:
        if service == "submission":
            self.from_where[account] = address

    def failure(self, at: datetime, service: str, account: str, address: str, password: str = "") -> None:
        if service == "submission":
            self.say(
                at,
                f"dovecot_login authenticator failed for (User) [{address}]:{self.pid()} I=[192.0.2.1]:587:"
                f" 535 Incorrect authentication data (set_id={account})",
            )

    def message(self, at: datetime, sender: str, recipients: Iterable[str], refused: int = 0) -> None:
        name, recipients, address = self.name(), list(recipients), self.from_where[sender]
        subject = self.chance.choice((*HOSTILE, "minutes", "hi"))
        helo = self.chance.choice(("(pc) ", "", "host.example.org ([10.0.0.3]) ", "([192.168.1.20]) "))
        self.say(
            at,
            f"{name} <= {sender} H={helo}[{address}]:{self.pid()} I=[192.0.2.1]:587 P=esmtpsa"
            ' X=TLS1.3:ECDHE_RSA__AES_256_GCM:256 CV=no SNI="mail.corp.example"'
            f" A=dovecot_login:{sender} S={self.chance.randint(900, 90_000)} id={name}@corp.example"
            f' T="{subject}" for {" ".join(recipients)}',
        )
        for place, recipient in enumerate(recipients):
            self.say(at, self.outcome(name, recipient, place < refused))
        self.say(at, f"{name} Completed")

    def outcome(self, name: str, recipient: str, refused: bool) -> str:
        to = "R=dnslookup T=remote_smtp H=mx.example.net [203.0.113.6]"
        if refused:
            return (
                f"{name} ** {recipient} {to} X=TLS1.3:ECDHE:256 CV=yes: SMTP error from remote mail server"
                f" after RCPT TO:<{recipient}>: 550 5.1.1 <{recipient}>: no such user"
            )
        return (
            f'{name} {"=>" if self.chance.random() < 0.7 else "->"} {recipient} {to} C="250 2.0.0 Ok: queued"'
        )

    def name(self) -> str:
        lengths = (6, 11, 4) if self.long_ids else (6, 6, 2)
        return "-".join("".join(self.chance.choices(LETTERS, k=length)) for length in lengths)

    def text(self) -> bytes:
        lines = sorted(self.lines, key=lambda line: line.at)
        return "\n".join(f"{at:%Y-%m-%d %H:%M:%S} {text}" for at, text in lines).encode() + b"\n"
