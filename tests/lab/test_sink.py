"""The sink takes, refuses and counts as the demo relies on it to."""

import asyncio
import smtplib
import ssl
from collections.abc import Callable

import pytest
import trustme

from sekisho.lab.sink import Rules, Sink
from sekisho.model.verdict import Reply

LETTER = b"Subject: dots\r\n\r\n.\r\n..two\r\nend\r\n"


def with_sink(sink: Sink, talk: Callable[[smtplib.SMTP], None]) -> None:
    async def run() -> None:
        port = await sink.start()
        try:
            await asyncio.to_thread(connect, port)
        finally:
            await sink.stop()

    def connect(port: int) -> None:
        with smtplib.SMTP("127.0.0.1", port, timeout=5) as client:
            talk(client)

    asyncio.run(run())


def test_keeps_what_it_took() -> None:
    """A message arrives with its envelope and its dots."""
    sink = Sink()
    with_sink(sink, lambda client: client.sendmail("a@example.com", ["b@example.net"], LETTER) and None)
    (message,) = sink.messages
    assert ("a@example.com", ("b@example.net",), LETTER) == (message.sender, message.recipients, message.body)


def test_refuses_by_rule() -> None:
    """The rule refuses one recipient; the other one's message is taken."""
    sink = Sink(lambda recipient: Reply(550, "5.1.1", "no such user") if recipient.startswith("no") else None)
    refused: dict[str, tuple[int, bytes]] = {}
    with_sink(sink, lambda client: refused.update(client.sendmail("a@x.example", ["no@y", "yes@y"], LETTER)))
    assert {"no@y": (550, b"5.1.1 no such user")} == refused
    assert ("yes@y",) == sink.messages[0].recipients
    assert ["no@y"] == sink.refused


def test_answers_by_rule() -> None:
    """A refused message is not counted."""
    sink = Sink(rules=Rules(answer=lambda message: Reply(452, "4.3.1", "full")))

    def talk(client: smtplib.SMTP) -> None:
        with pytest.raises(smtplib.SMTPDataError):
            client.sendmail("a@x.example", ["b@y.example"], LETTER)

    with_sink(sink, talk)
    assert [] == sink.messages


def test_counts_when_it_cannot_keep() -> None:
    """Beyond `keep_bytes` a message is counted without its body."""
    sink = Sink(rules=Rules(keep_bytes=10))
    with_sink(sink, lambda client: client.sendmail("a@x.example", ["b@y.example"], LETTER) and None)
    assert (b"", len(LETTER) + 2) == (sink.messages[0].body, sink.messages[0].size)


def test_encrypts_when_it_can() -> None:
    """With a certificate it offers STARTTLS and hears what follows the handshake."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority = trustme.CA()
    authority.issue_cert("sink.test").configure_cert(context)
    sink = Sink(rules=Rules(tls=context))

    def talk(client: smtplib.SMTP) -> None:
        client.starttls(context=ssl._create_unverified_context())
        client.sendmail("a@x.example", ["b@y.example"], LETTER)

    with_sink(sink, talk)
    assert "TLSv1.3" == sink.messages[0].tls
