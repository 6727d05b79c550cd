"""Blurs a report for showing it to others: accounts get numbers, addresses keep only their network.

The same account has the same number everywhere in one report; a domain stays readable only if it is one of
those set aside for examples (RFC 2606).
"""

import re
from typing import Any

_ACCOUNT = re.compile(r"[^\s<>,;:'\"()/]+@([A-Za-z0-9.-]+)")
_V4 = re.compile(r"\b(\d{1,3}\.\d{1,3})\.\d{1,3}\.\d{1,3}\b")
_V6 = re.compile(
    r"(?<![0-9A-Fa-f:.T])([0-9A-Fa-f]{1,4}:[0-9A-Fa-f]{1,4}:)(?:[0-9A-Fa-f]{0,4}:)+[0-9A-Fa-f]{0,4}(?![\d:])"
)
_CLOCK = re.compile(r"\d{1,3}:\d\d(?::\d\d)?")
_TIMES = frozenset({
    "opened", "closed", "first", "last", "at", "login_at", "message_at", "last_failure",
    "watch_at", "contain_at", "lock_at",
})  # fmt: skip
_FREE = frozenset({"sentence", "text", "related_accounts"})
_OPAQUE = frozenset({"example", "shape"})
"""Lines of a stranger's log: shown to others, nothing of them stays."""


def mask(report: dict[str, Any]) -> dict[str, Any]:
    """A copy of the report in JSON's types, without a full address or account."""
    masked: dict[str, Any] = _Masker(_without_domain(report)).value(report)
    return masked


def _without_domain(value: Any) -> set[str]:
    """Accounts of servers that know users by name only: sendmail, courier."""
    if isinstance(value, list):
        return {name for part in value for name in _without_domain(part)}
    if not isinstance(value, dict):
        return set()
    named = [value.get("account", ""), *value.get("related_accounts", ())]
    names = {name for name in named if isinstance(name, str) and name and "@" not in name}
    return names.union(*(_without_domain(part) for part in value.values()))


class _Masker:
    def __init__(self, bare: set[str]) -> None:
        self._names: dict[str, str] = {}
        words = "|".join(re.escape(name) for name in sorted(bare, key=len, reverse=True))
        self._bare = re.compile(rf"(?<![\w@.-])(?:{words})(?![\w@-])") if words else None

    def value(self, value: Any) -> Any:
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, list):
            return [self.value(part) for part in value]
        if isinstance(value, dict):
            return {self.text(name): self._field(name, part) for name, part in value.items()}
        return value

    def _field(self, name: str, value: Any) -> Any:
        if name in _TIMES:
            return value
        if name in _OPAQUE and isinstance(value, str):
            return "***"
        if name in _FREE and self._bare is not None:
            if isinstance(value, list):
                return [self._spoken(part) for part in value]
            return self._spoken(value)
        if name == "account" and isinstance(value, str) and "@" not in value:
            return self._name(value, "") if value else value
        return self.value(value)

    def _spoken(self, text: str) -> str:
        """A sentence, or a list of names: there a bare name is somebody's."""
        assert self._bare is not None
        return self.text(self._bare.sub(lambda match: self._name(match[0], ""), text))

    def text(self, text: str) -> str:
        text = _ACCOUNT.sub(lambda match: self._name(match[0], match[1]), text)
        text = _V4.sub(r"\1.x.x", text)
        return _V6.sub(self._v6, text)

    def _v6(self, match: re.Match[str]) -> str:
        return match[0] if _CLOCK.fullmatch(match[0]) else f"{match[1]}x"

    def _name(self, account: str, domain: str) -> str:
        known = self._names.setdefault(account, f"account{len(self._names) + 1}")
        return f"{known}@{'example' if domain else 'nowhere'}"
