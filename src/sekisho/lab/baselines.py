"""What others ship, as gates for the same traffic: each says whose defaults these are and where they stand.

They are measured with the guard's own measure (`simulate --policy`). Each does what its peer's documents say
that it does with its defaults, no more.
"""

from abc import ABC, abstractmethod
from collections import deque

from sekisho.lab.alarms import Alarm
from sekisho.lab.play import PASS, Answer
from sekisho.lab.visits import DAY, SECOND
from sekisho.model.event import Accepted, Event, LoginTried, RecipientGiven
from sekisho.model.incident import Grade

REFUSE = Answer("refuse")


class Baseline(ABC):
    """Keeps what is counted; the rule is in `judge` of each."""

    def __init__(self, thieves: dict[str, int]) -> None:
        self.alarms: list[Alarm] = []
        self.observed = 0
        self._thieves = thieves

    def observe(self, event: Event) -> None:
        self.observed += 1

    def judge(self, event: Event) -> Answer:
        self.observe(event)
        if self.refuses(event):
            true = event.at >= self._thieves.get(event.account, event.at + 1)
            self.alarms.append(Alarm(event.account, event.at, Grade.CONTAIN, true, type(self).__name__))
            return REFUSE
        return PASS

    @abstractmethod
    def refuses(self, event: Event) -> bool:
        """Whether the peer would turn this event away."""

    def caught(self, account: str, address: str, at: int) -> bool:
        """Nobody of them looks again at mail that was let go."""
        return False

    def sizes(self) -> list[int]:
        """Not measured."""
        return []


class Fail2ban(Baseline):
    """fail2ban 1.1 `config/jail.conf`: maxretry 5, findtime 10m, bantime 10m, ignoreself.

    Made for guessing from one address: it counts failures, so a right password is never noticed.
    """

    RETRIES = 5
    FIND = BAN = 600 * SECOND

    def __init__(self, thieves: dict[str, int]) -> None:
        super().__init__(thieves)
        self._failures: dict[str, deque[int]] = {}
        self._banned: dict[str, int] = {}

    def observe(self, event: Event) -> None:
        super().observe(event)
        if not isinstance(event, LoginTried) or event.ok or event.address.startswith(("127.", "::1")):
            return
        recent = self._failures.setdefault(event.address, deque(maxlen=self.RETRIES))
        recent.append(event.at)
        if len(recent) == self.RETRIES and event.at - recent[0] <= self.FIND:
            self._banned[event.address] = event.at + self.BAN
            recent.clear()

    def refuses(self, event: Event) -> bool:
        return isinstance(event, LoginTried) and self._banned.get(event.address, 0) > event.at


class Mox(Baseline):
    """mox 0.0.15 `config/doc.go`: MaxOutgoingMessagesPerDay 1000 (each recipient is one),
    MaxFirstTimeRecipientsPerDay 200, both within 24 hours.

    Made to limit the damage of a stolen password, whatever it looks like.
    """

    RECIPIENTS, FIRST_TIME = 1000, 200

    def __init__(self, thieves: dict[str, int]) -> None:
        super().__init__(thieves)
        self._sent: dict[str, deque[tuple[int, int, int]]] = {}
        self._known: dict[str, set[str]] = {}

    def refuses(self, event: Event) -> bool:
        if not isinstance(event, Accepted):
            return False
        sent, known = (
            self._sent.setdefault(event.account, deque()),
            self._known.setdefault(event.account, set()),
        )
        while sent and event.at - sent[0][0] > DAY:
            sent.popleft()
        first = set(event.recipients) - known
        count = sum(one[1] for one in sent) + event.recipient_count
        fresh = sum(one[2] for one in sent) + len(first)
        if count > self.RECIPIENTS or (first and fresh > self.FIRST_TIME):
            return True
        sent.append((event.at, event.recipient_count, len(first)))
        known |= first
        return False


class Postfwd(Baseline):
    """postfwd-anti-geoip-spam-plugin 1.40, README: more than 20 addresses or 5 countries in 24 h.

    Made for exactly this botnet. Its rule lets one request an hour through; here it lets none.
    """

    ADDRESSES, COUNTRIES = 20, 5

    def __init__(self, thieves: dict[str, int]) -> None:
        super().__init__(thieves)
        self._logins: dict[str, dict[str, tuple[int, str]]] = {}

    def refuses(self, event: Event) -> bool:
        if not isinstance(event, RecipientGiven):
            return False
        logins = self._logins.setdefault(event.account, {})
        logins[event.address] = (event.at, event.network.country if event.network else "")
        for address in [address for address, (at, _) in logins.items() if event.at - at > DAY]:
            del logins[address]
        countries = {country for _, country in logins.values() if country}
        return len(logins) > self.ADDRESSES or len(countries) > self.COUNTRIES
