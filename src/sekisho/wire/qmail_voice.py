"""The profile "qmail": the same server with the reply codes of netqmail-1.06, for programs that read them.

What is accepted and refused is decided as always; only what is said of it changes: codes at the same places,
texts with the status behind them. Where netqmail repairs (a bare LF between commands), we go on refusing.
"""

from sekisho.model.verdict import Reply
from sekisho.wire import replies
from sekisho.wire.steps import BodyEnd, Data, Help, Mail, Noop, Owing, Rcpt, Reset, Verify

SYNTAX = Reply(555, "", "syntax error (#5.5.4)")
UNIMPLEMENTED = Reply(502, "", "unimplemented (#5.5.1)")
NOT_ALLOWED = Reply(553, "", "sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)")
STRAY_NEWLINE = Reply(451, "", "See http://pobox.com/~djb/docs/smtplf.html.")
DATABYTES = Reply(552, "", "sorry, that message size exceeds my databytes limit (#5.3.4)")
HOPS = Reply(554, "", "too many hops, this message is looping (#5.4.6)")
NO_MAILBOX = Reply(550, "", "sorry, no mailbox here by that name. (#5.1.1)")
LATER = Reply(451, "", "qqt failure (#4.3.0)")

_OF_MACHINE: dict[Reply, Reply] = {
    **dict.fromkeys(
        (replies.MAIL_SYNTAX, replies.RCPT_SYNTAX, replies.BAD_SENDER, replies.BAD_RECIPIENT,
         replies.EIGHT_BIT, replies.PARAM_SYNTAX, replies.PARAM_UNKNOWN), SYNTAX,
    ),
    **dict.fromkeys((replies.UNKNOWN, replies.NOT_HERE, replies.CONTROL), UNIMPLEMENTED),
    replies.MECHANISM: Reply(504, "", "auth type unimplemented (#5.5.1)"),
    replies.BARE_NEWLINE: STRAY_NEWLINE,
    replies.TOO_BIG: DATABYTES,
    replies.SILENCE: Reply(451, "", "timeout (#4.4.2)"),
    replies.TLS_FIRST: Reply(538, "", "auth not available without TLS (#5.3.3)"),
    replies.CANCELLED: Reply(501, "", "auth exchange canceled (#5.0.0)"),
    replies.BASE64: Reply(501, "", "malformed auth input (#5.5.4)"),
    replies.MALFORMED: Reply(501, "", "malformed auth input (#5.5.4)"),
    replies.AUTH_TWICE: Reply(503, "", "you're already authenticated (#5.5.0)"),
}  # fmt: skip

_POSITIVE: dict[type[Owing] | None, str] = {
    Mail: "ok",
    Rcpt: "ok",
    Noop: "ok",
    Reset: "flushed",
    Data: "go ahead",
    Verify: "send some mail, i'll try my best",
    Help: "qmail home page: http://pobox.com/~djb/qmail.html",
}

_REFUSALS: dict[tuple[type[Owing] | None, int, str], Reply] = {
    (Rcpt, 550, "5.7.1"): NOT_ALLOWED,
    (Rcpt, 550, "5.1.1"): NO_MAILBOX,
    (BodyEnd, 554, "5.4.6"): HOPS,
}


def in_qmails_words(reply: Reply, owed: type[Owing] | None) -> Reply:
    """`reply` as netqmail would say it; `owed` is the step that it answers, None for what the machine says
    of its own.
    """
    known = _OF_MACHINE.get(reply) or _REFUSALS.get((owed, reply.code, reply.status))
    if known is not None:
        return known
    if owed is BodyEnd and reply.code == LATER.code:
        return LATER
    if owed is BodyEnd and reply.positive:
        return Reply(reply.code, "", f"ok {reply.text}")
    if reply.positive and owed in _POSITIVE:
        return Reply(reply.code, "", _POSITIVE[owed])
    return _behind(reply)


def _behind(reply: Reply) -> Reply:
    """Nothing stands for it in netqmail: our own text, its status at the end (RFC 2034: not followed)."""
    return Reply(reply.code, "", f"{reply.text} (#{reply.status})") if reply.status else reply
