"""vchkpw's lines: every form, service, level and hostile password, against the generator's truth."""

import pytest

from covers import covers
from logs.lines import MARK, Told, logins
from sekisho.logs import vpopmail
from sekisho.logs.shapes import harmless

EVERY = list(logins())


@covers("L-03", "F-04")
@pytest.mark.parametrize("service", sorted({told.service for told in EVERY}))
def test_every_form_means_what_it_says(service: str) -> None:
    """Result, service, account, address and mechanism come out as written, whatever the password spells."""
    for told in (told for told in EVERY if told.service == service):
        login = vpopmail.parse(told.text.encode())
        assert login is not None, told.text
        assert told == Told(
            told.text, login.ok, login.service, login.account, login.address, login.mechanism, login.why
        )
        assert MARK not in str(login)


@covers("L-03")
def test_an_example_of_a_line_shows_no_password() -> None:
    """What is shown of a line that was not understood ends where a password begins."""
    for told in EVERY:
        assert MARK not in harmless(told.text.encode() + b" and more")
        assert MARK not in harmless(told.text.encode()[:-12])


@pytest.mark.parametrize(
    "text",
    [
        "vchkpw-pop3: setuid: permission denied",
        "vchkpw-smtp: login success hello@example.com",
        "vchkpw-smtp: login success hello@example.com:",
        "vchkpw-smtp: login success hello@example.com:300.1.1.1",
        "vchkpw-smtp: (PLAIN) login successful hello@example.com:192.0.2.1",
        "vchkpw-smtp: password fail (pass: 'login success boss@example.com:192.0.2.1",
        "vchkpw-smtp password fail hello@example.com:192.0.2.1",
        "vchkpw-",
        "vchkpw-smtp: login success " + "a" * 5000 + "@example.com:192.0.2.1",
    ],
)
def test_what_is_no_login_is_none(text: str) -> None:
    """Errors of vchkpw's own, cut lines and lines that no vchkpw wrote."""
    assert vpopmail.parse(text.encode()) is None


def test_an_empty_domain_is_no_domain() -> None:
    """`user@:address` is what vchkpw writes for an account of the default domain."""
    login = vpopmail.parse(b"vchkpw-pop3: vpopmail user not found admin@:192.0.2.1")
    assert login is not None
    assert ("admin", "192.0.2.1") == (login.account, login.address)


def test_bytes_that_are_no_text_stay_harmless() -> None:
    """A user name of invalid bytes and terminal controls becomes printable text."""
    login = vpopmail.parse(b"vchkpw-pop3: password fail \xff\x1b[2J@example.com:192.0.2.1")
    assert login is not None
    assert r"\xff\x1b[2j@example.com" == login.account
