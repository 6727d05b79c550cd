"""Asks one question of HTTP/1.1 and reads its answer: status, content type, body within a limit (RFC 9110,
RFC 9112).

Bytes in, an answer out. Only what MTA-STS, identity providers and webhooks need is spoken: no redirects, no
compression, no second request.
"""

from collections.abc import Mapping

from msgspec import Struct

HEAD_BYTES = 16 * 1024
CHUNK_LINE_BYTES = 256


class BadAnswer(Exception):
    """What arrived is no answer that we read; `why` in a few words of English."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


class Answer(Struct, frozen=True):
    status: int
    kind: str
    body: bytes


def get(host: str, path: str) -> bytes:
    """The request. `host` is a name of the DNS."""
    return (
        f"GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: sekisho\r\nAccept: text/plain\r\n"
        "Connection: close\r\n\r\n"
    ).encode("ascii")


def post(host: str, path: str, body: bytes, fields: Mapping[str, str]) -> bytes:
    """A POST of JSON with these fields, whose values are ours."""
    lines = [f"POST {path} HTTP/1.1", f"Host: {host}", "User-Agent: sekisho", "Accept: */*"]
    lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in fields.items()]
    return "\r\n".join([*lines, "Connection: close", "", ""]).encode("ascii") + body


def ask_json(host: str, path: str, body: bytes, authorization: bytes) -> bytes:
    """A GET, or a POST of a form if there is a body."""
    lines = [f"{'POST' if body else 'GET'} {path} HTTP/1.1", f"Host: {host}", "User-Agent: sekisho"]
    lines += ["Accept: application/json", "Connection: close"]
    if body:
        lines += ["Content-Type: application/x-www-form-urlencoded", f"Content-Length: {len(body)}"]
    head = "\r\n".join(lines).encode("ascii")
    credentials = b"\r\nAuthorization: " + authorization if authorization else b""
    return head + credentials + b"\r\n\r\n" + body


class AnswerReader:
    """`feed` what arrives, `end` when nothing more comes; both give the answer once it is whole, else None.

    Raise BadAnswer. With `head_only` the status is the answer.
    """

    def __init__(self, limit_bytes: int, *, head_only: bool = False) -> None:
        self._limit = limit_bytes
        self._head_only = head_only
        self._buffer = bytearray()
        self._head: tuple[int, dict[str, str]] | None = None
        self._body = bytearray()

    def feed(self, data: bytes) -> Answer | None:
        self._buffer += data
        if self._head is None:
            end = self._buffer.find(b"\r\n\r\n", 0, HEAD_BYTES)
            if end < 0:
                if len(self._buffer) >= HEAD_BYTES:
                    raise BadAnswer("a header without end")
                return None
            self._head = _head(bytes(self._buffer[:end]))
            del self._buffer[: end + 4]
        return self._whole()

    def end(self) -> Answer | None:
        if self._head is None or self._is_chunked or "content-length" in self._head[1]:
            raise BadAnswer("it breaks off")
        return self._answer(bytes(self._buffer))

    @property
    def _is_chunked(self) -> bool:
        return self._head is not None and "transfer-encoding" in self._head[1]

    def _whole(self) -> Answer | None:
        assert self._head is not None
        status, fields = self._head
        if status != 200 or self._head_only:  # nothing of it is read, least of all where else to look
            return Answer(status, "", b"")
        if self._is_chunked:
            if fields["transfer-encoding"].lower() != "chunked":
                raise BadAnswer("an unknown transfer encoding")
            return self._chunks()
        self._check(len(self._buffer))
        length = fields.get("content-length")
        if length is None:
            return None
        if not (length.isascii() and length.isdigit() and len(length) < 10):
            raise BadAnswer("no length")
        self._check(int(length))
        return self._answer(bytes(self._buffer[: int(length)])) if len(self._buffer) >= int(length) else None

    def _chunks(self) -> Answer | None:
        while (end := self._buffer.find(b"\r\n", 0, CHUNK_LINE_BYTES)) >= 0:
            text = bytes(self._buffer[:end]).partition(b";")[0].strip()
            try:
                size = int(text, 16) if text.isalnum() else -1
            except ValueError:
                size = -1
            if size < 0:
                raise BadAnswer("no chunk")
            self._check(len(self._body) + size)
            if size == 0:
                return self._answer(bytes(self._body))
            if len(self._buffer) < end + 2 + size + 2:
                return None
            self._body += self._buffer[end + 2 : end + 2 + size]
            del self._buffer[: end + 2 + size + 2]
        if len(self._buffer) >= CHUNK_LINE_BYTES:
            raise BadAnswer("no chunk")
        return None

    def _check(self, size: int) -> None:
        if size > self._limit:
            raise BadAnswer(f"larger than {self._limit} bytes")

    def _answer(self, body: bytes) -> Answer:
        assert self._head is not None
        status, fields = self._head
        kind = fields.get("content-type", "").partition(";")[0].strip().lower()
        return Answer(status, kind, body)


def _head(head: bytes) -> tuple[int, dict[str, str]]:
    lines = head.decode("latin-1").split("\r\n")
    version, _, rest = lines[0].partition(" ")
    code = rest[:3]
    if version not in ("HTTP/1.1", "HTTP/1.0") or not (code.isascii() and code.isdigit() and len(code) == 3):
        raise BadAnswer("no HTTP")
    fields: dict[str, str] = {}
    for line in lines[1:]:
        name, _, value = line.partition(":")
        fields.setdefault(name.lower(), value.strip())
    return int(code), fields
