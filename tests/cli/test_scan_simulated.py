"""`sekisho scan --what-if` on the simulated house, as Exim and as sendmail would have logged it.

Travellers, offices, telephones and newsletters among them, a map of networks that is the operator's own, and
five thieves of five kinds: exactly the thieves' accounts are found.
"""

from datetime import timedelta, timezone
from pathlib import Path

import pytest

from cli.scribe import EximScribe, Scribe, SendmailScribe, Told, happenings, write_map
from cli.test_scan import report
from sekisho.lab.traffic import Scale
from sekisho.model.event import Event

KINDS = ("botnet", "one-ip-blast", "imap-replay", "residential", "slow-residential")
ZONE = timezone(timedelta(hours=2))
SEED = 7


@pytest.fixture(scope="module")
def house() -> tuple[list[Event], Told]:
    return happenings(SEED, Scale(accounts=30, learning=6, days=4), KINDS, 1)


@pytest.mark.parametrize(("scribe", "doors"), [(EximScribe, True), (SendmailScribe, False)])
def test_exactly_the_thieves_accounts_are_found(
    tmp_path: Path, house: tuple[list[Event], Told], scribe: type[Scribe], doors: bool
) -> None:
    """With Dovecot's log beside it, and without any sign-in that only reads. Nobody honest is held, but for a
    newsletter of which the log has the first issue."""
    happened, told = house
    lines = list(scribe(ZONE).lines(happened))
    sent = [line for line in lines if "imap-login" not in line]
    (tmp_path / "mainlog").write_text("\n".join(sent) + "\n")
    if doors:
        (tmp_path / "maillog").write_text("\n".join(line for line in lines if "imap-login" in line) + "\n")
    write_map(tmp_path / "networks.csv", SEED)
    logs = [path for path in sorted(tmp_path.iterdir()) if path.suffix != ".csv"]
    found = report(
        *logs,
        "--what-if",
        "--networks",
        tmp_path / "networks.csv",
        "--zone",
        "+02:00",
        "--year",
        "2026",
        code=1,
    )
    assert 0 == found["unparsed"]
    assert dict.fromkeys(told.stolen, "takeover") == {
        case["account"]: case["kind"] for case in found["incidents"]
    }
    for case in found["incidents"]:
        assert case["messages_before"] < case["messages"] / 4, told.stolen[case["account"]]
    bothered = {one["account"] for one in found["would_have_bothered"] if one["grade"] != "watch"}
    assert {told.kinds[account] for account in bothered} <= {"newsletter"}
