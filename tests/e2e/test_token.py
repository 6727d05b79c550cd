"""curl, a stock client, logs in by token at a real server with a real HTTPS provider behind it."""

import asyncio
import json
import os
import ssl
import subprocess
import threading
import time
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256

from conftest import program
from covers import covers
from e2e.running import Installation
from nameserver import NameServer

USER = "hello@example.com"
KEY = rsa.generate_private_key(65537, 2048)
HOST = "login.test"


def plain(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def token(**claims: object) -> str:
    known = {"iss": f"https://{HOST}", "aud": "mail", "email": USER, "exp": time.time() + 600, **claims}
    head = plain(json.dumps({"alg": "RS256", "kid": "one"}).encode())
    signed = f"{head}.{plain(json.dumps(known).encode())}"
    return f"{signed}.{plain(KEY.sign(signed.encode(), PKCS1v15(), SHA256()))}"


class Keys(BaseHTTPRequestHandler):
    """The provider: its one key at any path."""

    def do_GET(self) -> None:
        numbers = KEY.public_key().public_numbers()
        n, e = (plain(value.to_bytes((value.bit_length() + 7) // 8)) for value in (numbers.n, numbers.e))
        body = json.dumps({"keys": [{"kty": "RSA", "kid": "one", "use": "sig", "n": n, "e": e}]}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/jwk-set+json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words: object) -> None:
        """Not to standard error."""


class Outside:
    """The provider and a name server, in threads."""

    def __init__(self, folder: Path) -> None:
        authority = trustme.CA()
        authority.cert_pem.write_to_path(str(folder / "ca.pem"))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(HOST).configure_cert(context)
        self.web = HTTPServer(("127.0.0.1", 0), Keys)
        self.web.socket = context.wrap_socket(self.web.socket, server_side=True)
        self.names = NameServer({(HOST, "A"): ["127.0.0.1"]})
        self.loop = asyncio.new_event_loop()
        for work in (self.web.serve_forever, self.loop.run_forever):
            threading.Thread(target=work, daemon=True).start()
        self.port = asyncio.run_coroutine_threadsafe(self.names.start(), self.loop).result(30)

    def stop(self) -> None:
        self.web.shutdown()
        self.loop.call_soon_threadsafe(self.names.stop)
        self.loop.call_soon_threadsafe(self.loop.stop)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """Roles split: the front asks the provider, the vault whether the account may log in."""
    folder = tmp_path_factory.mktemp("site")
    outside = Outside(folder)
    url = f"https://{HOST}:{outside.web.server_port}/keys"
    oauth = f'[oauth]\njwks = "{url}"\nissuer = "https://{HOST}"\naudience = "mail"\n'
    resolver = f'resolver = ["127.0.0.1:{outside.port}"]'
    site = Installation(folder / "state", processes="split", outbound=resolver, extra=oauth)
    site.add_account(USER)
    before = os.environ.get("SSL_CERT_FILE")
    os.environ["SSL_CERT_FILE"] = str(folder / "ca.pem")
    try:
        with site.serving():
            yield site
    finally:
        os.environ.pop("SSL_CERT_FILE")
        if before is not None:
            os.environ["SSL_CERT_FILE"] = before
        outside.stop()


def curl(site: Installation, bearer: str, mechanism: str, code: int = 0) -> str:
    letter = site.folder / "letter"
    letter.write_bytes(b"Subject: by token\r\n\r\nhello\r\n")
    command = [
        program("curl"), "-sv", "--ssl-reqd", "--insecure", "--url", f"smtp://127.0.0.1:{site.submission}/laptop",
        "--login-options", f"AUTH={mechanism}", "--user", f"{USER}:", "--oauth2-bearer", bearer,
        "--mail-from", USER, "--mail-rcpt", USER, "--upload-file", str(letter),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert code == done.returncode, done.stdout + done.stderr
    return done.stdout + done.stderr


@covers("Q-04")
@pytest.mark.parametrize("mechanism", ["OAUTHBEARER", "XOAUTH2"])
def test_a_stock_client_sends_by_token(mechanism: str, site: Installation) -> None:
    """Signed in, and its letter arrives; the event names the mechanism."""
    before = len(site.letters(USER))
    assert "235 2.7.0" in curl(site, token(), mechanism)
    letters = site.wait_for_letters(USER, before + 1)
    assert all(b"ESMTPSA" in letter for letter in letters)


@pytest.mark.parametrize("mechanism", ["OAUTHBEARER", "XOAUTH2"])
def test_a_stock_client_with_a_token_that_is_over_does_not(mechanism: str, site: Installation) -> None:
    """It answers our reason, and gets 535; the token is nowhere in our files."""
    over = token(exp=1)
    assert "535 5.7.8" in curl(site, over, mechanism, code=67)
    time.sleep(0.5)
    everything = b"".join(path.read_bytes() for path in site.folder.rglob("*") if path.is_file())
    assert over.encode() not in everything and over[-40:].encode() not in everything
