"""`sekisho scan` on the grammars one by one: messages of qmail-send, spamd, failed deliveries."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from cli.eximtown import EximTown
from cli.mailtown import Town
from cli.test_scan import only, report
from command import sekisho
from covers import covers
from logs.test_refusals import SAID

HEAD = "Jul 22 18:52:46 mx1 "


@covers("L-02")
def test_a_number_used_again_is_another_message(tmp_path: Path) -> None:
    """The inode of an ended message returns, and the daemon's deliveries count from 1 again: two messages,
    each with its own sender, recipients and results; one tried before and after the restart is one."""
    town = Town(1, datetime(2013, 7, 22, 9, tzinfo=UTC))
    said = (
        ("info msg 90219: bytes 1364 from <a@corp.example> qp 17121 uid 103",),
        (
            "starting delivery 7: msg 90219 to remote x@y.test",
            "starting delivery 8: msg 90219 to remote z@y.test",
        ),
        ("delivery 7: success: 192.0.2.1_accepted_message./", "delivery 8: deferral: 192.0.2.1_busy./"),
        ("exiting", "status: local 0/10 remote 0/20"),
        (
            "starting delivery 1: msg 90219 to remote z@y.test",
            "delivery 1: failure: 192.0.2.1_does_not_like/",
        ),
        ("end msg 90219",),
        ("info msg 90219: bytes 99 from <b@corp.example> qp 17200 uid 103",),
        (
            "starting delivery 2: msg 90219 to local corp.example-c@corp.example",
            "delivery 2: success: did_1+0+0/",
        ),
        ("end msg 90219",),
    )
    at = town.start
    for account in ("a@corp.example", "b@corp.example"):
        town.login(at - timedelta(seconds=9), "submission", account, "198.51.100.7")
    for texts in said:
        for text in texts:
            at += timedelta(seconds=1)
            town.qmail(at, text)
    (tmp_path / "log").write_bytes(town.text())
    told = {
        account: only(report(tmp_path / "log", "--account", account, code=0))
        for account in ("a@corp.example", "b@corp.example")
    }
    assert [(1, 2, 1, 1, 0), (1, 1, 1, 0, 0)] == [
        tuple(case[name] for name in ("messages", "recipients", "delivered", "bounced", "deferred"))
        for case in told.values()
    ]
    assert ["90219", "90219"] == [case["joins"][0]["message"] for case in told.values()]


@covers("L-04")
def test_old_and_new_spamd_are_told_apart_from_the_rest(tmp_path: Path) -> None:
    """Its five forms in both wordings: all understood, none of them a sign-in or a message."""
    forms = (
        "connection from localhost [127.0.0.1] at port 43120",
        "connection from localhost [::1]:43120 to port 783, fd 5",
        "handle_user unable to find user: 'a@b.test'", ("handle_user (getpwnam) unable to find user:"
            " 'a@b.test'"),
        "processing message <1@x.test> for a@b.test:109", ("clean message (0.0/18.0) for a@b.test:109 in"
            " 5.9 seconds, 9 bytes."),
        "identified spam (22.0/18.0) for a@b.test:109 in 5.9 seconds, 9 bytes.",
        ("result: Y 22 - BAYES_99"
        " scantime=0.9,size=9,user=a@b.test,uid=109,required_score=5.0,rhost=localhost,"
        "raddr=127.0.0.1,rport=43120,mid=<1@x.test>,bayes=0.99,autolearn=no"),
    )  # fmt: skip
    (tmp_path / "log").write_text("".join(f"{HEAD}spamd[9]: spamd: {form}\n" for form in forms))
    found = report(tmp_path / "log", code=0)
    assert ({"spamd": len(forms)}, 0, 0) == (found["dialects"], found["unparsed"], found["events"])


@covers("L-05")
def test_failed_deliveries_are_told_by_kind(tmp_path: Path) -> None:
    """Every listed text as qmail-send writes it: by rule of sender or recipient, DNS, time, or code."""
    town = Town(1, datetime(2013, 7, 22, 9, tzinfo=UTC))
    number = 0
    for kind, texts in SAID.items():
        for text in texts:
            number += 1
            verb = "failure" if kind == "remote-5yz" else "deferral"
            town.qmail(town.start, f"starting delivery {number}: msg 5 to remote x@y.test")
            town.qmail(town.start, f"delivery {number}: {verb}: {text.replace(' ', '_')}")
    (tmp_path / "log").write_bytes(town.text())
    counted = {kind: len(texts) for kind, texts in SAID.items()}
    assert counted == report(tmp_path / "log", code=0)["failures_by_kind"]
    assert "sender-policy" in sekisho("scan", str(tmp_path / "log")).out
    exim = EximTown(1, town.start)
    exim.from_where["a@corp.example"] = "198.51.100.7"
    exim.message(exim.start, "a@corp.example", ["x@y.test", "z@y.test"], refused=1)
    (tmp_path / "log").write_bytes(exim.text())
    assert {"rcpt-policy": 1} == report(tmp_path / "log", code=0)["failures_by_kind"]
