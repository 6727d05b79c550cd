"""Beside a real Exim that asks our policy and SASL booths, set up by what `sekisho configure exim` prints."""

import json
import signal
import smtplib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import pytest

from e2e.beside_exim import WaitingExim, asking_exim
from e2e.postfix import Claimed
from e2e.running import PASSWORD, Installation
from e2e.test_containment import HOME, OWNER, ordinary_days, tell
from ports import free_port
from waiting import until

OTHER, VICTIM = "other@example.com", "c@far.example"
STRANGERS = ("93.84.1.1", "212.56.200.7", "195.3.144.9", "200.1.2.3", "41.2.3.4", "103.9.8.7")
LETTER = "Subject: x\r\n\r\nx\r\n"
BOOTHS = """
[listen.policy]
address = "127.0.0.1:{policy}"
protocol = "policy"
[listen.sasl]
address = "127.0.0.1:{sasl}"
protocol = "sasl"
tarpit_s = 0
[guard]
help_url = "https://help.example/locked"
[outbound.smarthost]
host = "127.0.0.1:{dead}"
"""


@dataclass
class Site:
    ours: Installation
    theirs: WaitingExim


def combined(printed: str, settings: str) -> str:
    """Each part in its section, and our question at the head of the site's own list."""
    _, main, acl, authenticators = printed.split("\n# ---- ")
    lists = f"#{main}\nbegin acl\n#{acl}\nall:\n  require acl = sekisho_rcpt\n"
    settings = settings.replace("begin acl\nall:\n", lists)
    before, _, _ = settings.partition("begin authenticators\n")
    head = "hosts_proxy = 127.0.0.1\nAUTH_SERVER_ALLOW_NOTLS_PASSWORDS = yes\n"
    return f"{head}{before}begin authenticators\n#{authenticators}"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    extra = BOOTHS.format(policy=free_port(), sasl=free_port(), dead=free_port())
    ours = Installation(tmp_path_factory.mktemp("exim") / "site", extra=extra)
    for account in (OWNER, OTHER):
        ours.add_account(account)
    tell(ours, ordinary_days(40))
    with ours.serving(), asking_exim(partial(combined, ours.run("configure", "exim"))) as theirs:
        yield Site(ours, theirs)


def send(site: Site, address: str, account: str = OWNER) -> int:
    """The reply to the letter's end, or to the password or the recipients that were refused."""
    with Claimed(site.theirs.port, address) as client:
        try:
            client.login(account, PASSWORD)
            client.sendmail(account, [f"a-{address}@far.example", f"b-{address}@far.example"], LETTER)
        except smtplib.SMTPAuthenticationError as error:
            return error.smtp_code
        except smtplib.SMTPRecipientsRefused as error:
            return next(iter(error.recipients.values()))[0]
    return 250


def frozen(site: Site) -> int:
    return site.theirs.run("-bp").count("*** frozen ***")


def test_one_letter_passes_one_is_frozen_then_no_login(site: Site) -> None:
    """From six countries with a stolen password; the owner goes on at home; a release undoes it."""
    assert 250 == send(site, HOME)
    assert [250, 250, 535, 535, 535, 535] == [send(site, stranger) for stranger in STRANGERS]
    assert 1 == frozen(site) and 250 == send(site, HOME) and 1 == frozen(site)
    (incident,) = json.loads(site.ours.run("incident", "show", OWNER, "--json"))["incidents"]
    assert f"Warning: HOLD sekisho: {incident['id']}\n" in site.theirs.log()
    site.ours.run("incident", "release", OWNER, "--teach", "--yes")
    assert 250 == send(site, STRANGERS[5]) and 1 == frozen(site)


def test_a_session_that_was_open_before(site: Site) -> None:
    """Whoever is inside when the account is contained is refused with a link to help, as the settings say by
    now; and when the guard is killed under an open session, Exim takes the letter.
    """
    assert 250 == send(site, HOME, OTHER)
    with Claimed(site.theirs.port, STRANGERS[5]) as early:
        early.login(OTHER, PASSWORD)
        early.mail(OTHER)
        assert 535 in [send(site, stranger, OTHER) for stranger in STRANGERS[:5]]
        settings = site.ours.settings.read_text()
        site.ours.settings.write_text(settings.replace('"policy"\n', '"policy"\ncontained = "refuse"\n'))
        site.ours.server.send_signal(signal.SIGHUP)
        code, text = until(lambda: [said for said in [early.rcpt(VICTIM)] if said[0] != 250])[0]
        assert 550 == code and text.startswith(b"5.7.1 Access from this place is suspended")
        assert text.endswith(b"https://help.example/locked")
        site.ours.kill()
        assert 250 == early.rcpt(VICTIM)[0] and 250 == early.data(LETTER)[0]
    site.ours.start()
