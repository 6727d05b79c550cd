"""One hop to watch and back: the guard observes an event and says how its account stands, or is not waited
for.

Without an answer in time the last word for this client stands, or the last for a stranger to the account; the
check `rate` then allows few recipients from networks that are not confirmed.
"""

import asyncio
from functools import partial

from msgspec.structs import replace

from sekisho.checks.ask import Judgement
from sekisho.model.config import Guard
from sekisho.model.event import Event
from sekisho.model.incident import Standing
from sekisho.service.channel import Channel, NotDone
from sekisho.service.messages import Consult, Judge, Request
from sekisho.store.bounded import Bounded
from sekisho.world import Unavailable

PATIENCE_S = 0.2
"""Longest that a client waits for the guard."""

SILENT_MOST = 3
"""Answers in a row that did not come in time; then nobody waits until one does."""

OPEN_MOST = 1000
"""Most questions without an answer; beyond them none is asked."""

KEPT = 20_000
"""Last words remembered: of (account, address) and of (account, stranger)."""


class Judging:
    """One for each front."""

    def __init__(self, watch: Channel) -> None:
        self._watch = watch
        self._last: Bounded[tuple[str, str], Standing] = Bounded(KEPT)
        self._enabled = True
        self._help_url = ""
        self._silent = 0
        self._open = 0

    def configure(self, settings: Guard) -> None:
        self._enabled = settings.enabled
        self._help_url = settings.help_url

    async def judge(self, event: Event) -> Judgement:
        """Never raises: a guard that is gone does not stop mail."""
        return await self._ask(Judge(event), event.account, event.address)

    async def consult(self, account: str, address: str) -> Judgement:
        """The standing as it is; the question is no evidence of anything. Never raises either."""
        return await self._ask(Consult(account, address), account, address)

    async def _ask(self, request: Request, account: str, address: str) -> Judgement:
        if not self._enabled:
            return Judgement(Standing(account, address))
        if self._open >= OPEN_MOST:
            return self._last_word(account, address)
        question = asyncio.ensure_future(self._watch.ask(request, Standing))
        self._open += 1
        question.add_done_callback(partial(self._closed, asyncio.get_running_loop().time()))
        await asyncio.wait((question,), timeout=PATIENCE_S if self._silent < SILENT_MOST else 0)
        if not question.done():
            self._silent += 1
            question.add_done_callback(self._answered_late)
            return self._last_word(account, address)
        return self._word(question, account, address)

    def _closed(self, asked: float, question: "asyncio.Future[Standing]") -> None:
        self._open -= 1
        if asyncio.get_running_loop().time() - asked <= PATIENCE_S:
            self._silent = 0  # it answers as it should, whether or not anybody waited

    def _word(self, question: "asyncio.Future[Standing]", account: str, address: str) -> Judgement:
        try:
            standing = question.result()
        except (Unavailable, NotDone, asyncio.CancelledError):
            return self._last_word(account, address)
        self._remember(standing)
        return Judgement(standing, help_url=self._help_url)

    def _answered_late(self, question: "asyncio.Future[Standing]") -> None:
        """Nobody waits for it any more, but it is the last word from now on."""
        if not question.cancelled() and question.exception() is None:
            self._remember(question.result())

    def _remember(self, standing: Standing) -> None:
        if standing.address:  # "" is the stranger's place
            self._last.put((standing.account, standing.address), standing)
        if standing.place == "unfamiliar":
            self._last.put((standing.account, ""), standing)

    def _last_word(self, account: str, address: str) -> Judgement:
        last = self._last.get((account, address))
        if last is None:
            stranger = self._last.get((account, "")) or Standing(account, address)
            last = replace(stranger, address=address, place="unfamiliar", network="")
        return Judgement(last, fresh=False, help_url=self._help_url)
