"""A role's heartbeat, as its supervisor hears it: asked how it is, again and again; who hangs is replaced.

Questions without an answer are counted, not seconds: after a pause of the whole machine (a suspended host, a
debugger) everybody has missed one and nobody is ended for it.
"""

import asyncio
import contextlib
from typing import Protocol

from sekisho.service.channel import Channel, NotDone
from sekisho.service.messages import StatusAnswer, StatusAsk
from sekisho.world import Unavailable

BEATS = 6
"""Questions in the silence that a role may keep."""

STARTING_BEATS = 10 * BEATS
"""While it has not answered yet: a front reads its spool before it does, which may be long."""

STATUS_S = 5.0
"""Longest wait for one role's part of the status: who does not answer by then is named in it."""


async def status_of(channel: Channel, within_s: float) -> StatusAnswer | None:
    """What a role says of itself, if it answers in that time."""
    with contextlib.suppress(Unavailable, NotDone, TimeoutError):
        return await asyncio.wait_for(channel.ask(StatusAsk(), StatusAnswer), within_s)
    return None


class Patient(Protocol):
    """A role's process. `life` changes with each new one and is 0 while there is none."""

    @property
    def life(self) -> int: ...

    def replace(self, why: str) -> None: ...


class Heartbeat:
    def __init__(self, channel: Channel, patient: Patient, silence_s: int) -> None:
        self._channel = channel
        self._patient = patient
        self._silence_s = silence_s
        self._beat_s = silence_s / BEATS
        self._life = patient.life
        self._answered = True
        self._missed = 0
        self._missed_since_answer = 0
        self._stopped = False

    @property
    def well(self) -> bool:
        """Not when it hangs on although it was ended, nor when no new process has come to answer in time."""
        return self._missed_since_answer < (BEATS + 1 if self._answered else STARTING_BEATS)

    async def beat(self) -> None:
        """Until `stop`."""
        loop = asyncio.get_running_loop()
        while not self._stopped:
            asked_at = loop.time()
            self._judge(await status_of(self._channel, self._beat_s) is not None)
            await asyncio.sleep(max(0.0, asked_at + self._beat_s - loop.time()))

    def stop(self) -> None:
        self._stopped = True

    def _judge(self, answers: bool) -> None:
        if (life := self._patient.life) != self._life and life:
            self._life, self._answered, self._missed = life, False, 0
        if answers:
            self._answered, self._missed, self._missed_since_answer = True, 0, 0
            return
        self._missed += 1
        self._missed_since_answer += 1
        allowed = BEATS if self._answered else STARTING_BEATS
        if self._missed >= allowed and life and not self._stopped:
            self._patient.replace(f"did not answer for {self._silence_s * allowed // BEATS} s and was ended")
