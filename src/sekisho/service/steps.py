"""One handler for each step of the SMTP machine: what is checked, what is remembered, what is answered.

Logging in is in `login.py`, the end of a letter in `accepting.py`.
"""

from collections.abc import Callable, Coroutine
from typing import Any

from sekisho.checks.ask import MailFacts, RcptFacts, SessionFacts, Stage
from sekisho.model.envelope import NO_WISH, Wish
from sekisho.model.event import Connected, RecipientGiven
from sekisho.model.verdict import Reply
from sekisho.queue.routing import Author
from sekisho.service.accepting import accept
from sekisho.service.answer import Answer
from sekisho.service.arriving import Arriving
from sekisho.service.checking import CLEAR, Ruling, rule
from sekisho.service.course import NOBODY
from sekisho.service.housemates import home_domain
from sekisho.service.login import begin_scram, login, prove, welcome
from sekisho.service.session import Session
from sekisho.service.token_login import bear
from sekisho.service.transaction import Given, Transaction
from sekisho.wire.commands import QMAIL
from sekisho.wire.steps import (
    BodyEnd,
    Chunk,
    Data,
    Hello,
    Help,
    Login,
    Mail,
    Noop,
    Opened,
    Quit,
    Rcpt,
    Reset,
    ScramBegun,
    ScramDone,
    ScramProof,
    StartTls,
    Token,
    Verify,
    XClient,
)
from sekisho.world import Unavailable

OK = Reply(250, "2.0.0", "OK")
SENDER_OK = Reply(250, "2.1.0", "OK")
RECIPIENT_OK = Reply(250, "2.1.5", "OK")
GO_AHEAD = Reply(354, "", "End data with <CR><LF>.<CR><LF>")
READY_FOR_TLS = Reply(220, "2.0.0", "Ready to start TLS")
CANNOT_VERIFY = Reply(252, "2.1.5", "Cannot verify, but will take mail for whom RCPT accepts")  # RFC 5321 7.3
HELP = Reply(214, "2.0.0", "See RFC 5321")
DENIED = Reply(553, "5.7.1", "sorry, your envelope sender has been denied")
AUTH_REQUIRED = 530
CARRIED = ("SMTPUTF8", "REQUIRETLS", "RET", "ENVID")
NOT_NOW = Reply(451, "4.3.0", "Temporary failure, try again later")
BYE = Reply(221, "2.0.0", "Bye")


async def opened(session: Session, step: Opened) -> Reply:
    front = session.front
    if session.peer.turned_away is not None:
        return session.refused("connect", "limits", session.peer.turned_away)
    front.record(Connected(**session.traits(front.now()), listener=session.door.name, via=session.peer.via))
    ruling = await _rule_session(session, "connect")
    if ruling.refused is not None:
        return session.refused("connect", ruling.verdict.by, ruling.refused)
    if session.door.local:  # who writes to "root" means root at this domain
        return Reply(220, "", f"{front.config.hostname} ESMTP {home_domain(front)}")
    return Reply(220, "", f"{front.config.hostname} ESMTP")


async def introduced(session: Session, step: XClient) -> Reply:
    assert session.renamed is not None, "the machine lets XCLIENT come where it is wanted only"
    session.begin_anew(session.renamed(step.address))
    return await opened(session, Opened())


async def hello(session: Session, step: Hello) -> Reply:
    session.end_transaction()  # RFC 5321 4.1.4
    ruling = await _rule_session(session, "helo")
    if ruling.refused is not None:
        return session.refused("helo", ruling.verdict.by, ruling.refused)
    return Reply(250, "", session.front.config.hostname)


def start_tls(session: Session, step: StartTls) -> Reply:
    return READY_FOR_TLS


async def mail(session: Session, step: Mail) -> Reply:
    front, client = session.front, session.client()
    policy = front.policy
    qmails = session.door.settings.speaks == QMAIL
    if qmails:
        session.end_transaction()  # MAIL may come at any time there, and begins anew
    at = front.now()
    real = front.returns.restored(step.path)
    session.asking.author = Author(real, client.account) if client.known else NOBODY  # strangers name anybody
    facts = MailFacts(at, client, real, step.size)
    session.asking.proofs.begin(front.proof_terms, client, step.path)
    ruling = await rule(policy, policy.asked_of("mail", client), facts, session.asking)
    session.judged("mail", ruling)
    # A letter of ours that comes back in keeps its signed path; who writes under one is signed anew.
    sender = real if client.account else step.path
    session.transaction = Transaction(front.ident(at), client, sender, step.size)
    if ruling.refused is not None:
        session.refused("mail", ruling.verdict.by, ruling.refused)
        if qmails and not ruling.refused.transient and ruling.refused.code != AUTH_REQUIRED:
            session.transaction.barred = ruling.verdict.by
            return SENDER_OK
        session.end_transaction()
        return ruling.refused
    session.transaction.obey(ruling)
    if step.params:
        session.transaction.options = _carried(step.params)
    return SENDER_OK


