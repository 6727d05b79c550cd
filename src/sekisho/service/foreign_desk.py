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
BATCH = 200
BATCH_BYTES = 64 * 1024 * 1024
REMEMBERED = 50_000
"""Letters of which is remembered whose they are, by one process that looks again and again."""
HOLDING = ("hold", "restore")
"""Verbs after which letters are held by their action."""


Copy = tuple[ForeignLetter, tuple[bytes, ...]]
"""A letter and all that puts it back."""


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

    def put_back(self, copies: Sequence[Copy]) -> list[str]:
        """Held. Their ids from now on. Raises Unavailable."""


class ForeignDesk:
    def __init__(
        self,
        queue: ForeignQueue,
        taken: Taken,
        now: Callable[[], int],
        names: Names,
    ) -> None:
        self.queue = queue
        self.taken = taken
        self.now = now
        self._names = replace(names, claimed=self._claimed_by)
        self._looked_into: Bounded[tuple[str, int], ForeignLetter] = Bounded(REMEMBERED)

    def answer(self, ask: QueueAsk) -> QueueAnswer:
        """Raises Unavailable, NotDone."""
        try:
            if ask.verb in ("list", "show", "count"):
                return self._look(ask)
            if not ask.action:
                raise NotDone("an action needs an id")
            return self.change(ask)
        except BadListing as error:
            raise Unavailable(self.queue.name, str(error)) from error

    def tidy(self, longest_s: int, most_bytes: int) -> None:
        self.taken.tidy(self.now(), longest_s, most_bytes)

    def _look(self, ask: QueueAsk) -> QueueAnswer:
        verb = ask.preview if ask.verb == "count" else ask.verb
        if verb == "restore" or (verb == "list" and "purged" in ask.selector.states):
            found = [replace(kept.letter, state="purged") for kept in self._kept(ask.selector)]
        else:
            found = self.meant(verb, ask.selector, whole=ask.verb != "count")
        answer = counted(found)
        if ask.verb == "count":
            return answer
        found.sort(key=lambda letter: letter.accepted_at)
        holders = self.holders()
        shown = [row for letter in found for row in self._rows(letter, holders)]
        if ask.by:
            return replace(answer, groups=groups(shown, ask.by, ask.limit))
        head = self.queue.text(found[0])[:SHOWN_BYTES] if ask.verb == "show" and found else b""
        lines = head.replace(b"\r\n", b"\n").split(b"\n")
        return replace(
            answer, rows=tuple(shown[: ask.limit]), head="\n".join(printable(line) for line in lines)
        )

    def _rows(self, letter: ForeignLetter, holders: dict[str, list[str]]) -> list[QueueRow]:
        held = holders.get(letter.id) or [self.queue.name]
        return rows(letter, self.queue.name, held if letter.held else ())

    def holders(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for deed in self.taken.deeds():
            if deed.verb in ("hold", "restore") and not deed.over:
                for name in deed.ids:
                    found.setdefault(name, []).append(deed.action)
        return found

    def meant(self, verb: str, selector: Selector, *, whole: bool = False) -> list[ForeignLetter]:
        """What the verb would change. `whole`: with all that is known of each letter."""
        choice = Choice(selector, self.now(), self.queue.text, self._names)
        listed = [letter for letter in self.queue.letters() if choice.on_the_list(letter)]
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
        for letter in self.queue.examined([letter for letter in letters if known[letter.id] is None]):
            self._looked_into.put((letter.id, letter.accepted_at), letter)
            yield letter
        for letter in letters:
            if (found := known[letter.id]) is not None:
                yield replace(
                    letter, account=found.account, address=found.address, subject=found.subject,
                    next_at=letter.next_at or found.next_at,
                )  # fmt: skip

    def _claimed_by(self, action: str) -> set[str]:
        deed = self.taken.deed(action)
        return set(deed.ids) if deed is not None and deed.verb in HOLDING and not deed.over else set()

    def _ours_alone(self, letters: Sequence[ForeignLetter], action: str) -> list[ForeignLetter]:
        """Letters that nobody else wants held: no other action of ours, nor who held them before us."""
        others: set[str] = set()
        ours: set[str] = set()
        for deed in self.taken.deeds():
            if deed.verb in HOLDING:
                ours.update(deed.changed)
                others.update(deed.ids if deed.action != action and not deed.over else ())
        return [letter for letter in letters if letter.id in ours and letter.id not in others]

    def _kept(self, selector: Selector) -> list[Kept]:
        texts: dict[str, Kept] = {}

        def text(letter: ForeignLetter) -> bytes:
            return b"\n".join(self.taken.parts(texts[letter.id])).replace(b"\n", b"\r\n")

        choice, found = Choice(replace(selector, states=()), self.now(), text, self._names), []
        for kept in self.taken.kept():
            texts[kept.letter.id] = kept
            ours = not selector.held_by or kept.action == selector.held_by
            if ours and choice.on_the_list(kept.letter) and choice.inside(kept.letter):
                found.append(kept)
        return found

    def change(self, ask: QueueAsk) -> QueueAnswer:
        unlock = self.locked()
        try:
            before = self.taken.deed(ask.action)
            if before is not None and before.done:
                return QueueAnswer(before.count, performed=self._performed(before))
            begun = Deed(ask.action, ask.verb, self.now(), ())
            if ask.verb == "restore":
                letters, deed = self._restore(begun, self._kept(ask.selector))
            else:
                verb = "list" if ask.verb == "hold" else ask.verb
                meant = self.meant(verb, ask.selector, whole=ask.verb == "purge")
                letters = [letter for letter in meant if _fits(ask.verb, letter)]
                begun = replace(begun, ids=tuple(letter.id for letter in meant))
                begun = replace(begun, changed=before.changed if before else ())
                self.taken.write(begun)
                deed = self.done(begun, letters, ask.selector)
            self.taken.write(deed)
            return replace(counted(letters), performed=self._performed(deed))
        finally:
            unlock()

    def locked(self) -> Callable[[], None]:
        end = time.monotonic() + LOCK_S
        while True:
            try:
                return self.taken.lock()
            except Unavailable:
                if time.monotonic() > end:
                    raise
                time.sleep(0.05)

    def done(self, deed: Deed, letters: Sequence[ForeignLetter], selector: Selector) -> Deed:
        wire = sum(letter.state == "trying" for letter in letters)
        match deed.verb:
            case "hold":
                names = self.queue.hold(letters)
                now = self._standing()
                letters = [replace(letter, id=names.get(letter.id, letter.id)) for letter in letters]
                changed = [letter.id for letter in letters if letter.id in now and now[letter.id].held]
                missed = sum(letter.state != "trying" and letter.id not in changed for letter in letters)
                now_called = (names.get(name, name) for name in deed.ids)
                ids = tuple(name for name in now_called if name in now and now[name].held)
                deed = replace(deed, ids=ids, changed=tuple(changed), on_the_wire=wire + missed, done=True)
                return replace(deed, count=_recipients(letters, changed))
            case "release":
                self.queue.release(letters)
                now = self._standing()
                changed = [letter.id for letter in letters if letter.id not in now or not now[letter.id].held]
                self._let_go(changed, selector.held_by)
            case "purge":
                gone = self._purge(deed.action, letters)
                wire = len(letters) - len(gone) + sum(letter.state == "trying" for letter in gone)
                letters, changed = gone, [letter.id for letter in gone]
            case "retry":
                self.queue.retry(letters)
                changed = [letter.id for letter in letters]
            case _:
                self.queue.bounce(letters)
                changed = [letter.id for letter in letters]
        deed = replace(deed, changed=tuple(changed), on_the_wire=wire, done=True, over=True)
        return replace(deed, count=_recipients(letters, changed))

    def _standing(self) -> dict[str, ForeignLetter]:
        return {letter.id: letter for letter in self.queue.letters()}

    def _let_go(self, released: Sequence[str], held_by: str) -> None:
        """The action that held them has nothing more to say; without its name, no action has."""
        deed = self.taken.deed(held_by) if held_by else None
        if deed is None:
            self.taken.disown(released)
            return
        still = self._standing()
        left = tuple(name for name in deed.ids if name not in released and name in still)
        ours = {letter.id for letter in self._ours_alone([still[name] for name in left], held_by)}
        left = tuple(name for name in left if name in ours)
        self.taken.write(replace(deed, ids=left, over=not left))

    def _purge(self, action: str, letters: Sequence[ForeignLetter]) -> list[ForeignLetter]:
        """Held first, so that nobody delivers what is being copied; gone only once its copy is kept."""
        moving = [letter for letter in letters if not letter.held]
        names = self.queue.hold(moving)
        now = self._standing()
        kept: list[Kept] = []
        letters = [replace(letter, id=names.get(letter.id, letter.id)) for letter in letters]
        held = [letter for letter in letters if letter.id in now and now[letter.id].held]
        for batch in _batches(held):
            copies = [(letter, self.queue.copy(now[letter.id])) for letter in batch]
            found = [(letter, parts) for letter, parts in copies if parts]
            records = [Kept(letter, action, self.now(), tuple(map(len, parts))) for letter, parts in found]
            self.taken.keep([(record, parts) for record, (_, parts) in zip(records, found, strict=True)])
            kept += records
        self.queue.remove([now[one.letter.id] for one in kept])
        now = self._standing()
        for one in kept:
            if one.letter.id in now:
                self.taken.forget(one)
        stay = (now.get(names.get(letter.id, letter.id)) for letter in moving)
        self.queue.release([letter for letter in stay if letter is not None and letter.held])
        return [letter for letter in letters if letter.id in {one.letter.id for one in kept} - now.keys()]

    def _restore(self, deed: Deed, kept: Sequence[Kept]) -> tuple[list[ForeignLetter], Deed]:
        standing = self._standing()
        back: list[ForeignLetter] = []
        by_id = {
            one.letter.id: one for one in kept if one.letter.id not in standing
        }  # else it is back already
        for batch in _batches([one.letter for one in by_id.values()]):
            names = self.queue.put_back([(letter, self.taken.parts(by_id[letter.id])) for letter in batch])
            for letter, name in zip(batch, names, strict=True):
                self.taken.forget(by_id[letter.id])
                back.append(replace(letter, id=name, held=True))
            ids = tuple(letter.id for letter in back)
            deed = replace(deed, ids=ids, changed=ids)
            self.taken.write(deed)
        return back, replace(deed, count=_recipients(back, deed.changed), done=True, over=not back)

    def _performed(self, deed: Deed) -> Performed:
        return Performed(
            deed.action, self.queue.name, deed.at, deed.changed[:CHANGED_KEPT],
            already_on_the_wire=deed.on_the_wire, count=deed.count,
        )  # fmt: skip


def _recipients(letters: Sequence[ForeignLetter], changed: Iterable[str]) -> int:
    wanted = set(changed)
    return sum(len(letter.recipients) for letter in letters if letter.id in wanted)


def _batches(letters: Sequence[ForeignLetter]) -> Iterator[list[ForeignLetter]]:
    """So many that each step is quick, and so few that they fit into memory together."""
    batch: list[ForeignLetter] = []
    for letter in letters:
        if batch and (len(batch) == BATCH or sum(one.size for one in batch) + letter.size > BATCH_BYTES):
            yield batch
            batch = []
        batch.append(letter)
    if batch:
        yield batch


def _fits(verb: str, letter: ForeignLetter) -> bool:
    """Would the verb change this letter?"""
    match verb:
        case "hold" | "retry":
            return not letter.held
        case "release":
            return letter.held
    return True
