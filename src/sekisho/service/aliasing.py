"""Aliases, catch-alls and refusals: what may be written, so that all lead somewhere and none in a circle."""

from collections.abc import Callable

from msgspec.structs import replace

from sekisho.model.account import POSTMASTER, Alias, key_of, split
from sekisho.model.phrase import Phrase, phrase
from sekisho.model.text import printable
from sekisho.queue.aliases import NESTING, TARGETS, Entry, Led, Search, entry_of
from sekisho.service.accounts import Hands
from sekisho.service.names import Refusal, alias_address, target_address
from sekisho.store.house import House
from sekisho.store.lists import Lists
from sekisho.world import Unavailable


class Aliases:
    """Raises Refusal for what cannot be. `elsewhere`: whether the rules know a name of ours that has nobody
    here.
    """

    def __init__(
        self, house: House, hands: Hands, elsewhere: Callable[[str], bool] = lambda name: False
    ) -> None:
        self._house = house
        self._hands = hands
        self._elsewhere = elsewhere

    def get(self, address: str) -> Alias:
        found = self._house.alias(alias_address(address))
        if found is None:
            raise Refusal(phrase("there is no alias {name} here", name=printable(address)))
        return found

    def add(self, address: str, targets: tuple[str, ...]) -> Alias:
        """No targets: an explicit refusal, which wins over a catch-all."""
        key = alias_address(address)
        if self._house.domain(split(key)[1]) is None:
            hint = phrase(
                "there is no domain {name} here; add it: sekisho domain add {name}", name=split(key)[1]
            )
            raise Refusal(hint)
        if self._house.alias(key) is not None:
            raise Refusal(phrase("the alias {name} is already here", name=key))
        alias = Alias(key, _targets(targets), self._hands.clock.now())
        return self._save(alias, "alias added")

    def set(self, address: str, targets: tuple[str, ...]) -> Alias:
        """Other targets than before."""
        return self._save(replace(self.get(address), targets=_targets(targets)), "alias set")

    def remove(self, address: str) -> Alias:
        alias = self.get(address)
        self._house.remove_alias(alias.address, self._hands.change("alias removed", alias.address))
        return alias

    def leading_to(self, key: str) -> list[str]:
        """The aliases that name this address as a target."""
        return [alias.address for alias in self._house.aliases() if key in map(key_of, alias.targets)]

    def check(self) -> list[Phrase]:
        """What is wrong with aliases and lists as they stand now: people are removed, files change."""
        found: list[Phrase] = []
        for alias in self._house.aliases():
            found += _flaws(self._house, alias, self._elsewhere)
        return found

    def _save(self, alias: Alias, what: str) -> Alias:
        if alias.refuses and split(alias.address)[0] == POSTMASTER:
            raise Refusal(phrase("mail to postmaster cannot be refused (RFC 5321 4.5.1)"))
        try:
            led = lead(self._house, alias.address, alias)
        except Unavailable as trouble:
            why = phrase("{name} cannot be used: {why}", name=printable(trouble.door), why=trouble.why)
            raise Refusal(why) from trouble
        self._refuse_circles(alias, led)
        self._house.save_alias(alias, self._hands.change(what, alias.address, ", ".join(alias.targets)))
        return alias

    def _refuse_circles(self, alias: Alias, led: Led) -> None:
        name = alias.address
        if led.loops:
            circle = phrase("{name} would lead in a circle: {loops}", name=name, loops=_list(led.loops))
            raise Refusal(circle)
        if led.excess:
            raise Refusal(
                phrase(
                    "{name} would lead to over {targets} addresses or through over {nesting} aliases",
                    name=name,
                    targets=TARGETS,
                    nesting=NESTING,
                )
            )
        unknown = _unknown(led, self._elsewhere)
        if unknown and not alias.refuses:
            raise Refusal(phrase("nobody is here of the name {names}", names=_list(unknown)))


def _flaws(house: House, alias: Alias, elsewhere: Callable[[str], bool]) -> list[Phrase]:
    name = alias.address
    try:
        led = lead(house, name)
    except Unavailable as trouble:
        return [
            phrase("{name} waits for {path}: {why}", name=name, path=printable(trouble.door), why=trouble.why)
        ]
    flaws = [phrase("{name} leads in a circle: {circle}", name=name, circle=circle) for circle in led.loops]
    for target in () if alias.refuses else _unknown(led, elsewhere):
        flaws.append(
            phrase("{name} leads to {target}, and nobody is here of that name", name=name, target=target)
        )
    if led.excess:
        flaws.append(phrase("{name} leads to over {targets} addresses or through over {nesting} aliases",
                            name=name, targets=TARGETS, nesting=NESTING))  # fmt: skip
    return flaws


def lead(house: House, key: str, proposed: Alias | None = None) -> Led:
    """Where an address leads, with `proposed` as if it were written; "*" stands for any local part."""

    def entry(name: str) -> Entry:
        alias = proposed if proposed is not None and proposed.address == name else house.alias(name)
        return entry_of(name, house.account(name), alias.targets if alias is not None else None)

    led = Search(entry, house.domain, Lists().addresses).lead("*" + key if key.startswith("@") else key)
    return replace(led, unknown=tuple(name for name in led.unknown if not name.startswith("*@")))


def _unknown(led: Led, elsewhere: Callable[[str], bool]) -> tuple[str, ...]:
    """A name that somebody has refused is known nowhere."""
    return tuple(name for name in led.unknown if name in led.refused or not elsewhere(name))


def _targets(texts: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(target_address(text) for text in texts))


def _list(names: tuple[str, ...]) -> str:
    return ", ".join(names)
