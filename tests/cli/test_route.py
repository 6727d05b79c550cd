"""`sekisho route test`: sendmail's measured matrix, and what each step of an address says."""

import re
from pathlib import Path

import pytest
from mailhome import MailHome

from covers import covers
from sekisho.model.account import Account, Alias, Domain
from sekisho.store.house import Change
from sekisho.store.vault import Vault
from shared import shared

LR = 'local_relay = "smtp:relay.example.net"'
MH = 'mail_hub = "smtp:hub.example.net"'
LU = 'local_user = ["root"]'
STICKY = "stickyhost = true"
CONFIGURATIONS = {
    "A": (), "B": (LR,), "C": (LR, STICKY), "D": (MH,), "E": (MH, STICKY), "F": (LR, MH),
    "G": (LR, MH, STICKY), "H": (LR, LU), "I": (MH, LU), "J": (LR, LU, STICKY), "K": (MH, LU, STICKY),
    "L": (LR, MH, LU, STICKY),
}  # fmt: skip
SENDMAIL = """\
[routing]
own_names = ["localhost", "[127.0.0.1]"]
[routing.sendmail]
exact = true
spellings = true
"""
PEOPLE = ("nobody@example.com", "nobody@mail.example.com", "root@example.com", "root@mail.example.com")
ALIASES = {
    "info@example.com": ("taro@example.com",),
    "ext@example.com": ("bob@other.example.org",),
    "team@example.com": ("hanako@example.com", "taro@example.com"),
    "postmaster@example.com": ("root@example.com",),
}
"""taro and hanako have no mailbox here, as on the machine where the matrix was measured."""

Cell = frozenset[tuple[str, str, str]]
_SMTP = re.compile(r"mailer e?smtp, host (\S+?)\.?, user (\S+)")
_HERE = re.compile(r"mailer local, user (\S+)")


def home(folder: Path, settings: str = "") -> MailHome:
    """Two domains with their people and aliases; an alias may lead to names that are only known elsewhere."""
    made = MailHome(folder)
    with made.house() as house:
        house.save_domain(Domain("mail.example.com"), Change(2, "test", "added", "mail.example.com"))
        for name in PEOPLE:
            house.save_account(Account(name), Change(3, "test", "added", name))
        for name, targets in ALIASES.items():
            house.save_alias(Alias(name, targets), Change(4, "test", "added", name))
    path = Path(made.path)
    path.write_text(re.sub(r"hostname = .*", 'hostname = "mail.example.com"', path.read_text()) + settings)
    return made


def measured() -> dict[tuple[str, str], Cell]:
    """By address and letter of the configuration."""
    cells: dict[tuple[str, str], Cell] = {}
    address = ""
    for line in shared("fixtures/source/sendmail_matrix.txt").read_text().splitlines():
        if line.startswith("## "):
            address = line[3:]
        elif line:
            cells[address, line[0]] = frozenset(map(_end, filter(None, line[25:].split(";"))))
    return cells


def _end(text: str) -> tuple[str, str, str]:
    """Mailer, host and user; letters of a domain count alike (RFC 1035 2.3.3), those of a user do not."""
    if there := _SMTP.search(text):
        user, _, domain = there[2].rpartition("@")
        return "mx", there[1], f"{user}@{domain.lower()}"
    if here := _HERE.search(text):
        return "here", "", here[1]
    assert "User unknown" in text, text
    return "unknown", "", ""


def _ours(row: dict[str, object]) -> tuple[str, str, str]:
    """The same of one end in our JSON. On the wire a backslash stands in quotes (RFC 5321 4.1.2)."""
    local, _, domain = str(row["recipient"]).rpartition("@")
    user = re.sub(r"\\(.)", r"\1", local[1:-1]) if local.startswith('"') else local
    if row["refused"]:
        assert "unknown" == row["rule"]
        return "unknown", "", ""
    if row["kind"] == "maildir":
        assert domain in ("example.com", "mail.example.com") and str(row["host"]).endswith("Maildir")
        return "here", "", user
    return str(row["kind"]), str(row["host"]), f"{user}@{domain}"


