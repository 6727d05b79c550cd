"""The scan's report as text for a terminal: what happened first, how sure it is, then the details."""

from collections.abc import Iterator
from typing import Any

from sekisho.cli import speech
from sekisho.logs.reading import FORMATS
from sekisho.model.phrase import Phrase, phrase, phrases

ADDRESSES_SHOWN = 10
JOINS_SHOWN = 5
EVIDENCE_SHOWN = 12
SHAPES_SHOWN = 5
BURSTS_SHOWN = 12
VERDICTS_SHOWN = 12

Told = dict[str, Any]


def lines(report: Told) -> Iterator[str]:
    """`report` as `scan_report.plain` gives it."""
    cases = report["incidents"]
    real = [case for case in cases if case["kind"] != "nothing"]
    if real:
        yield say(phrases("{count} incident.", "{count} incidents.", len(real)))
    elif report["span"]["first"]:
        yield say(phrase("Nothing suspicious was found."))
    else:  # "nothing suspicious" of a file that nobody could read would be a lie
        yield say(phrase("There is nothing here that could be judged."))
    for case in cases:
        yield ""
        yield from _case(case)
    yield ""
    yield from _basis(report)


def say(sentence: Phrase) -> str:
    return speech.texts().say(sentence)


def kind_name(kind: str) -> str:
    match kind:
        case "takeover":
            return say(phrase("ACCOUNT TAKEN OVER"))
        case "failures_only":
            return say(phrase("PASSWORD TRIED, NOT FOUND"))
        case "volume":
            return say(phrase("UNUSUAL AMOUNT OF MAIL"))
        case _:
            return say(phrase("NOTHING SUSPICIOUS"))


def _case(case: Told) -> Iterator[str]:
    yield f"{kind_name(case['kind'])}  {case['account']}"
    yield f"  {case['sentence']}"
    yield "  " + say(phrase("from {first} to {last}", first=case["first"], last=case["last"]))
    if case["opened"]:
        yield "  " + say(phrase("evident at {opened}", opened=case["opened"]))
    yield f"  {case['after']['sentence']}"
    if case["kind"] == "takeover" and not case["closed"]:
        yield "  " + say(phrase("Change the password now and hold the account's mail in the queue."))
    yield from _mail(case)
    yield from _addresses(case)
    yield from _bursts(case["after"])
    yield from _evidence(case)
    if case["related_accounts"]:
        yield "  " + say(
            phrase("the same addresses visited: {accounts}", accounts=", ".join(case["related_accounts"]))
        )
    if "contain_at" in case:
        yield from _what_if(case)


def _mail(case: Told) -> Iterator[str]:
    if not case["messages"]:
        return
    yield "  " + say(
        phrase(
            "{messages} messages, {recipients} recipients: {delivered} delivered, {bounced} refused,"
            " {deferred} waiting",
            **{name: case[name] for name in ("messages", "recipients", "delivered", "bounced", "deferred")},
        )
    )
    for join in case["joins"][:JOINS_SHOWN]:
        yield "    " + say(
            phrase(
                "{at}  message {message}, {recipients} recipients, {gap} s after the sign-in from {address}"
                " (confidence {confidence})",
                at=join["message_at"], message=join["message"], recipients=join["recipients"],
                gap=f"{join['gap_s']:g}", address=join["address"], confidence=f"{join['confidence']:.2f}",
            )
        )  # fmt: skip
    yield from _more(len(case["joins"]), JOINS_SHOWN)


def _addresses(case: Told) -> Iterator[str]:
    if case["logins_per_address"]:
        parts = (f"{uses}x: {count}" for uses, count in case["logins_per_address"].items())
        yield "  " + say(phrase("addresses by number of sign-ins: {parts}", parts=", ".join(parts)))
    for top in case["top_addresses"][:ADDRESSES_SHOWN]:
        counts = f"{top['logins']:6d} {top['failures']:6d}"
        yield f"    {counts}  {top['address']:39s} {top['country']:2s} {top['network']}"


