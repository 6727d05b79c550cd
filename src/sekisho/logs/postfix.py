"""Postfix: who signed in to send, what became of the message, who tried and failed.

    postfix/smtpd[9]: 3F2A91C0DE: client=pc[192.0.2.20], sasl_method=PLAIN, sasl_username=a@x.example
    postfix/smtpd[9]: warning: pc[192.0.2.20]: SASL LOGIN authentication failed: ..., sasl_username=a
    postfix/smtp[9]: 3F2A91C0DE: to=<b@y.example>, relay=mx[192.0.2.6]:25, ..., dsn=2.0.0, status=sent (ok)

The queue id ties a message to its sign-in for certain. Only the `client=` line tells of a sign-in: in lines
about refusals the greeting is a stranger's text and could imitate one. One session that sends several
messages is one sign-in.
"""

import re
from collections.abc import Callable

from msgspec import Struct

from sekisho.logs.facts import Login, Why, ip_address
from sekisho.logs.ledger import Ledger
from sekisho.logs.postfix_queue import Delivery, Queue, is_inside
from sekisho.logs.saying import Saying
from sekisho.logs.whispers import Attempt, Whispers
from sekisho.model.address import normal
from sekisho.model.text import printable

NAME = "postfix"
SESSIONS_MAX = 50_000
"""Connections whose end was not seen; Postfix allows 100 processes by default."""

LOCAL = ("/local", "/virtual", "/lmtp", "/pipe")
"""Daemons that deliver into mailboxes of this house."""

AGENTS = frozenset({"smtp", "lmtp", "relay", "local", "virtual", "pipe", "error", "retry", "discard"})
_DAEMONS = frozenset({
    "smtpd", "cleanup", "qmgr", "oqmgr", "nqmgr", "pickup", "bounce", "defer", "trace", "postscreen", "anvil",
    "verify", "tlsproxy", "dnsblog", "scache", "tlsmgr", "trivial-rewrite", "proxymap", "proxywrite", "flush",
    "showq", "postlogd", "master", "sendmail", "postdrop", "postsuper", "postqueue", "postmap", "postalias",
    "postfix-script", "script", "postmulti", "qmqpd", "spawn", "postkick", "postlog", "postcat", "sacl",
}) | AGENTS  # fmt: skip

_ID = r"([0-9A-Za-z]{5,40})"
_CLIENT = re.compile(
    rf"{_ID}: client=[^\s\[\],]*\[([^\[\]\s]*)\](?::\d+)?"
    r"(?:, orig_queue_id=\w*)?(?:, orig_client=[^\s,]*)?"
    r"(?:, sasl_method=([^\s,]+))?(?:, sasl_username=(.*?))?(?:, sasl_sender=.*)?",
    re.DOTALL,
)
_FAILED = re.compile(
    r"warning: [^\s\[\]]*\[([^\[\]\s]*)\](?::\d+)?: SASL ([\w-]+) authentication failed:?"
    r"(?: (.*?))??(?:,? ?sasl_username=(.*))?",
    re.DOTALL,
)
_NOT_JUDGED = ("Connection lost to auth", "Temporary", "temporary", "generic")
"""Reasons for which no password was looked at: ours, not the client's."""

_REFUSED = "Invalid authentication mech"

