"""A small world for the guard's tests: a made-up table of networks, and an account whose days go by."""

from collections.abc import Sequence
from itertools import count

from sekisho.guard.guard import Guard
from sekisho.guard.network_csv import read_rows
from sekisho.guard.networks import NetworkTable
from sekisho.guard.packing import pack
from sekisho.model import config
from sekisho.model.event import Accepted, DeliveryTried, Event, LoginTried, RecipientGiven
from sekisho.model.incident import Finding, Grade, Standing
from sekisho.model.verdict import Reply

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
START = 1_374_000_000 * SECOND

OWNER = "hello@example.com"
HOME, PHONE, OFFICE = "60.1.1.10", "61.1.1.10", "62.1.1.10"
HOTEL, CAFE, AIRPORT = "90.1.1.10", "90.33.1.10", "90.65.1.10"

ROWS = """\
60.0.0.0/8,,2516,JP,Home Line
61.0.0.0/8,,9605,JP,Phone Net
62.0.0.0/8,,2497,JP,Office Fibre
63.0.0.0/8,,4713,JP,Another Line
64.0.0.0/8,,17676,JP,Third Line
90.0.0.0/11,,3215,FR,Hotel Telecom
90.32.0.0/11,,12322,FR,Cafe Telecom
90.64.0.0/11,,15557,FR,Airport Telecom
90.96.0.0/11,,5410,FR,Friend Telecom
91.0.0.0/8,,3320,DE,German Telecom
93.0.0.0/8,,6697,BY,Beltelecom
94.0.0.0/8,,15895,UA,Kyivstar
95.0.0.0/8,,8866,BG,Vivacom
5.0.0.0/8,,24940,DE,Hetzner Online GmbH
6.0.0.0/8,,64501,NL,Fast Servers Ltd
2a00::/16,,2516,JP,Home Line
2b00::/16,,6697,BY,Beltelecom
"""
UPPER = (*range(140, 169), *range(173, 184))
WORLD = tuple(
    f"{first},,{64600 + place},{chr(65 + place // 26)}{chr(65 + place % 26)},Provider {place}"
    for place, first in enumerate(f"{upper}.{lower}.0.0/10" for upper in UPPER for lower in (0, 64, 128, 192))
)
"""160 more providers in as many countries."""

TABLE = NetworkTable(pack(read_rows([*ROWS.splitlines(), *WORLD])))
NO_TABLE = NetworkTable()


def bot(number: int) -> str:
    """The address of the n-th bot: each in another network and country, for 160 of them."""
    place = number * 37 % 160
    return f"{UPPER[place // 4]}.{place % 4 * 64 + number // 160 % 60}.{number % 251}.{1 + number % 250}"


class Town:
    """A guard and what befalls it. `at` is the present; every event happens a microsecond later."""

    def __init__(self, settings: config.Guard | None = None, table: NetworkTable = TABLE) -> None:
        self.guard = Guard(settings or config.Guard(), table)
        self.at = START
        self.findings: list[Finding] = []
        self._numbers = count(1)
        self.fed: list[Event] = []

    def wait(self, time: int) -> "Town":
        self.at += time
        return self

    def login(self, address: str, account: str = OWNER, **more: object) -> Standing:
        return self._judge(
            LoginTried(**self._traits(address, account, more), **{"service": "submission", "ok": True} | more)
        )

    def read(self, address: str, account: str = OWNER, **more: object) -> Standing:
        return self.login(address, account, service="imap", **more)

    def fails(self, address: str, account: str = OWNER) -> None:
        self._observe(
            LoginTried(**self._traits(address, account, {}), service="submission", ok=False, why="password")
        )

    def names(self, address: str, recipient: str, account: str = OWNER, **more: object) -> Standing:
        return self._judge(
            RecipientGiven(**self._traits(address, account, more), sender=account, recipient=recipient)
        )

    def letter(
        self, address: str, recipients: Sequence[str], account: str = OWNER, **more: object
    ) -> Standing:
        """Every recipient is judged, then the whole; returns the last word."""
        session = f"session {next(self._numbers)}"
        for recipient in recipients:
            self.names(address, recipient, account, session=session)
        traits = self._traits(address, account, {"session": session} | more)
        self.message = traits["id"]
        return self._judge(
            Accepted(
                **traits,
                message=self.message,
                sender=account,
                recipients=tuple(recipients[:100]),
                recipient_count=len(recipients),
            )
        )

    def sends(
        self, address: str, recipients: Sequence[str], account: str = OWNER, **more: object
    ) -> Standing:
        """Login and letter; what is refused at the login sends nothing."""
        standing = self.login(address, account, **more)
        return standing if standing.treatment == "refuse" else self.letter(address, recipients, account)

    def result(
        self, address: str, recipient: str, reply: str = "", account: str = OWNER, **more: object
    ) -> None:
        """`reply` as in "550 5.1.1 unknown"; "" is delivered."""
        code, _, text = reply.partition(" ")
        status, _, text = text.partition(" ") if text[:2] in ("5.", "4.") else ("", "", text)
        number = int(code or 250)
        result = "delivered" if number < 400 else "deferred" if number < 500 else "failed"
        cause = "" if number < 400 else "4yz" if number < 500 else "5yz"
        self._observe(
            DeliveryTried(
                **self._traits(address, account, {}),
                message="m",
                delivery=f"d{next(self._numbers)}",
                recipient=recipient,
                **{"result": result, "reply": Reply(number, status, text), "cause": cause} | more,
            )
        )

    def lives(self, days: int, *, start_hour: int = 8) -> "Town":
        """The owner's ordinary days: phone in the morning, office by day, home in the evening, mail to
        friends."""
        for day in range(days):
            begin = self.at
            for hour, address in ((0, PHONE), (2, OFFICE), (6, OFFICE), (11, HOME), (13, HOME)):
                self.at = begin + hour * HOUR
                self.login(address)
            self.letter(HOME, [f"friend{day % 7}@example.net"])
            self.at = begin + DAY
        return self

    def grade(self, account: str = OWNER) -> Grade:
        return self.guard.standing(account, HOME, self.at).grade

    def grades(self, account: str = OWNER) -> list[Grade]:
        return [finding.grade for finding in self.findings if finding.account == account]

    def score(self, account: str = OWNER) -> float:
        return self.guard.standing(account, HOME, self.at).score

    def _traits(self, address: str, account: str, more: dict[str, object]) -> dict[str, object]:
        number = next(self._numbers)
        traits: dict[str, object] = {
            "id": f"event {number}",
            "at": self._tick(),
            "source": "test",
            "account": account,
            "address": address,
        }
        for name in ("session", "source", "trust", "id"):
            if name in more:
                traits[name] = more.pop(name)
        return traits

    def _tick(self) -> int:
        """No two events at one microsecond."""
        self.at += 1
        return self.at

    def _judge(self, event: Event) -> Standing:
        self.fed.append(event)
        standing, findings = self.guard.judge(event)
        self._note(findings)
        return standing

    def _observe(self, event: Event) -> None:
        self.fed.append(event)
        self._note(self.guard.observe(event))

    def _note(self, findings: Sequence[Finding]) -> None:
        self.findings += findings
        for finding in findings:
            if finding.trust == "sealed":
                self.guard.contained(finding.account, f"incident of {finding.account}", "action")


def strangers(number: int, tag: str = "x") -> list[str]:
    return [f"{tag}{place}@stranger.example" for place in range(number)]
