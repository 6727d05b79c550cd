"""What sort of mail user somebody is: one draw of every personal habit, once in a life."""

import random
from typing import Literal

from msgspec import Struct

from sekisho.lab import habits

Kind = Literal["home", "office", "mobile", "traveller", "vpn", "role", "server", "quiet", "newsletter"]

STAYS: frozenset[str] = frozenset({"server", "role", "newsletter"})
"""Kinds that never travel."""


class Character(Struct, frozen=True):
    """Sessions a day, hours, and shares between 0 and 1; fingerprints of the desktop and of the phone.

    `changes_provider` is how likely that is on any day.
    """

    kind: Kind
    sessions: float
    sending: float
    second: float
    weekend: float
    wakes: float
    sleeps: float
    by_phone: float
    wifi: float
    strange: float
    webmail: float
    mistyped: float
    changes_provider: float
    fingerprints: tuple[str, str]

    def days_to_trip(self, rng: random.Random) -> int:
        every = habits.TRAVELLER_EVERY if self.kind == "traveller" else habits.HOLIDAY_EVERY
        return every.whole(rng)


def draw(kind: Kind, rng: random.Random) -> Character:
    """Everything is drawn in every case, so that one habit's range does not shift another's."""
    webmail = habits.WEBMAIL.draw(rng)
    uses_webmail = rng.uniform(0, 100) < habits.WEBMAIL_SHARE.draw(rng)
    server = kind == "server"
    return Character(
        kind=kind,
        sessions=_SESSIONS.get(kind, habits.SESSIONS).draw(rng),
        sending=(habits.SENDING_SERVER if server else habits.SENDING).draw(rng),
        second=habits.SECOND_LETTER.draw(rng),
        weekend=1.0 if server else habits.WEEKEND.draw(rng),
        wakes=0.0 if server else habits.WAKES.draw(rng),
        sleeps=24.0 if server else habits.SLEEPS.draw(rng),
        by_phone=_BY_PHONE.get(kind, habits.PHONE).draw(rng),
        wifi=(habits.PHONE_ON_WIFI_MOBILE if kind == "mobile" else habits.PHONE_ON_WIFI).draw(rng),
        strange=habits.STRANGE_WIFI.draw(rng) / 30,
        webmail=webmail if uses_webmail and kind not in STAYS else 0.0,
        mistyped=habits.MISTYPED.draw(rng),
        changes_provider=1 / habits.PROVIDER_CHANGE.draw(rng),
        fingerprints=(f"client-{rng.getrandbits(20):05x}", f"client-{rng.getrandbits(20):05x}"),
    )


_SESSIONS = {
    "quiet": habits.SESSIONS_QUIET,
    "mobile": habits.SESSIONS_MOBILE,
    "server": habits.SESSIONS_SERVER,
}
_BY_PHONE = {
    "mobile": habits.PHONE_MOBILE,
    "server": habits.NEVER,
    "newsletter": habits.NEVER,
    "role": habits.NEVER,
}