@covers("M-01", "M-02", "M-03", "M-04", "M-06", partly="`sekisho import sendmail`")
def test_all_252_cells_of_the_matrix_are_reproduced(tmp_path: Path) -> None:
    """21 addresses, 12 configurations, each one command: next host and envelope address."""
    cells = measured()
    addresses = list(dict.fromkeys(address for address, _ in cells))
    assert (252, 21) == (len(cells), len(addresses))
    found: dict[tuple[str, str], Cell] = {}
    for letter, terms in CONFIGURATIONS.items():
        folder = tmp_path / letter
        folder.mkdir()
        here = home(folder, SENDMAIL + "\n".join(terms) + "\n")
        answer = here("route", "test", *addresses, "--json")
        assert not answer.err, answer.err
        for address, row in zip(addresses, answer.rows(), strict=True):
            found[address, letter] = frozenset(map(_ours, row["ends"]))
    wrong = {cell: (wanted, found[cell]) for cell, wanted in cells.items() if wanted != found[cell]}
    assert not wrong, "\n".join(f"{cell}: {pair}" for cell, pair in wrong.items())


def test_every_step_is_told(tmp_path: Path) -> None:
    """The alias, the rule by its name, the next host and what it is told; by default the domain stays."""
    here = home(tmp_path, '[routing.sendmail]\nmail_hub = "smtp:[192.0.2.9]"\nlocal_user = ["root"]\n')
    told = here("route", "test", "team@example.com", "postmaster@example.com", "a@far.example").out
    assert "alias: team@example.com leads to hanako@example.com, taro@example.com" in told
    assert "[sendmail.mail_hub] taro@example.com -> the host [192.0.2.9]" in told
    assert "[sendmail.local_user] root@example.com -> the mailbox mail/example.com/root/Maildir" in told
    assert "a@far.example -> the mail servers (MX) of far.example" in told


def test_rules_are_asked_in_their_order(tmp_path: Path) -> None:
    """By recipient, by sender, only for names that nobody has; the first that fits decides."""
    here = home(
        tmp_path,
        """
[routing.rules.boss]
recipients = ["*"]
senders = ["root@example.com"]
to = "10.0.0.9:25"
[routing.rules.no]
recipients = ["@*.bad.example"]
to = "refuse"
[routing.rules.partner]
recipients = ["@partner.example"]
to = "10.0.0.1:26"
[routing.rules.rest]
recipients = ["ours"]
users = "unknown"
to = "mx:hub.example.net"
[routing.rules.moved]
recipients = ["old-*@example.com"]
to = "mx"
address = "@new.example"
""",
    )

    def road(address: str, *more: str) -> tuple[object, ...]:
        (row,) = here("route", "test", address, "--json", *more).rows()
        (end,) = row["ends"]
        return end["rule"], end.get("host", ""), end["recipient"]

    assert ("boss", "10.0.0.9:25", "A@partner.example") == road(
        "A@partner.example", "--from", "root@example.com"
    )
    assert ("partner", "10.0.0.1:26", "A@partner.example") == road("A@partner.example")
    assert ("no", "", "a@x.bad.example") == road("a@x.bad.example")
    assert ("rest", "hub.example.net", "Taro@example.com") == road("Taro@example.com")
    assert ("", "mail/example.com/root/Maildir", "root@example.com") == road("ROOT@example.com")
    assert 1 == here("route", "test", "a@x.bad.example").code


def test_a_refusal_is_not_sent_elsewhere(tmp_path: Path) -> None:
    """What somebody refused by name stays refused, however unknown it is."""
    here = home(
        tmp_path, '[routing.rules.rest]\nrecipients = ["ours"]\nusers = "unknown"\nto = "mx:h.example"\n'
    )
    with here.house() as house:
        house.save_alias(Alias("gone@example.com"), Change(5, "test", "added", "gone@example.com"))
    (row,) = here("route", "test", "gone@example.com", "--json").rows()
    assert ("refused", True) == (row["ends"][0]["rule"], row["ends"][0]["refused"])
    assert 1 == here("route", "test", "gone@example.com").code


