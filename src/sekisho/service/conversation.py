"""Drives one session: takes up each step of the machine, lets its handler answer, and hands the answer back.

A handler that never waits is run on the spot, without a task. One that waits is carried on in a task, and
the machine reads nothing more until it has answered. A bug ends this session with 421 and nothing else.
"""

import asyncio
from collections.abc import Callable, Coroutine, Generator
from functools import partial
from typing import Any

from sekisho.model.verdict import Reply
from sekisho.service.answer import Answer, Later
from sekisho.service.arriving import Arriving
from sekisho.service.boundary import boundary
from sekisho.service.checking import deferred
from sekisho.service.session import Session
from sekisho.service.steps import HANDLERS
from sekisho.wire.steps import Opened, Quit, Rcpt, Refused, Step, Violated
from sekisho.world import Promise, Unavailable

INTERNAL = Reply(421, "4.3.0", "Internal error, closing")
TOO_MANY_ERRORS = Reply(421, "4.7.0", "Too many errors, closing")
TOO_MANY_UNKNOWN = Reply(421, "4.7.0", "Too many unknown recipients, closing")

AT_ONCE = 50
"""Most steps of one session before others have their turn: a read may hold forty thousand NOOPs."""

SETTLED = (Refused, Violated)
"""The machine has answered these itself."""

OUTER = (Opened, Quit)


class Conversation:
    """`waiting`: a reply is owed that is not there yet; `on_answer` is called when it has come.

    `more`: the client has said more than one turn takes. `gone`: the connection is. `left`: the client has
    said QUIT, or nothing yet, so no word of ours can cross one of its own.
    """

    __slots__ = ("_on_answer", "_turn", "gone", "left", "machine", "more", "session", "waiting")

    def __init__(self, session: Session, on_answer: Callable[[], None]) -> None:
        self.session = session
        self.machine = session.machine
        self.waiting = False
        self.gone = False
        self.left = False
        self.more = False
        self._on_answer = on_answer
        self._turn = boundary(session.front.trouble, "session", session.ident)

    @property
    def behind(self) -> bool:
        """The client is ahead of us, for one reason or the other."""
        return self.waiting or self.more

    @property
    def body(self) -> Arriving | None:
        """The letter that is arriving."""
        transaction = self.session.transaction
        return transaction.body if transaction is not None else None

    def hear(self, data: bytes) -> None:
        """What can be answered now is, up to `AT_ONCE`; then `machine.take()` has the replies."""
        taken = 0
        self.more = False
        with self._turn:
            for step in self.machine.receive(data):
                taken += 1
                if not self._take_up(step):
                    break
                if taken == AT_ONCE:
                    self.more = True
                    break
        if self._turn.failed:
            self._fail()

    def shut(self, reply: Reply) -> None:
        self.machine.shut(reply)
        self.end()

    def end(self) -> None:
        """The connection is closing, or gone. A letter that is just being kept is kept."""
        if not self.waiting:
            self.session.end_transaction()

    def _take_up(self, step: Step) -> bool:
        """False when the answer has to be waited for."""
        handler = HANDLERS.get(type(step))
        if handler is None:
            self._take_in(step)
            return True
        try:
            answer = begun(handler(self.session, step))
        except Unavailable as trouble:
            answer = self._deferred(step, trouble)
        if isinstance(answer, Reply):
            self._reply(answer, step)
            return True
        self.waiting = True
        if isinstance(answer, Later):
            answer.promise.add_done_callback(partial(self._kept, step, answer))
        else:
            self.session.front.world.spawn.task("smtp answer", self._finish(step, answer))
        return False

    def _take_in(self, step: Step) -> None:
        """What owes no answer: a part of the letter, or what the machine has answered itself."""
        if isinstance(step, bytes):
            body = self.body
            assert body is not None, "a body has been asked for"
            body.add(step)
        else:
            assert isinstance(step, SETTLED)
            self._note(step)

    def _deferred(self, step: Step, trouble: Unavailable) -> Reply:
        verdict = deferred(trouble)
        assert verdict.reply is not None
        return self.session.refused(type(step).__name__.lower(), trouble.door, verdict.reply)

    def _kept(self, step: Step, later: Later, promise: Promise) -> None:
        """The promise is done: without a task, because this is the way of every letter."""
        with self._turn:
            try:
                reply = later.reply()
            except Unavailable as trouble:
                reply = self._deferred(step, trouble)
            self._resume(step, reply)
        self._go_on(failed=self._turn.failed)

    async def _finish(self, step: Step, rest: "Rest") -> None:
        """In a task: the handler waits for more than a promise."""
        async with boundary(self.session.front.trouble, "session", self.session.ident) as turn:
            try:
                answer = await rest
                if isinstance(answer, Later):
                    await asyncio.wait((asyncio.ensure_future(answer.promise),))
                    answer = answer.reply()
            except Unavailable as trouble:
                answer = self._deferred(step, trouble)
            self._resume(step, answer)
        self._go_on(failed=turn.failed)

    def _resume(self, step: Step, reply: Reply) -> None:
        self.waiting = False
        if self.gone or self.machine.closed:
            self.session.end_transaction()
        else:
            self._reply(reply, step)

    def _go_on(self, *, failed: bool) -> None:
        self.waiting = False
        if failed:
            self._fail()
        elif not self.gone and not self.machine.idle:
            self.hear(b"")
        self._on_answer()

    def _reply(self, reply: Reply, step: Step) -> None:
        session = self.session
        if reply.code >= 500 and not isinstance(step, Rcpt):
            session.errors += 1
        self.left = isinstance(step, OUTER)
        if session.errors or session.bad_recipients:
            reply = self._farewell() or reply
        self.machine.reply(reply)

    def _note(self, step: Refused | Violated) -> None:
        by = step.what if isinstance(step, Violated) else step.verb or "syntax"
        self.session.refused("protocol", by, step.reply)
        self.session.errors += 1
        if (farewell := self._farewell()) is not None:
            self.shut(farewell)

    def _farewell(self) -> Reply | None:
        """What is said in place of the reply that is one too many."""
        session, limits = self.session, self.session.front.config.limits
        if session.errors > limits.errors:
            return session.refused("session", "errors", TOO_MANY_ERRORS)
        if session.bad_recipients > limits.bad_recipients:
            return session.refused("session", "bad_recipients", TOO_MANY_UNKNOWN)
        return None

    def _fail(self) -> None:
        """Our bug: the trace has been recorded."""
        self.waiting = False
        self.shut(INTERNAL)


def begun(work: Reply | Coroutine[Any, Any, Answer]) -> "Answer | Rest":
    """The answer of a handler that did not have to wait, or what remains of one that does."""
    if isinstance(work, Reply):
        return work
    try:
        waited_for = work.send(None)
    except StopIteration as end:
        answer: Answer = end.value
        return answer
    return Rest(work, waited_for)


class Rest(Generator[Any, Any, Answer]):
    """What remains of a coroutine that was begun by hand and waits for `waited_for`; await it in a task.

    It passes everything on to the coroutine, except the first question, whose answer it has.
    """

    def __init__(self, work: Coroutine[Any, Any, Answer], waited_for: Any) -> None:
        self._work = work
        self._waited_for = waited_for
        self._begun = False

    def __await__(self) -> Generator[Any, Any, Answer]:
        return self

    def send(self, value: Any) -> Any:
        if self._begun:
            return self._work.send(value)
        self._begun = True
        return self._waited_for

    def throw(self, *error: Any) -> Any:
        return self._work.throw(*error)
