"""What leaves is signed after all rewriting: letters of accounts, bounces, replies, forwarded mail."""

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dkim as dkimpy
import pytest
from msgspec.structs import replace

from covers import covers
from e2e.farhost import FarHost, refuse
from e2e.running import Installation
from nameserver import NameServer
from sekisho.host import HostDisk
from sekisho.lab.sink import SinkMessage
from sekisho.mail import arc
from sekisho.mail import dkim as dkim_check
from sekisho.mail.headers import head_of
from sekisho.store.keys import dkim_records
from signing import RSA, public, sign

FRIEND, WRITER = "friend@far.example", "writer@else.example"
LETTER = "From: Hello <hello@example.com>\r\nTo: friend@far.example\r\nSubject: hi\r\n\r\n.one\r\n..two  \r\n"


class Keys:
    """The DNS as `sekisho init` said that it should be."""

    def __init__(self, records: dict[str, str]) -> None:
        self._records = {f"{name}._domainkey.example.com": text.encode() for name, text in records.items()}

    async def texts(self, name: str) -> tuple[bytes, ...] | None:
        return (self._records[name],) if name in self._records else None


class House:
    def __init__(self, site: Installation, far: FarHost, keys: Keys) -> None:
        self.site, self.far, self.keys, self._seen = site, far, keys, 0

    def next(self) -> SinkMessage:
        self._seen += 1
        return self.far.wait_for(self._seen)[-1]


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """All roles are processes of their own: keys and letters are in different ones."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    record = public(RSA)
    server = NameServer({("rsa._domainkey.else.example", "TXT"): [f'"{record[:200]}" "{record[200:]}"']})
    port = asyncio.run_coroutine_threadsafe(server.start(), loop).result(60)
    far = FarHost(refuse)
    folder: Path = tmp_path_factory.mktemp("signing") / "site"
    extra = f"{far.smarthost}[dkim]\nsign = true\nverify = true\n"
    site = Installation(folder, processes="split", outbound=f'resolver = ["127.0.0.1:{port}"]', extra=extra)
    site.add_account("hello@example.com")
    for name, leads in (("sales", FRIEND), ("lost", "nobody@far.example")):
        site.run("alias", "add", f"{name}@example.com", leads)
    site.run("account", "autoreply", "hello@example.com", "--set", "--subject", "Away", stdin="I am away.\n")
    keys = Keys(dkim_records(HostDisk(), str(folder / "keys" / "dkim" / "example.com")))
    with site.serving():
        yield House(site, far, keys)
    far.stop()
    loop.call_soon_threadsafe(server.stop)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(60)


def opened(sent: SinkMessage) -> Any:
    text = sent.body
    head = head_of(text)
    assert head is not None
    return dkim_check.opened(text[: head.size], head, text[head.size :])


def results(house: House, sent: SinkMessage) -> set[tuple[str, str, str]]:
    found = asyncio.run(dkim_check.check(opened(sent), house.keys, 2_000_000_000))  # type: ignore[arg-type]
    return {(each.result, each.domain, each.algorithm) for each in found}


BOTH = {("pass", "example.com", "rsa-sha256"), ("pass", "example.com", "ed25519-sha256")}


@covers("P-04")
@covers("Q-38", partly="rotation on a running server")
def test_a_letter_of_an_account(house: House) -> None:
    """Both keys sign; dkimpy agrees about RSA; nothing of DomainKeys."""
    with house.site.signed_in("hello@example.com") as client:
        client.sendmail("hello@example.com", [FRIEND], LETTER)
    sent = house.next()
    assert BOTH == results(house, sent)
    assert b"DomainKey-Signature" not in sent.body

    def lookup(name: bytes, timeout: int = 5) -> bytes | None:
        found = asyncio.run(house.keys.texts(name.decode().rstrip(".")))
        return found[0] if found else None

    first = next(at for at in range(2) if b"a=rsa-sha256" in sent.body.split(b"DKIM-Signature:")[at + 1])
    assert dkimpy.DKIM(sent.body).verify(idx=first, dnsfunc=lookup)
    assert ("fail", "example.com", "rsa-sha256") in results(
        house, replace(sent, body=sent.body.replace(b"one", b"two"))
    )


@covers("P-10")
def test_bounces_replies_and_forwards(house: House) -> None:
    """Each leaves with our signature; what was examined and is sent on is sealed too."""
    written = sign(
        f"From: <{WRITER}>\r\nTo: hello@example.com\r\nSubject: hi\r\n\r\nwords\r\n".encode(),
        domain="else.example",
    )
    with house.site.client() as client:
        client.sendmail(WRITER, ["sales@example.com"], written)
        forwarded = house.next()
        client.sendmail(WRITER, ["lost@example.com"], written)
        bounce = house.next()
        client.sendmail(WRITER, ["hello@example.com"], written)
        reply = house.next()
    assert forwarded.sender.startswith("SRS0=") and BOTH <= results(house, forwarded)
    assert b"dkim=pass" in forwarded.body.partition(b"Received:")[0]
    chain = asyncio.run(arc.check(opened(forwarded), house.keys))  # type: ignore[arg-type]
    assert ("pass", 1, ("example.com",)) == (chain.result, chain.sets, chain.domains)
    assert ("", [WRITER]) == (bounce.sender, list(bounce.recipients)) and BOTH == results(house, bounce)
    assert ("", [WRITER]) == (reply.sender, list(reply.recipients)) and BOTH == results(house, reply)


def test_strangers_get_no_signature_of_ours_for_our_names(house: House) -> None:
    """Who forges one of us and has it sent on by an alias does not get what would prove it."""
    for author in ("boss@example.com", "boss@mail.example.com", "a@else.example, boss@example.com"):
        with house.site.client() as client:
            client.sendmail(WRITER, ["sales@example.com"], f"From: {author}\r\nSubject: pay\r\n\r\nnow\r\n")
        assert set() == results(house, house.next())
    with house.site.signed_in("hello@example.com") as client:
        client.sendmail(
            "hello@example.com", [FRIEND], LETTER.replace("hello@example.com", "ceo@bank.example")
        )
    assert BOTH == results(house, house.next())
    with house.site.signed_in("hello@example.com") as client:
        client.sendmail("hello@example.com", [FRIEND], "Subject: no author\r\n\r\nwords\r\n")
    assert set() == results(house, house.next())
