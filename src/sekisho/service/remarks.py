"""What an operator should know of a case beside its evidence: whether the password is another by now, which
earlier case of the account this one follows, and what goes on around it.

The audit says when a password was set; the vault's own file is not for watch to read. All of it blocks.
"""

from sekisho.model.incident import Grade, Incident
from sekisho.model.phrase import Phrase, phrase
from sekisho.service.after_words import after_words
from sekisho.service.aftercare import aftermath_of
from sekisho.service.listed import listings, sentence
from sekisho.service.zone import moment
from sekisho.store.house import House

PASSWORD_SET = "password set"
"""What the audit calls a new password (`service/accounts.py`)."""

EARLIER_KEPT = 50
"""So many cases of one account are looked through for an earlier containment."""


def is_theft(incident: Incident) -> bool:
    """Somebody who had the password was stopped: mail that was only too much is another matter."""
    return incident.kind == "takeover" and incident.grade >= Grade.CONTAIN


def still_opens(house: House, incident: Incident) -> Phrase | None:
    """Why this case should not be released yet; None when it may be."""
    if not is_theft(incident) or house.account(incident.subject) is None:
        return None
    if house.noted_at(incident.subject, PASSWORD_SET) > incident.opened:
        return None
    return phrase(
        "the password of {account} has not been changed since {opened}, and whoever stole it could go on: "
        "change it (sekisho account password {account}), and release then; or say --teach if it was the "
        "owner, --keep-password if nobody else can have it",
        account=incident.subject,
        opened=moment(incident.opened),
    )


def remarks(house: House, incident: Incident, now: int) -> tuple[Phrase, ...]:
    if not is_theft(incident):
        return ()
    record = aftermath_of(house, incident.id)
    around = after_words(record, now) if record is not None else ()
    known = () if incident.closed else tuple(sentence(each) for each in listings(house))
    return (*_password(house, incident), *_earlier(house, incident), *around, *known)


def _password(house: House, incident: Incident) -> tuple[Phrase, ...]:
    changed = house.noted_at(incident.subject, PASSWORD_SET)
    if changed > incident.opened:
        return (phrase("The password was changed at {time}.", time=moment(changed)),)
    if incident.closed:
        return (phrase("The password has not been changed since this case was opened."),)
    return (phrase("The password has not been changed yet: whoever stole it still has it."),)


def _earlier(house: House, incident: Incident) -> tuple[Phrase, ...]:
    before = next(
        (
            case
            for case in house.incidents(subject=incident.subject, limit=EARLIER_KEPT)
            if case.opened < incident.opened and case.id != incident.id and is_theft(case)
        ),
        None,
    )
    if before is None:
        return ()
    values = {"case": before.id, "time": moment(before.opened)}
    changes = house.noted_between(incident.subject, PASSWORD_SET, before.opened, incident.opened)
    if not changes:
        return (
            phrase(
                "Contained before, at {time} (case {case}), and the password was not changed in between: "
                "it may be the same thief.",
                **values,
            ),
        )
    return (
        phrase(
            "Contained before, at {time} (case {case}). The password was changed at {changed}, and the new "
            "one is known too: look for malware on the owner's devices, or for a password used elsewhere.",
            **values,
            changed=moment(changes),
        ),
    )
