"""Where an address of ours leads: extensions, aliases behind aliases, roles, the catch-all; loops are found.

Pure: it asks functions. Order of the search: the very name, the name without extension (longest first), a
role, the catch-all. The first that exists decides, so that an explicit refusal wins over the catch-all.
"""

from collections.abc import Callable, Iterator

from msgspec import Struct

from sekisho.model.account import POSTMASTER, ROLES, Account, Domain, key_of, split
from sekisho.queue.listing import INCLUDE

NESTING = 10
"""Most aliases behind each other."""

TARGETS = 1_000
"""Most addresses that one address may lead to."""

Entry = tuple[str, ...] | None
"""What stands under a name: None nothing, () a refusal, targets; the name among them is its own mailbox."""


class Led(Struct, frozen=True):
    """Where an address leads: final addresses in order, and what was wrong on the way.

    A loop is written as its whole circle, "a@d > b@d > a@d". `lists`: files that were read on the way.
    `names`: for each target the name by which it was reached, "hello+news@d" for hello@d.
    `refused`: of the unknown those that somebody has refused, or whose account takes no mail. `aliased`:
    an alias, a role or a catch-all was followed.
    """

    targets: tuple[str, ...] = ()
    loops: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    excess: bool = False
    lists: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()
    aliased: bool = False


def _no_lists(path: str) -> tuple[str, ...]:
    return ()


class Search:
    """One search. `entry` answers for a name of ours, `domain` for a domain (None: not ours), `listed` for
    the file of a list."""

    def __init__(
        self,
        entry: Callable[[str], Entry],
        domain: Callable[[str], Domain | None],
        listed: Callable[[str], tuple[str, ...]] = _no_lists,
    ) -> None:
        self._entry = entry
        self._domain = domain
        self._listed = listed
        self._lists: dict[str, None] = {}
        self._targets: dict[str, str] = {}
        self._visited: set[str] = set()
        self._loops: list[str] = []
        self._unknown: list[str] = []
        self._refused: list[str] = []
        self._aliased = False
        self._excess = False

    def lead(self, key: str) -> Led:
        if self._domain(split(key)[1]) is not None:
            self._visit(key, ())
        return Led(
            tuple(self._targets),
            tuple(self._loops),
            tuple(self._unknown),
            self._excess,
            tuple(self._lists),
            tuple(self._targets.values()),
            refused=tuple(self._refused),
            aliased=self._aliased,
        )

    def named(self, key: str, depth: int = 0) -> bool:
        """Whether somebody has given this name a meaning: it is not only what a catch-all takes.

        Another name of a whole domain is no catch-all: what counts is the name there.
        """
        domain = self._domain(split(key)[1])
        if domain is None:
            return depth > 0  # another host's affair
        owner, targets = self._find(key_of(key), domain)
        if not owner.startswith("@"):
            return bool(targets)
        local = split(key)[0]
        return depth < NESTING and any(
            self.named(local + target, depth + 1) for target in targets if target.startswith("@")
        )

    def _visit(self, key: str, chain: tuple[str, ...]) -> None:
        if key in chain:
            self._loops.append(" > ".join((*chain[chain.index(key) :], key)))
            return
        if key in self._visited:
            return
        self._visited.add(key)
        if len(chain) > NESTING or len(self._visited) > TARGETS:
            self._excess = True
            return
        domain = self._domain(split(key_of(key))[1])
        if domain is None:
            self._targets[key] = key  # RFC 5321 2.4: the case of another host's local part is kept
        else:
            self._follow(key_of(key), domain, (*chain, key))

    def _follow(self, key: str, domain: Domain, chain: tuple[str, ...]) -> None:
        owner, targets = self._find(key, domain)
        if not targets:
            self._unknown.append(key)
            if not owner.startswith("@"):
                self._refused.append(key)
        self._aliased |= bool(targets) and targets != (owner,)
        for target in self._unfolded(targets):
            if target == owner and owner in targets:  # in a list it would be a circle
                self._targets.setdefault(owner, key)
            elif target.startswith("@"):
                self._visit(split(key)[0] + target, chain)
            else:
                self._visit(target, chain)

    def _unfolded(self, targets: tuple[str, ...]) -> Iterator[str]:
        """The targets, with those that stand in lists."""
        for target in targets:
            if target.startswith(INCLUDE):
                path = target.removeprefix(INCLUDE)
                self._lists[path] = None
                yield from self._listed(path)
            else:
                yield target

    def _find(self, key: str, domain: Domain) -> tuple[str, tuple[str, ...]]:
        """The name that decides and its targets."""
        local = split(key)[0]
        for name in names_of(key, domain.delimiters):
            entry = self._entry(name)
            if entry or (entry is not None and local != POSTMASTER):
                return name, entry
        if local in ROLES:
            return self._role(key, domain)
        everything = "@" + domain.name
        return everything, self._entry(everything) or ()

    def _role(self, key: str, domain: Domain) -> tuple[str, tuple[str, ...]]:
        """RFC 5321 4.5.1: postmaster always takes mail; where nobody has the name, into its own mailbox."""
        postmaster = f"{POSTMASTER}@{domain.name}"
        if key != postmaster:
            return key, (postmaster,)
        return key, (domain.postmaster or postmaster,)


def entry_of(name: str, account: Account | None, targets: tuple[str, ...] | None) -> Entry:
    """What stands under a name; `targets` are those of its alias, which comes before its account."""
    mailbox = account is not None and account.active and account.receives
    if targets is not None:
        return tuple(target for target in targets if target != name or mailbox)
    if account is None:
        return None
    return (name,) if mailbox else ()


def names_of(key: str, delimiters: str) -> Iterator[str]:
    """The name itself, then without extension: a+b-c@d, a+b@d, a@d."""
    yield key
    local, domain = split(key)
    for end in range(len(local) - 1, 0, -1):
        if local[end] in delimiters:
            yield f"{local[:end]}@{domain}"
