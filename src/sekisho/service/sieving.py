"""weakforced's black and white lists: addresses, networks, logins and pairs of both, each for a time."""

import ipaddress
from collections.abc import Callable
from typing import Any, Literal

from msgspec import Struct

from sekisho.store.bounded import Bounded

ENTRIES = 10_000
"""Most entries of one list; the oldest make room."""

LONGEST_S = 10 * 365 * 86_400
"""Ten years: more is a mistake."""

SECOND = 1_000_000

Key = tuple[str, str]
"""Address or network, and login; either may be empty, not both."""

Colour = Literal["black", "white"]


class Entry(Struct, frozen=True):
    until: int
    reason: str


class Sieve:
    """What is in it is lost with the process, as weakforced's own without its database."""

    def __init__(self, now: Callable[[], int]) -> None:
        self._now = now
        self._lists: dict[Colour, Bounded[Key, Entry]] = {
            "black": Bounded(ENTRIES),
            "white": Bounded(ENTRIES),
        }
        self._widths: set[int] = set()

    def verdict(self, address: str, login: str) -> tuple[int, str, dict[str, str]] | None:
        """weakforced's order: the white list first, then the black one; None for who is in neither."""
        for colour, status in (("white", 0), ("black", -1)):
            for name, key in self._keys(address, login):
                if (entry := self._standing(colour, key)) is not None:  # type: ignore[arg-type]
                    attributes = {f"{colour}listed": "1", "key": name, "reason": entry.reason}
                    attributes["expiration"] = str(entry.until // SECOND)
                    return status, entry.reason if status else "", attributes
        return None

    def command(self, name: str, key: Key, reason: str, seconds: int) -> tuple[int, Any]:
        """addBLEntry, delWLEntry, getBL and their like. HTTP status and what to answer."""
        colour: Colour = "white" if "WL" in name else "black"
        match name:
            case "addBLEntry" | "addWLEntry":
                return self._add(colour, key, reason, seconds)
            case "delBLEntry" | "delWLEntry":
                self._remove(colour, key)
                return 200, {"status": "ok"}
            case "getBL":
                return 200, {"bl_entries": self._all("black")}
            case "getWL":
                return 200, {"wl_entries": self._all("white")}
        return 404, {"status": "failure", "reason": "there is no such command"}

    def forget(self, key: Key) -> None:
        self._remove("black", key)

    def shown(self, key: Key) -> dict[str, Any]:
        black, white = self._standing("black", _normal(key)), self._standing("white", _normal(key))
        shown: dict[str, Any] = {"blacklisted": black is not None, "whitelisted": white is not None}
        if black is not None:
            shown |= {"bl_reason": black.reason, "bl_expire": black.until // SECOND}
        return shown

    def _add(self, colour: Colour, key: Key, reason: str, seconds: int) -> tuple[int, Any]:
        normal = _normal(key)
        if normal == ("", "") or not reason or not 0 < seconds <= LONGEST_S:
            why = "an ip, netmask or login, a reason and expire_secs are needed"
            return 400, {"status": "failure", "reason": why}
        if normal[0]:
            self._widths.add(ipaddress.ip_network(normal[0]).prefixlen)
        self._lists[colour].put(normal, Entry(self._now() + seconds * SECOND, reason[:200]))
        return 200, {"status": "ok"}

    def _remove(self, colour: Colour, key: Key) -> None:
        entry = self._standing(colour, _normal(key))
        if entry is not None:
            self._lists[colour].put(_normal(key), Entry(0, ""))

    def _standing(self, colour: Colour, key: Key) -> Entry | None:
        entry = self._lists[colour].get(key)
        return entry if entry is not None and entry.until > self._now() else None

    def _keys(self, address: str, login: str) -> list[tuple[str, Key]]:
        places = []
        if address:
            known = ipaddress.ip_address(address)
            widths = sorted((width for width in self._widths if width <= known.max_prefixlen), reverse=True)
            places = [str(ipaddress.ip_network((known, width), strict=False)) for width in widths]
        keys = [("ip", (place, "")) for place in places]
        if login:
            keys.append(("login", ("", login)))
            keys += [("iplogin", (place, login)) for place in places]
        return keys

    def _all(self, colour: Colour) -> list[dict[str, str]]:
        now = self._now()
        return [
            {"key": " ".join(part for part in key if part), "reason": entry.reason}
            | {"expiration": str(entry.until // SECOND)}
            for key, entry in self._lists[colour].items()
            if entry.until > now
        ]


def _normal(key: Key) -> Key:
    """The network as `ipaddress` writes it; ("", "") for one that is none."""
    place, login = key
    if not place:
        return "", login
    try:
        return str(ipaddress.ip_network(place, strict=False)), login
    except ValueError:
        return "", ""
