"""Our hands in somebody else's queue: the verbs of `sekisho queue` on Postfix, Exim, sendmail and qmail.

What was changed is found by looking again, never taken from what a tool said. A purge first holds, then
copies, then removes. Everything here blocks: for a command, or for a thread.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Protocol

from msgspec.structs import replace

from sekisho.integrations.foreign import BadListing, ForeignLetter, rows
from sekisho.model.action import Performed
from sekisho.model.queue_row import QueueRow
from sekisho.model.selector import Selector
from sekisho.model.text import printable
from sekisho.service.channel import NotDone
from sekisho.service.foreign_select import Choice, Names
from sekisho.service.foreign_sums import counted, groups
from sekisho.service.messages import QueueAnswer, QueueAsk
from sekisho.store.bounded import Bounded
from sekisho.store.taken import Deed, Kept, Taken
from sekisho.world import Unavailable

SHOWN_BYTES = 4096
CHANGED_KEPT = 1000
"""Ids that an answer names; the folder of what was taken has all."""
LOCK_S = 60
REMEMBERED = 50_000
"""Letters of which is remembered whose they are, by one process that looks again and again."""
HOLDING = ("hold", "restore")
"""Verbs after which letters are held by their action."""


class ForeignQueue(Protocol):
    """One foreign queue. Letters that have gone meanwhile are passed over, never an error."""

    name: str

    def letters(self) -> Iterable[ForeignLetter]: ...

    def examined(self, letters: Sequence[ForeignLetter]) -> Iterator[ForeignLetter]:
        """With account, client address and subject."""

    def text(self, letter: ForeignLetter) -> bytes:
        """Header and body, lines ended with CRLF."""

    def hold(self, letters: Sequence[ForeignLetter]) -> Mapping[str, str]:
        """Returns the ids of letters that have others from now on."""

    def release(self, letters: Sequence[ForeignLetter]) -> None: ...

    def retry(self, letters: Sequence[ForeignLetter]) -> None: ...

    def bounce(self, letters: Sequence[ForeignLetter]) -> None:
        """Their senders are told."""

    def copy(self, letter: ForeignLetter) -> tuple[bytes, ...]:
        """All that `put_back` needs; () when it has gone."""

    def remove(self, letters: Sequence[ForeignLetter]) -> None: ...

    def put_back(self, letter: ForeignLetter, parts: Sequence[bytes]) -> str:
        """Held. Its id from now on. Raises Unavailable."""


class ForeignDesk:
    def __init__(
        self,
        queue: ForeignQueue,
        taken: Taken,
        now: Callable[[], int],
        names: Names,
    ) -> None:
        self._queue = queue
        self._taken = taken
        self._now = now
        self._names = replace(names, claimed=self._claimed_by)
        self._looked_into: Bounded[tuple[str, int], ForeignLetter] = Bounded(REMEMBERED)

    def answer(self, ask: QueueAsk) -> QueueAnswer:
        """Raises Unavailable, NotDone."""
        try:
            if ask.verb in ("list", "show", "count"):
                return self._look(ask)
            if not ask.action:
                raise NotDone("an action needs an id")
            return self._change(ask)
        except BadListing as error:
            raise Unavailable(self._queue.name, str(error)) from error

    def tidy(self, longest_s: int, most_bytes: int) -> None:
        self._taken.tidy(self._now(), longest_s, most_bytes)

    def _look(self, ask: QueueAsk) -> QueueAnswer:
        verb = ask.preview if ask.verb == "count" else ask.verb
        if verb == "restore" or (verb == "list" and "purged" in ask.selector.states):
            found = [replace(kept.letter, state="purged") for kept in self._kept(ask.selector)]
        else:
            found = self._meant(verb, ask.selector, whole=ask.verb != "count")
        answer = counted(found)
        if ask.verb == "count":
            return answer
        found.sort(key=lambda letter: letter.accepted_at)
        holders = self._holders()
        shown = [row for letter in found for row in self._rows(letter, holders)]
        if ask.by:
            return replace(answer, groups=groups(shown, ask.by, ask.limit))
        head = self._queue.text(found[0])[:SHOWN_BYTES] if ask.verb == "show" and found else b""
        lines = head.replace(b"\r\n", b"\n").split(b"\n")
        return replace(
            answer, rows=tuple(shown[: ask.limit]), head="\n".join(printable(line) for line in lines)
        )

    def _rows(self, letter: ForeignLetter, holders: dict[str, list[str]]) -> list[QueueRow]:
        held = holders.get(letter.id) or [self._queue.name]
        return rows(letter, self._queue.name, held if letter.held else ())

    def _holders(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for deed in self._taken.deeds():
            if deed.verb in ("hold", "restore") and not deed.over:
                for name in deed.ids:
                    found.setdefault(name, []).append(deed.action)
        return found

    def _meant(self, verb: str, selector: Selector, *, whole: bool = False) -> list[ForeignLetter]:
        """What the verb would change. `whole`: with all that is known of each letter."""
        choice = Choice(selector, self._now(), self._queue.text, self._names)
        listed = [letter for letter in self._queue.letters() if choice.on_the_list(letter)]
        listed = [letter for letter in listed if _fits(verb, letter)]
        if selector.held_by:
            claimed = self._claimed_by(selector.held_by)
            listed = [letter for letter in listed if letter.held and letter.id in claimed]
            if verb == "release":
                listed = self._ours_alone(listed, selector.held_by)
        if choice.looks_inside or whole:
            listed = [letter for letter in self._examined(listed) if choice.inside(letter)]
        return listed

    def _examined(self, letters: Sequence[ForeignLetter]) -> Iterator[ForeignLetter]:
        """Who looks again and again looks into each letter once."""
        known = {letter.id: self._looked_into.get((letter.id, letter.accepted_at)) for letter in letters}
        for letter in self._queue.examined([letter for letter in letters if known[letter.id] is None]):
            self._looked_into.put((letter.id, letter.accepted_at), letter)
            yield letter
        for letter in letters:
            if (found := known[letter.id]) is not None:
                yield replace(
                    letter, account=found.account, address=found.address, subject=found.subject,
                    next_at=letter.next_at or found.next_at,
                )  # fmt: skip

    def _claimed_by(self, action: str) -> set[str]:
        deed = self._taken.deed(action)
        return set(deed.ids) if deed is not None and deed.verb in HOLDING and not deed.over else set()

    def _ours_alone(self, letters: Sequence[ForeignLetter], action: str) -> list[ForeignLetter]:
        """Letters that nobody else wants held: no other action of ours, nor who held them before us."""
        others: set[str] = set()
        ours: set[str] = set()
        for deed in self._taken.deeds():
            if deed.verb in HOLDING:
                ours.update(deed.changed)
                others.update(deed.ids if deed.action != action and not deed.over else ())
        return [letter for letter in letters if letter.id in ours and letter.id not in others]

    def _kept(self, selector: Selector) -> list[Kept]:
        texts: dict[str, Kept] = {}

        def text(letter: ForeignLetter) -> bytes:
            return b"\n".join(self._taken.parts(texts[letter.id])).replace(b"\n", b"\r\n")

        choice, found = Choice(replace(selector, states=()), self._now(), text, self._names), []
        for kept in self._taken.kept():
            texts[kept.letter.id] = kept
            ours = not selector.held_by or kept.action == selector.held_by
            if ours and choice.on_the_list(kept.letter) and choice.inside(kept.letter):
                found.append(kept)
        return found

    def _change(self, ask: QueueAsk) -> QueueAnswer:
        unlock = self._locked()
        try:
            before = self._taken.deed(ask.action)
            if before is not None and before.done:
                return QueueAnswer(before.count, performed=self._performed(before))
            begun = Deed(ask.action, ask.verb, self._now(), ())
            if ask.verb == "restore":
                letters, deed = self._restore(begun, self._kept(ask.selector))
            else:
                verb = "list" if ask.verb == "hold" else ask.verb
                meant = self._meant(verb, ask.selector, whole=ask.verb == "purge")
                letters = [letter for letter in meant if _fits(ask.verb, letter)]
                begun = replace(begun, ids=tuple(letter.id for letter in meant))
                begun = replace(begun, changed=before.changed if before else ())
                self._taken.write(begun)
                deed = self._done(begun, letters, ask.selector)
            self._taken.write(deed)
            return replace(counted(letters), performed=self._performed(deed))
        finally:
            unlock()

    def stand_guard(self, action: str, selector: Selector, *, claims: bool = False) -> tuple[str, ...]:
        """Holds what matches, and goes on each time it is called until `stand_down`. `claims`: letters of the
        account that are held already, by nobody that we know, are held by what we told their server.
        """
        unlock = self._locked()
        try:
            before = self._taken.deed(action)
            if before is not None and (before.over or before.verb != "hold"):
                return before.changed
            known = set(before.ids if before else ())
            meant = [
                letter
                for letter in self._meant("list", selector)
                if letter.id not in known or not letter.held
            ]
            theirs = self._holders()
            found = [letter.id for letter in meant if claims and letter.held and letter.id not in theirs]
            deed = before or Deed(action, "hold", self._now(), (), done=True)
            if meant or before is None:
                deed = replace(deed, order=selector, ids=_joined(deed.ids, [letter.id for letter in meant]))
                self._taken.write(deed)
                done = self._done(deed, [letter for letter in meant if not letter.held], selector)
                deed = replace(done, changed=_joined(deed.changed, done.changed, found), count=0)
                self._taken.write(replace(deed, count=len(deed.changed)))
            return deed.changed
        finally:
            unlock()

    def claim(self, action: str, account: str) -> None:
        """Letters of the account that are held by nobody that we know: their server was told to by us."""
        unlock = self._locked()
        try:
            if self._taken.deed(action) is None:
                claimed = self._holders()
                held = self._meant("release", Selector(account=account))
                ids = tuple(letter.id for letter in held if letter.id not in claimed)
                self._taken.write(Deed(action, "hold", self._now(), ids, ids, count=len(ids), done=True))
        finally:
            unlock()

    def orders(self) -> list[tuple[str, Selector]]:
        """Actions that hold what comes."""
        deeds = self._taken.deeds()
        return [(deed.action, deed.order) for deed in deeds if deed.order is not None and not deed.over]

    def stand_down(self, held: str, action: str) -> tuple[str, ...]:
        """What `held` holds may go, and what comes is not held any more."""
        deed = self._taken.deed(held)
        if deed is None or deed.over:
            return ()
        answer = self._change(QueueAsk("release", Selector(held_by=held), action=action))
        deed = self._taken.deed(held)
        if deed is not None:
            self._taken.write(replace(deed, over=True))
        return answer.performed.changed if answer.performed is not None else ()

    def _locked(self) -> Callable[[], None]:
        end = time.monotonic() + LOCK_S
        while True:
            try:
                return self._taken.lock()
            except Unavailable:
                if time.monotonic() > end:
                    raise
                time.sleep(0.05)

    def _done(self, deed: Deed, letters: Sequence[ForeignLetter], selector: Selector) -> Deed:
        wire = sum(letter.state == "trying" for letter in letters)
        match deed.verb:
            case "hold":
                names = self._queue.hold(letters)
                now = self._standing()
                letters = [replace(letter, id=names.get(letter.id, letter.id)) for letter in letters]
                changed = [letter.id for letter in letters if letter.id in now and now[letter.id].held]
                missed = sum(letter.state != "trying" and letter.id not in changed for letter in letters)
                now_called = (names.get(name, name) for name in deed.ids)
                ids = tuple(name for name in now_called if name in now and now[name].held)
                deed = replace(deed, ids=ids, changed=tuple(changed), on_the_wire=wire + missed, done=True)
                return replace(deed, count=_recipients(letters, changed))
            case "release":
                self._queue.release(letters)
                now = self._standing()
                changed = [letter.id for letter in letters if letter.id not in now or not now[letter.id].held]
                self._let_go(changed, selector.held_by)
            case "purge":
                gone = self._purge(deed.action, letters)
                wire = len(letters) - len(gone) + sum(letter.state == "trying" for letter in gone)
                letters, changed = gone, [letter.id for letter in gone]
            case "retry":
                self._queue.retry(letters)
                changed = [letter.id for letter in letters]
            case _:
                self._queue.bounce(letters)
                changed = [letter.id for letter in letters]
        deed = replace(deed, changed=tuple(changed), on_the_wire=wire, done=True, over=True)
        return replace(deed, count=_recipients(letters, changed))

    def _standing(self) -> dict[str, ForeignLetter]:
        return {letter.id: letter for letter in self._queue.letters()}

    def _let_go(self, released: Sequence[str], held_by: str) -> None:
        """The action that held them has nothing more to say; without its name, no action has."""
        deed = self._taken.deed(held_by) if held_by else None
        if deed is None:
            self._taken.disown(released)
            return
        still = self._standing()
        left = tuple(name for name in deed.ids if name not in released and name in still)
        ours = {letter.id for letter in self._ours_alone([still[name] for name in left], held_by)}
        left = tuple(name for name in left if name in ours)
        self._taken.write(replace(deed, ids=left, over=not left))

    def _purge(self, action: str, letters: Sequence[ForeignLetter]) -> list[ForeignLetter]:
        """Held first, so that nobody delivers what is being copied; gone only once its copy is kept."""
        moving = [letter for letter in letters if not letter.held]
        names = self._queue.hold(moving)
        now, kept = self._standing(), []
        letters = [replace(letter, id=names.get(letter.id, letter.id)) for letter in letters]
        for letter in letters:
            standing = now.get(letter.id)
            parts = self._queue.copy(standing) if standing is not None and standing.held else ()
            if parts:
                kept.append(Kept(letter, action, self._now(), len(parts)))
                self._taken.keep(kept[-1], parts)
        self._queue.remove([now[one.letter.id] for one in kept])
        now = self._standing()
        for one in kept:
            if one.letter.id in now:
                self._taken.forget(one)
        stay = (now.get(names.get(letter.id, letter.id)) for letter in moving)
        self._queue.release([letter for letter in stay if letter is not None and letter.held])
        return [letter for letter in letters if letter.id in {one.letter.id for one in kept} - now.keys()]

    def _restore(self, deed: Deed, kept: Sequence[Kept]) -> tuple[list[ForeignLetter], Deed]:
        standing, back = self._standing(), []
        for one in kept:
            if one.letter.id in standing:
                continue  # it was never taken out, or has been put back already
            name = self._queue.put_back(one.letter, self._taken.parts(one))
            back.append(replace(one.letter, id=name, held=True))
            self._taken.forget(one)
            deed = replace(deed, ids=(*deed.ids, back[-1].id), changed=(*deed.changed, back[-1].id))
            self._taken.write(deed)
        return back, replace(deed, count=_recipients(back, deed.changed), done=True, over=not back)

    def _performed(self, deed: Deed) -> Performed:
        return Performed(
            deed.action, self._queue.name, deed.at, deed.changed[:CHANGED_KEPT],
            already_on_the_wire=deed.on_the_wire, count=deed.count,
        )  # fmt: skip


def _recipients(letters: Sequence[ForeignLetter], changed: Iterable[str]) -> int:
    wanted = set(changed)
    return sum(len(letter.recipients) for letter in letters if letter.id in wanted)


def _joined(*names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for part in names for name in part))


def _fits(verb: str, letter: ForeignLetter) -> bool:
    """Would the verb change this letter?"""
    match verb:
        case "hold" | "retry":
            return not letter.held
        case "release":
            return letter.held
    return True
