"""Orders that stand in another server's queue: what comes and matches is held, until they are taken back."""

from collections.abc import Iterable

from msgspec.structs import replace

from sekisho.model.selector import Selector
from sekisho.service.foreign_desk import ForeignDesk
from sekisho.service.messages import QueueAsk
from sekisho.store.taken import Deed


class StandingDesk(ForeignDesk):
    """A desk that can also be asked again and again."""

    def stand_guard(self, action: str, selector: Selector, *, claims: bool = False) -> tuple[str, ...]:
        """Holds what matches, and goes on each time it is called until `stand_down`. `claims`: letters of the
        account that are held already, by nobody that we know, are held by what we told their server.
        """
        unlock = self.locked()
        try:
            before = self.taken.deed(action)
            if before is not None and (before.over or before.verb != "hold"):
                return before.changed
            known = set(before.ids if before else ())
            meant = [
                letter for letter in self.meant("list", selector) if letter.id not in known or not letter.held
            ]
            theirs = self.holders()
            found = [letter.id for letter in meant if claims and letter.held and letter.id not in theirs]
            deed = before or Deed(action, "hold", self.now(), (), done=True)
            if meant or before is None:
                deed = replace(deed, order=selector, ids=_joined(deed.ids, [letter.id for letter in meant]))
                self.taken.write(deed)
                done = self.done(deed, [letter for letter in meant if not letter.held], selector)
                deed = replace(done, changed=_joined(deed.changed, done.changed, found), count=0)
                self.taken.write(replace(deed, count=len(deed.changed)))
            return deed.changed
        finally:
            unlock()

    def claim(self, action: str, account: str) -> None:
        """Letters of the account that are held by nobody that we know: their server was told to by us."""
        unlock = self.locked()
        try:
            if self.taken.deed(action) is None:
                claimed = self.holders()
                held = self.meant("release", Selector(account=account))
                ids = tuple(letter.id for letter in held if letter.id not in claimed)
                self.taken.write(Deed(action, "hold", self.now(), ids, ids, count=len(ids), done=True))
        finally:
            unlock()

    def orders(self) -> list[tuple[str, Selector]]:
        """Actions that hold what comes."""
        deeds = self.taken.deeds()
        return [(deed.action, deed.order) for deed in deeds if deed.order is not None and not deed.over]

    def stand_down(self, held: str, action: str) -> tuple[str, ...]:
        """What `held` holds may go, and what comes is not held any more."""
        deed = self.taken.deed(held)
        if deed is None or deed.over:
            return ()
        answer = self.change(QueueAsk("release", Selector(held_by=held), action=action))
        deed = self.taken.deed(held)
        if deed is not None:
            self.taken.write(replace(deed, over=True))
        return answer.performed.changed if answer.performed is not None else ()


def _joined(*names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for part in names for name in part))
