"""A small world of DNS records for the tests of mail authentication, in the words of the shared suites.

`records` is name -> list of {"TXT": ...}, {"A": ...} ... or "TIMEOUT": no type that
stands behind it is answered. What is asked is counted.
"""

import ipaddress
from collections.abc import Mapping, Sequence
from typing import Any

from sekisho.mail.names import Silent

ALIASES_MAX = 8


class Zone:
    def __init__(self, records: Mapping[str, Sequence[Any]]) -> None:
        self._records = {name.lower(): list(_spelled(entries)) for name, entries in records.items()}
        self.asked: list[tuple[str, str]] = []

    async def texts(self, name: str) -> tuple[bytes, ...] | None:
        found = self._answer(name, "TXT")
        return None if found is None else tuple(_joined(each) for each in found)

    async def mail_hosts(self, name: str) -> tuple[str, ...] | None:
        found = self._answer(name, "MX")
        return None if found is None else tuple(str(host).lower() for _, host in sorted(found))

    async def addresses(self, name: str, family: int) -> tuple[str, ...] | None:
        found = self._answer(name, "A" if family == 4 else "AAAA")
        return None if found is None else tuple(found)

    async def hosts_of(self, address: str) -> tuple[str, ...] | None:
        found = self._answer(ipaddress.ip_address(address).reverse_pointer, "PTR")
        return None if found is None else tuple(found)

    def _answer(self, name: str, kind: str) -> list[Any] | None:
        assert name == name.lower() and len(name) <= 253 and "" not in name.split("."), f"asked for {name!r}"
        self.asked.append((name, kind))
        for _ in range(ALIASES_MAX):
            entries = self._records.get(name)
            if entries is None:
                return None
            found = [value for at, value in entries if at == kind]
            if found and "TIMEOUT" not in found:
                return found
            if found or ("TIMEOUT", "") in entries:
                raise Silent(f"no answer for {name}")
            alias = next((value for at, value in entries if at == "CNAME"), None)
            if alias is None:
                return []
            name = alias.lower()
        raise Silent(f"no end of aliases at {name}")


def _spelled(entries: Sequence[Any]) -> list[tuple[str, Any]]:
    """Type SPF stands for TXT, unless the name has TXT records of its own."""
    pairs = [("TIMEOUT", "") if each == "TIMEOUT" else next(iter(each.items())) for each in entries]
    if not any(kind == "TXT" for kind, _ in pairs):
        pairs = [("TXT" if kind == "SPF" else kind, value) for kind, value in pairs]
    return [(kind, value) for kind, value in pairs if value != "NONE"]


def _joined(value: Any) -> bytes:
    text = value if isinstance(value, str) else "".join(value)
    return text.encode("latin-1") if not text.isascii() else text.encode()
