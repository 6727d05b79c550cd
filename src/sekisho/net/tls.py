"""TLS for connections that others open to us: a pipe of bytes without a socket, and the contexts it is made
from.

The pipe stands between transport and machine. It begins empty, so nothing that was said before the
handshake can come out of it; and it costs a tenth of the memory of asyncio's own (256 KiB of read buffer
for each connection).
"""

import os
import ssl

from sekisho.world import Unavailable

READ_BYTES = 64 * 1024


class TlsFailed(Exception):
    """The peer does not speak TLS, or not as we do. The text is OpenSSL's reason, not the peer's words.

    `result` as in RFC 8460 4.3.
    """

    def __init__(self, why: str, result: str = "validation-failure") -> None:
        super().__init__(why)
        self.result = result


def server_context(certificate: str, key: str) -> ssl.SSLContext:
    """One for each listener: session tickets of one are worth nothing at another (ALPACA and its kin)."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2  # RFC 8996, RFC 8997
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION | ssl.OP_CIPHER_SERVER_PREFERENCE
    load(context, certificate, key)
    return context


def load(context: ssl.SSLContext, certificate: str, key: str) -> None:
    """Also into a context in use: sessions from now on get the new certificate."""
    try:
        context.load_cert_chain(certificate, key)
    except ssl.SSLError as error:
        raise Unavailable(certificate, "not a certificate with its key") from error
    except FileNotFoundError as error:
        absent = key if os.path.exists(certificate) else certificate
        raise Unavailable(absent, "there is no such file") from error
    except OSError as error:
        raise Unavailable(certificate, error.strerror or str(error)) from error


_RESULTS = {9: "certificate-expired", 10: "certificate-expired", 62: "certificate-host-mismatch"}
"""OpenSSL's X509_V_ERR codes that RFC 8460 4.3.2 has names for."""


class TlsPipe:
    """The server's end. `receive` and `send` turn bytes of one side into bytes of the other; `take` is for
    the wire.
    """

    __slots__ = ("_arriving", "_leaving", "_tls", "ended", "established")

    def __init__(self, context: ssl.SSLContext) -> None:
        self._arriving = ssl.MemoryBIO()
        self._leaving = ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._arriving, self._leaving, server_side=True)
        self.established = False
        self.ended = False

    @property
    def description(self) -> str:
        """Such as "TLSv1.3 TLS_AES_256_GCM_SHA384"."""
        cipher = self._tls.cipher()
        return f"{self._tls.version()} {cipher[0]}" if cipher else ""

    def receive(self, data: bytes) -> bytes:
        """What the peer said, decrypted; raises TlsFailed. `take` even then: it may hold an alert."""
        self._arriving.write(data)
        try:
            if not self.established:
                self._tls.do_handshake()
                self.established = True
            return self._read()
        except ssl.SSLWantReadError:
            return b""
        except ssl.SSLCertVerificationError as error:
            self.ended = True
            result = _RESULTS.get(error.verify_code, "certificate-not-trusted")
            raise TlsFailed(f"{error.reason}: {error.verify_message}", result) from error
        except ssl.SSLError as error:
            self.ended = True
            raise TlsFailed(error.reason or "TLS error") from error

    def _read(self) -> bytes:
        parts = []
        try:
            while part := self._tls.read(READ_BYTES):
                parts.append(part)
            self.ended = True  # the peer's close_notify
        except ssl.SSLWantReadError:
            pass
        return b"".join(parts)

    def send(self, data: bytes) -> None:
        if not self.ended and data:
            self._tls.write(data)

    def end(self) -> None:
        """Says close_notify (RFC 8446 6.1) without waiting for the peer's."""
        if self.established and not self.ended:
            self.ended = True
            try:
                self._tls.unwrap()
            except ssl.SSLError:
                return

    def take(self) -> bytes:
        return self._leaving.read()
