"""The demo's stage: a house in a private folder with its accounts, and the outside world as one sink.

Nothing here is special to the demo except the listener `customers`: a unix socket in the private folder whose
clients say by PROXY where they call from.
"""

import os

from msgspec import Struct

from sekisho.host import HostChance, HostClock, HostDisk
from sekisho.lab.cast import HOUSEHOLD, Script
from sekisho.lab.player import Doorway
from sekisho.lab.sink import Sink
from sekisho.model.config import Config
from sekisho.model.secret import Secret
from sekisho.model.verdict import Reply
from sekisho.service.accounts import Accounts, Hands
from sekisho.service.founding import Plan, found
from sekisho.store.house import House
from sekisho.store.settings import FILE, load
from sekisho.store.vault import Vault

HOSTNAME = "mx.example.com"
OPERATOR = "jun@example.com"
"""Who is told of incidents."""

CUSTOMERS = "run/customers"
"""The private listener, relative to the state folder: its clients are believed about their addresses."""

UNKNOWN = Reply(550, "5.1.1", "no such user here")
BUSY = Reply(451, "4.3.0", "try again in a moment")

TEXT = """
# The demo: ports chosen by the system, and everything for other hosts goes to a local sink.

[listen.mx]
address = "127.0.0.1:0"
protocol = "smtp"

[listen.submission]
address = "127.0.0.1:0"
protocol = "submission"

# Customers and bots call here, and say by PROXY from where. The socket is 0600 in a 0700 folder.
[listen.customers]
address = "unix:{customers}"
protocol = "submission"
requires_proxy = true
proxy_from = ["unix"]

[outbound]
private_networks = true

[outbound.smarthost]
host = "127.0.0.1:{port}"
tls = "none"

# The day is played in a minute, so what takes minutes takes seconds.
[queue]
first_retry_s = 1

[notify]
operator = "{operator}"

[guard]
watch_delay_s = {delay_s}
"""


class Outside:
    """Everybody else's mail servers: a sink that knows who is not there, and puts some off once."""

    def __init__(self, script: Script) -> None:
        self._refuse = script.hosts_refuse
        self._defer = set(script.hosts_defer)
        self.sink = Sink(self._answer)

    def _answer(self, recipient: str) -> Reply | None:
        if recipient in self._refuse:
            return UNKNOWN
        if recipient in self._defer:
            self._defer.discard(recipient)
            return BUSY
        return None


class Stage(Struct, frozen=True):
    """Where everything is; `passwords` by account."""

    folder: str
    settings: str
    config: Config
    passwords: dict[str, Secret]

    @property
    def customers(self) -> Doorway:
        path = os.path.join(self.folder, CUSTOMERS)
        return Doorway(path=path, hostname=HOSTNAME, authority=os.path.join(self.folder, "keys", "cert.pem"))


def build(folder: str, sink_port: int, delay_s: int) -> Stage:
    """Founds the house as `sekisho init` does, adds the demo's settings, and the accounts."""
    hands = Hands("demo", HostClock(), HostChance())
    domains = list(dict.fromkeys(account.rpartition("@")[2] for account, _ in HOUSEHOLD.residents))
    found(Plan(folder, domains[0], HOSTNAME, "127.0.0.1", {}), HostDisk(), hands)
    settings = os.path.join(folder, FILE)
    with open(settings, "a", encoding="utf-8") as file:
        file.write(TEXT.format(customers=CUSTOMERS, port=sink_port, operator=OPERATOR, delay_s=delay_s))
    os.makedirs(os.path.join(folder, os.path.dirname(CUSTOMERS)), mode=0o700, exist_ok=True)
    house, vault = House.open(folder), Vault.open(folder)
    try:
        passwords = _move_in(Accounts(house, vault, hands), domains[1:])
    finally:
        house.close()
        vault.close()
    return Stage(folder, settings, load(settings), passwords)


def _move_in(accounts: Accounts, domains: list[str]) -> dict[str, Secret]:
    """Everybody gets a password of their own."""
    for domain in domains:
        accounts.add_domain(domain, "", "")
    chance = HostChance()
    passwords = {account: Secret(chance.data(12).hex().encode()) for account, _ in HOUSEHOLD.residents}
    for account, password in passwords.items():
        accounts.add(account, password, "en")
    return passwords
