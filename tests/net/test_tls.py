"""The server's end of TLS as a pipe, against Python's own client."""

import contextlib
import ssl
from pathlib import Path

import pytest
import trustme

from sekisho.net.tls import TlsFailed, TlsPipe, load, server_context
from sekisho.world import Unavailable


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    folder: Path = tmp_path_factory.mktemp("keys")
    certificate = trustme.CA().issue_cert("mx.example.com")
    certificate.private_key_pem.write_to_path(str(folder / "key.pem"))
    certificate.cert_chain_pems[0].write_to_path(str(folder / "cert.pem"))
    return str(folder / "cert.pem"), str(folder / "key.pem")


class Peer:
    """The client's end, also without a socket."""

    def __init__(self) -> None:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        self.arriving, self.leaving = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.arriving, self.leaving)

    def shake(self, pipe: TlsPipe, piece: int = 0) -> None:
        while not pipe.established:
            with contextlib.suppress(ssl.SSLWantReadError):
                self.tls.do_handshake()
            data = self.leaving.read()
            for at in range(0, len(data), piece or len(data) or 1):
                assert b"" == pipe.receive(data[at : at + (piece or len(data))])
            self.arriving.write(pipe.take())


@pytest.mark.parametrize("piece", [0, 1, 7])
def test_both_sides_understand_each_other(files: tuple[str, str], piece: int) -> None:
    """However the bytes are cut."""
    pipe, peer = TlsPipe(server_context(*files)), Peer()
    peer.shake(pipe, piece)
    peer.tls.write(b"EHLO client.example\r\n" * 5000)
    data, heard = peer.leaving.read(), b""
    for at in range(0, len(data), piece * 1000 or len(data)):
        heard += pipe.receive(data[at : at + (piece * 1000 or len(data))])
    assert b"EHLO client.example\r\n" * 5000 == heard
    pipe.send(b"250 ok\r\n")
    pipe.send(b"")
    peer.arriving.write(pipe.take())
    assert b"250 ok\r\n" == peer.tls.read(100)
    assert pipe.description.startswith("TLSv1.3 TLS_")


def test_a_farewell_in_both_directions(files: tuple[str, str]) -> None:
    """close_notify is sent and understood; nothing is written after it."""
    pipe, peer = TlsPipe(server_context(*files)), Peer()
    peer.shake(pipe)
    pipe.end()
    pipe.end()
    pipe.send(b"too late")
    peer.arriving.write(pipe.take())
    assert b"" == peer.tls.read(100)
    pipe, peer = TlsPipe(server_context(*files)), Peer()
    peer.shake(pipe)
    peer.tls.write(b"QUIT\r\n")
    with pytest.raises(ssl.SSLWantReadError):
        peer.tls.unwrap()
    assert b"QUIT\r\n" == pipe.receive(peer.leaving.read()) and pipe.ended


@pytest.mark.parametrize(
    "data", [b"EHLO client.example\r\n", b"\x16\x03\x01\x00\x04\x00\x00\x00\x00", b"\x00" * 100]
)
def test_what_is_no_tls_is_refused(files: tuple[str, str], data: bytes) -> None:
    """With an alert for who can read it, and nothing heard."""
    pipe = TlsPipe(server_context(*files))
    with pytest.raises(TlsFailed):
        pipe.receive(data)
    assert pipe.ended and not pipe.established
    pipe.end()


def test_a_broken_record_ends_the_pipe(files: tuple[str, str]) -> None:
    """In the middle of a session."""
    pipe, peer = TlsPipe(server_context(*files)), Peer()
    peer.shake(pipe)
    peer.tls.write(b"NOOP\r\n")
    data = bytearray(peer.leaving.read())
    data[-1] ^= 1
    with pytest.raises(TlsFailed):
        pipe.receive(bytes(data))


def test_certificates_are_loaded_again_or_said_to_be_missing(files: tuple[str, str], tmp_path: Path) -> None:
    """A new one into the same context; one without its key is none."""
    context = server_context(*files)
    load(context, *files)
    with pytest.raises(Unavailable, match=r"absent\.pem"):
        load(context, str(tmp_path / "absent.pem"), files[1])
    with pytest.raises(Unavailable, match=r"no-key\.pem"):
        load(context, files[0], str(tmp_path / "no-key.pem"))
    (tmp_path / "bad.pem").write_text("no certificate")
    with pytest.raises(Unavailable, match="not a certificate"):
        server_context(str(tmp_path / "bad.pem"), files[1])
