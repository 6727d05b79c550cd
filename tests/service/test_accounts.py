"""What may be written about domains, accounts and aliases, and what stands in the audit afterwards."""

from pathlib import Path

import pytest

from sekisho.model.account import Domain
from sekisho.model.secret import Secret
from sekisho.service.accounts import Accounts, Hands
from sekisho.service.aliasing import Aliases, lead
from sekisho.service.names import Refusal, account_address, domain_name, target_address
from sekisho.store.hashes import Hashes
from sekisho.store.hashing import matches
from sekisho.store.house import House
from sekisho.store.vault import Vault
from sekisho.testing.world import NOW, FakeChance, FakeClock


class Home:
    def __init__(self, folder: Path) -> None:
        self.house = House.create(str(folder))
        self.vault = Vault.create(str(folder), b"k" * 32)
        hands = Hands("operator test", FakeClock(), FakeChance())
        self.accounts = Accounts(self.house, self.vault, hands)
        self.aliases = Aliases(self.house, hands)
        self.accounts.add_domain("example.com", "+-", "")
        self.folder = str(folder)

    def stored(self, address: str) -> str:
        return Hashes.open(self.folder, FakeClock()).stored(address)

    def audit(self) -> list[str]:
        return [
            f"{change.by}: {change.what} {change.subject} {change.detail}".strip()
            for change in self.house.audit()
        ]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def secret(text: str) -> Secret:
    return Secret(text.encode())


def test_an_account_has_its_password_in_the_vault_only(home: Home, tmp_path: Path) -> None:
    """Hashed; no file holds the plaintext."""
    account = home.accounts.add("Hello@Example.COM", secret("correct horse"), "ja")
    assert ("hello@example.com", "ja", NOW) == (account.address, account.language, account.created_at)
    assert matches(home.stored("hello@example.com"), b"correct horse")
    for path in tmp_path.iterdir():
        assert b"correct horse" not in path.read_bytes()
    assert b"argon2" not in (tmp_path / "house.db").read_bytes()
    assert "operator test: account added hello@example.com" == home.audit()[0]


def test_a_removed_accounts_password_does_not_wait_for_the_next_owner(home: Home) -> None:
    """Neither after removal, nor for an account added without one, nor when the domain goes."""
    home.accounts.add("hello@example.com", secret("correct horse"), "")
    home.accounts.remove("hello@example.com")
    assert "" == home.stored("hello@example.com")
    home.vault.save("hello@example.com", "left by a crash", 1)
    home.accounts.add("hello@example.com", None, "")
    assert "" == home.stored("hello@example.com")
    home.accounts.set_password("hello@example.com", secret("another horse"))
    home.accounts.remove_domain("example.com")
    assert "" == home.stored("hello@example.com")
    assert [] == home.house.domains()


@pytest.mark.parametrize("password", ["", "short", "1234567", "x" * 1025])
def test_a_password_has_a_length(home: Home, password: str) -> None:
    """Refused before anything is written."""
    with pytest.raises(Refusal, match="a password"):
        home.accounts.add("hello@example.com", secret(password), "")
    assert [] == home.house.accounts()
    home.accounts.add("hello@example.com", secret("correct horse"), "")
    with pytest.raises(Refusal, match="a password"):
        home.accounts.set_password("hello@example.com", secret(password))
    assert matches(home.stored("hello@example.com"), b"correct horse")


def test_locking_is_remembered_with_its_reason(home: Home) -> None:
    """The time of the first lock stays; unlocking forgets both; the audit has everything."""
    home.accounts.add("hello@example.com", None, "")
    assert NOW == home.accounts.lock("hello@example.com", "stolen").locked_at
    assert home.accounts.account("hello@example.com").locked
    assert "stolen" == home.accounts.account("hello@example.com").locked_why
    assert not home.accounts.unlock("hello@example.com").locked
    assert ["account unlocked", "account locked"] == [change.what for change in home.house.audit()[:2]]


def test_domains_are_changed_within_reason(home: Home) -> None:
    """Delimiters of a few characters, each once; postmaster an address or nobody in particular."""
    assert "+" == home.accounts.set_domain("example.com", "++", None).delimiters
    assert "boss@net.example" == home.accounts.set_domain("example.com", None, "boss@net.example").postmaster
    assert Domain("example.com", "", "", NOW) == home.accounts.set_domain(
        "example.com", "", "postmaster@example.com"
    )
    for bad in ("a", "@", "\n", "+ "):
        with pytest.raises(Refusal):
            home.accounts.set_domain("example.com", bad, None)


