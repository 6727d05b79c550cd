"""A password between the SASL exchange and the vault: it cannot be printed, compared, pickled or encoded."""

from typing import NoReturn


class Secret:
    __slots__ = ("_plain",)

    def __init__(self, plain: bytes) -> None:
        self._plain = plain

    def reveal(self) -> bytes:
        """The plaintext. Called by the vault, and by the one channel that leads to it, and by nobody else."""
        return self._plain

    def __repr__(self) -> str:
        return "***"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return "***"

    def __eq__(self, other: object) -> bool:
        return self is other

    def __hash__(self) -> int:
        return id(self)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret is never stored")
