"""Founds a house: settings, databases, keys, a certificate; and knows which DNS records make it reachable.

Nothing that exists is overwritten. The settings file comes last: where it is, everything else is.
"""

import os

from msgspec import Struct

from sekisho.model.account import POSTMASTER
from sekisho.model.phrase import Phrase, phrase
from sekisho.service.accounts import Accounts, Hands
from sekisho.service.names import Refusal, domain_name
from sekisho.store.hashes import FILE as VAULT
from sekisho.store.house import FILE as HOUSE
from sekisho.store.house import House
from sekisho.store.keys import dkim_records, make_certificate, make_dkim_keys
from sekisho.store.schema import literal
from sekisho.store.settings import FILE as SETTINGS
from sekisho.store.vault import Vault
from sekisho.world import Disk

KEYS = "keys"
TXT_OCTETS = 255
"""Longest string within a TXT record (RFC 1035 3.3); longer texts are given as several."""

PORTS = {"mx": 25, "submission": 587, "submissions": 465}
HIGH_PORTS = {"mx": 2525, "submission": 2587, "submissions": 2465}
"""What a user other than root can listen on."""


class Plan(Struct, frozen=True):
    """`address` is what the listeners bind; `ports` by listener. `settings` is where the settings file goes,
    "" for the folder; `users` is what users of their own for the roles are called, "" for none."""

    folder: str
    domain: str
    hostname: str
    address: str
    ports: dict[str, int]
    settings: str = ""
    users: str = ""

    @property
    def settings_path(self) -> str:
        return self.settings or os.path.join(self.folder, SETTINGS)


class Record(Struct, frozen=True):
    """One DNS record to publish; `value` as it stands in a zone file, or what to fill in."""

    name: str
    kind: str
    value: str
    why: Phrase


def found(plan: Plan, disk: Disk, hands: Hands) -> None:
    """Raises Refusal where something is already there."""
    for path in (plan.settings_path, *(os.path.join(plan.folder, name) for name in (HOUSE, VAULT, KEYS))):
        if disk.exists(path):
            raise Refusal(phrase("{path} is already there; nothing was changed", path=path))
    disk.make_folders(plan.folder)
    now = hands.clock.now()
    keys = os.path.join(plan.folder, KEYS)
    make_certificate(disk, plan.hostname, os.path.join(keys, "cert.pem"), os.path.join(keys, "key.pem"), now)
    house, vault = House.create(plan.folder), Vault.create(plan.folder, hands.chance.data(32))
    Accounts(house, vault, hands).add_domain(plan.domain, "+-", "")
    house.close()
    vault.close()
    make_dkim_keys(disk, dkim_folder(plan.folder, plan.domain), now)
    disk.make_folders(os.path.dirname(plan.settings_path))
    disk.write_new(plan.settings_path, [settings_text(plan).encode()])
    disk.sync_folder(os.path.dirname(plan.settings_path))


def dkim_folder(state: str, domain: str) -> str:
    return os.path.join(state, KEYS, "dkim", domain_name(domain))


def records(disk: Disk, state: str, domain: str, hostname: str) -> list[Record]:
    """What must stand in the DNS so that mail arrives here and is believed elsewhere."""
    signing = phrase("the public half of a key that signs mail of this domain")
    keys = [
        Record(f"{selector}._domainkey.{domain}.", "TXT", txt_value(text), signing)
        for selector, text in dkim_records(disk, dkim_folder(state, domain)).items()
    ]
    policy = f"v=DMARC1; p=none; rua=mailto:{POSTMASTER}@{domain}"
    return [
        Record(
            f"{hostname}.", "A", "", phrase("this machine's public address; its PTR must say the same name")
        ),
        Record(f"{domain}.", "MX", f"10 {hostname}.", phrase("mail for the domain comes here")),
        Record(
            f"{domain}.", "TXT", txt_value("v=spf1 mx -all"), phrase("only this server sends for the domain")
        ),
        *keys,
        Record(
            f"_dmarc.{domain}.", "TXT", txt_value(policy), phrase("others report what they see of the domain")
        ),
    ]


def txt_value(text: str) -> str:
    parts = [text[at : at + TXT_OCTETS] for at in range(0, len(text), TXT_OCTETS)]
    quoted = " ".join(f'"{part}"' for part in parts)
    return f"( {quoted} )" if len(parts) > 1 else quoted


def settings_text(plan: Plan) -> str:
    """sekisho.toml: what this server differs in from the defaults, and how to read about the rest."""
    listeners = "\n".join(
        LISTENER.format(
            name=name, about=ABOUT[name], address=_endpoint(plan.address, port), protocol=PROTOCOL[name]
        )
        for name, port in plan.ports.items()
    )
    where = STATE.format(folder=literal(plan.folder)) if plan.settings else ""
    processes, users = (SPLIT, USERS.format(name=plan.users)) if plan.users else ("", "")
    return TEXT.format(hostname=plan.hostname, listeners=listeners, above=where + processes, users=users)


def _endpoint(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


PROTOCOL = {"mx": "smtp", "submission": "submission", "submissions": "submissions"}

ABOUT = {
    "mx": "Other servers bring mail for our domains.",
    "submission": "Our users send: STARTTLS, then a password.",
    "submissions": "Our users send: TLS from the first byte, then a password.",
}

LISTENER = """\
# {about}
[listen.{name}]
address = "{address}"
protocol = "{protocol}"
"""

STATE = """\
# Databases, spool, mail and keys.
state = {folder}

"""

SPLIT = """\
# Each role is a process of its own.
processes = "split"

"""

USERS = """\
# Whom the roles run as: the process that talks to strangers can open neither hashes nor mailboxes.
[users]
front = "{name}-front"
vault = "{name}-vault"
watch = "{name}-watch"
local = "{name}-local"
group = "{name}"

"""

TEXT = """\
# The settings of this server. What is not here has its default: `sekisho config describe` lists every
# setting, `sekisho config show --effective` what is in force, `sekisho config check` finds mistakes.
# Domains, accounts and aliases are not settings: `sekisho domain`, `sekisho account`, `sekisho alias`.

# The name this server calls itself, as its PTR record and its certificate say.
hostname = "{hostname}"

{above}# A self-signed certificate was made. Replace the files, or name others.
certificate = "keys/cert.pem"
key = "keys/key.pem"

{listeners}
# Programs of this machine bring mail with sekisho-sendmail (docs/local.md):
# [listen.sendmail]
# address = "unix:/run/sekisho/sendmail"
# protocol = "local"

# Mail of our domains leaves signed (docs/authentication.md): publish the keys as `init` printed them.
[dkim]
sign = true
# Look at signatures, sender hosts and authors of the mail that comes in; it needs a DNS resolver.
# verify = true
# [spf]
# level = 3
# [dmarc]
# policy = "observe"

{users}# IPv6 is a listener of its own:
# [listen.mx6]
# address = "[::]:25"
# protocol = "smtp"

# Who is told of an incident; without this, postmaster of the first domain.
# [notify]
# operator = "you@example.net"

# Send everything through another host:
# [outbound.smarthost]
# host = "smtp.example.net:587"
# tls = "required"
# user = "us"
# password_file = "keys/smarthost"
"""
