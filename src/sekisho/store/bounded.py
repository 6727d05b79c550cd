"""A dictionary with a limit: the oldest entry makes room."""

from collections.abc import Iterable
from typing import Generic, TypeVar

Value = TypeVar("Value")
Key = TypeVar("Key")


class Bounded(Generic[Key, Value]):
    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._entries: dict[Key, Value] = {}

    def get(self, key: Key) -> Value | None:
        return self._entries.get(key)

    def put(self, key: Key, value: Value) -> None:
        self._entries.pop(key, None)
        self._entries[key] = value
        if len(self._entries) > self._limit:
            del self._entries[next(iter(self._entries))]

    def items(self) -> Iterable[tuple[Key, Value]]:
        return self._entries.items()

    def clear(self) -> None:
        self._entries.clear()

    def __contains__(self, key: Key) -> bool:
        return key in self._entries

    def __len__(self) -> int:
        return len(self._entries)
