"""What went on around a contained account, in sentences: how the password may have been lost, whether the
thief still knocks, and which other accounts he tries.
"""

from sekisho.guard.after_lock import cadence
from sekisho.guard.aftermath import Aftermath, has_given_up
from sekisho.guard.wording import span
from sekisho.model.phrase import Phrase, phrase, phrases
from sekisho.model.text import printable
from sekisho.service.scan_after import rhythm_words
from sekisho.service.zone import moment

NAMED_MAX = 10
"""Related accounts that are named; of the others the number."""


def after_words(record: Aftermath, now: int) -> tuple[Phrase, ...]:
    return (*_before(record), *_since(record, now), *_related(record))


def _before(record: Aftermath) -> tuple[Phrase, ...]:
    if not record.first:
        return (_guesses(record),)
    first = phrase(
        "The first sign-in from an unfamiliar place was at {time}, from {network} ({address}).",
        time=moment(record.first),
        network=printable(record.first_network, 100),
        address=printable(record.first_address, 100),
    )
    return (first, _guesses(record))


def _guesses(record: Aftermath) -> Phrase:
    if not record.failures:
        return phrase(
            "No wrong password was heard of before: who came knew it, by phishing, malware or another site."
        )
    tried = phrases(
        "{count} wrong password was tried in the month before ({passwords} different)",
        "{count} wrong passwords were tried in the month before ({passwords} different)",
        record.failures,
        passwords=record.passwords,
    )
    if not record.guessed_from_there:
        return phrase("{tried}, none from where the thief came.", tried=tried)
    return phrase("{tried}, also from where the thief came: it was guessed, perhaps.", tried=tried)


def _since(record: Aftermath, now: int) -> tuple[Phrase, ...]:
    if not record.tries:
        return (phrase("Nobody has tried from unfamiliar places since."),)
    tries = phrases(
        "{count} try from {addresses} since the containment",
        "{count} tries from {addresses} since the containment",
        record.tries,
        addresses=phrases("{count} address", "{count} addresses", len(record.addresses)),
    )
    rhythm, last = rhythm_words(cadence(record.times)), moment(record.last)
    if has_given_up(record, now):
        quiet = span(now - record.last)
        told = phrase(
            "{tries} ({rhythm}), the last at {last}: they have given up, it has been quiet for {span}.",
            tries=tries,
            rhythm=rhythm,
            last=last,
            span=quiet,
        )
    else:
        told = phrase(
            "{tries} ({rhythm}), the last at {last}: they are still trying.",
            tries=tries,
            rhythm=rhythm,
            last=last,
        )
    if not record.right:
        return (told,)
    return (
        told,
        phrases(
            "{count} of them had the right password.", "{count} of them had the right password.", record.right
        ),
    )


def _related(record: Aftermath) -> tuple[Phrase, ...]:
    named = record.named()
    if not named:
        return ()
    names = ", ".join(printable(name, 100) for name in named[:NAMED_MAX])
    more = f" +{len(named) - NAMED_MAX}" if len(named) > NAMED_MAX else ""
    return (
        phrase(
            "Other accounts that are tried from the same corners of the net, or at the same pace: {names}.",
            names=names + more,
        ),
    )
