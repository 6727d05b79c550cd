"""One letter for some recipients on its way to other hosts: who has an outcome, who remains, who did not let
us in.
"""

from sekisho.model.delivery import Deferred, Delivered, Delivery, Failed, Kind, Outcome
from sekisho.model.letter import Letter
from sekisho.model.text import LIMIT
from sekisho.model.verdict import Reply
from sekisho.queue.hops import Hop
from sekisho.queue.places import Full
from sekisho.queue.sources import Way
from sekisho.service.calling import Call, NoCall, Result
from sekisho.service.parts import Parts
from sekisho.service.securing import Guide
from sekisho.wire.client_steps import Transaction

TOO_MANY = 452
"""RFC 5321 4.5.3.1.10: the rest of the recipients are to be sent at once in a transaction of their own."""


class Errand:
    """`prepare` first. `begun` holds those asked in a transaction that another errand's session has begun."""

    def __init__(self, letter: Letter, parts: Parts, batch: tuple[Delivery, ...]) -> None:
        self.letter = letter
        self.parts = parts
        self.route = batch[0].route
        self.outcomes: dict[str, Outcome | Full] = {}
        self.remaining: dict[str, Delivery] = {delivery.id: delivery for delivery in batch}
        self.troubles: list[NoCall] = []
        self.hops: list[Hop] | None = None
        self.full: tuple[int, Full] | None = None
        self._silent: Full | None = None
        self.way = Way("", "")
        self.guide = Guide()
        self.begun: tuple[Delivery, ...] = ()
        self.requires_tls = "REQUIRETLS" in letter.envelope.options
        self._sender = letter.envelope.told
        if batch[0].route.kind is Kind.LMTP:  # no other host is told: it writes the return path
            self._sender = letter.envelope.sender or ""
        self._eight_bit = False
        self._utf8 = False

    async def prepare(self) -> None:
        """Reads what MAIL has to say of the letter. Raises Unavailable."""
        self._eight_bit = await self.parts.eight_bit()
        if "SMTPUTF8" in self.letter.envelope.options:
            self._utf8 = not self._plain() or await self.parts.eight_bit_head()

    def _plain(self) -> bool:
        return self._sender.isascii() and all(each.recipient.isascii() for each in self.remaining.values())

    def choose(self, session: Call) -> tuple[Delivery, ...]:
        """As many of those who remain as this host takes at once."""
        chosen: list[Delivery] = []
        domains: set[str] = set()
        for delivery in self.remaining.values():
            domains.add(delivery.recipient.rpartition("@")[2].lower())
            if len(chosen) == session.recipients_max or len(domains) > session.domains_max:
                break
            chosen.append(delivery)
        return tuple(chosen)

    def transaction(self, asked: tuple[Delivery, ...]) -> Transaction:
        envelope = self.letter.envelope
        wishes = tuple(envelope.wish(delivery.recipient) for delivery in asked) if envelope.wishes else ()
        return Transaction(
            self._sender,
            tuple(delivery.recipient for delivery in asked),
            self.parts.size,
            self._eight_bit,
            self._utf8,
            self.requires_tls,
            envelope.options.get("RET", ""),
            envelope.options.get("ENVID", ""),
            wishes,
        )

    def learn(self, asked: tuple[Delivery, ...], result: Result, hop: Hop) -> bool:
        """Settles who was judged. True when the others of these should be asked again in the same session."""
        delivered = any(reply.positive for reply in result.replies)
        for place, delivery in enumerate(asked):
            reply = result.replies[place]
            if place in result.undecided:
                self.troubles.append(NoCall(hop, reply, result.cause or "4yz", "idle"))
            elif delivered and reply.code == TOO_MANY and reply.status in ("", "4.5.3"):
                self.troubles.append(NoCall(hop, reply, "4yz", "idle"))
            else:
                self._settle(delivery, outcome(reply, result, hop.name))
        return not result.undecided

    def defer(self, reply: Reply, cause: str) -> None:
        self.settle_all(Deferred(reply, cause))

    def settle_all(self, end: Deferred | Failed) -> None:
        for delivery in list(self.remaining.values()):
            self._settle(delivery, end)

    def silent(self, until: int) -> None:
        """A host is not called before this time, since it did not answer of late."""
        self._silent = Full(min(until, self._silent.until) if self._silent else until)

    def waits_before(self, hop: Hop) -> bool:
        """A host that is full for the moment is waited for; those behind it are for when it is down."""
        return self.full is not None and hop.rank > self.full[0]

    def wait(self, full: Full) -> None:
        """Those who remain are not tried this time."""
        self.outcomes.update(dict.fromkeys(self.remaining, full))
        self.remaining.clear()

    def give_up(self) -> None:
        """Nobody is left to call. For ever only if everybody refused for ever (RFC 5321 3.1, 4.2.4.2)."""
        wait = self.full[1] if self.full else None if self.troubles else self._silent
        if wait is not None:
            self.wait(wait)
            return
        last = next((each for each in self.troubles if not _final(each)), self.troubles[-1])
        reply = Reply(last.reply.code, last.reply.status, _together(self.troubles) or last.reply.text)
        end = Failed if _final(last) else Deferred
        self.settle_all(end(reply, last.cause, last.hop.name))

    def _settle(self, delivery: Delivery, end: Outcome) -> None:
        self.outcomes[delivery.id] = end
        del self.remaining[delivery.id]


def outcome(reply: Reply, result: Result, host: str) -> Outcome:
    """What a reply means for its recipient."""
    if reply.positive:
        return Delivered(reply, host, handed_on=result.told)
    if reply.transient:
        return Deferred(reply, result.cause or "4yz", host)
    return Failed(reply, "5yz", host)


def _final(trouble: NoCall) -> bool:
    """A refusal for ever by greeting or EHLO, or of what the sender demands. Encryption and logins are a
    matter between hosts, and pass.
    """
    return trouble.stage in ("greeting", "hello", "demand") and not trouble.reply.transient


def _together(troubles: list[NoCall]) -> str:
    """Every host's answer, once; "" when there is only one."""
    answers = dict.fromkeys(f"{each.hop}: {each.reply}" for each in troubles)
    return "; ".join(answers)[:LIMIT] if len(answers) > 1 else ""
