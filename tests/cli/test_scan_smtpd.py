"""`sekisho scan` on logs of a patched qmail: CHKUSER, SPAMCONTROL and the rest, with and without stamps."""

import re
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from cli.mailtown import VICTIM, Town, botnet, office, polling
from cli.test_scan import only, report
from command import sekisho
from covers import covers
from logs.lines import MARK
from logs.test_smtpd import CHKUSER, SPAMCONTROL

JST = timezone(timedelta(hours=9))
EPOCH = re.compile(rb" qmail: \d{10}\.\d{6} ")


def town(seed: int) -> Town:
    """A takeover among honest people, with the lines of qmail-smtpd between."""
    town = Town(seed, datetime(2014, 5, 5, tzinfo=JST))
    polling(town, "boss@corp.example", town.address(), 5)
    office(town, [f"clerk{n}@corp.example" for n in range(6)], town.address(), 5)
    botnet(town, town.start + timedelta(days=3, hours=2), 20, 60)
    for number, line in enumerate((*(f"CHKUSER {line}" for line in CHKUSER), *SPAMCONTROL)):
        text = line if line.startswith("CHKUSER") else f"qmail-smtpd: pid {number} {line}"
        for minute in range(number % 3 + 1):
            town.qmail(town.start + timedelta(hours=number, minutes=minute), text)
    return town


@covers("Q-28")
@covers("P-12", partly="SPAMCONTROL's control files are not imported yet")
def test_what_the_patches_decided_is_counted(tmp_path: Path) -> None:
    """Six kinds of CHKUSER, ten of SPAMCONTROL; a line of an unknown type is told as not understood."""
    made = town(1)
    made.qmail(
        made.start + timedelta(hours=1), "qmail-smtpd: pid 7 Reject::MOON::Full P:SMTP S:192.0.2.1:x H:x"
    )
    (tmp_path / "maillog").write_bytes(made.text())
    told = report(tmp_path / "maillog", code=1)
    kinds = [f"CHKUSER {line.partition(':')[0]}" for line in CHKUSER] + [
        line.partition(" ")[0].removesuffix(":") for line in SPAMCONTROL
    ]
    assert {kind: number % 3 + 1 for number, kind in enumerate(kinds)} == told["verdicts"]
    assert (1, VICTIM) == (told["unparsed"], only(told)["account"])
    assert "Reject::MOON" in told["unparsed_shapes"][0]["shape"]
    text = sekisho("scan", str(tmp_path / "maillog")).out
    assert "CHKUSER rejected rcpt" in text and "Reject::MOON" in text


@covers("P-14")
@pytest.mark.parametrize("seed", [2, 3])
def test_without_the_epoch_the_report_is_the_same(tmp_path: Path, seed: int) -> None:
    """splogger and splogger-nostamp: the same incidents, messages and verdicts, to the second."""
    stamped = town(seed).text()
    told = []
    for text in (stamped, EPOCH.sub(b" qmail: ", stamped)):
        (tmp_path / "maillog").write_bytes(text)
        told.append(report(tmp_path / "maillog", "--year", "2014", "--zone", "+09:00", "--what-if", code=1))
    for one in told:
        one["assumed"].pop("how")
        for case in one["incidents"]:
            case["joins"] = [{**join, "gap_s": int(join["gap_s"])} for join in case["joins"]]
    assert told[0] == told[1]
    assert b" qmail: 1" in stamped and told[0]["incidents"][0]["messages"] > 50


def test_no_password_of_any_dialect_is_shown(tmp_path: Path) -> None:
    """What a client sent as password or in its place: courier's `cmd:`, and forms that nobody knows."""
    (tmp_path / "log").write_text(
        "".join(
            f"Jul 22 18:52:46 mx1 {line}\n"
            for line in (
                f'courieresmtpd: error,relay=192.0.2.1,msg="535 Authentication failed.",cmd: {MARK}',
                f'courieresmtpd: error,relay=192.0.2.1,msg="502 ESMTP command error",cmd: {MARK}',
                f"courieresmtpd: strange,cmd: {MARK}",
                f"exim[5]: 2013-07-22 18:52:46 strange password={MARK}",
                f"smtpd[5]: f7a2e6aa567530c9 strange AUTH PLAIN {MARK}",
                f"imapd[5]: strange pass {MARK}",
                f"sm-mta[5]: 56VFYCxS000006: strange AUTH LOGIN {MARK}",
                f"dovecot: auth: strange (given password: {MARK})",
                f"qmail: qmail-smtpd[5]: strange pwd={MARK}",
            )
        )
    )
    page = tmp_path / "r.html"
    for words in (("--json",), (), ("--html", str(page)), ("--mask",)):
        result = sekisho("scan", str(tmp_path / "log"), *words)
        shown = result.out + result.err + (page.read_text() if page.exists() else "")
        assert MARK not in shown
