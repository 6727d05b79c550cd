"""Everybody else's mail server on loopback, in a thread of its own; and the bounces that it writes."""

import asyncio
import threading
import time

from sekisho.lab.sink import Refuse, Rules, Sink, SinkMessage
from sekisho.model.verdict import Reply

REPORT = """\
From: Mail Delivery System <MAILER-DAEMON@far.example>
To: {to}
Subject: Undelivered Mail Returned to Sender
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="b"

--b
Content-Type: text/plain

I am sorry.

--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.far.example

Final-Recipient: rfc822; {recipient}
Action: failed
Status: {status}
Diagnostic-Code: smtp; 550 {status} no such user

--b--
"""


def refuse(recipient: str) -> Reply | None:
    """nobody... is refused for good, busy... for now."""
    if recipient.startswith("nobody"):
        return Reply(550, "5.1.1", "no such user")
    return Reply(451, "4.2.1", "come again") if recipient.startswith("busy") else None


class FarHost:
    """`refuse` gets a recipient, as a `Sink`'s."""

    def __init__(self, refuse: Refuse | None = None, rules: Rules | None = None) -> None:
        self.sink = Sink(refuse, rules)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.port = asyncio.run_coroutine_threadsafe(self.sink.start(), self._loop).result(60)

    @property
    def smarthost(self) -> str:
        """Lines for the settings: everything for other hosts goes here."""
        return f'[outbound.smarthost]\nhost = "[127.0.0.1]:{self.port}"\n'

    def wait_for(self, count: int, within_s: float = 60) -> list[SinkMessage]:
        deadline = time.monotonic() + within_s
        while len(self.sink.messages) < count and time.monotonic() < deadline:
            time.sleep(0.02)
        assert count == len(self.sink.messages)
        return list(self.sink.messages)

    def stop(self) -> None:
        asyncio.run_coroutine_threadsafe(self.sink.stop(), self._loop).result(60)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(60)
        self._loop.close()


def report(to: str, recipient: str, status: str = "5.1.1") -> str:
    """What a host that took a letter and could not deliver it sends back to its return path."""
    return REPORT.format(to=to, recipient=recipient, status=status)
