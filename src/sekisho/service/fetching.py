"""Fetches one small answer over HTTPS: the certificate counts, redirects do not (RFC 8461 3.3).

The address that is called is the one that was judged: no second look into DNS stands between.
"""

import asyncio
import re
from collections.abc import Mapping

from msgspec import Struct

from sekisho.model.secret import Secret
from sekisho.queue.hops import is_private, is_self
from sekisho.wire.http_reply import Answer, AnswerReader, BadAnswer, ask_json, get, post
from sekisho.world import NotFound, NoTls, Stream, Unavailable, World

HTTPS_PORT = 443
FETCH_S = 60
"""Longest time for all of it (RFC 8461 3.3)."""

ADDRESSES_MAX = 4

_URL = re.compile(r"https://([A-Za-z0-9.-]{1,253})(?::([0-9]{1,5}))?(/[!-~]*)?")


class Url(Struct, frozen=True):
    host: str
    port: int
    path: str


async def fetch_text(world: World, host: str, path: str, *, limit_bytes: int, private: bool) -> bytes:
    """The body of a 200 of type text/plain. `private`: the host may be in a private network.

    Raises NoTls or Unavailable.
    """
    answer = await _answer(world, Url(host, HTTPS_PORT, path), get(host, path), limit_bytes, private)
    if answer.kind != "text/plain":
        raise Unavailable(host, "it is not text/plain")
    return answer.body


async def fetch_json(
    world: World, url: Url, body: bytes, authorization: Secret | None, limit_bytes: int
) -> bytes:
    """The body of a 200 of a type of JSON, from a host that our own settings name: it may be in a private
    network. With `body` it is a POST. Raises Unavailable.
    """
    credentials = authorization.reveal() if authorization is not None else b""
    asked = ask_json(_said_host(url), url.path, body, credentials)
    try:
        answer = await _answer(world, url, asked, limit_bytes, True)
    except NoTls as trouble:
        raise Unavailable(url.host, str(trouble)) from trouble
    if answer.kind != "application/json" and not answer.kind.endswith("+json"):
        raise Unavailable(url.host, "it is not JSON")
    return answer.body


async def post_json(world: World, url: Url, body: bytes, fields: Mapping[str, str]) -> int:
    """The status that a host of our own settings gives for it; what else it says is not read. Raises
    Unavailable.
    """
    asked = post(_said_host(url), url.path, body, fields)
    try:
        return (await _exchange(world, url, asked, AnswerReader(0, head_only=True), private=True)).status
    except NoTls as trouble:
        raise Unavailable(url.host, str(trouble)) from trouble


def url_of(text: str) -> Url | None:
    """The parts of an https URL; None for anything else."""
    found = _URL.fullmatch(text)
    return Url(found[1].lower(), int(found[2] or HTTPS_PORT), found[3] or "/") if found else None


def _said_host(url: Url) -> str:
    return url.host if url.port == HTTPS_PORT else f"{url.host}:{url.port}"


async def _answer(world: World, url: Url, asked: bytes, limit_bytes: int, private: bool) -> Answer:
    answer = await _exchange(world, url, asked, AnswerReader(limit_bytes), private=private)
    if answer.status != 200:
        raise Unavailable(url.host, f"HTTP status {answer.status}")
    return answer


async def _exchange(world: World, url: Url, asked: bytes, reader: AnswerReader, *, private: bool) -> Answer:
    try:
        async with asyncio.timeout(FETCH_S):
            return await _ask(world, url, asked, reader, private)
    except TimeoutError as error:
        raise Unavailable(url.host, "no answer in time") from error
    except BadAnswer as bad:
        raise Unavailable(url.host, bad.why) from bad


async def _ask(world: World, url: Url, asked: bytes, reader: AnswerReader, private: bool) -> Answer:
    stream = await _connect(world, url, private)
    try:
        await stream.start_tls(url.host, True)
        await stream.write(asked)
        while data := await stream.read():
            if (answer := reader.feed(data)) is not None:
                return answer
        if (answer := reader.end()) is not None:
            return answer
        raise BadAnswer("it breaks off")
    finally:
        stream.close()


async def _connect(world: World, url: Url, private: bool) -> Stream:
    host = url.host
    try:
        addresses = await world.dns.addresses(host)
    except NotFound as error:
        raise Unavailable(host, "there is no such host") from error
    allowed = [each for each in addresses if private or not (is_private(each) or is_self(each))]
    trouble = Unavailable(host, "it has no address that may be called")
    for address in allowed[:ADDRESSES_MAX]:
        try:
            return await world.net.dial(address, url.port, FETCH_S / 2)
        except Unavailable as found:
            trouble = found
    raise trouble
