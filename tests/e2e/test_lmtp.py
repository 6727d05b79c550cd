"""Mail for our mailboxes handed to a real Dovecot by LMTP, through a real server."""

import time
from pathlib import Path

from e2e.dovecot import dovecot
from e2e.running import Installation


def test_dovecot_keeps_the_mailboxes(tmp_path: Path) -> None:
    """Two recipients of one letter arrive; whom Dovecot does not know is reported to the sender, here too."""
    with dovecot("anna@example.com", "bob@example.com") as keeper:
        site = Installation(tmp_path / "site", extra=f'[local]\nlmtp = "unix:{keeper.socket}"\n')
        names = [f"{name}@example.com" for name in ("anna", "bob", "carl")]
        for name in names:
            site.add_account(name)
        with site.serving():
            with site.signed_in("anna@example.com") as client:
                client.sendmail("anna@example.com", names, "Subject: three\r\n\r\n.dot\r\n")
            deadline = time.monotonic() + 30
            while len(keeper.letters("anna")) < 2 and time.monotonic() < deadline:
                time.sleep(0.05)
        annas, bobs = keeper.letters("anna"), keeper.letters("bob")
        assert (2, 1) == (len(annas), len(bobs)), keeper.log()
    assert b"Subject: three" in bobs[0] and b"\n.dot\n" in bobs[0].replace(b"\r\n", b"\n")
    assert b"Return-Path: <anna@example.com>" in bobs[0]
    (report,) = [each for each in annas if b"multipart/report" in each]
    assert b"carl@example.com" in report and b"<bob@example.com>" not in report
