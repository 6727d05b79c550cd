"""The guard's memories as the shell handles them: written down, read back, released, locked, looked up in
a new table."""

from sekisho.guard import logins, volume
from sekisho.guard.allowing import Allowed
from sekisho.guard.grading import grade_at
from sekisho.guard.memory import DAY, Flow, Memory, pack_memory, unpack_memory
from sekisho.guard.networks import NOWHERE, NetworkTable
from sekisho.model.config import Guard as Settings
from sekisho.model.envelope import Network
from sekisho.model.incident import Grade

ALLOWED = 30 * DAY
"""How long a volume that the operator released stays allowed."""


class Keeper:
    """Accounts by name, and which of them changed since they were last written down."""

    def __init__(self, settings: Settings, networks: NetworkTable) -> None:
        self._settings = settings
        self._networks = networks
        self._memories: dict[str, Memory] = {}
        self._changed: set[str] = set()
        self._webmail = frozenset(settings.webmail)
        self._allowed = Allowed(settings.allow)

    def configure(self, settings: Settings) -> None:
        """New limits; what is remembered stays."""
        self._settings = settings
        self._webmail = frozenset(settings.webmail)
        self._allowed = Allowed(settings.allow)

    def accounts(self) -> tuple[str, ...]:
        return tuple(self._memories)

    def __contains__(self, account: str) -> bool:
        return account.lower() in self._memories

    def memory(self, account: str) -> Memory:
        """For reports and tests; to be looked at, not changed."""
        return self._memories[account.lower()]

    def snapshot(self, account: str) -> bytes:
        return pack_memory(self._memories[account.lower()])

    def restore(self, account: str, data: bytes) -> None:
        self._memories[account.lower()] = unpack_memory(data)

    def changed(self) -> frozenset[str]:
        """The accounts whose memory changed since this was last asked."""
        changed = frozenset(self._changed)
        self._changed.clear()
        return changed

    def forget(self, account: str) -> None:
        """Drop an account; the shell has written it down, and restores it when it is heard of again."""
        self._memories.pop(account.lower(), None)

    def use_table(self, networks: NetworkTable, at: int) -> None:
        """Rule 14: a new network table. Every remembered network is looked up again before the next event."""
        self._networks = networks
        for account, memory in self._memories.items():
            logins.remap(memory, networks.find, at)
            self._changed.add(account)

    def is_clear(self, account: str, at: int) -> bool:
        """No grade at this moment: a watch ends by itself after a day."""
        memory = self._memories.get(account.lower())
        return memory is None or grade_at(memory, at) == Grade.CLEAR

    def contained(self, account: str, incident: str, action: str) -> None:
        """The shell has opened a case: `action` is the id under which mail of this account is held."""
        memory = self._memories[account.lower()]
        memory.incident, memory.action = incident, action
        self._changed.add(account.lower())

    def set_grade(self, account: str, grade: Grade, at: int) -> None:
        """The operator's word: contain or lock an account whatever the evidence says."""
        memory = self._memories.setdefault(account.lower(), Memory(born=at))
        memory.grade, memory.since, memory.gentle = grade, at, False
        memory.ground = "said"
        memory.all_mail = grade >= Grade.LOCK
        memory.first_stranger = memory.first_stranger or at
        self._changed.add(account.lower())

    def release(self, account: str, at: int, *, teach: bool) -> None:
        """End the case. With `teach` the strangers were the owner: their networks become the account's own,
        and today's volume is allowed. Without, they and whom they wrote to will be strange again."""
        memory = self._memories.get(account.lower())
        if memory is None:
            return
        logins.settle_strangers(memory, at, teach=teach)
        if teach:
            memory.allowance = int(volume.fresh_today(memory, at) * volume.BULK_GROWTH)
            memory.allowance_until = at + ALLOWED
        else:
            memory.clean_since, memory.fresh = at, {}
        memory.score, memory.score_at, memory.terms = 0.0, at, []
        memory.strange, memory.own = Flow(), Flow()
        memory.grade, memory.since, memory.watch_until = Grade.CLEAR, at, 0
        memory.gentle = memory.all_mail = False
        memory.ground, memory.raised_score, memory.raised_limit = "", 0.0, 0.0
        memory.first_stranger, memory.incident, memory.action = 0, "", ""
        memory.denied = memory.passed = memory.over_cap = 0
        self._changed.add(account.lower())

    def _network(self, account: str, address: str, at: int, known: Network | None) -> Network:
        """Rule 12: our own web mail is no place, whatever its address; nor is what the operator allows."""
        if address in self._webmail:
            return NOWHERE
        if self._allowed and self._allowed.covers(account, address, at):
            return NOWHERE
        return known if known is not None else self._networks.find(address)
