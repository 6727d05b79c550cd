"""Who owns what in the state folder when roles are users of their own (`[users]`), put right at each start.

The process that parses mail can open neither mailboxes nor password hashes nor DKIM keys: it is not their
owner. Only names inside the state folder are touched, and no link is followed.
"""

import grp
import os
import pwd
import stat
from collections.abc import Iterator

from msgspec import Struct

from sekisho.host import HostChance, HostClock, HostDisk
from sekisho.model.config import FRONTS_MOST, Config, Users
from sekisho.service.control import role_path, run_folder
from sekisho.store import return_keys
from sekisho.store.settings import FILE
from sekisho.world import Unavailable

BODIES = "bodies"
"""In a spool's folder: the files of large letters, which the local role reads."""


class Identity(Struct, frozen=True):
    """Whom a role's process runs as; `groups` beside its own one."""

    uid: int
    gid: int
    groups: tuple[int, ...] = ()


class Place(Struct, frozen=True):
    """A role's: who it is (None: as who starts it), and which other users may ask it."""

    identity: Identity | None = None
    peers: frozenset[int] = frozenset()


class Estate:
    """The identities of `[users]`, and the state folder arranged for them. Empty: all run as who starts."""

    def __init__(self, config: Config, settings: str = "") -> None:
        """`settings` is the file that all roles read. Raises Unavailable for a user that this machine does
        not have."""
        self._state = config.state
        self._settings = os.path.abspath(settings) if settings else FILE
        self._returns_s = config.returns.lifetime_s
        self._fronts = config.fronts
        self.roles = ("vault", "watch", "local", *(f"front-{n + 1}" for n in range(config.fronts)))
        users = config.users
        named = {name: getattr(users, name) for name in Users.__struct_fields__}
        self.separate = any(named.values())
        if not self.separate:
            return
        missing = [name for name, user in named.items() if not user]
        if missing:
            raise Unavailable("[users]", f"{', '.join(missing)}: each role needs a user of its own")
        self._group = _group(users.group)
        self._own = {name: _user(user) for name, user in named.items() if name != "group"}
        uids = [identity.uid for identity in self._own.values()]
        if len({*uids, 0}) <= len(uids):
            raise Unavailable("[users]", "each role needs a user of its own, and none may be root")

    def place(self, role: str) -> Place:
        """Of a role as the supervisor names it ("front-2")."""
        if not self.separate:
            return Place()
        kind = role.partition("-")[0]
        own = self._own[kind]
        state = (self._own["watch"].gid,) if kind == "vault" else ()
        asking = {"front": ("watch",), "vault": ("front", "watch")}.get(kind, ("front",))
        peers = frozenset(self._own[each].uid for each in asking)
        return Place(Identity(own.uid, own.gid, (self._group, *state)), peers)

    def arrange(self) -> None:
        """Raises Unavailable, also without the right to change."""
        if self.separate and os.geteuid() != 0:
            raise Unavailable("[users]", "only root can start roles as other users")
        os.makedirs(run_folder(self._state), mode=0o711, exist_ok=True)
        self._tend_keys()
        for role in self.roles:
            os.makedirs(os.path.dirname(role_path(self._state, role)), mode=0o700, exist_ok=True)
        if not self.separate:
            return
        for folder in ("events", "mail", *self._spools()):
            os.makedirs(os.path.join(self._state, folder), mode=0o700, exist_ok=True)
        self.arrange_files()
        self._move_in("mail", "local")
        for spool in self._spools():
            self._move_in(spool, "front", beside=(BODIES,))
        self._move_in(os.path.join("keys", "dkim"), "vault")

    def arrange_files(self) -> None:
        """Owners and modes by the rules; a certificate that root has just put there is the front's to read.
        Raises Unavailable."""
        if self.separate:
            for path, uid, gid, mode in self._rules():
                _settle(os.path.join(self._state, path), uid, gid, mode)

    def tend_keys(self) -> None:
        """New keys of return paths where the old ones are old; fronts may read them. Raises Unavailable."""
        self._tend_keys()
        self.arrange_files()

    def _tend_keys(self) -> None:
        return_keys.tend(HostDisk(), HostChance(), self._state, HostClock().now(), self._returns_s)

    def _spools(self) -> list[str]:
        return [path for n in self._numbers() for path in (f"spool/{n}", f"spool/{n}/{BODIES}")]

    def _numbers(self) -> list[int]:
        """Of spools: one for each front, and those that are left of fronts that are no more."""
        left = range(self._fronts + 1, FRONTS_MOST + 1)
        return [
            *range(1, self._fronts + 1),
            *(n for n in left if os.path.isdir(os.path.join(self._state, "spool", str(n)))),
        ]

    def _rules(self) -> Iterator[tuple[str, int, int, int]]:
        """Path, owner, group, mode. Sticky folders: their members make files and remove their own only.

        Beside the databases SQLite makes its journals, so watch and the vault may make files there.
        """
        own, everybody = self._own, self._group
        yield "", 0, own["watch"].gid, 0o1771
        yield self._settings, 0, everybody, 0o640
        yield "events", 0, everybody, 0o1770
        yield "house.db", own["watch"].uid, everybody, 0o640
        yield "networks.table", 0, everybody, 0o640
        yield "vault.db", own["vault"].uid, own["vault"].gid, 0o600
        yield "keys", 0, own["front"].gid, 0o2711  # a certificate that is renewed is the front's to read
        for name in _names(os.path.join(self._state, "keys")):
            yield f"keys/{name}", 0, own["front"].gid, 0o640
        yield "mail", own["local"].uid, own["local"].gid, 0o700
        yield "spool", 0, 0, 0o711
        for number in self._numbers():
            yield f"spool/{number}", own["front"].uid, own["local"].gid, 0o710
            yield f"spool/{number}/{BODIES}", own["front"].uid, own["local"].gid, 0o2750
        yield "run", 0, own["watch"].gid, 0o1771
        for role in self.roles:
            yield f"run/{role}", self._own[role.partition("-")[0]].uid, 0, 0o711

    def _move_in(self, folder: str, role: str, beside: tuple[str, ...] = ()) -> None:
        """What root made below belongs to the role from now on."""
        identity = self._own[role]
        top = os.path.join(self._state, folder)
        for path, folders, files, handle in os.fwalk(top, follow_symlinks=False):
            if path == top:
                folders[:] = [name for name in folders if name not in beside]
            for name in (*folders, *files):
                found = os.stat(name, dir_fd=handle, follow_symlinks=False)
                linked = found.st_nlink > 1 and not stat.S_ISDIR(found.st_mode)
                if found.st_uid == 0 and not linked:  # what a command of root's made, or a house before
                    os.chown(name, identity.uid, identity.gid, dir_fd=handle, follow_symlinks=False)


def _settle(path: str, uid: int, gid: int, mode: int) -> None:
    """By a handle that is no link: what is changed is what was looked at."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    except OSError as error:
        raise Unavailable(path, error.strerror or str(error)) from error
    try:
        os.fchown(handle, uid, gid)
        os.fchmod(handle, mode)
    finally:
        os.close(handle)


def _names(folder: str) -> list[str]:
    """The plain files in it."""
    try:
        entries = list(os.scandir(folder))
    except FileNotFoundError:
        return []
    return [entry.name for entry in entries if stat.S_ISREG(entry.stat(follow_symlinks=False).st_mode)]


def _user(name: str) -> Identity:
    if name.isdecimal():
        return Identity(int(name), int(name))
    try:
        found = pwd.getpwnam(name)
    except KeyError as error:
        raise Unavailable(f"the user {name}", "this machine has none; see [users]") from error
    return Identity(found.pw_uid, found.pw_gid)


def _group(name: str) -> int:
    if name.isdecimal():
        return int(name)
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError as error:
        raise Unavailable(f"the group {name}", "this machine has none; see [users]") from error
