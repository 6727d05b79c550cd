"""What the roles say to each other. Each request names its answer; `tell` has none.

Every message crosses a `Channel` (`service/channel.py`): encoded when the roles are separate processes,
and under test also when they are not. A Secret can cross only the channel that leads to the vault.
"""

from typing import Literal

from msgspec import Struct

from sekisho.guard.aftermath import Aftermath
from sekisho.model.action import Action, Performed
from sekisho.model.delivery import Delivery, Outcome
from sekisho.model.event import Event
from sekisho.model.incident import Incident, Standing
from sekisho.model.letter import Letter
from sekisho.model.phrase import Phrase
from sekisho.model.queue_row import QueueGroup, QueueRow
from sekisho.model.secret import Secret
from sekisho.model.selector import Cause, Selector
from sekisho.model.verdict import Reply


class Request(Struct, frozen=True, tag_field="ask"):
    """Base of all messages between roles."""


# To watch, from fronts and doors.


class Observe(Request, frozen=True, tag="observe"):
    """Told: these things happened. No answer is owed."""

    events: tuple[Event, ...]


class Report(Request, frozen=True, tag="report"):
    """What another server's log told: observed and kept when this is answered, with Kept."""

    events: tuple[Event, ...]


class Kept(Struct, frozen=True):
    """The guard knows it, and what it remembers is on the disk: the log need not be read again."""

    events: int


class Judge(Request, frozen=True, tag="judge"):
    """Observe this event, then say how its account stands for its address: answered with Standing."""

    event: Event


class Consult(Request, frozen=True, tag="consult"):
    """How does this account stand for this address? Answered with Standing; nothing is remembered of it."""

    account: str
    address: str


# To the vault, from fronts.


class VerifyPassword(Request, frozen=True, tag="verify_password"):
    """Answered with Verified. `service` is smtp, submission, submissions; unknown user and wrong password
    take one time."""

    login: str
    password: Secret
    service: str


class AskSalt(Request, frozen=True, tag="ask_salt"):
    """Answered with Salted, for every name: one that nobody has gets a salt too, and always the same."""

    login: str


class Salted(Struct, frozen=True):
    """What a client needs to make SCRAM's keys of its password (RFC 5802 3)."""

    salt: bytes
    rounds: int


class VerifyProof(Request, frozen=True, tag="verify_proof"):
    """Answered with Verified. `proof` in base64, over `message` (RFC 5802 3: AuthMessage)."""

    login: str
    message: bytes
    proof: str
    service: str


class AskAccount(Request, frozen=True, tag="ask_account"):
    """May this account log in, now that somebody else has vouched for it? Answered with Verified."""

    login: str
    service: str


class Verified(Struct, frozen=True):
    """`account` is the canonical address, "" if the password is wrong; `why`: "", password, unknown_user,
    denied, revoked (an app password that was good), busy. `signature`: for SCRAM, by which we prove that we
    know it too. `credential`: the app password that it was, "" for the account's own."""

    account: str
    why: str = ""
    digest: str = ""
    signature: bytes = b""
    credential: str = ""


class RevokeAccess(Request, frozen=True, tag="revoke_access"):
    """From watch: no app password of this account opens anything. Answered with Performed."""

    action: str
    account: str


class RestoreAccess(Request, frozen=True, tag="restore_access"):
    """From watch: those that `revoked` (an action) revoked are good again. Answered with Performed."""

    action: str
    revoked: str


class AskSigners(Request, frozen=True, tag="ask_signers"):
    """Which keys sign mail of this domain? Answered with Signers."""

    domain: str


class Signers(Struct, frozen=True):
    """Algorithm by selector; empty: nobody signs for the domain."""

    algorithms: dict[str, str]


class SignDigests(Request, frozen=True, tag="sign_digests"):
    """Sign these SHA-256 digests, each with the key of its selector: answered with Signatures."""

    domain: str
    items: tuple[tuple[str, bytes], ...]


class Signatures(Struct, frozen=True):
    """In the order of the question; b"" where there is no such key."""

    values: tuple[bytes, ...]


# To the local role, from fronts.


class Carry(Request, frozen=True, tag="carry"):
    """Deliver this letter to mailboxes or programs: answered with Carried."""

    batch: tuple[Delivery, ...]
    letter: Letter


class AskRoom(Request, frozen=True, tag="ask_room"):
    """Is there no room in this mailbox for a letter of this size? Answered with Room."""

    account: str
    folder: str
    size: int


class Room(Struct, frozen=True):
    full: bool


class Carried(Struct, frozen=True):
    """What became of each delivery, by its id."""

    outcomes: dict[str, Outcome]