_ACCEPTED = re.compile(rf"(?:NOQUEUE: )?proxy-accept: END-OF-MESSAGE[^:;]*: 250 [^;]*?queued as {_ID}")
_ACTION = re.compile(
    rf"(?:{_ID}: )?((?:milter-|proxy-)?(?:reject|reject_warning|accept|discard|hold|filter|redirect|warn"
    r"|warning|info|prepend|replace|quarantine|strip|bcc|pass|delay|ignore|header-\w+|body-\w+))(?:: |$)"
)
_SMTPD_SILENT = re.compile(
    r"lost connection after|timeout after|too many errors|improper command pipe|bare <LF>|discarding EHLO"
    r"|\w+ TLS connection est|setting up TLS|SSL_\w+ error|TLS SNI|initializing the|table \S+ has changed"
    r"|auxpropfunc|sql_select|xsasl|NOQUEUE: |milter-\w+|Milter-\w+"
)
_TROUBLE = re.compile(r"(?:\w{5,40}: )?(?:warning|fatal|panic|error|statistics|info): |table \S+ has changed")
_CLEANUP = re.compile(rf"{_ID}: (?:resent-)?message-id=")
_QUEUED = re.compile(rf"{_ID}: from=<(.*)>, size=(\d{{1,18}}), nrcpt=(\d{{1,9}}) \(queue \w+\)", re.DOTALL)
_EXPIRED = re.compile(rf"{_ID}: from=<.*>, status=(?:force-)?expired, returned to sender", re.DOTALL)
_REMOVED = re.compile(rf"{_ID}: (?:removed|expired, canceled|canceled)")
_QUEUE_SAID = re.compile(rf"{_ID}: (?:skipped, still being|to=<|from=<|deliver)")
_PICKED_UP = re.compile(rf"{_ID}: uid=\d+ from=<.*?>(?: orig_id=(\w+))?", re.DOTALL)
_NOTIFIED = re.compile(rf"{_ID}: (\w+) (?:non-delivery|delay|delivery status) notification: {_ID}")
_PATH = r"(?:<((?:\"(?:[^\"\\]|\\.)*\"|[^<>\"])*)>|([^\s,<>]*))"
_DELIVERED = re.compile(
    rf"{_ID}: to={_PATH}, (?:orig_to={_PATH}, )?relay=([^,]*), (?:conn_use=\d+, )?(?:delay=[\d.]+, )?"
    r"(?:delays=[\d./]+, )?(?:tls=[^,]*, )?(?:dsn=(\d\.\d{1,3}\.\d{1,3}), )?status=([\w-]+)(?: \((.*)\)?)?",
    re.DOTALL,
)
_AGENT_SILENT = re.compile(
    r"(?:\w+ )?TLS connection est|(?:\w{5,40}: )?(?:connect to |lost connection with|conversation with"
    r"|host \S+ |certificate ver|SSL_\w+ error|enabling PIX|SASL auth|Cannot start TLS|TLS is required"
    r"|server certificate|breaking line|passing |name service error|[\w.-]+\[[^\]]*\]:\d+: )"
)
_SUPER = re.compile(r"(?:[A-Z][\w ]+: \d+ message|\w{5,40}: (?:requeued|placed on hold|released from hold))")


class _Programs:
    """`postfix/smtpd`, `postfix-out/relay/smtp`, `msa/smtpd`: whatever comes before the daemon's own name."""

    def __contains__(self, program: object) -> bool:
        path, slash, daemon = str(program).rpartition("/")
        if not slash:
            return program == "postfix"
        return daemon in _DAEMONS or path.startswith("postfix")


Process = tuple[bytes, str, int]
"""One smtpd: its host, its name, its number."""


class _Session(Struct):
    """One connection to one smtpd process on which somebody signed in."""

    account: str = ""
    address: str = ""
    row: int = -1


