"""Mail that begins to fail is told by a running server, from its own deliveries."""

import json
from pathlib import Path

from covers import covers
from e2e.farhost import FarHost, refuse
from e2e.running import Installation
from waiting import until

WHO = "hello@example.com"


@covers("O-02")
def test_refused_letters_of_one_account(tmp_path: Path) -> None:
    """Fourteen recipients do not exist: `status` says so, `incident list` has it, the log has one line, and
    the operator may close it. The guard is off: it would let such a letter wait."""
    far = FarHost(refuse)
    site = Installation(tmp_path / "site", extra=far.smarthost + "[guard]\nenabled = false\n")
    site.add_account(WHO)
    with site.serving():
        with site.signed_in(WHO) as client:
            people = [f"nobody{place}@d{place}.example" for place in range(14)]
            client.sendmail(WHO, people, "Subject: offer\r\n\r\nbuy\r\n")
        (alarm,) = until(lambda: json.loads(site.run("status", "--json"))["alarms"])
        assert WHO == alarm["values"]["account"]
        assert "deliveries of its mail failed" in site.run("status")
        (case,) = [row for row in map(json.loads, site.run("incident", "list", "--json").splitlines())
                   if row["kind"] == "failure_rate"]  # fmt: skip
        assert WHO == case["subject"] and case["counters"]["5yz"] >= 12
        until(lambda: 1 == site.log().count(f"incident {case['id']}: mail fails: {WHO}"))
        assert "close the alarm" in site.run("incident", "release", case["id"], "--yes")
        assert [] == json.loads(site.run("status", "--json"))["alarms"]
    far.stop()
