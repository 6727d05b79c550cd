"""Gets a certificate from an authority that speaks ACME (RFC 8555), proving names by http-01.

The protocol is certbot's library, loaded only here; it blocks, so this belongs in a process of its own. For
the proof a small HTTP server answers for a moment, and knows nothing but the proof.
"""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import AF_INET6

import josepy
from acme import challenges, client, errors, messages
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from msgspec import Struct
from requests.exceptions import RequestException

from sekisho.world import Unavailable

AGENT = "sekisho"
REQUEST_S = 30
"""Longest wait for one answer of the authority."""

ORDER_S = 180
"""Longest wait for the whole order: the authority comes to look from several places."""

VISITOR_S = 5
"""How long a visitor of the small HTTP server may take."""

WELL_KNOWN = "/.well-known/acme-challenge/"


class Authority(Struct, frozen=True):
    """`roots` is a PEM file by which its own certificate is judged, "" for those of the system; `contact`
    are addresses that it may write to."""

    directory: str
    contact: Sequence[str]
    roots: str = ""


class Wish(Struct, frozen=True):
    """`key` and `request` in PEM: the account's key and the signing request; `listen` as "IP:PORT"."""

    key: bytes
    request: bytes
    listen: str


def issue(authority: Authority, wish: Wish) -> str:
    """The certificate with its chain, in PEM. Raises Unavailable with what the authority says."""
    try:
        return _issue(authority, wish)
    except errors.ValidationError as error:
        raise Unavailable(authority.directory, _why(error)) from error
    except messages.Error as error:
        raise Unavailable(authority.directory, f"{error.code or error.typ}: {error.detail}") from error
    except (errors.Error, RequestException, josepy.errors.Error, ValueError) as error:
        raise Unavailable(authority.directory, f"{type(error).__name__}: {error}") from error


def _issue(authority: Authority, wish: Wish) -> str:
    private = load_pem_private_key(wish.key, None)
    key = josepy.JWKEC(key=josepy.ComparableECKey(private))
    net = client.ClientNetwork(
        key, alg=josepy.ES256, user_agent=AGENT, verify_ssl=authority.roots or True, timeout=REQUEST_S
    )
    directory = client.ClientV2.get_directory(authority.directory, net)
    talk = client.ClientV2(directory, net)
    _sign_in(talk, authority.contact)
    order = talk.new_order(wish.request)
    proofs, answers = {}, []
    for authorization in order.authorizations:
        if authorization.body.status == messages.STATUS_VALID:
            continue
        challenge = _http(authorization)
        response, text = challenge.response_and_validation(key)
        proofs[challenge.chall.encode("token")] = text.encode()
        answers.append((challenge, response))
    with proving(wish.listen, proofs):
        for challenge, response in answers:
            talk.answer_challenge(challenge, response)
        done = talk.poll_and_finalize(order, datetime.now() + timedelta(seconds=ORDER_S))
    return str(done.fullchain_pem)


def _sign_in(talk: client.ClientV2, contact: Sequence[str]) -> None:
    """The account of this key; made if there is none (RFC 8555 7.3)."""
    email = ",".join(contact) or None
    wanted = messages.NewRegistration.from_data(email=email, terms_of_service_agreed=True)
    try:
        talk.new_account(wanted)
    except errors.ConflictError as known:
        place = messages.RegistrationResource(uri=known.location, body=messages.Registration())
        talk.net.account = place
        talk.query_registration(place)


def _http(authorization: messages.AuthorizationResource) -> messages.ChallengeBody:
    for challenge in authorization.body.challenges:
        if isinstance(challenge.chall, challenges.HTTP01):
            return challenge
    raise errors.Error(f"no http-01 for {authorization.body.identifier.value}")


def _why(error: errors.ValidationError) -> str:
    """What each name failed of."""
    told = []
    for authorization in error.failed_authzrs:
        reasons = [str(each.error.detail) for each in authorization.body.challenges if each.error]
        told.append(f"{authorization.body.identifier.value}: {', '.join(reasons) or 'not proven'}")
    return "; ".join(told)


@contextmanager
def proving(listen: str, proofs: dict[str, bytes]) -> Iterator[int]:
    """Answers the authority's questions meanwhile (RFC 8555 8.3); the port. Raises Unavailable."""
    host, _, port = listen.rpartition(":")

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        address_family = AF_INET6 if ":" in host else ThreadingHTTPServer.address_family

    class Visitor(BaseHTTPRequestHandler):
        timeout = VISITOR_S
        server_version, sys_version = AGENT, ""

        def do_GET(self) -> None:
            token = self.path.removeprefix(WELL_KNOWN) if self.path.startswith(WELL_KNOWN) else ""
            proof = proofs.get(token)
            self.send_response(200 if proof else 404)
            self.send_header("Content-Type", "application/octet-stream")
            self.send_header("Content-Length", str(len(proof or b"")))
            self.end_headers()
            self.wfile.write(proof or b"")

        def log_message(self, *words: object) -> None:
            """Strangers' words stay out of our log."""

    try:
        server = Server((host.strip("[]"), int(port)), Visitor)
    except (OSError, ValueError) as error:
        raise Unavailable(listen, getattr(error, "strerror", None) or str(error)) from error
    thread = threading.Thread(target=server.serve_forever, name="http-01", daemon=True)
    thread.start()
    try:
        yield int(server.server_address[1])
    finally:
        server.shutdown()
        server.server_close()
