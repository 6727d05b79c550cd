"""One account's part of a log as the guard's events: logins, messages, what became of them.

An event's id names the row or letter of the ledger that it came from, so that evidence leads back to its
line.
"""

from collections.abc import Iterable, Iterator, Sequence

from sekisho.logs.joining import Join
from sekisho.logs.ledger import Visit
from sekisho.logs.mailroom import Letter, Try
from sekisho.model.envelope import Network
from sekisho.model.event import RECIPIENTS_KEPT, Accepted, DeliveryTried, LoginTried
from sekisho.model.verdict import Reply

SOURCE = "log"
Told = LoginTried | Accepted | DeliveryTried


def login_event(visit: Visit, network: Network) -> LoginTried:
    login = visit.login
    return LoginTried(
        id=f"row {visit.row}", at=visit.at, source=SOURCE, account=login.account, address=login.address,
        network=network, service=login.service, ok=login.ok, mechanism=login.mechanism, why=login.why,
        digest=login.digest, fingerprint=login.fingerprint,
    )  # fmt: skip


def accepted_event(account: str, place: int, join: Join, network: Network) -> Accepted:
    letter, visit = join.letter, join.visit
    return Accepted(
        id=f"letter {place}", at=letter.at, source=SOURCE, account=account, address=address_of(join),
        network=network, message=name_of(letter), sender=letter.sender or "",
        recipients=tuple(letter.addresses()[:RECIPIENTS_KEPT]), recipient_count=letter.recipient_count,
        size=letter.size, login=f"row {visit.row}" if visit else "", confidence=join.confidence,
    )  # fmt: skip


def delivery_events(account: str, place: int, join: Join, network: Network) -> Iterator[DeliveryTried]:
    letter = join.letter
    for number, attempt in enumerate(letter.tries):
        where = letter.recipients[attempt.place]
        yield DeliveryTried(
            id=f"letter {place} try {number}", at=attempt.at, source=SOURCE, account=account,
            address=address_of(join), network=network, message=name_of(letter), delivery=str(attempt.place),
            recipient=letter.address_at(attempt.place), result=attempt.result, reply=reply_of(attempt),
            cause=attempt.cause, local=where.startswith(b"local "),
        )  # fmt: skip


def reply_of(attempt: Try) -> Reply:
    return Reply(attempt.code or (250 if attempt.result == "delivered" else 0), attempt.status, "")


def address_of(join: Join) -> str:
    return join.letter.address or (join.visit.login.address if join.visit else "")


def name_of(letter: Letter) -> str:
    return letter.ident or str(letter.number)


def source_of(event: str, visits: Iterable[Visit], joins: Sequence[Join]) -> tuple[int, int]:
    """File and line of an event that was made here; (-1, 0) for none."""
    kind, _, rest = event.partition(" ")
    number = rest.partition(" ")[0]
    if kind == "letter" and number.isdigit() and int(number) < len(joins):
        letter = joins[int(number)].letter
        return letter.file, letter.line
    if kind == "row" and number.isdigit():
        for visit in visits:
            if visit.row == int(number):
                return visit.file, visit.line
    return -1, 0
