"""AUTH SCRAM-SHA-256 on the server: the messages of RFC 5802, and everything that is not one."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sekisho.model.secret import Secret
from sekisho.store.scram_keys import make_keys, proves, signature_of
from sekisho.wire import replies
from sekisho.wire.client_login import Derive, Scram
from sekisho.wire.sasl import Challenge, Exchange, Outcome
from sekisho.wire.scram import server_final, server_first
from sekisho.wire.steps import ScramBegun, ScramDone, ScramProof

# RFC 7677 3
FIRST = b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO"
OWN = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
SALT = base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ==")
FINAL = (
    b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
    b"p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
)
SIGNATURE = "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="


def encoded(text: bytes) -> bytes:
    return base64.b64encode(text)


def begun(first: bytes = FIRST) -> tuple[Exchange, Outcome]:
    exchange = Exchange("SCRAM-SHA-256", "EHLO=name")
    return exchange, exchange.begin(encoded(first) or b"=")


def answered(final: bytes, first: bytes = FIRST) -> Outcome:
    exchange, outcome = begun(first)
    assert isinstance(outcome, ScramBegun)
    exchange.told(server_first(outcome.nonce, OWN, SALT, 4096))
    return exchange.answer(encoded(final))


def test_the_example_of_the_rfc() -> None:
    """RFC 7677 3, message by message."""
    exchange, outcome = begun()
    assert ScramBegun("user", "", "rOprNGfwEbeRWgbNEkqO", "EHLO=name") == outcome
    challenge = exchange.told(server_first("rOprNGfwEbeRWgbNEkqO", OWN, SALT, 4096))
    assert isinstance(challenge, Challenge)
    said = base64.b64decode(challenge.text)
    assert b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096" == said
    proof = exchange.answer(encoded(FINAL))
    assert isinstance(proof, ScramProof)
    keys = make_keys(b"pencil", SALT, 4096)
    assert proves(keys, proof.message, base64.b64decode(proof.proof))
    assert SIGNATURE == server_final(signature_of(keys, proof.message))
    exchange.told(SIGNATURE)
    assert ScramDone() == exchange.answer(b"")


@pytest.mark.parametrize(
    ("user", "password"),
    [
        ("alice@example.com", "correct horse"),
        ("a=b,c@example.com", "p,w=d"),
        ("花子@example.com", "caf\u00e9"),
        ("bob", "\u2168"),
    ],
)
def test_our_own_client_agrees(user: str, password: str) -> None:
    """Names with the two letters that are escaped, names and passwords beyond ASCII."""
    client = Scram(user, Secret(password.encode()), "nonce")
    exchange = Exchange("SCRAM-SHA-256")
    outcome = exchange.begin(client.opening().split(" ")[2].encode())
    assert isinstance(outcome, ScramBegun) and user == outcome.identity
    salt = b"salt" * 4
    challenge = exchange.told(server_first(outcome.nonce, "server", salt, 4096))
    assert isinstance(challenge, Challenge)
    derive = client.answer(base64.b64decode(challenge.text))
    assert isinstance(derive, Derive)
    keys = make_keys(password.encode(), salt, 4096)
    proof = exchange.answer(encoded(client.final(derive.work())))
    assert isinstance(proof, ScramProof)
    assert proves(keys, proof.message, base64.b64decode(proof.proof)) == (password != "\u2168")
    if password != "\u2168":  # which our client does not prepare as SASLprep would
        final = exchange.told(server_final(signature_of(keys, proof.message)))
        assert isinstance(final, Challenge)
        assert b"" == client.answer(base64.b64decode(final.text)) and client.proven


def test_passwords_are_prepared_as_clients_do_it() -> None:
    """SASLprep (RFC 4013 3): compatible letters are one, a soft hyphen none."""
    keys = make_keys(b"IX", SALT, 4096)
    assert keys == make_keys("\u2168".encode(), SALT, 4096)
    assert keys == make_keys("I\u00adX".encode(), SALT, 4096)
    assert make_keys(b"a b", SALT, 4096) == make_keys("a\u3000b".encode(), SALT, 4096)
    assert make_keys(b"\xff", SALT, 4096) != make_keys(b"\xfe", SALT, 4096)


@pytest.mark.parametrize(
    "first",
    [
        b"",
        b"n",
        b"n,,",
        b"n=user,r=abc",
        b"n,,r=abc,n=user",
        b"n,,n=,r=abc",
        b"n,,n=user,r=",
        b"n,,n=user,r=a,b",
        b"n,,n=user,r=a b",
        b"n,,n=us\0er,r=abc",
        b"n,,n=us=er,r=abc",
        b"n,,n=us=2cer,r=abc",
        b"n,,n=\xff,r=abc",
        b"n,,n=a\r\nb,r=abc",
        b"n,,m=must,n=user,r=abc",
        b"p=tls-unique,,n=user,r=abc",
        b"p=tls-exporter,,n=user,r=abc",
        b"x,,n=user,r=abc",
        b"n,b=other,n=user,r=abc",
        b"n,,n=" + b"u" * 321 + b",r=abc",
        b"n,,n=user,r=" + b"n" * 257,
    ],
)
def test_what_is_no_beginning_is_refused(first: bytes) -> None:
    """Other orders, channel bindings that were never offered, escapes that are none, too long."""
    assert replies.MALFORMED == begun(first)[1]


@pytest.mark.parametrize(
    "final",
    [
        b"",
        FINAL.replace(b"c=biws", b"c=eSws"),
        FINAL.replace(b"c=biws,", b""),
        FINAL.replace(b"r=rOpr", b"r=xOpr"),
        FINAL.replace(b"k0,p=", b"k0x,p="),
        FINAL.replace(b"$k0,p=", b",p="),
        FINAL.replace(b",p=dHzb", b",p="),
        FINAL[:-1],
        FINAL + b",x=y",
        FINAL.replace(b"p=d", b"p=\xff"),
        b"r=rOprNGfwEbeRWgbNEkqO,c=biws,p=" + b"A" * 43 + b"=",
    ],
)
def test_what_is_no_proof_is_refused(final: bytes) -> None:
    """Another header than at first, another nonce, a proof that is too short or not at the end."""
    assert replies.MALFORMED == answered(final)


def test_the_header_is_held_to() -> None:
    """A client that could bind channels says so at first and at last (RFC 5802 6)."""
    final = FINAL.replace(b"c=biws", b"c=eSws")
    assert isinstance(answered(final, FIRST.replace(b"n,,", b"y,,")), ScramProof)
    assert replies.MALFORMED == answered(FINAL, FIRST.replace(b"n,,", b"y,,"))


def test_the_last_answer_is_empty() -> None:
    """RFC 4954 4; a client may cancel even now."""
    for last, outcome in ((b"eA==", replies.MALFORMED), (b"*", replies.CANCELLED), (b"=", replies.BASE64)):
        exchange, _ = begun()
        exchange.told(server_first("rOprNGfwEbeRWgbNEkqO", OWN, SALT, 4096))
        exchange.answer(encoded(FINAL))
        exchange.told("v=x")
        assert outcome == exchange.answer(last)


@given(st.lists(st.binary(max_size=60), min_size=1, max_size=3))
def test_garbage_is_refused_or_understood(lines: list[bytes]) -> None:
    """Never an exception."""
    exchange, outcome = begun(lines[0])
    if isinstance(outcome, ScramBegun):
        exchange.told(server_first(outcome.nonce, "x", b"s", 4096))
        for line in lines[1:]:
            exchange.answer(encoded(line))


def test_a_hostile_line_costs_no_time() -> None:
    """Nine thousand octets, however they are arranged, are looked at once."""
    for piece in (b"n,,n=user,r=a", b"n=a,", b"x=y,", b",", b"=2C"):
        assert replies.MALFORMED == begun(piece * (9000 // len(piece)))[1]
