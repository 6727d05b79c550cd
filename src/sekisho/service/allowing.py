"""The audit of the operator's exceptions to the guard: each that comes, changes or goes has its line."""

import msgspec

from sekisho.model.config_guard import Allow, Guard
from sekisho.store.house import Change, House

KNOWN = "allowed"
BY = "settings"


def note_allowed(house: House, settings: Guard, now: int) -> None:
    """At a start and after a reload, compared with the last time. It blocks. Raises Unavailable."""
    data = house.state(KNOWN)
    before = msgspec.json.decode(data, type=dict[str, Allow]) if data is not None else {}
    after = settings.allow
    if before == after:
        return
    for name in sorted(before.keys() | after.keys()):
        if before.get(name) != after.get(name):
            what = "guard allows" if name in after else "guard allows no more"
            house.note(Change(now, BY, what, name, _detail(after.get(name) or before[name])))
    house.save_state(KNOWN, msgspec.json.encode(after), now)


def _detail(allow: Allow) -> str:
    networks = " ".join(allow.networks) or "everywhere"
    return f"{networks} for {' '.join(allow.accounts) or 'all'} until {allow.until}: {allow.why}"[:500]
