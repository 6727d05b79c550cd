"""DMARC (RFC 9989, and records as RFC 7489 has them): does the domain that a reader sees answer for a letter?

The record is found by walking up the names of the author's domain, at most eight questions a walk.
"""

from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import replace

from sekisho.mail.author import NoAuthor
from sekisho.mail.dkim import Dkim
from sekisho.mail.dmarc_record import POLICIES, Record, chosen, milder
from sekisho.mail.names import Names, Silent, is_within
from sekisho.mail.spf import Spf

STEPS_MAX = 8  # RFC 9989 4.10
LABELS_KEPT = 7
"""A longer name is asked about itself, and then with so many labels."""


class Dmarc(Struct, frozen=True):
    """`result` as in RFC 8601 2.7; `domain` the author's, `policy` what its record asks for, "" without one.

    `apply` is what is to be done with a letter that fails, after t= and pct=. `by` is what is aligned.
    """

    result: str
    domain: str = ""
    policy: str = ""
    apply: str = "none"
    by: str = ""
    why: str = ""


class Proven(Struct, frozen=True):
    """What the letter has shown. `spf` None: it was not asked."""

    spf: Spf | None
    dkim: tuple[Dkim, ...] = ()


async def check(author: tuple[str, ...] | NoAuthor, proven: Proven, names: Names, percentile: int) -> Dmarc:
    """Every author must be proven, and the hardest of those who are not decides. `percentile`: 0 to 99 by
    chance, for pct=.
    """
    if isinstance(author, NoAuthor):
        return Dmarc("permerror", apply="reject", why=author.why)
    walker = _Walker(names)
    found = [await _one(domain, proven, walker, percentile) for domain in author]
    if len(found) == 1:
        return found[0]
    worst = max(found, key=_badness)
    if worst.result in ("pass", "none") and any(each.result != worst.result for each in found):
        return replace(worst, result="none", why="several authors, not all proven")
    return replace(worst, why=f"several authors {worst.why}".rstrip())


def _badness(found: Dmarc) -> tuple[int, int]:
    order = ("pass", "none", "permerror", "temperror", "fail")
    return order.index(found.result), POLICIES.index(found.apply)


async def _one(domain: str, proven: Proven, walker: "_Walker", percentile: int) -> Dmarc:
    try:
        records = await walker.walk(domain)
        record, policy = await _policy(domain, records, walker)
        if record is None:
            return Dmarc("none", domain, why="no record")
        by = await _aligned(domain, records, record, proven, walker)
    except Silent as silence:
        return Dmarc("temperror", domain, why=str(silence))
    if by:
        return Dmarc("pass", domain, policy, by=by)
    if _in_doubt(proven, organization(domain, records)):
        return Dmarc("temperror", domain, policy, why="what would prove it could not be looked up")
    apply = milder(policy) if record.testing or percentile >= record.percent else policy
    return Dmarc("fail", domain, policy, apply, why="nothing aligned has passed")


async def _policy(
    domain: str, records: "Sequence[tuple[str, Record]]", walker: "_Walker"
) -> tuple[Record | None, str]:
    """The record that counts and what it says of this name (RFC 9989 4.10.1)."""
    if not records:
        return None, ""
    if records[0][0] == domain:
        return records[0][1], records[0][1].policy
    top = organization(domain, records)
    record = next((each for name, each in records if name == top), None)
    if record is None:  # the name above the organization speaks for it
        record = records[-1][1]
    if record.absent != record.below and await walker.is_absent(domain):
        return record, record.absent
    return record, record.below


def organization(domain: str, records: "Sequence[tuple[str, Record]]") -> str:
    """RFC 9989 4.10.2; `records` from the longest name to the shortest."""
    for name, record in records:
        if record.psd == "n" or (record.psd == "y" and name == domain):
            return name
        if record.psd == "y":
            below = domain[: -len(name) - 1].rpartition(".")[2]
            return f"{below}.{name}"
    return records[-1][0] if records else domain


async def _aligned(
    domain: str, records: "Sequence[tuple[str, Record]]", record: Record, proven: Proven, walker: "_Walker"
) -> str:
    top = organization(domain, records)
    for each in proven.dkim:
        if each.result == "pass" and await _is_aligned(each.domain, domain, top, record.strict_dkim, walker):
            return f"dkim {each.domain}"
    spf = proven.spf
    if (
        spf is not None
        and spf.result == "pass"
        and not spf.ours
        and await _is_aligned(spf.domain, domain, top, record.strict_spf, walker)
    ):
        return f"spf {spf.domain}"
    return ""


async def _is_aligned(proved: str, domain: str, top: str, strict: bool, walker: "_Walker") -> bool:
    """RFC 9989 4.4. Two names of one organization stand below the same top, so most need no question."""
    proved = proved.lower()
    if proved == domain:
        return True
    if strict or not is_within(proved, top):
        return False
    return organization(proved, await walker.walk(proved)) == top


def _in_doubt(proven: Proven, top: str) -> bool:
    """Only what could have been aligned: else a forger's own name server would be an excuse."""
    asked = [(each.result, each.domain) for each in proven.dkim]
    if proven.spf is not None:
        asked.append((proven.spf.result, proven.spf.domain))
    return any(result == "temperror" and is_within(name.lower(), top) for result, name in asked)


class _Walker:
    """Asks about each name once."""

    def __init__(self, names: Names) -> None:
        self._names = names
        self._found: dict[str, Record | None] = {}

    async def walk(self, domain: str) -> list[tuple[str, Record]]:
        """The records on the way up, the author's own first (RFC 9989 4.10)."""
        labels = domain.split(".")
        found: list[tuple[str, Record]] = []
        for step in range(STEPS_MAX):
            name = ".".join(labels)
            record = await self._record(name)
            if record is not None:
                found.append((name, record))
                if record.psd != "u":
                    break
            labels = labels[1:] if step or len(labels) <= LABELS_KEPT else labels[-LABELS_KEPT:]
            if not labels:
                break
        return found

    async def _record(self, name: str) -> Record | None:
        if name not in self._found:
            self._found[name] = chosen(await self._names.texts(f"_dmarc.{name}") or ())
        return self._found[name]

    async def is_absent(self, domain: str) -> bool:
        return await self._names.texts(domain) is None
