"""`sekisho serve` as a service manager sees it: it checks, reloads, stops, and lives when one of its roles
dies."""

import contextlib
import json
import os
import signal
import smtplib
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from e2e.running import PROGRAM, Installation
from sekisho.model.selector import Selector
from sekisho.service.control import call
from sekisho.service.messages import QueueAnswer, QueueAsk, StatusAnswer, StatusAsk


def wait_until(true: Callable[[], bool], within_s: float = 60) -> None:
    deadline = time.monotonic() + within_s
    while not true() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert true()


def status(site: Installation) -> StatusAnswer:
    answer = call(str(site.folder), StatusAsk(), StatusAnswer)
    assert answer is not None
    return answer


def is_ready(site: Installation) -> bool:
    answer = call(str(site.folder), StatusAsk(), StatusAnswer)
    return answer is not None and answer.ready


def send(site: Installation, subject: str) -> None:
    with site.client() as client:
        client.sendmail("a@example.net", ["bob@example.com"], f"Subject: {subject}\r\n\r\nx\r\n")


@pytest.fixture
def site(tmp_path: Path, request: pytest.FixtureRequest) -> Installation:
    site = Installation(tmp_path / "site", processes=getattr(request, "param", "one"))
    site.add_account("bob@example.com")
    return site


both = pytest.mark.parametrize("site", ["one", "split"], indirect=True)


@both
def test_check_stops_after_binding(site: Installation) -> None:
    """It says where it listens, and ends with 0; a port that is taken is one sentence and code 69."""
    said = site.run("serve", "--check")
    assert f"listening on 127.0.0.1:{site.mx} (mx)" in said
    with site.serving():
        said = site.run("serve", "--check", code=69)
        assert said.startswith("sekisho: ") and 1 == said.count("\n"), said


def test_settings_that_are_wrong_are_78(site: Installation) -> None:
    """The sentence names file, line, table and key, and the nearest key there is."""
    site.settings.write_text(site.settings.read_text() + "[queue]\nlifetime = 5\n")
    said = site.run("serve", "--check", code=78)
    assert "sekisho.toml" in said and "queue.lifetime" in said and "lifetime_s" in said


@both
def test_hangup_reads_the_settings_again(site: Installation) -> None:
    """A new limit counts for new sessions; a session under way goes on; wrong settings change nothing."""
    with site.serving(), site.client() as before:
        before.ehlo()
        assert site.server is not None
        wait_until(lambda: is_ready(site))
        text = site.settings.read_text()
        site.settings.write_text(text.replace("[limits]", "[limits]\nmessage_bytes = 4096"))
        site.server.send_signal(signal.SIGHUP)

        def smaller() -> bool:
            with site.client() as client:
                client.ehlo()
                return client.esmtp_features["size"] == "4096"

        wait_until(smaller)
        wait_until(lambda: "sekisho: the settings were read again\n" in site.log())
        assert 250 == before.noop()[0]
        site.settings.write_text("hostname = 5\n")
        site.server.send_signal(signal.SIGHUP)
        time.sleep(0.5)
        assert smaller()
        site.settings.write_text(text)


@both
def test_the_end_keeps_promises(site: Installation) -> None:
    """SIGTERM while a letter is on its way in: the letter gets its answer, then the server ends with 0."""
    site.start()
    assert site.server is not None
    with contextlib.closing(site.client()) as client:  # it may hear 421 in place of 221
        client.ehlo()
        client.mail("a@example.net")
        client.rcpt("bob@example.com")
        client.putcmd("data")
        assert 354 == client.getreply()[0]
        client.send(b"Subject: last\r\n\r\n")
        site.server.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        client.send(b"words\r\n.\r\n")
        assert 250 == client.getreply()[0]
    assert 0 == site.server.wait(60), site.log()
    with site.serving():
        site.wait_for_letters("bob@example.com", 1)