class Sweep(Request, frozen=True, tag="sweep"):
    """Take the bounces that an incident caused out of mailboxes (`purge`), or bring back what `held_by` or
    any action took (`restore`); `dry`: only count. Answered with Swept. `folders`: of these mailboxes,
    relative to the state folder; none: of all.
    """

    action: str
    verb: Literal["purge", "restore"]
    cause: Cause | None = None
    held_by: str = ""
    folders: tuple[str, ...] = ()
    dry: bool = False


class Swept(Struct, frozen=True):
    names: tuple[str, ...]
    bytes: int = 0


# To fronts, from watch and from the control socket.


class HoldQueue(Request, frozen=True, tag="hold_queue"):
    """Add `action` to `held_by` of every waiting delivery that matches: answered with Performed."""

    action: str
    selector: Selector


class ReleaseQueue(Request, frozen=True, tag="release_queue"):
    """Take `held` (an action's id) out of `held_by` wherever it stands; time held does not count towards
    expiry."""

    action: str
    held: str


class DropSessions(Request, frozen=True, tag="drop_sessions"):
    """End this account's sessions, except those from `spare` networks: answered with Performed."""

    action: str
    account: str
    spare: tuple[str, ...] = ()


class Deposit(Request, frozen=True, tag="deposit"):
    """Put a message of our own making (a notice) in the spool, as if it came from a null sender: answered
    with Performed."""

    action: str
    sender: str
    recipient: str
    letter: bytes


QueueVerb = Literal["list", "show", "hold", "release", "retry", "bounce", "purge", "restore", "count"]


class QueueAsk(Request, frozen=True, tag="queue"):
    """A `sekisho queue` verb: answered with QueueAnswer. `action` is the id of what is done, "" for list,
    show, count. `preview`: count what this verb would change. `by`: sum the list up."""

    verb: QueueVerb
    selector: Selector
    action: str = ""
    limit: int = 1000
    preview: QueueVerb = "list"
    by: str = ""


class QueueAnswer(Struct, frozen=True, omit_defaults=True):
    """`matched` deliveries and `messages`, of which `arrived` stand in mailboxes; `rows` up to the limit;
    `performed` for verbs that change something."""

    matched: int
    messages: int = 0
    bytes: int = 0
    rows: tuple[QueueRow, ...] = ()
    performed: Performed | None = None
    head: str = ""
    arrived: int = 0
    groups: tuple[QueueGroup, ...] = ()


# To watch, from the control socket.

IncidentVerb = Literal["list", "show", "contain", "release", "undo"]


class IncidentAsk(Request, frozen=True, tag="incident"):
    """A `sekisho incident` verb: answered with IncidentAnswer. `ident` an incident id, or an account for
    contain, or an action id for undo. `teach`: the released networks were the owner's. `keep_password`:
    release although the password is still the old one."""

    verb: IncidentVerb
    ident: str = ""
    by: str = "operator"
    dry_run: bool = False
    teach: bool = False
    keep_password: bool = False


class IncidentAnswer(Struct, frozen=True, omit_defaults=True):
    """`incidents` newest first for list; else one, with its `actions` and what was `performed`.

    `plan` says what would be done, or was; `changed`: this request did or planned something.
    `complete`: every owner has answered, nothing is only planned. `notes` are of the case that is shown;
    `blocked`: why nothing was done, and what to do first. `after`: what goes on around a contained account.
    """

    incidents: tuple[Incident, ...] = ()
    actions: tuple[Action, ...] = ()
    performed: tuple[Performed, ...] = ()
    plan: tuple[Phrase, ...] = ()
    changed: bool = False
    complete: bool = True
    notes: tuple[Phrase, ...] = ()
    blocked: Phrase | None = None
    after: Aftermath | None = None


FOLLOWED = "files"
"""The count by which a `sekisho watch` that runs alone is known."""


class StatusAsk(Request, frozen=True, tag="status"):
    """Answered with StatusAnswer: alive, ready, what is listening."""


class StatusAnswer(Struct, frozen=True):
    ready: bool
    pid: int
    listening: dict[str, str]
    counts: dict[str, int] = {}
    silent: tuple[str, ...] = ()
    """Roles that do not answer."""
    alarms: tuple[Phrase, ...] = ()
    """Of the failure rate, those that stand now."""


class Reload(Request, frozen=True, tag="reload"):
    """Read the settings, certificates and accounts again; sessions under way go on. Answered with
    StatusAnswer."""


class Problem(Struct, frozen=True, tag_field="problem", tag="problem"):
    """The request was understood and refused, or could not be answered; `reply` what an SMTP client should
    be told."""

    why: str
    unavailable: bool = False
    reply: Reply | None = None


Answer = (
    Standing
    | Verified
    | Salted
    | Carried
    | Swept
    | Room
    | Performed
    | QueueAnswer
    | IncidentAnswer
    | StatusAnswer
    | Kept
    | Problem
)
