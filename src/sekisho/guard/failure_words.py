"""The failure-rate alarm in one sentence."""

from sekisho.guard.failures import SERVER, Jump
from sekisho.guard.memory import SECOND
from sekisho.guard.tally import CAUSES
from sekisho.model.phrase import Phrase, Value, phrase, phrases


def told(jump: Jump) -> Phrase:
    """The alarm in one sentence."""
    values: dict[str, Value] = {
        "failed": jump.failed,
        "tried": jump.tried,
        "usual": round(100 * jump.usual),
        "since": _clock(jump.since),
        "causes": tuple(_counted(cause, jump.counts[cause]) for cause in CAUSES if jump.counts[cause]),
    }
    if jump.cause == "dns":
        return phrase(
            "DNS gives no answers: since {since} UTC {failed} of {tried} deliveries failed (usually "
            "{usual} %): {causes}; no account is to blame",
            **values,
        )
    if jump.cause == "timeout":
        return phrase(
            "other hosts cannot be reached: since {since} UTC {failed} of {tried} deliveries failed (usually "
            "{usual} %): {causes}; no account is to blame",
            **values,
        )
    if jump.subject == SERVER:
        return phrase(
            "deliveries fail: since {since} UTC {failed} of {tried} (usually {usual} %): {causes}; no "
            "account has the most of them",
            **values,
        )
    if jump.part == jump.failed:
        return phrase(
            "{account}: {failed} of {tried} deliveries of its mail failed since {since} UTC (usually "
            "{usual} %): {causes}",
            account=jump.subject,
            **values,
        )
    return phrase(
        "{account} has the largest share, {part}, of the {failed} failed deliveries since {since} UTC, of "
        "{tried} (usually {usual} %): {causes}",
        account=jump.subject,
        part=jump.part,
        **values,
    )


def _counted(cause: str, count: int) -> Phrase:
    match cause:
        case "5yz":
            return phrases("{count} refused (5yz)", "{count} refused (5yz)", count)
        case "4yz":
            return phrases("{count} put off (4yz)", "{count} put off (4yz)", count)
        case "dns":
            return phrases("{count} without an answer of DNS", "{count} without an answer of DNS", count)
    return phrases("{count} without a connection", "{count} without a connection", count)


def _clock(at: int) -> str:
    second = at // SECOND % 86400
    return f"{second // 3600:02d}:{second // 60 % 60:02d}"