class Postfix:
    """`tells_sessions`: the log has lines of connections, so that the messages of one can be told from those
    of another."""

    name = NAME
    programs = _Programs()

    def __init__(self, ledger: Ledger, whispers: Whispers) -> None:
        self._ledger = ledger
        self._whispers = whispers
        self.queue = Queue(ledger)
        self._sessions: dict[Process, _Session] = {}
        self.tells_sessions = False
        self._handlers: dict[str, Callable[[Saying], bool]] = {
            "smtpd": self._smtpd, "cleanup": self._cleanup, "qmgr": self._qmgr, "oqmgr": self._qmgr,
            "nqmgr": self._qmgr, "pickup": self._pickup, "bounce": self._bounce, "defer": self._bounce,
            "trace": self._bounce, "postsuper": self._postsuper, **dict.fromkeys(AGENTS, self._agent),
        }  # fmt: skip

    def claims(self, text: str) -> bool:
        return False

    def hear(self, said: Saying) -> bool:
        daemon = said.program.rpartition("/")[2]
        handler = self._handlers.get(daemon)
        if handler is not None:
            return handler(said) or _TROUBLE.match(said.text) is not None
        return daemon in _DAEMONS or daemon == "postfix" or self._agent(said)

    def settle(self) -> None:
        self.queue.settle()

    def _smtpd(self, said: Saying) -> bool:
        text = said.text
        if text.startswith(("connect from ", "disconnect from ")):
            self.parted((said.host, said.program, said.pid))
            return True
        if self.client(said, text):
            return True
        if text.startswith("warning: ") and (match := _FAILED.fullmatch(text)) is not None:
            return self._failed(said, match)
        if (match := _ACCEPTED.match(text)) is not None:
            self._passed(said, match[1].encode())
            return True
        return _ACTION.match(text) is not None or _SMTPD_SILENT.match(text) is not None

    def parted(self, process: Process) -> None:
        """A connection begins or ends: what follows is another session."""
        self.tells_sessions = True
        self._sessions.pop(process, None)

    def client(self, said: Saying, text: str) -> bool:
        """A message begins; with `sasl_username=`, somebody signed in for it. False if the text says nothing
        of the kind."""
        match = _CLIENT.fullmatch(text)
        if match is None:
            return False
        ident, address, mechanism, user = match.groups()
        if ident == "NOQUEUE":
            if user:
                self._signed(said, user, address, mechanism)
            return True
        if not user:
            self.came_in(said, ident.encode(), address)
            return True
        entry = self.queue.begin(said, ident.encode())
        entry.inside = is_inside(address)
        session = self._signed(said, user, address, mechanism)
        entry.sign(session.account, session.address, session.row)
        self.queue.enter(entry)
        return True

    def came_in(self, said: Saying, ident: bytes, address: str) -> None:
        """A message for which nobody signed in: a stranger's, or one of our own hosts'."""
        if is_inside(address):
            self.queue.enter(self.queue.begin(said, ident))
        else:
            self.queue.pass_in(said, ident)

    def _signed(self, said: Saying, user: str, where: str, mechanism: str | None) -> _Session:
        """The session whose sign-in this is: the one that is known, or a new one."""
        account, address = printable(normal(user)), ip_address(where)
        key = (said.host, said.program, said.pid)
        session = self._sessions.get(key)
        if session is None:
            session = self._sessions[key] = _Session()
            if len(self._sessions) > SESSIONS_MAX:
                del self._sessions[next(iter(self._sessions))]
        known = self.tells_sessions and session.row >= 0
        if not known or (session.account, session.address) != (account, address):
            login = Login(service_of(said.program), True, account, address, (mechanism or "").upper())
            session.account, session.address = account, address
            session.row = self._ledger.add(said.at, self._ledger.key(login), said.line, said.pid)
        return session

    def _failed(self, said: Saying, match: re.Match[str]) -> bool:
        where, mechanism, reason, user = match.groups()
        address = ip_address(where)
        if address and not (reason or "").startswith(_NOT_JUDGED):
            account = printable(normal(user or ""))
            why: Why = "denied" if (reason or "").startswith(_REFUSED) else ""
            attempt = Attempt(service_of(said.program), account, address, mechanism.upper(), 1, why)
            self._whispers.failed(said, attempt)
        return True

    def _passed(self, said: Saying, ident: bytes) -> None:
        """The filter before the queue has taken it and named its queue id."""
        session = self._sessions.get((said.host, said.program, said.pid))
        entry = self.queue.find(said, ident)
        if session is not None and session.account and entry is not None and entry.inside:
            entry.sign(session.account, session.address, session.row)

    def _cleanup(self, said: Saying) -> bool:
        if _CLEANUP.match(said.text) is not None:
            return True
        match = _ACTION.match(said.text)
        if match is None:
            return False
        if match[1] and match[2] in ("reject", "milter-reject"):
            self.queue.refuse(said, match[1].encode())
        return True

    def _qmgr(self, said: Saying) -> bool:
        text = said.text
        if (match := _QUEUED.fullmatch(text)) is not None:
            sender = match[2].encode("utf-8", "surrogateescape")
            self.queue.queued(said, match[1].encode(), sender, (match[3].encode(), match[4].encode()))
        elif (match := _REMOVED.fullmatch(text)) is not None:
            self.queue.removed(said, match[1].encode())
        elif (match := _EXPIRED.fullmatch(text)) is not None:
            self.queue.expired(said, match[1].encode())
        else:
            return _QUEUE_SAID.match(text) is not None or self._agent(said)
        return True

    def _pickup(self, said: Saying) -> bool:
        match = _PICKED_UP.fullmatch(said.text)
        if match is None:
            return False
        entry = self.queue.begin(said, match[1].encode())
        before = self.queue.find(said, match[2].encode()) if match[2] else None
        if before is not None:
            self.queue.link(before, entry)
        self.queue.enter(entry)
        return True

    def _bounce(self, said: Saying) -> bool:
        match = _NOTIFIED.fullmatch(said.text)
        if match is None:
            return self._agent(said)
        self.queue.notified(said, match[1].encode(), match[3].encode())
        return True

    def _postsuper(self, said: Saying) -> bool:
        if (match := _REMOVED.fullmatch(said.text)) is not None:
            self.queue.removed(said, match[1].encode())
            return True
        return _SUPER.match(said.text) is not None

    def _agent(self, said: Saying) -> bool:
        match = _DELIVERED.fullmatch(said.text)
        if match is None:
            return _AGENT_SILENT.match(said.text) is not None
        ident, to, bare, orig, bare_orig, relay, status, result, reply = match.groups()
        delivery = Delivery(
            _raw(to or bare), _raw(orig or bare_orig), _raw(relay), said.program.endswith(LOCAL),
            _raw(result), _raw(status), _raw(reply),
        )  # fmt: skip
        self.queue.tried(said, ident.encode(), delivery)
        return True


def _raw(text: str | None) -> bytes:
    return (text or "").encode("utf-8", "surrogateescape")


def service_of(program: str) -> str:
    """`postfix/submission/smtpd` is submission, `postfix/smtpd` smtp; smtps and submissions are port 465."""
    for name in program.split("/")[-2::-1]:
        for word in ("submissions", "submission", "smtps"):
            if word in name:
                return word
        if "587" in name:
            return "submission"
        if "465" in name:
            return "smtps"
    return "smtp"