async def rcpt(session: Session, step: Rcpt) -> Reply:
    front, transaction = session.front, session.transaction
    assert transaction is not None, "the machine lets RCPT come after MAIL only"
    if transaction.barred:
        session.errors += 1  # else a refused sender could go on for ever
        return session.refused("rcpt", transaction.barred, DENIED, step.path)
    at = front.now()
    returned = front.returns.opened(step.path, at)
    try:
        recipient = front.addressing.spelled(returned.address if returned is not None else step.path)
    except Unavailable:
        return session.refused("rcpt", "directory", NOT_NOW, step.path)
    client, policy = transaction.client, front.policy
    event = None
    if client.account:
        event = RecipientGiven(**session.traits(at), sender=transaction.sender, recipient=recipient)
    session.asking.event = event
    most = _most_recipients(session, transaction)
    facts = RcptFacts(
        at, client, transaction.sender, transaction.size, recipient, len(transaction.given), most
    )
    ruling = await rule(policy, policy.asked_of("rcpt", client), facts, session.asking)
    session.judged("rcpt", ruling)
    if ruling.refused is not None:
        if not client.known:
            _count_refused(session, ruling)
        return session.refused("rcpt", ruling.verdict.by, ruling.refused, recipient)
    wish = _wish(step.params) if step.params else NO_WISH
    transaction.given.append(Given(recipient, session.asking.roads(recipient), wish, returned))
    transaction.obey(ruling)
    for verdict in ruling.others:
        for note in verdict.remember:
            front.counts.remember(note)
    if event is not None:
        front.record(event)
    return RECIPIENT_OK


def data(session: Session, step: Data) -> Reply:
    assert session.transaction is not None, "the machine lets DATA come after RCPT only"
    session.transaction.body = Arriving(session.front, session.transaction.message)
    return GO_AHEAD


def reset(session: Session, step: Reset) -> Reply:
    session.end_transaction()
    return OK


def noop(session: Session, step: Noop) -> Reply:
    return OK


def verify(session: Session, step: Verify) -> Reply:
    return CANNOT_VERIFY


def show_help(session: Session, step: Help) -> Reply:
    return HELP


def leave(session: Session, step: Quit) -> Reply:
    session.end_transaction()
    return BYE


Handler = Callable[[Session, Any], Reply | Coroutine[Any, Any, Answer]]
"""One that asks nobody answers at once."""

HANDLERS: dict[type, Handler] = {
    Opened: opened,
    XClient: introduced,
    Hello: hello,
    StartTls: start_tls,
    Login: login,
    ScramBegun: begin_scram,
    ScramProof: prove,
    ScramDone: welcome,
    Token: bear,
    Mail: mail,
    Rcpt: rcpt,
    Data: data,
    Chunk: data,
    BodyEnd: accept,
    Reset: reset,
    Noop: noop,
    Verify: verify,
    Help: show_help,
    Quit: leave,
}


async def _rule_session(session: Session, stage: Stage) -> Ruling:
    policy = session.front.policy
    if not policy.stages[stage]:
        return CLEAR
    facts = SessionFacts(session.front.now(), session.client())
    ruling = await rule(policy, policy.asked_of(stage, facts.client), facts, session.asking)
    session.judged(stage, ruling)
    return ruling


def _carried(params: dict[str, str]) -> dict[str, str]:
    """Of the parameters of MAIL those that whoever passes the letter on has to know."""
    options = {name: params[name] for name in CARRIED if name in params}
    if params.get("BODY", "").upper() == "8BITMIME":  # RFC 6152
        options["BODY"] = "8BITMIME"
    return options


def _most_recipients(session: Session, transaction: Transaction) -> int:
    """What has no return path answers one letter: it has one recipient. Whom we trust may know better."""
    limits, client = session.front.config.limits, transaction.client
    if not transaction.sender and not client.trusted and not session.door.settings.lmtp:
        return 1
    return limits.recipients if client.known else limits.recipients_stranger


def _wish(params: dict[str, str]) -> Wish:
    return Wish(params.get("NOTIFY", ""), params.get("ORCPT", ""))


def _count_refused(session: Session, ruling: Ruling) -> None:
    """Recipients that do not exist have a limit of their own; a 452 to one too many costs nothing."""
    if ruling.verdict.by in ("recipient_known", "recipient_verified"):
        session.bad_recipients += 1
    elif ruling.refused is not None and not ruling.refused.transient:
        session.errors += 1
