"""Folds our own archive's events into the ledger, where they stand beside other servers' lines.

Here nothing need be guessed: a message names the login that sent it, and a delivery its message.
"""

from sekisho.logs.facts import Login
from sekisho.logs.ledger import Ledger
from sekisho.logs.mailroom import Letter, Try
from sekisho.model.address import normal
from sekisho.model.envelope import Network
from sekisho.model.event import Accepted, DeliveryTried, Event, LoginTried

LETTERS_MAX = 1_000_000
"""Authenticated messages whose deliveries can still be matched."""


COPIES = 4
"""So many tries back the same one is looked for: a copy of the archive tells each twice."""


class OwnEvents:
    def __init__(self, ledger: Ledger) -> None:
        self.networks: dict[str, Network] = {}
        self._ledger = ledger
        self._letters: dict[str, Letter] = {}
        self._places: dict[tuple[str, str], int] = {}

    def take(self, event: Event, file: int, line: int) -> None:
        if event.address and event.network is not None:
            self.networks[event.address] = event.network
        match event:
            case LoginTried():
                self._login(event, line)
            case Accepted():
                self._accepted(event, file, line)
            case DeliveryTried():
                self._delivery(event)
            case _:
                pass  # sessions, verdicts and actions are told by `trace` and `explain`

    def _login(self, event: LoginTried, line: int) -> None:
        login = Login(
            event.service, event.ok, normal(event.account), event.address,
            event.mechanism, event.why, event.digest, event.fingerprint,
        )  # fmt: skip
        self._ledger.add_event(event.at, self._ledger.key(login), line, event.id)

    def _accepted(self, event: Accepted, file: int, line: int) -> None:
        if event.message in self._letters or len(self._letters) >= LETTERS_MAX:
            return
        letter = Letter(0, event.at, file, line)
        letter.ident, letter.sender, letter.size = event.message, event.sender, event.size
        letter.account, letter.address, letter.login = normal(event.account), event.address, event.login
        letter.recipients = [_where(recipient) for recipient in event.recipients]
        letter.count = event.recipient_count
        if letter.account:
            self._letters[event.message] = letter
        letter.ended = not letter.account
        self._ledger.take([letter])

    def _delivery(self, event: DeliveryTried) -> None:
        letter = self._letters.get(event.message)
        if letter is None:
            return
        place = self._place(letter, event)
        attempt = Try(event.at, place, event.result, event.cause, event.reply.code, event.reply.status)
        if attempt not in letter.tries[-COPIES:]:
            letter.tries.append(attempt)

    def _place(self, letter: Letter, event: DeliveryTried) -> int:
        """A delivery's place among the recipients: that of its address, or a new one beyond those listed."""
        known = self._places.get((event.message, event.delivery))
        if known is None:
            where = _where(event.recipient)
            if where not in letter.recipients:
                letter.recipients.append(where)
            known = self._places[event.message, event.delivery] = letter.recipients.index(where)
        return known


def _where(recipient: str) -> bytes:
    return b"remote " + recipient.encode()