def test_a_second_server_on_the_same_spool_is_refused(site: Installation, tmp_path: Path) -> None:
    """Two owners of one spool would deliver twice: the second says so and ends."""
    other = tmp_path / "other.toml"
    with site.serving():
        text = site.settings.read_text().replace('hostname = "', f'state = "{site.folder}"\nhostname = "')
        other.write_text(text.replace(str(site.mx), "0").replace(str(site.submission), "0"))
        done = subprocess.run(
            [PROGRAM, "serve", "--check", "-c", str(other)], capture_output=True, text=True, check=False
        )
        assert 69 == done.returncode, done.stderr
        assert "Traceback" not in done.stderr


@pytest.mark.parametrize("site", ["split"], indirect=True)
@pytest.mark.parametrize("role", ["watch", "vault", "front-1"])
def test_a_role_that_dies_is_started_again(site: Installation, role: str) -> None:
    """Mail is taken meanwhile or right after, sign-ins work again, and the supervisor counts the restart."""
    with site.serving():
        send(site, "before")
        wait_until(lambda: is_ready(site))
        os.kill(status(site).counts[f"{role}.pid"], signal.SIGKILL)

        def served() -> bool:
            try:
                send(site, "after")
            except (OSError, smtplib.SMTPException):
                return False
            return True

        wait_until(served)
        wait_until(lambda: is_ready(site) and status(site).counts[f"{role}.restarts"] > 0)
        assert 1 == status(site).counts[f"{role}.restarts"]
        assert f"role {role}: ended with -9, started again" in site.log()

        def signs_in() -> bool:
            try:
                site.signed_in("bob@example.com").quit()
            except smtplib.SMTPAuthenticationError as refusal:
                assert 454 == refusal.smtp_code  # the new vault is found a moment later
                return False
            return True

        wait_until(signs_in)
        answer = call(str(site.folder), QueueAsk("count", Selector()), QueueAnswer)
        assert answer is not None


@pytest.mark.parametrize("site", ["split"], indirect=True)
def test_no_role_outlives_its_supervisor(site: Installation) -> None:
    """kill -9 of the supervisor alone: the others end by themselves, and a new server can start at once."""
    site.start()
    assert site.server is not None
    wait_until(lambda: is_ready(site))
    roles = [pid for name, pid in status(site).counts.items() if name.endswith(".pid")]
    site.server.kill()
    site.server.wait(60)
    wait_until(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in roles))
    with site.serving():
        send(site, "again")


def test_roles_in_one_process_are_found_by_the_control_socket(site: Installation) -> None:
    """The status says what listens and how many sessions there are; after the end nobody answers."""
    with site.serving(), site.client() as client:
        client.ehlo()
        answer = status(site)
        assert f"127.0.0.1:{site.mx}" == answer.listening["mx"]
        assert answer.counts["sessions"] >= 1
    assert call(str(site.folder), StatusAsk(), StatusAnswer) is None


def test_a_closed_case_is_found_by_its_account(site: Installation) -> None:
    """`incident show` and `export` take an account also when its newest case has ended."""
    with site.serving():
        site.run("incident", "contain", "bob@example.com", "--yes")
        site.run("incident", "release", "bob@example.com", "--keep-password", "--yes")
        assert "bob@example.com" in site.run("incident", "show", "bob@example.com")
        assert "bob@example.com" in site.run("incident", "export", "bob@example.com")
        assert "no incident" in site.run("incident", "show", "nobody@example.com", code=1)


def test_why_nobody_can_log_in_is_told(site: Installation) -> None:
    """A damaged vault.db: 454 to who tries, mail comes in, and `explain` of the session names the file."""
    (site.folder / "vault.db").write_bytes(b"damaged" * 4096)
    with site.serving():
        send(site, "still taken")
        with pytest.raises(smtplib.SMTPAuthenticationError) as refusal:
            site.signed_in("bob@example.com")
        assert 454 == refusal.value.smtp_code
        troubles: list[str] = []

        def told() -> bool:
            lines = [
                line for path in (site.folder / "events").iterdir() for line in path.read_text().splitlines()
            ]
            troubles[:] = [
                event["session"] for event in map(json.loads, lines) if event["event"] == "troubled"
            ]
            return bool(troubles)

        wait_until(told)
        assert "vault.db: file is not a database" in site.run("explain", troubles[0])
