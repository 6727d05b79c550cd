"""To whom an account writes: known addresses, the frequent ones first, and now and then a new one."""

import math
import random
from collections.abc import Callable

from msgspec import Struct

from sekisho.lab import habits
from sekisho.lab.visits import Letter

OUTSIDE_DOMAINS = 400
"""So many invented hosts are there outside, host0.example the largest."""

SUBJECTS = (
    "Re: Tuesday", "Invoice", "Offer", "Question", "Minutes", "Photos", "Re: Re: Delivery", "Thank you",
    "Appointment",
)  # fmt: skip
NAMES = (
    "aiko", "alma", "anna", "bao", "carla", "chen", "dora", "emil", "fumi", "georg", "hana", "igor", "jan",
    "kenji", "lena", "mai", "nils", "olga", "paul", "ren", "sara", "taro", "uwe", "vera", "wim", "yuki",
)  # fmt: skip


class Paper(Struct, frozen=True):
    """How one account's letters are: shares between 0 and 1."""

    house: float
    new: float
    company: float
    invitation: float
    refused: float
    deferred: float
    circle: float


def draw_paper(rng: random.Random) -> Paper:
    return Paper(
        house=habits.HOUSE_MAIL.draw(rng),
        new=habits.NEW_CONTACT.draw(rng),
        company=habits.COMPANY.draw(rng),
        invitation=habits.INVITATION.draw(rng),
        refused=habits.REFUSED.draw(rng),
        deferred=habits.DEFERRED.draw(rng),
        circle=habits.CIRCLE.draw(rng),
    )


class Book:
    """An address book that grows. `outage(address, at)`: does that recipient's host put everybody off?"""

    def __init__(
        self,
        account: str,
        neighbours: tuple[str, ...],
        outage: Callable[[str, int], bool],
        rng: random.Random,
    ) -> None:
        self.account = account
        self.rng = rng
        self.paper = draw_paper(rng)
        self._outage = outage
        self._neighbours = neighbours
        self.contacts = [self._stranger() for _ in range(habits.CONTACTS.whole(rng))]

    def letter(self, at: int) -> Letter:
        """An ordinary letter of that moment."""
        recipients = tuple(dict.fromkeys(self._contact() for _ in range(self._how_many())))
        return self.addressed(recipients, at, self.paper.refused)

    def addressed(self, recipients: tuple[str, ...], at: int, dead: float) -> Letter:
        """A letter to these: a share of `dead` is refused, in an outage everybody there is put off."""
        rng = self.rng
        outside = [one for one in recipients if one.endswith(".example")]
        refused = frozenset(one for one in outside if rng.random() < dead)
        late = frozenset(
            one for one in outside if self._outage(one, at) or rng.random() < self.paper.deferred
        )
        return Letter(
            sender=self.account,
            recipients=recipients,
            size=_size(rng),
            after_s=habits.ANSWER_AFTER.draw(rng),
            refused=refused,
            deferred=late - refused,
            retry_s=habits.RETRY_AFTER.draw(rng),
            subject=rng.choice(SUBJECTS),
        )

    def _how_many(self) -> int:
        chance = self.rng.random()
        if chance < self.paper.invitation:
            return self.rng.randint(10, 40)
        return self.rng.randint(2, 6) if chance < self.paper.invitation + self.paper.company else 1

    def _contact(self) -> str:
        if self.rng.random() < self.paper.new:
            self.contacts.append(self._stranger())
            return self.contacts[-1]
        return self.contacts[int(len(self.contacts) * self.rng.random() ** self.paper.circle)]

    def _stranger(self) -> str:
        if self._neighbours and self.rng.random() < self.paper.house:
            return self.rng.choice(self._neighbours)
        return outside_address(self.rng)


def outside_address(rng: random.Random) -> str:
    """Somebody at one of the invented hosts outside; large hosts are likelier."""
    domain = int(OUTSIDE_DOMAINS * rng.random() ** 3)
    return f"{rng.choice(NAMES)}{rng.randrange(100_000)}@host{domain}.example"


def _size(rng: random.Random) -> int:
    """Small letters are as likely as large ones on a logarithmic scale."""
    return int(math.exp(rng.uniform(math.log(habits.LETTER_BYTES.low), math.log(habits.LETTER_BYTES.high))))
