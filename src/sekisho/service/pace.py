"""How a client keeps up: its longest silence, and the rate of the letter that it is sending."""

from sekisho.model.verdict import Reply
from sekisho.wire.replies import SILENCE

RATE_AFTER_S = 60.0
"""A letter's rate is looked at only after this long."""

SLOW = Reply(421, "4.4.2", "Message arrives too slowly, closing")


class Pace:
    __slots__ = ("_began", "_bytes", "_heard", "_letter", "_letter_bytes", "_letter_since")

    def __init__(self, now: float) -> None:
        self._began = now
        self._heard = now
        self._bytes = 0
        self._letter: object | None = None
        self._letter_since = now
        self._letter_bytes = 0

    def began(self, now: float) -> None:
        """A handshake is to come."""
        self._began = now

    def heard(self, now: float, count: int) -> None:
        self._heard = now
        self._bytes += count

    def beginning_s(self, now: float) -> float:
        return now - self._began

    def too_slow(self, now: float, silence_s: int, letter: object | None, min_rate: int) -> Reply | None:
        """What the client is sent away with. A letter's time counts from the first look at it.

        `letter` is whatever stands for the one that is arriving, or for a chunk that nobody wants.
        """
        if now - self._heard > silence_s:
            return SILENCE  # RFC 5321 4.5.3.2
        if letter is not self._letter:
            self._letter, self._letter_since, self._letter_bytes = letter, now, self._bytes
        elif letter is not None and (took_s := now - self._letter_since) >= RATE_AFTER_S:
            return SLOW if (self._bytes - self._letter_bytes) / took_s < min_rate else None
        return None
