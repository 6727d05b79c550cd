"""Return paths as a front uses them: which letters leave with a signed one, and whose one is that comes back.

Every fact is in the token, so that a front knows a bounce of a letter that another front has sent, long after
it has left the queue.
"""

from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct

from sekisho.mail.return_path import Seal, looks_signed, mark_of, opened, owner_of, signed
from sekisho.mail.srs import forwarded, looks_forwarded, reversed_path
from sekisho.model.address import domain_of
from sekisho.model.config import Config
from sekisho.model.envelope import Envelope
from sekisho.model.ident import id_time
from sekisho.store import return_keys
from sekisho.world import Disk

SECOND = 1_000_000
DAY_S = 86_400
AHEAD = 3600 * SECOND
"""How far in the future a message may have been made: another front's clock."""

KNOWN = "known"
"""The place of a client that the account has used for days (`model/incident.py`)."""


class Directory(Protocol):
    def is_local_domain(self, domain: str) -> bool: ...

    def senders_of(self, address: str) -> tuple[str, ...]: ...


class Comeback(Struct, frozen=True):
    """A signed address that has come back: whose it is, and the letter it left with. `account` is "" when
    nobody who may write under it is that sender any more; not `fresh`: so old that it proves nothing.
    """

    address: str
    seal: Seal
    account: str
    fresh: bool


class Returns:
    def __init__(self, disk: Disk, directory: Directory, config: Config, now: int) -> None:
        self._disk = disk
        self._directory = directory
        self._settings = config.returns
        self._state = config.state
        self._keys: Sequence[bytes] = ()
        self._signing = b""
        self.read_keys(now)

    def read_keys(self, now: int) -> None:
        """Those in the file; where it cannot be read just now, as before."""
        if keys := return_keys.read(self._disk, self._state):
            self._keys = [key.key for key in keys]
            self._signing = return_keys.signing(keys, now).key

    def path_for(self, message: str, envelope: Envelope, place: str) -> str:
        """What other hosts are told of the sender; "" is the sender as it stands. `place`: what the guard
        thinks of where it came from.
        """
        sender, account = envelope.sender or "", envelope.origin.account
        if not self._keys or not sender or not account or not self._wanted(envelope, place):
            return ""
        if not self._directory.is_local_domain(domain_of(sender)):
            return ""  # nobody would bring it back to us
        seal = Seal(message, mark_of(envelope.origin.network), owner_of(account))
        path = signed(sender, seal, self._signing)
        return path if path != sender else ""

    def _wanted(self, envelope: Envelope, place: str) -> bool:
        sign = self._settings.sign
        if sign == "never" or (sign == "unfamiliar" and place == KNOWN):
            return False
        plain = self._settings.plain
        return not plain or not any(_is_among(domain_of(each), plain) for each in envelope.recipients)

    def opened(self, address: str, now: int) -> Comeback | None:
        """None: not one of ours, as far as can be proven."""
        if not looks_signed(address):
            return None
        found = opened(address, self._keys)
        if found is None:
            return None
        real, seal = found
        age = now - id_time(seal.message)
        fresh = -AHEAD <= age <= self._settings.lifetime_s * SECOND
        senders = self._directory.senders_of(real)
        account = next((each for each in senders if owner_of(each) == seal.owner), "")
        return Comeback(real, seal, account, fresh)

    def path_onward(self, sender: str | None, domain: str, now: int) -> str:
        """What other hosts are told of the sender of a letter that one of our addresses, in `domain`, sends
        on; "" is the sender as it stands."""
        if not sender or not self._keys or self._settings.forwards == "keep":
            return ""
        if self._directory.is_local_domain(domain_of(sender)):
            return ""
        path = forwarded(sender, domain, self._signing, now)
        return path if path != sender else ""

    def origin(self, address: str, now: int) -> str:
        """Whom a bounce of a letter that we have sent on goes back to; "" for any other address."""
        if not looks_forwarded(address) or not self._directory.is_local_domain(domain_of(address)):
            return ""
        return reversed_path(address, self._keys, now, -(-self._settings.lifetime_s // DAY_S))

    def restored(self, address: str) -> str:
        """The address behind a signature of ours, however old; any other as it is."""
        found = opened(address, self._keys) if looks_signed(address) else None
        return found[0] if found is not None else address


def _is_among(domain: str, names: Sequence[str]) -> bool:
    return any(domain == name.lower() or (name[:2] == "*." and domain.endswith(name[1:].lower()))
               for name in names)  # fmt: skip
