"""Whose letters leave with a signed return path, and whose they are when something comes back."""

from pathlib import Path
from typing import Literal

import pytest

from sekisho.host import HostChance, HostDisk
from sekisho.mail.return_path import looks_signed
from sekisho.model.config import Config
from sekisho.model.config import Returns as Settings
from sekisho.model.envelope import Envelope, Origin
from sekisho.model.ident import make_id
from sekisho.service.returns import Returns
from sekisho.store.return_keys import tend

HELLO = "hello@example.com"
NOW = 1_700_000_000 * 1_000_000
MESSAGE = make_id(NOW, 7)
LIFE_S = 14 * 86400


class House:
    """`info` is given to hello and leads to boss."""

    def is_local_domain(self, domain: str) -> bool:
        return domain == "example.com"

    def senders_of(self, address: str) -> tuple[str, ...]:
        return {HELLO: (HELLO,), "info@example.com": ("boss@example.com", HELLO)}.get(address, ())


def returns(tmp_path: Path, settings: Settings | None = None) -> Returns:
    tend(HostDisk(), HostChance(), str(tmp_path), NOW, LIFE_S)
    config = Config(hostname="mx.example.com", state=str(tmp_path), returns=settings or Settings())
    return Returns(HostDisk(), House(), config, NOW)


def envelope(sender: str | None = HELLO, account: str = HELLO, *recipients: str) -> Envelope:
    origin = Origin("s", "submission", NOW, account=account, network="AS64500/JP")
    return Envelope(sender, recipients or ("friend@far.example",), origin)


@pytest.mark.parametrize(
    ("sign", "place", "wanted"),
    [("unfamiliar", "unfamiliar", True), ("unfamiliar", "nowhere", True), ("unfamiliar", "", True),
     ("unfamiliar", "known", False), ("always", "known", True), ("never", "unfamiliar", False)],
)  # fmt: skip
def test_whose_are_signed(
    tmp_path: Path, sign: Literal["unfamiliar", "always", "never"], place: str, wanted: bool
) -> None:
    """By default those of whom the account's habits say nothing good: at home nobody notices anything."""
    path = returns(tmp_path, Settings(sign=sign)).path_for(MESSAGE, envelope(), place)
    assert wanted == looks_signed(path) and (wanted or not path)


def test_never_without_a_way_back(tmp_path: Path) -> None:
    """No account, no return path, a sender elsewhere, no key: plain."""
    signing = returns(tmp_path, Settings(sign="always", plain=("lists.example", "*.lists.example")))
    for each in (
        envelope(account=""),
        envelope(None),
        envelope("me@elsewhere.example"),
        envelope(HELLO, HELLO, "friend@far.example", "list@a.lists.example"),
        envelope(HELLO, HELLO, "list@lists.example"),
    ):
        assert "" == signing.path_for(MESSAGE, each, "unfamiliar")
    keyless = Returns(HostDisk(), House(), Config(hostname="mx.example.com", state=str(tmp_path / "no")), NOW)
    assert "" == keyless.path_for(MESSAGE, envelope(), "")
    assert signing.path_for(MESSAGE, envelope(HELLO, HELLO, "x@notlists.example"), "")


def test_whose_it_is(tmp_path: Path) -> None:
    """The account that sent it, also under an address that others share; nobody's once it may no more."""
    signing = returns(tmp_path)
    path = signing.path_for(MESSAGE, envelope("info@example.com"), "")
    back = signing.opened(path, NOW)
    assert back and ("info@example.com", HELLO, MESSAGE, True) == (
        back.address, back.account, back.seal.message, back.fresh,
    )  # fmt: skip
    stranger = signing.opened(signing.path_for(MESSAGE, envelope(account="gone@example.com"), ""), NOW)
    assert stranger and (HELLO, "") == (stranger.address, stranger.account)


def test_after_its_lifetime_it_is_mail_and_no_evidence(tmp_path: Path) -> None:
    """It still finds its mailbox; and a message from the future is not believed either."""
    signing = returns(tmp_path)
    path = signing.path_for(MESSAGE, envelope(), "")
    for later_s, fresh in ((LIFE_S, True), (LIFE_S + 1, False), (-7200, False)):
        back = signing.opened(path, NOW + later_s * 1_000_000)
        assert back and fresh == back.fresh
    assert HELLO == signing.restored(path) and "x@y.example" == signing.restored("x@y.example")
