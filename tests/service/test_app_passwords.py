"""App passwords at the vault: what they open, by which mechanism, and what a containment does to them."""

import hashlib
import hmac
import sqlite3
from base64 import b64encode
from pathlib import Path

import pytest

from covers import covers
from sekisho.model import config
from sekisho.model.account import Account, Domain
from sekisho.model.action import Performed
from sekisho.model.phrase import Phrase
from sekisho.model.secret import Secret
from sekisho.service.accounts import Accounts, Hands
from sekisho.service.app_passwords import AppPasswords
from sekisho.service.messages import (
    AskSalt,
    RestoreAccess,
    RevokeAccess,
    Salted,
    Verified,
    VerifyPassword,
    VerifyProof,
)
from sekisho.service.names import Refusal
from sekisho.service.vaulting import VaultRole
from sekisho.store.app_passwords import KEPT_MAX
from sekisho.store.directory import Directory
from sekisho.store.hashes import Hashes
from sekisho.store.house import Change, House
from sekisho.store.vault import Vault
from sekisho.testing.loop import run
from sekisho.testing.world import fakes

HELLO, RIGHT = "hello@example.com", "correct horse battery"
CHANGE = Change(1, "test", "tested", "x")
ROUNDS = 4096


class Office:
    """An account with a password, its app passwords, and a vault role on the same files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.fakes = fakes()
        house, self.vault = House.create(str(folder)), Vault.create(str(folder), b"k" * 32)
        house.save_domain(Domain("example.com"), CHANGE)
        house.save_account(Account(HELLO), CHANGE)
        self.house = house
        self.hands = Hands("operator ann", self.fakes.clock, self.fakes.chance)
        self.accounts = Accounts(house, self.vault, self.hands, ROUNDS)
        self.accounts.set_password(HELLO, Secret(RIGHT.encode()))
        self.apps = AppPasswords(self.accounts, self.hands, ROUNDS)
        clock = self.fakes.clock
        limits = config.Vault(scram_rounds=ROUNDS)
        directory, hashes = Directory.open(str(folder), clock), Hashes.open(str(folder), clock)
        self.role = VaultRole(self.fakes.world, limits, directory, hashes)

    def add(self, name: str = "phone", *services: str) -> str:
        return self.apps.add(HELLO, name, services)[1]

    def says(self, password: str, service: str = "submission", login: str = HELLO) -> Verified:
        self.fakes.clock.advance(2)  # the vault looks at its file again

        async def asked() -> object:
            return await self.role.handle(VerifyPassword(login, Secret(password.encode()), service))

        answer = run(asked())
        assert isinstance(answer, Verified)
        return answer

    def proves(self, password: str, service: str = "submission") -> Verified:
        """As a SCRAM client that was told salt and rounds."""

        self.fakes.clock.advance(2)

        async def asked() -> object:
            salted = await self.role.handle(AskSalt(HELLO))
            assert isinstance(salted, Salted)
            made = hashlib.pbkdf2_hmac("sha256", password.encode(), salted.salt, salted.rounds)
            key = hmac.digest(made, b"Client Key", "sha256")
            signed = hmac.digest(hashlib.sha256(key).digest(), b"message", "sha256")
            proof = bytes(a ^ b for a, b in zip(key, signed, strict=True))
            return await self.role.handle(VerifyProof(HELLO, b"message", b64encode(proof).decode(), service))

        answer = run(asked())
        assert isinstance(answer, Verified)
        return answer

    def does(self, request: RevokeAccess | RestoreAccess) -> Performed:
        answer = run(self.role.handle(request))
        assert isinstance(answer, Performed)
        return answer


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path)


def test_it_opens_beside_the_password(office: Office) -> None:
    """As it was shown, and as people type it; the password goes on; which one it was is told."""
    shown = office.add()
    (one,) = office.apps.list(HELLO)
    for typed in (shown, shown.replace("-", ""), shown.upper(), shown.replace("-", " ")):
        answer = office.says(typed)
        assert (HELLO, one.ident) == (answer.account, answer.credential)
    assert (HELLO, "") == (office.says(RIGHT).account, office.says(RIGHT).credential)
    assert office.says(shown[:-1] + ("a" if shown[-1] != "a" else "b")).account == ""
    assert office.says(shown, login="other@example.com").account == ""


def test_it_opens_with_scram_too(office: Office) -> None:
    """No client is surprised: salt and rounds are the account's, for either password."""
    shown = office.add()
    answer = office.proves(shown)
    assert answer.account == HELLO and answer.signature and answer.credential
    assert office.proves(RIGHT).account == HELLO
    assert office.proves("wrong").account == ""


def test_it_opens_only_its_services(office: Office) -> None:
    """A printer's password reads no mail, by no mechanism."""
    shown = office.add("printer", "submission")
    assert office.says(shown).account == HELLO
    assert ("", "denied") == (office.says(shown, "imap").account, office.says(shown, "imap").why)
    assert office.proves(shown, "imap").account == ""


