"""What the server was told (Envelope), by whom (Origin), and what the letter is (Message)."""

from typing import Literal

from msgspec import Struct


class Network(Struct, frozen=True):
    """Whose address it is, as known when it was seen. `key` is what the guard compares ("AS6697/BY",
    "198.18.7.0/24").

    `place` is False for loopback, private and other addresses that are nowhere; `shared` is True for
    hosting, VPN and relay networks, where every /24 counts as a network of its own.
    """

    key: str
    asn: int = 0
    country: str = ""
    name: str = ""
    place: bool = True
    shared: bool = False


class Origin(Struct, frozen=True):
    """Who brought a message. The login that caused a delivery is found from here, whatever the headers claim.

    `via` is the real peer behind PROXY or XCLIENT, "" when the client connected itself. `session` is the
    id of the session, `login` the id of its LoginTried event, `network` the guard's key of the client's
    network at that time. `suspect`: the guard made the message wait, or held it.
    """

    session: str
    listener: str
    at: int
    address: str = ""
    via: str = ""
    account: str = ""
    helo: str = ""
    tls: str = ""
    login: str = ""
    network: str = ""
    suspect: bool = False


class Wish(Struct, frozen=True, omit_defaults=True):
    """What is to be reported about one recipient (RFC 3461 4.1, 4.2); "" is "not said".

    `notify` is "NEVER", or those of "SUCCESS", "FAILURE", "DELAY" that are wanted, with commas, in capitals.
    `original` is the ORCPT as it stood on the wire, its address in xtext: "rfc822;bob@example.com".
    """

    notify: str = ""
    original: str = ""

    def wants(self, event: Literal["SUCCESS", "FAILURE", "DELAY"]) -> bool:
        return event in (self.notify.split(",") if self.notify else USUAL)


USUAL = ("DELAY", "FAILURE")
"""What is told when nothing was said of it."""

NO_WISH = Wish()


class Envelope(Struct, frozen=True, omit_defaults=True):
    """`sender` is None for a message without a return path (RFC 5321 4.5.5).

    `options` are parameters of MAIL that whoever carries the letter on has to know, by names in capitals:
    BODY=8BITMIME (RFC 6152), SMTPUTF8= (RFC 6531, only where it is needed), RET=FULL or HDRS and ENVID=xtext
    (RFC 3461), REQUIRETLS= (RFC 8689). `wishes` has those of RCPT, by the recipient of the delivery.
    `return_path` is the signed form of the sender that other hosts are told; "" is the sender as it stands.
    """

    sender: str | None
    recipients: tuple[str, ...]
    origin: Origin
    options: dict[str, str] = {}
    wishes: dict[str, Wish] = {}
    return_path: str = ""

    def wish(self, recipient: str) -> Wish:
        return self.wishes.get(recipient, NO_WISH)

    @property
    def told(self) -> str:
        """What MAIL FROM says to another host."""
        return self.return_path or self.sender or ""


class Message(Struct, frozen=True):
    """The letter itself, never edited. `size` in bytes of wire form, `digest` SHA-256 in hex."""

    id: str
    size: int
    digest: str


class AddHeader(Struct, frozen=True, tag="add"):
    """A header line to write above the message: bytes of one folded field, ending in CRLF."""

    line: bytes


Edit = AddHeader
