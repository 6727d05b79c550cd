"""`sekisho status` where no server runs; with one, tests/e2e/test_heartbeat.py and test_reports.py ask it."""

from pathlib import Path

from mailhome import MailHome


def test_no_server_is_said_to_be_none(tmp_path: Path) -> None:
    """Exit code 69, and the folder that was looked at."""
    home = MailHome(tmp_path)
    for words in (("status",), ("status", "--json")):
        said = home(*words)
        assert (69, "") == (said.code, said.out)
        assert f"no server runs for {tmp_path}" in said.err