def test_a_locked_account_is_locked(office: Office) -> None:
    """For its app passwords too."""
    shown = office.add()
    office.accounts.lock(HELLO, "test")
    assert office.says(shown).why == "denied"


@covers("F-08", partly="POP and IMAP, the account's lock in the console")
def test_revoked_and_restored_exactly(office: Office) -> None:
    """All that were good; done twice is done once; what a person revoked otherwise or made later is left
    alone.
    """
    first, second = office.add("phone"), office.add("printer")
    done = office.does(RevokeAccess("one", HELLO))
    assert 2 == done.count and set(done.changed) == {one.ident for one in office.apps.list(HELLO)}
    assert ["revoked"] * 4 == [answer.why for secret in (first, second)
                               for answer in (office.says(secret), office.proves(secret))]  # fmt: skip
    later = office.add("new one")
    assert done.changed == office.does(RevokeAccess("one", HELLO)).changed
    assert office.says(later).account == HELLO
    assert 1 == office.does(RevokeAccess("two", HELLO)).count
    assert 2 == office.does(RestoreAccess("undo", "one")).count
    assert [HELLO, HELLO, ""] == [office.says(secret).account for secret in (first, second, later)]
    assert 0 == office.does(RestoreAccess("again", "one")).count


def test_an_app_password_that_is_removed_is_gone(office: Office) -> None:
    """And with the account all of them: who has the name next is let in by none."""
    shown, other = office.add("phone"), office.add("printer")
    office.apps.remove(HELLO, "phone")
    assert office.says(shown).why == "password" and office.says(other).account == HELLO
    office.accounts.remove(HELLO)
    office.accounts.add(HELLO, None, "")
    assert office.says(other).account == ""
    assert ["app password removed", "app password added", "app password added"] == [
        change.what for change in office.house.audit(HELLO) if "app" in change.what
    ]


def test_only_hashes_are_kept(office: Office) -> None:
    """Neither the file, nor the audit, nor a list knows the password."""
    shown = office.add()
    plain = shown.replace("-", "")
    kept = b"".join(path.read_bytes() for path in office.folder.iterdir() if path.is_file())
    assert plain.encode() not in kept and shown.encode() not in kept
    assert shown not in repr(office.apps.list(HELLO)) and plain not in repr(office.house.audit())


def test_what_cannot_be(office: Office) -> None:
    """No name, a name twice, too many, an account that is not here."""
    office.add("phone")
    for address, name in ((HELLO, "phone"), (HELLO, "  "), ("nobody@example.com", "x")):
        with pytest.raises(Refusal) as refusal:
            office.apps.add(address, name, ())
        assert isinstance(refusal.value.sentence, Phrase)
    for number in range(KEPT_MAX - 1):
        office.add(f"device {number}")
    with pytest.raises(Refusal):
        office.add("one more")
    with pytest.raises(Refusal):
        office.apps.remove(HELLO, "not there")


def test_a_vault_of_before_has_none(office: Office) -> None:
    """The table is made when the first is added; until then nothing is missing."""
    with sqlite3.connect(office.folder / "vault.db") as connection:
        connection.execute("drop table if exists app_passwords")
    assert office.says(RIGHT).account == HELLO and office.proves(RIGHT).account == HELLO
    assert 0 == office.does(RevokeAccess("one", HELLO)).count


@covers("F-08", partly="POP and IMAP, the account's lock in the console")
def test_a_link_sets_a_password_once(office: Office) -> None:
    """What the owner says counts from then on; the audit knows how; only a hash of the link was kept."""
    token = office.accounts.make_link(HELLO, 2)
    kept = b"".join(path.read_bytes() for path in office.folder.iterdir() if path.is_file())
    assert token.encode() not in kept and token not in repr(office.house.audit())
    with pytest.raises(Refusal, match="characters"):
        office.accounts.redeem(token, Secret(b"short"))
    assert HELLO == office.accounts.redeem(token, Secret(b"something quite new"))
    assert office.says("something quite new").account == HELLO and office.says(RIGHT).account == ""
    with pytest.raises(Refusal):
        office.accounts.redeem(token, Secret(b"and another one"))
    assert office.says("and another one").account == ""
    assert "by a one-time link" == office.house.audit(HELLO, 1)[0].detail


@pytest.mark.parametrize("end", ["time", "newer", "password", "removed", "contained", "guessed"])
def test_a_link_that_is_over(office: Office, end: str) -> None:
    """Each with the same words, and the password stays."""
    token = office.accounts.make_link(HELLO, 2)
    match end:
        case "time":
            office.fakes.clock.advance(2 * 3600 + 1)
        case "newer":
            office.accounts.make_link(HELLO, 2)
        case "password":
            office.accounts.set_password(HELLO, Secret(RIGHT.encode()))
        case "removed":
            office.accounts.remove(HELLO)
        case "contained":
            office.does(RevokeAccess("one", HELLO))
        case "guessed":
            token = token[:-1] + ("A" if token[-1] != "A" else "B")
    with pytest.raises(Refusal, match="this link is not good"):
        office.accounts.redeem(token, Secret(b"something quite new"))
    assert office.says("something quite new").account == ""
