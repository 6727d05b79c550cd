"""Replies on the wire (RFC 5321 4.2, RFC 2034), and those that the SMTP server machine gives by itself."""

from functools import lru_cache

from sekisho.model.verdict import Reply

LINE_LETTERS = 480  # RFC 5321 4.5.3.1.5: 512 octets with code, status and CRLF
LINES = 100  # more text than this is a mistake of ours


@lru_cache(maxsize=256)
def encode(reply: Reply) -> bytes:
    """The reply as bytes; more than one line of text becomes more than one line of reply.

    Most are said again and again.
    """
    line = str(reply)
    if len(line) <= LINE_LETTERS and line.isascii() and line.isprintable():
        return line.encode("ascii") + b"\r\n"
    return lines(reply, tuple(reply.text.splitlines()) or ("",))


@lru_cache(maxsize=256)
def lines(reply: Reply, texts: tuple[str, ...]) -> bytes:
    """A reply of these lines, each with the enhanced status code (RFC 2034 4). Every EHLO gets the same."""
    status = f"{reply.status} " if reply.status else ""
    heads = [f"{reply.code}-{status}"] * (len(texts[:LINES]) - 1) + [f"{reply.code} {status}"]
    return b"".join(_ascii(head + text[:LINE_LETTERS]) for head, text in zip(heads, texts, strict=False))


def _ascii(line: str) -> bytes:
    """RFC 5321 4.2: text is printable ASCII. Whatever else has come this far becomes a question mark."""
    if not (line.isascii() and line.isprintable()):
        line = "".join(char if " " <= char <= "~" else "?" for char in line)
    return line.encode("ascii") + b"\r\n"


# Order and syntax of commands.
HELLO_FIRST = Reply(503, "5.5.1", "say EHLO or HELO first")
MAIL_FIRST = Reply(503, "5.5.1", "MAIL first")
RCPT_FIRST = Reply(503, "5.5.1", "RCPT first")
NESTED = Reply(503, "5.5.1", "a sender has been named already")
IN_CHUNKS = Reply(503, "5.5.1", "BDAT has begun, and must go on to LAST")
IN_TRANSACTION = Reply(503, "5.5.1", "not within a mail transaction")
UNKNOWN = Reply(500, "5.5.1", "command unrecognized")
NOT_HERE = Reply(502, "5.5.1", "command not implemented")
CONTROL = Reply(500, "5.5.2", "control characters in a command")
NO_ARGUMENT = Reply(501, "5.5.4", "this command takes no argument")
HELLO_NAME = Reply(501, "5.5.4", "a host name or an address literal is needed")
ARGUMENT = Reply(501, "5.5.4", "an argument is needed")

# MAIL and RCPT.
MAIL_SYNTAX = Reply(501, "5.5.2", "syntax: MAIL FROM:<address>")
RCPT_SYNTAX = Reply(501, "5.5.2", "syntax: RCPT TO:<address>")
BAD_SENDER = Reply(501, "5.1.7", "bad sender address syntax")
BAD_RECIPIENT = Reply(501, "5.1.3", "bad recipient address syntax")
EIGHT_BIT = Reply(553, "5.6.7", "addresses beyond ASCII are not supported here")
PARAM_UNKNOWN = Reply(555, "5.5.4", "parameter not recognized or not implemented")
PARAM_SYNTAX = Reply(501, "5.5.4", "bad parameter")
TOO_BIG = Reply(552, "5.3.4", "message is larger than this server takes")

# The body.
BARE_NEWLINE = Reply(550, "5.6.11", "bare CR, bare LF or NUL in the message")
LINE_TOO_LONG = Reply(500, "5.6.0", "a line of the message is too long")

# TLS and AUTH.
TLS_ACTIVE = Reply(503, "5.5.1", "TLS is active already")
TLS_FIRST = Reply(538, "5.7.11", "encryption is required: STARTTLS first")
AUTH_TWICE = Reply(503, "5.5.1", "already authenticated")
MECHANISM = Reply(504, "5.5.4", "mechanism not supported")
BASE64 = Reply(501, "5.5.2", "cannot decode base64")
MALFORMED = Reply(501, "5.5.2", "malformed authentication message")
NO_LOGIN = Reply(535, "5.7.8", "Authentication credentials invalid")
CANCELLED = Reply(501, "5.7.0", "authentication cancelled")

# The end.
EARLY_TALKER = Reply(554, "5.5.1", "you spoke before the greeting")
GLUED = Reply(501, "5.5.1", "nothing may follow STARTTLS before the handshake")
PIPELINED = Reply(503, "5.5.1", "you must wait for the reply to this command")
NEWLINE = Reply(500, "5.5.2", "lines end in CR LF, and nothing else")
LONG_LINE = Reply(500, "5.5.6", "line too long")
HTTP = Reply(554, "5.5.1", "this is a mail server, not a web server")
PROXY = Reply(550, "5.7.1", "no PROXY header is accepted here")
XCLIENT_SYNTAX = Reply(501, "5.5.4", "bad XCLIENT attribute")
XCLIENT_FIRST = Reply(503, "5.5.1", "XCLIENT first: this listener is for named peers")
CHUNK_SYNTAX = Reply(501, "5.5.4", "syntax: BDAT octets, and LAST behind the last of them")
FLOOD = Reply(421, "4.7.0", "you must wait for replies")
SILENCE = Reply(421, "4.4.2", "closing after too long a silence")