def test_twice_and_nowhere_are_refused(home: Home) -> None:
    """What is there is not added again; what is not there is not changed; no account without its domain."""
    home.accounts.add("hello@example.com", None, "")
    home.aliases.add("x@example.com", ("hello@example.com",))
    for refused in (
        lambda: home.accounts.add_domain("EXAMPLE.com", "+", ""),
        lambda: home.accounts.add("HELLO@example.com", None, ""),
        lambda: home.accounts.add("hello@net.example", None, ""),
        lambda: home.accounts.remove("nobody@example.com"),
        lambda: home.accounts.lock("nobody@example.com", ""),
        lambda: home.accounts.remove_domain("net.example"),
        lambda: home.aliases.add("x@example.com", ("hello@example.com",)),
        lambda: home.aliases.add("x@net.example", ("hello@example.com",)),
        lambda: home.aliases.remove("y@example.com"),
        lambda: home.aliases.set("y@example.com", ()),
    ):
        with pytest.raises(Refusal):
            refused()


@pytest.mark.parametrize(
    "address",
    [
        "hello", "@example.com", "hello@", "a b@example.com", "hello@example..com", "hello@-x.example",
        "he\0llo@example.com", "hello@example.com\n", "h\u00e9llo@example.com", "\uff48ello@example.com",
        "hello@[192.0.2.1]", "hello@exa_mple.com", "hello@\uff45xample.com", "\udcff@example.com",
        "x" * 65 + "@example.com", "hello@example.com, x@example.com", "<hello@example.com>", "postmaster",
        "../etc@example.com", "a..b@example.com",
    ],
)  # fmt: skip
def test_what_is_no_address_is_refused(home: Home, address: str) -> None:
    """Never repaired into one, and named harmlessly in the refusal."""
    with pytest.raises(Refusal) as refused:
        home.accounts.add(address, None, "")
    assert not set(str(refused.value)) & set("\0\n\udcff")


def test_names_of_domains() -> None:
    """Lower case; other scripts as A-labels; a literal, a full-width letter, a trailing dot: no domain."""
    assert "example.com" == domain_name("Example.COM")
    assert "xn--r8jz45g.jp" == domain_name("\u4f8b\u3048.jp")
    assert (
        domain_name("b\u00fccher.example") == domain_name("bu\u0308cher.example") == "xn--bcher-kva.example"
    )
    for bad in (
        "",
        ".",
        "a.",
        "[192.0.2.1]",
        "\uff41.example",
        "\u2460.example",
        "a b",
        "a@b",
        "x" * 64 + ".example",
    ):
        with pytest.raises(Refusal):
            domain_name(bad)
    assert '"a b"@example.com' == account_address('"A b"@Example.com')
    assert "Bob@example.net" == target_address("Bob@Example.NET")


def test_an_alias_leads_somewhere_or_is_refused(home: Home) -> None:
    """Circles, nobody, too many, and a postmaster who refuses are found before they are written."""
    home.accounts.add("hello@example.com", None, "")
    home.aliases.add("a@example.com", ("hello@example.com",))
    home.aliases.add("b@example.com", ("a@example.com", "Bob@Net.example", "bob@net.example"))
    assert ("a@example.com", "Bob@net.example", "bob@net.example") == home.aliases.get(
        "b@example.com"
    ).targets
    for address, targets in (
        ("c@example.com", ("c@example.com",)),
        ("c@example.com", ("nobody@example.com",)),
        ("postmaster@example.com", ()),
        ("c@example.com", tuple(f"x{n}@net.example" for n in range(1001))),
    ):
        with pytest.raises(Refusal):
            home.aliases.add(address, targets)
    with pytest.raises(Refusal, match=r"in a circle: a@example\.com"):
        home.aliases.set("a@example.com", ("b@example.com",))
    assert ("hello@example.com",) == home.aliases.get("a@example.com").targets
    assert ["b@example.com"] == home.aliases.leading_to("a@example.com")


def test_catch_alls_domain_names_and_refusals(home: Home) -> None:
    """A catch-all to an account, a domain that is another's second name, a circle of two domains."""
    home.accounts.add("hello@example.com", None, "")
    home.accounts.add_domain("second.example", "+", "")
    home.aliases.add("@second.example", ("@example.com",))
    assert ("hello@example.com",) == lead(home.house, "hello@second.example").targets
    with pytest.raises(Refusal, match="circle"):
        home.aliases.add("@example.com", ("@second.example",))
    home.aliases.add("@example.com", ("hello@example.com",))
    home.aliases.add("no@example.com", ())
    assert () == lead(home.house, "no@example.com").targets
    assert ("hello@example.com",) == lead(home.house, "@example.com").targets
    home.aliases.remove("no@example.com")
    assert ("hello@example.com",) == lead(home.house, "no@example.com").targets


def test_mail_that_is_forwarded_can_also_stay(home: Home) -> None:
    """An account's own address among the targets of its alias is its mailbox."""
    home.accounts.add("hello@example.com", None, "")
    home.aliases.add("hello@example.com", ("hello@example.com", "x@net.example"))
    assert ("hello@example.com", "x@net.example") == lead(home.house, "hello@example.com").targets
