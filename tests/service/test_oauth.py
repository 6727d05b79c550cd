"""Logging in by token, with a fake identity provider: its keys, its word, caches, and failing closed."""

import base64
import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from msgspec.structs import replace
from reception_stage import Client, Stage, play
from test_scram_login import Vaulted

from covers import covers
from sekisho.model.account import Account
from sekisho.model.config import OAuth
from sekisho.model.event import LoginTried
from sekisho.model.incident import Standing
from sekisho.store.house import Change
from sekisho.testing.net import FakeNet, Silent
from sekisho.testing.world import FakeDns
from sekisho.world import World

ALICE = "alice@example.com"
IDP = "10.0.0.5"
KEYS = OAuth(
    jwks="https://login.example/keys", issuer="https://login.example", audience="mail", scope="smtp",
    discovery="https://login.example/.well-known/openid-configuration",
)  # fmt: skip
WORD = OAuth(introspection="https://login.example:8443/ask?x=1", client="mx", secret_file="idp.secret")


def plain(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def raw_of(key: ed25519.Ed25519PrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


class Provider:
    """Answers HTTP: its keys, and what it thinks of a token. Counts what it is asked."""

    def __init__(self) -> None:
        self.asked: list[bytes] = []
        self.keys = {"one": ed25519.Ed25519PrivateKey.generate()}
        self.words: dict[str, dict[str, object]] = {}
        self.spoil: Callable[[bytes], bytes] = lambda answer: answer
        self._buffer = b""

    def greeting(self) -> bytes:
        return b""

    def receive(self, data: bytes) -> bytes:
        self._buffer += data
        if b"\r\n\r\n" not in self._buffer:
            return b""
        asked, self._buffer = self._buffer, b""
        self.asked.append(asked)
        body = self._jwks() if asked.startswith(b"GET /keys ") else self._word(asked)
        text = json.dumps(body).encode()
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(text)}\r\n\r\n"
        return self.spoil(head.encode() + text)

    def _jwks(self) -> dict[str, object]:
        known = {"kty": "OKP", "crv": "Ed25519"}
        keys = [{**known, "kid": kid, "x": plain(raw_of(key))} for kid, key in self.keys.items()]
        return {"keys": keys}

    def _word(self, asked: bytes) -> dict[str, object]:
        head, _, form = asked.partition(b"\r\n\r\n")
        assert head.startswith(b"POST /ask?x=1 HTTP/1.1\r\nHost: login.example:8443\r\n")
        assert b"\r\nAuthorization: Basic " + base64.b64encode(b"mx:s3cret") in head
        return self.words.get(form.decode().rpartition("token=")[2], {"active": False})

    def token(self, now: int, kid: str = "one", **claims: object) -> str:
        known = {"iss": KEYS.issuer, "aud": "mail", "scope": "openid smtp", "email": ALICE, "exp": now + 600}
        known.update(claims)
        head = plain(json.dumps({"alg": "EdDSA", "kid": kid}).encode())
        signed = f"{head}.{plain(json.dumps(known).encode())}"
        key = self.keys.get(kid) or ed25519.Ed25519PrivateKey.generate()
        return f"{signed}.{plain(key.sign(signed.encode()))}"


class Site(Vaulted):
    """The stage with a vault and a provider."""

    def __init__(self, folder: Path, settings: OAuth = KEYS) -> None:
        super().__init__(folder)
        self.provider = Provider()
        self.net = FakeNet({(IDP, 443): lambda: self.provider, (IDP, 8443): lambda: self.provider})
        dns = FakeDns(addresses={"login.example": [IDP]})
        (folder / "idp.secret").write_bytes(b"s3cret\n")
        secret = str(folder / "idp.secret") if settings.secret_file else ""
        self.config = replace(self.config, oauth=replace(settings, secret_file=secret))
        world = self.world
        self.world = World(world.clock, world.chance, dns, self.net, world.disk, world.spawn)
        self.now = world.clock.now() // 1_000_000

    def token(self, **claims: object) -> str:
        return self.provider.token(self.now, **claims)  # type: ignore[arg-type]


async def door(stage: Stage) -> Client:
    client = await stage.greeted("submission")
    await client.start_tls()
    assert "AUTH PLAIN LOGIN SCRAM-SHA-256 OAUTHBEARER XOAUTH2" in await client.say("EHLO client.example")
    return client


async def bear(client: Client, token: str, name: str = ALICE, mechanism: str = "OAUTHBEARER") -> str:
    """The last reply; after a refusal the reason stands before it."""
    words = f"n,a={name},\x01auth=Bearer {token}\x01\x01" if mechanism == "OAUTHBEARER" else ""
    words = words or f"user={name}\x01auth=Bearer {token}\x01\x01"
    said = await client.say(f"AUTH {mechanism} {base64.b64encode(words.encode()).decode()}")
    if not said.startswith("334 "):
        return said
    reason = base64.b64decode(said[4:]).decode()
    return reason + " " + await client.say("AQ==" if mechanism == "OAUTHBEARER" else "")


def scene_of(site: Site, scene: Callable[[Site], object]) -> None:
    play(site, scene)  # type: ignore[arg-type]


@pytest.mark.parametrize("mechanism", ["OAUTHBEARER", "XOAUTH2"])
def test_a_good_token_signs_in(mechanism: str, tmp_path: Path) -> None:
    """235; the account stands on the letter; the guard heard of it; the keys were fetched once."""

    async def scene(site: Site) -> None:
        for _ in range(3):
            client = await door(site)
            assert (await bear(client, site.token(), mechanism=mechanism)).startswith("235 2.7.0")
        assert (await client.letter(ALICE, "bob@example.com")).startswith("250")
        assert ALICE == site.spool.kept[0].draft.envelope.origin.account
        events = [event for event in site.of(LoginTried) if isinstance(event, LoginTried)]
        assert {(True, mechanism, ALICE)} == {(event.ok, event.mechanism, event.account) for event in events}
        assert all(event in site.judged for event in events)
        assert 1 == len(site.provider.asked)

    scene_of(Site(tmp_path), scene)


BAD: dict[str, dict[str, object]] = {
    "over": {"exp": 1},
    "not yet": {"nbf": 2**40},
    "without end": {"exp": 0},
    "another issuer": {"iss": "https://evil.example"},
    "another audience": {"aud": ["web"]},
    "another scope": {"scope": "openid"},
    "somebody else": {"email": "bob@example.com"},
    "nobody here": {"email": "nobody@example.com"},
    "no address": {"email": 7},
    "an address not verified": {"email_verified": False},
    "another key": {"kid": "two"},
}


@covers("Q-04")
@pytest.mark.parametrize("why", BAD)
def test_a_bad_token_gets_its_reason_and_535(why: str, tmp_path: Path) -> None:
    """The RFC's JSON, the same for all; then 535; nobody is signed in, and PLAIN still works."""

    async def scene(site: Site) -> None:
        client = await door(site)
        name = "nobody@example.com" if why == "nobody here" else ALICE
        said = await bear(client, site.token(**BAD[why]), name)
        reason, _, reply = said.partition("} ")
        assert {
            "status": "invalid_token", "scope": "smtp", "openid-configuration": KEYS.discovery,
        } == json.loads(reason + "}")  # fmt: skip
        assert reply.startswith("535 5.7.8")
        assert (await client.say(f"MAIL FROM:<{ALICE}>")).startswith("530")
        (event,) = [event for event in site.of(LoginTried) if isinstance(event, LoginTried)]
        assert not event.ok and event.why in ("password", "unknown_user")
        assert (await client.login(ALICE)).startswith("235")

    scene_of(Site(tmp_path), scene)


def test_the_name_may_be_left_to_the_token_and_case_does_not_count(tmp_path: Path) -> None:
    """Without a= whom the token names; a locked account is refused as ever; so is one the guard suspends."""

    async def scene(site: Site) -> None:
        assert (await bear(await door(site), site.token(), "")).startswith("235")
        assert (await bear(await door(site), site.token(), "Alice@EXAMPLE.com")).startswith("235")
        site.judge = lambda event: Standing(event.account, event.address, treatment="refuse")
        assert (await bear(await door(site), site.token())).startswith("535 5.7.8")
        site.judge = lambda event: Standing(event.account, event.address)
        site.place.house.save_account(Account(ALICE, locked_at=5), Change(1, "t", "t", "x"))
        time.sleep(0.3)
        await site.place.fakes.clock.sleep(1)
        assert "535 5.7.8" in await bear(await door(site), site.token(nonce=1))

    scene_of(Site(tmp_path), scene)


def test_keys_are_fetched_again_for_a_new_key_but_not_for_every_stranger(tmp_path: Path) -> None:
    """A rotation is followed after a minute at most; a hundred invented key ids cost one question."""

    async def scene(site: Site) -> None:
        assert (await bear(await door(site), site.token())).startswith("235")
        client = await door(site)
        for n in range(15):
            assert "535" in await bear(client, site.token(kid=f"invented {n}"))
        assert 1 == len(site.provider.asked)
        site.provider.keys["two"] = ed25519.Ed25519PrivateKey.generate()
        await site.clock.sleep(61)
        assert (await bear(await door(site), site.token(kid="two"))).startswith("235")
        assert 2 == len(site.provider.asked)

    scene_of(Site(tmp_path), scene)


JSON_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
SPOILT: dict[str, Callable[[bytes], bytes]] = {
    "an error": lambda answer: answer.replace(b"200 OK", b"500 Oops"),
    "a redirect": lambda answer: answer.replace(b"200 OK", b"302 Found"),
    "a page": lambda answer: answer.replace(b"application/json", b"text/html"),
    "no HTTP": lambda answer: b"220 mx ESMTP\r\n\r\n",
    "no JSON": lambda answer: JSON_HEAD + b"Content-Length: 1\r\n\r\nx",
    "too much": lambda answer: answer.replace(b"Content-Length: ", b"Content-Length: 99999"),
}


@pytest.mark.parametrize("settings", [KEYS, WORD], ids=["keys", "word"])
@pytest.mark.parametrize("how", [*SPOILT, "nobody there", "a false certificate"])
def test_a_provider_that_cannot_be_asked_lets_nobody_in(how: str, settings: OAuth, tmp_path: Path) -> None:
    """454, at once; passwords work meanwhile."""

    async def scene(site: Site) -> None:
        if how in SPOILT:
            site.provider.spoil = SPOILT[how]
        elif how == "nobody there":
            site.net.down.add(IDP)
        else:
            site.net.certificates[IDP] = b"self-signed"
        site.provider.words["t0ken"] = {"active": True, "email": ALICE}
        client = await door(site)
        assert (await bear(client, site.token() if settings is KEYS else "t0ken")).startswith("454 4.7.0")
        assert (await client.login(ALICE)).startswith("235")

    scene_of(Site(tmp_path, settings), scene)


def test_the_providers_word(tmp_path: Path) -> None:
    """RFC 7662: asked with our credentials, remembered for a while, not beyond the token's end."""

    async def scene(site: Site) -> None:
        site.provider.words = {
            "good": {"active": True, "email": ALICE},
            "short": {"active": True, "email": ALICE, "exp": site.now + 100},
            "nameless": {"active": True, "sub": "7"},
            "odd%2F%2B": {"active": True, "email": ALICE},
        }
        for _ in range(2):
            for token in ("good", "short", "odd/+"):
                assert (await bear(await door(site), token)).startswith("235")
        assert 3 == len(site.provider.asked)
        assert "535" in await bear(await door(site), "nameless")
        assert "535" in await bear(await door(site), "unknown")
        del site.provider.words["short"]
        await site.clock.sleep(101)
        assert "535" in await bear(await door(site), "short")
        assert (await bear(await door(site), "good")).startswith("235")
        assert 6 == len(site.provider.asked)

    scene_of(Site(tmp_path, WORD), scene)


def test_guessing_tokens_is_limited_and_a_silent_provider_holds_nobody_else(tmp_path: Path) -> None:
    """Each token counts as another wrong password; then the provider is not asked any more."""
    site = Site(tmp_path, WORD)
    site.config = replace(site.config, vault=replace(site.config.vault, wrong_per_address=3))

    async def scene(site: Site) -> None:
        client = await door(site)
        for n in range(5):
            assert "535" in await bear(client, f"guess{n}")
        assert 3 == len(site.provider.asked)

    scene_of(site, scene)


def test_a_silent_provider_holds_nobody_else(tmp_path: Path) -> None:
    """While it is waited for, a password signs in; after its time it is 454."""
    site = Site(tmp_path, replace(WORD, wait_s=1))
    site.net.peers[IDP, 8443] = Silent

    async def scene(site: Site) -> None:
        waiting = await door(site)
        words = f"user={ALICE}\x01auth=Bearer x\x01\x01"
        waiting.writer.write(f"AUTH XOAUTH2 {base64.b64encode(words.encode()).decode()}\r\n".encode())
        other = await door(site)
        assert (await other.login(ALICE)).startswith("235")
        assert (await waiting.reply()).startswith("454 4.7.0")

    scene_of(site, scene)


def test_without_a_provider_there_is_no_such_mechanism(tmp_path: Path) -> None:
    """Not offered, 504; nor on the mail exchanger's port."""

    async def scene(stage: Stage) -> None:
        client = await stage.encrypted()
        assert "BEARER" not in await client.say("EHLO x")
        assert (await client.say("AUTH OAUTHBEARER")).startswith("504")
        assert (await client.say("AUTH XOAUTH2")).startswith("504")

    play(Stage(tmp_path), scene)
