"""The checks there are, at which stage and in which order each is asked, and what it asks.

To add one: its file in this folder, its test, and one line here. The settings may leave checks out, change
their order within a stage, and make a verdict milder (`soften`); never harder. A `firm` check can be
neither left out nor softened: without it the server is not safe. A `last` one is asked only about what
nothing before it refuses, because the guard learns what it is asked about. `about` whom a check has nothing
to say, it is not asked: it would pass.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Literal

from msgspec import Struct

from sekisho.checks import (
    backscatter,
    dkim,
    dmarc,
    free_space,
    login_required,
    mailbox_full,
    mailbox_room,
    max_recipients,
    rate,
    received_loop,
    recipient_known,
    recipient_verified,
    relay,
    sender_local,
    sender_owned,
    spf,
    takeover,
)
from sekisho.checks.ask import Ask, Client, Stage
from sekisho.model.phrase import Phrase, phrase
from sekisho.model.verdict import Act

Check = Callable[[Any, Ask], Awaitable[Any]]
Kind = Literal["accounts", "trusted", "strangers"]
"""Of clients: who has logged in, whom we know by address, whom we do not know."""

About = Literal["all", "accounts", "strangers"]
KINDS: tuple[Kind, ...] = ("accounts", "trusted", "strangers")


class Entry(Struct, frozen=True):
    stage: Stage
    check: Check
    caption: Phrase
    firm: bool = False
    last: bool = False
    about: About = "all"

    def concerns(self, kind: Kind) -> bool:
        return self.about in ("all", kind)

    @property
    def name(self) -> str:
        return self.check.__module__.rpartition(".")[2]


REGISTRY: tuple[Entry, ...] = (
    Entry("mail", login_required.check, phrase("Is this listener for people who have logged in?"), firm=True,
          about="strangers"),
    Entry("mail", free_space.check, phrase("Is there room for a message?")),
    Entry("mail", sender_owned.check, phrase("Does the sender's address belong to who has logged in?"),
          about="accounts"),
    Entry("mail", sender_local.check, phrase("Does a sender of ours exist?"), about="strangers"),
    Entry("mail", spf.check, phrase("May this host send mail of the sender's domain (SPF)?"),
          about="strangers"),
    Entry("rcpt", max_recipients.check, phrase("Has the message too many recipients?")),
    Entry("rcpt", relay.check, phrase("May this client send to other hosts?"), firm=True,
          about="strangers"),
    Entry("rcpt", recipient_known.check, phrase("Does the recipient exist here?"), firm=True),
    Entry("rcpt", mailbox_full.check, phrase("Is there room in the recipient's mailbox?")),
    Entry("rcpt", recipient_verified.check, phrase("Does the host it is sent on to know it?"), last=True),
    Entry("rcpt", takeover.check, phrase("Is somebody else using this account?"), last=True,
          about="accounts"),
    Entry("rcpt", rate.check, phrase("Does the guard answer for this network?"), last=True,
          about="accounts"),
    Entry("body", mailbox_room.check, phrase("Is there a mailbox with room for a letter of this size?")),
    Entry("body", received_loop.check, phrase("Does the message go round in circles?")),
    Entry("body", backscatter.check, phrase("Does a bounce answer a message of ours?"),
          about="strangers"),
    Entry("body", dkim.check, phrase("Do the letter's signatures hold (DKIM)?"), about="strangers"),
    Entry("body", dmarc.check, phrase("Does the author's domain answer for the letter (DMARC)?"),
          about="strangers"),
    Entry("body", takeover.check, phrase("Is somebody else using this account?"), last=True,
          about="accounts"),
)  # fmt: skip

STAGES: tuple[Stage, ...] = ("connect", "helo", "mail", "rcpt", "data", "body")
ACTS: Mapping[str, Act] = {
    "pass": Act.PASS, "tag": Act.TAG, "delay": Act.DELAY, "hold": Act.HOLD, "defer": Act.DEFER,
}  # fmt: skip


class Policy(Struct, frozen=True):
    """The checks in force, by stage, and the strongest act allowed to those that were softened."""

    stages: dict[Stage, tuple[Entry, ...]]
    soften: dict[str, Act]
    asked: str
    """All names in order, for the event that says so once for each message."""
    _concerning: dict[tuple[Stage, Kind], tuple[Entry, ...]] = {}

    def asked_of(self, stage: Stage, client: Client) -> tuple[Entry, ...]:
        """The checks that may have something to say of this client."""
        kind: Kind = "accounts" if client.account else "trusted" if client.trusted else "strangers"
        return self._concerning[stage, kind]


def policy(names: Sequence[str], soften: Mapping[str, str]) -> Policy:
    """From the settings, which `mistakes` has found none in. No names: all checks, in their own order."""
    if not names:
        chosen = REGISTRY
    else:
        place = {name: at for at, name in enumerate(names)}
        kept = [entry for entry in REGISTRY if entry.firm or entry.name in place]
        chosen = tuple(sorted(kept, key=lambda entry: (entry.last, place.get(entry.name, -1))))
    stages = {stage: tuple(entry for entry in chosen if entry.stage == stage) for stage in STAGES}
    asked = " ".join(f"{entry.stage}:{entry.name}" for stage in STAGES for entry in stages[stage])
    concerning = {
        (stage, kind): tuple(entry for entry in entries if entry.concerns(kind))
        for stage, entries in stages.items()
        for kind in KINDS
    }
    return Policy(stages, {name: ACTS[act] for name, act in soften.items()}, asked, concerning)


def mistakes(names: Sequence[str], soften: Mapping[str, str]) -> list[Phrase]:
    """What is wrong with these settings, for `config check`."""
    known = {entry.name: entry for entry in REGISTRY}
    found = [phrase("there is no check named {name}", name=name) for name in names if name not in known]
    for name in soften:
        if name not in known:
            found.append(phrase("there is no check named {name}", name=name))
        elif known[name].firm:
            found.append(phrase("{name} cannot be softened: without it this server is not safe", name=name))
    return found
