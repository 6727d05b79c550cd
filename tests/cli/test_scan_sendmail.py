"""`sekisho scan` on sendmail's log: a planted takeover is found, and nobody else is accused."""

from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from cli.mailtown import VICTIM, botnet, knocking, office, polling, telephone
from cli.sendmailtown import SendmailTown
from cli.test_scan import only, report
from command import sekisho

WEST = timezone(timedelta(hours=-5))


@pytest.mark.parametrize(("seed", "new"), [(1, True), (2, False)])
def test_a_planted_takeover_in_sendmail_s_log(tmp_path: Path, seed: int, new: bool) -> None:
    """Each letter is joined to the sign-in of its session, less surely where its protocol does not say that
    there was one; a forged `relay=` in the message id blames nobody."""
    town = SendmailTown(seed, datetime(2019, 12, 30, tzinfo=WEST), new=new)
    polling(town, VICTIM, town.address(), 6)
    polling(town, "boss@corp.example", town.address(), 6)
    telephone(town, "phone@corp.example", 6)
    office(town, [f"clerk{n}@corp.example" for n in range(12)], town.address(), 6)
    attack = botnet(town, town.start + timedelta(days=4, hours=2), 20, 70)
    knocking(town, attack.last + timedelta(minutes=40), 1, 40, timedelta(hours=1))
    (tmp_path / "maillog").write_bytes(town.text())
    told = report(tmp_path / "maillog", "--year", "2019", "--zone", "-05:00", "--what-if", code=1)
    case = only(told)
    assert (VICTIM, "takeover", 0, {"sendmail": told["lines"]}) == (
        case["account"], case["kind"], told["unparsed"], told["dialects"],
    )  # fmt: skip
    assert (attack.first, attack.last) == tuple(
        datetime.fromisoformat(case[end]) for end in ("first", "last")
    )
    assert len(attack.uses) <= case["distinct_addresses"] <= len(attack.uses) + 1
    assert {0.99 if new else 0.95} == {join["confidence"] for join in case["joins"]}
    assert len(case["joins"]) == case["messages"]
    assert attack.refused == case["bounced"]
    assert attack.recipients <= case["recipients"] <= attack.recipients + 20
    assert (40, 0) == (case["after"]["failures"], case["deferred"])
    assert case["messages_before"] <= 5
    assert [] == [one for one in told["would_have_bothered"] if one["grade"] != "watch"]


def test_nobody_is_accused_in_an_honest_sendmail_log(tmp_path: Path) -> None:
    """People at home, in the office and on the road, three days of them."""
    town = SendmailTown(4, datetime(2022, 9, 5, 8, tzinfo=WEST))
    polling(town, "home@corp.example", town.address(), 3)
    telephone(town, "phone@corp.example", 3)
    office(town, [f"clerk{n}@corp.example" for n in range(20)], town.address(), 3)
    (tmp_path / "maillog").write_bytes(town.text())
    told = report(tmp_path / "maillog", "--what-if", "--year", "2022", code=0)
    assert ([], []) == (told["incidents"], told["would_have_bothered"])


def test_masked_a_user_without_a_domain_is_not_named(tmp_path: Path) -> None:
    """sendmail knows users by name; in sentences and lists they are numbers as well."""
    town = SendmailTown(5, datetime(2022, 9, 5, 8, tzinfo=WEST))
    for account in ("hildegard", "otto"):
        polling(town, account, town.address(), 3)
    for minute in range(0, 900, 9):
        at, address = town.start + timedelta(days=2, minutes=minute), town.address()
        town.login(at, "submission", "hildegard", address)
        town.message(at, "hildegard", [f"x{minute}.{number}@strangers.example" for number in range(9)], 4)
        town.login(at + timedelta(seconds=9), "submission", "otto", address)
    (tmp_path / "maillog").write_bytes(town.text())
    page = tmp_path / "r.html"
    for words in (("--json",), ("--html", str(page))):
        result = sekisho("scan", "--mask", "--what-if", "--year", "2022", *words, str(tmp_path / "maillog"))
        shown = result.out + (page.read_text() if page.exists() else "")
        assert 1 == result.code
        assert "hildegard" not in shown and "otto" not in shown
        assert "account1@nowhere" in shown
