"""Logging in at another server: SCRAM after the RFC's own example, PLAIN, LOGIN, and servers that cheat."""

from base64 import b64decode, b64encode

import pytest

from sekisho.model.delivery import Tls
from sekisho.model.secret import Secret
from sekisho.wire.client_steps import ClientSettings, Derive, Ready, Refused, Step
from sekisho.wire.smtp_client import SmtpClient

NONCE = "rOprNGfwEbeRWgbNEkqO"
SERVER_FIRST = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
CLIENT_FINAL = (
    "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
    "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
)
SERVER_FINAL = "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="


class Dialogue:
    """A session with a password up to the login."""

    def __init__(self, mechanisms: str, tls: Tls = Tls.NONE) -> None:
        settings = ClientSettings("me.example", tls, "user", Secret(b"pencil"), NONCE)
        self.machine = SmtpClient(settings)
        list(self.machine.receive(b"220 hi\r\n"))
        self.steps = list(self.machine.receive(f"250-mx\r\n250 AUTH {mechanisms}\r\n".encode()))

    def said(self) -> str:
        return self.machine.take().decode().splitlines()[-1]

    def asks(self, challenge: str) -> list[Step]:
        return list(self.machine.receive(b"334 " + b64encode(challenge.encode()) + b"\r\n"))

    def to_final(self) -> str:
        assert self.said().startswith("AUTH SCRAM-SHA-256 ")
        (step,) = self.asks(SERVER_FIRST)
        assert isinstance(step, Derive)
        self.machine.derived(step.work())
        return b64decode(self.said()).decode()


def test_scram() -> None:
    """RFC 7677 3: the example, word by word; the server's proof is looked at before its yes is believed."""
    play = Dialogue("PLAIN SCRAM-SHA-256 LOGIN")
    assert CLIENT_FINAL == play.to_final()
    assert [] == play.asks(SERVER_FINAL) and "" == play.said()
    assert [Ready()] == list(play.machine.receive(b"235 2.7.0 welcome\r\n"))


def test_a_server_that_cannot_prove_itself() -> None:
    """A wrong proof, or none, is no login: somebody else stands there."""
    play = Dialogue("SCRAM-SHA-256")
    play.to_final()
    (step,) = play.asks("v=" + b64encode(b"x" * 32).decode())
    assert isinstance(step, Refused) and "login" == step.stage
    play = Dialogue("SCRAM-SHA-256")
    play.to_final()
    (step,) = play.machine.receive(b"235 welcome\r\n")
    assert isinstance(step, Refused) and step.reply.transient


@pytest.mark.parametrize(
    "challenge",
    [
        "r=other,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
        f"r={NONCE},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
        f"r={NONCE}x,s=!,i=4096",
        f"r={NONCE}x,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=1",
        f"r={NONCE}x,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=99999999999",
        f"r={NONCE}x,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=x",
        "",
        "\x00\xff",
    ],
)
def test_a_server_that_cheats(challenge: str) -> None:
    """A nonce that is not ours, too few or too many rounds, no Base64: no login, no proof sent."""
    play = Dialogue("SCRAM-SHA-256")
    play.said()
    (step,) = play.asks(challenge)
    assert isinstance(step, Refused) and "login" == step.stage and b"" == play.machine.take()


def test_plain_and_login() -> None:
    """PLAIN at once, also when the server asks again; LOGIN by two questions, and no third."""
    proof = b64encode(b"\0user\0pencil").decode()
    play = Dialogue("LOGIN PLAIN")
    assert f"AUTH PLAIN {proof}" == play.said()
    assert [] == play.asks("") and proof == play.said()
    play = Dialogue("LOGIN")
    assert "AUTH LOGIN" == play.said()
    for question, answer in (("Username:", b"user"), ("Password:", b"pencil")):
        assert [] == play.asks(question) and answer == b64decode(play.said())
    (step,) = play.asks("Once more:")
    assert isinstance(step, Refused)


def test_no_mechanism_and_no_encryption() -> None:
    """Nothing that we know, or a password that would go in the clear: refused for now."""
    for play in (Dialogue("GSSAPI"), Dialogue("PLAIN", Tls.OPPORTUNISTIC)):
        (step,) = play.steps
        assert isinstance(step, Refused) and "login" == step.stage and step.reply.transient
        assert b"AUTH" not in play.machine.take()