def _bursts(after: Told) -> Iterator[str]:
    for burst in after["bursts"][:BURSTS_SHOWN]:
        yield "    " + say(
            phrase(
                "{first} to {last}: {attempts} attempts",
                first=burst["first"], last=burst["last"], attempts=burst["attempts"],
            )
        )  # fmt: skip
    yield from _more(len(after["bursts"]), BURSTS_SHOWN)


def _evidence(case: Told) -> Iterator[str]:
    if case["evidence"]:
        yield "  " + say(phrase("evidence:"))
    for proof in case["evidence"][:EVIDENCE_SHOWN]:
        place = f"  [{proof['file']}:{proof['line']}]" if proof["line"] else ""
        yield f"    {proof['at']}  {proof['weight']:+5.1f}  {proof['text']}{place}"
    yield from _more(len(case["evidence"]), EVIDENCE_SHOWN)


def _more(count: int, shown: int) -> Iterator[str]:
    if count > shown:
        yield "    " + say(phrase("... and {count} more (--json shows all)", count=count - shown))


def _what_if(case: Told) -> Iterator[str]:
    if case["contain_at"] is None:
        yield "  " + say(phrase("sekisho's guard would not have acted"))
        return
    yield "  " + say(
        phrase(
            "sekisho's guard would have held its mail at {at}, after {messages} messages to {recipients}"
            " recipients; {owner} messages of the owner would have waited",
            at=case["contain_at"], messages=case["messages_before"], recipients=case["recipients_before"],
            owner=case["owner_messages_held"],
        )
    )  # fmt: skip


def _basis(report: Told) -> Iterator[str]:
    """What the answer rests on."""
    span, assumed = report["span"], report["assumed"]
    yield say(
        phrase(
            "Read: {lines} lines of {files} files, {accounts} accounts, {unrelated} messages unrelated to"
            " an incident.",
            lines=report["lines"], files=len(report["files"]), accounts=report["accounts"]["seen"],
            unrelated=report["unrelated_messages"],
        )
    )  # fmt: skip
    if span["first"]:
        yield say(phrase("Span: {first} to {last}.", first=span["first"], last=span["last"]))
        yield say(
            phrase(
                "Year {year}, zone {zone}: {how}.",
                year=str(assumed["year"]),
                zone=assumed["zone"],
                how=assumed["how"],
            )
        )
    elif report["lines"]:
        yield say(
            phrase("No line of it is of a kind that is known here ({formats}).", formats=", ".join(FORMATS))
        )
    else:
        yield say(phrase("There is not a single line in it."))
    for file in report["files"]:
        for note in file["notes"]:
            yield f"{file['name']}: {note}"
    yield from _verdicts(report)
    yield from _unparsed(report)
    yield from _bothered(report)


def _verdicts(report: Told) -> Iterator[str]:
    if report["failures_by_kind"]:
        yield say(phrase("Deliveries that failed or waited, by kind:"))
        yield from _counted(report["failures_by_kind"])
    if report["verdicts"]:
        yield say(phrase("What qmail-smtpd and its patches decided:"))
        yield from _counted(report["verdicts"])


def _counted(kinds: dict[str, int]) -> Iterator[str]:
    for kind, count in sorted(kinds.items(), key=lambda each: -each[1])[:VERDICTS_SHOWN]:
        yield f"    {count:8d}  {kind}"


def _unparsed(report: Told) -> Iterator[str]:
    if not report["unparsed"]:
        return
    yield say(
        phrases(
            "{count} line was not understood:",
            "{count} lines were not understood, most often:",
            report["unparsed"],
        )
    )
    for shape in report["unparsed_shapes"][:SHAPES_SHOWN]:
        yield f"    {shape['count']:8d}  {shape['shape']}"


def _bothered(report: Told) -> Iterator[str]:
    if "account_days" not in report:
        return
    yield say(
        phrase(
            "The guard would have bothered {count} honest accounts in {days} account-days.",
            count=len({one["account"] for one in report["would_have_bothered"]}), days=report["account_days"],
        )
    )  # fmt: skip
    for one in report["would_have_bothered"]:
        yield f"    {one['at']}  {one['grade']}  {one['sentence']}"
