"""What the server was told (Envelope), by whom (Origin), and what the letter is (Message)."""

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
    network at that time.
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


class Envelope(Struct, frozen=True):
    """`sender` is None for a message without a return path (RFC 5321 4.5.5)."""

    sender: str | None
    recipients: tuple[str, ...]
    origin: Origin
    options: dict[str, str] = {}


class Message(Struct, frozen=True):
    """The letter itself, never edited. `size` in bytes of wire form, `digest` SHA-256 in hex."""

    id: str
    size: int
    digest: str


class AddHeader(Struct, frozen=True, tag="add"):
    """A header line to write above the message: bytes of one folded field, ending in CRLF."""

    line: bytes


Edit = AddHeader