def test_what_is_no_address_is_said(tmp_path: Path) -> None:
    here = home(tmp_path)
    answer = here("route", "test", "a@b@c")
    assert 64 == answer.code and "a@b@c is not a mail address" in answer.err


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ('[routing.rules.a]\nrecipients = ["ours"]\nto = "a b"', "a b is not a host"),
        ('[routing.rules.a]\nrecipients = ["ours"]\nto = "mx:[192.0.2.1]"', "is not a host"),
        ('[routing.rules.a]\nrecipients = ["ours"]\nto = "mail.example.com"', "is this server itself"),
        ('[routing.rules.a]\nrecipients = ["ours"]\nto = "127.0.0.1:2525"', "is this server itself"),
        ('[routing.rules.a]\nrecipients = ["ours"]\nto = "smarthost"', "there is no outbound.smarthost"),
        ('[routing.rules.a]\nrecipients = ["*"]\nto = "smarthost:a"', "there is no outbound.smarthosts.a"),
        ('[routing.rules.a]\nrecipients = []\nto = "local"', "the rule is for nobody"),
        ('[routing.rules.a]\nrecipients = ["our"]\nto = "local"', "our is not a pattern"),
        ('[routing.rules.a]\nrecipients = ["*"]\nsenders = ["x"]\nto = "local"', "x is not a pattern"),
        ('[routing.rules.a]\nrecipients = ["*"]\nto = "mx"\naddress = "x"', 'must be "keep"'),
        ('[routing.sendmail]\nmail_hub = "smtp:[ho st]"', "is not a host"),
        ('[routing.sendmail]\nlocal_user = ["a b"]', "a b is no user's name"),
        ('[routing]\nown_names = ["a b"]', "a b is not a name of a host"),
    ],
)
def test_rules_that_cannot_work_are_found_at_the_start(tmp_path: Path, settings: str, why: str) -> None:
    """Each with its place, and nothing runs with them."""
    here = home(tmp_path, f"{settings}\n")
    answer = here("route", "test", "a@example.com")
    assert 78 == answer.code and why in answer.err and "routing." in answer.err, answer.err


def test_a_smarthost_for_each_need(tmp_path: Path) -> None:
    """By account, by domain of the sender, by recipient; each with its own login, and no secret is said."""
    here = home(
        tmp_path,
        """
[outbound.smarthosts.corp]
host = "out.corp.example:587"
tls = "verify"
user = "corp"
password_file = "keys/corp"
[outbound.smarthosts.bulk]
host = "out.corp.example:587"
user = "bulk"
password_file = "keys/bulk"
[routing.rules.bulk]
recipients = ["*"]
senders = ["nobody@example.com"]
to = "smarthost:bulk"
[routing.rules.corp]
recipients = ["@partner.example"]
senders = ["@example.com"]
to = "smarthost:corp"
""",
    )

    def road(address: str, sender: str) -> tuple[object, ...]:
        (row,) = here("route", "test", address, "--from", sender, "--json").rows()
        (end,) = row["ends"]
        return end["rule"], end["kind"], end["tls"], end["login"]

    assert ("bulk", "relay", "opportunistic", True) == road("a@far.example", "nobody@example.com")
    assert ("corp", "relay", "verify", True) == road("a@partner.example", "root@example.com")
    assert ("", "mx", "opportunistic", False) == road("a@far.example", "root@example.com")
    assert ("", "mx", "opportunistic", False) == road("a@partner.example", "x@remote.example")


def test_an_alias_may_lead_to_whom_only_the_hub_knows(tmp_path: Path) -> None:
    """Not without the rule, and not to a name that is refused here."""
    (tmp_path / "without").mkdir()
    (tmp_path / "with").mkdir()
    rule = '[routing.rules.rest]\nrecipients = ["ours"]\nusers = "unknown"\nto = "mx:hub.example.net"\n'
    without, here = home(tmp_path / "without"), home(tmp_path / "with", rule)
    for each in (without, here):
        Vault.create(str(each.folder), b"k" * 32).close()
        assert 0 == each("alias", "add", "gone@example.com", "--reject").code
    assert "nobody is here" in without("alias", "add", "staff@example.com", "taro@example.com").err
    assert "nobody is here" in here("alias", "add", "staff@example.com", "gone@example.com").err
    assert 0 == here("alias", "add", "staff@example.com", "taro@example.com", "root@example.com").code
    (row,) = here("route", "test", "staff@example.com", "--json").rows()
    assert [("root@example.com", ""), ("taro@example.com", "rest")] == [
        (end["recipient"], end["rule"]) for end in row["ends"]
    ]
