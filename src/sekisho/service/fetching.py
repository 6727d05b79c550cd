"""Fetches one small text over HTTPS: the certificate counts, redirects do not (RFC 8461 3.3).

The address that is called is the one that was judged: no second look into DNS stands between.
"""

import asyncio

from sekisho.queue.hops import is_private, is_self
from sekisho.wire.http_reply import Answer, AnswerReader, BadAnswer, get
from sekisho.world import NotFound, Stream, Unavailable, World

HTTPS_PORT = 443
FETCH_S = 60
"""Longest time for all of it (RFC 8461 3.3)."""

ADDRESSES_MAX = 4


async def fetch_text(world: World, host: str, path: str, *, limit_bytes: int, private: bool) -> bytes:
    """The body of a 200 of type text/plain. `private`: the host may be in a private network.

    Raises NoTls or Unavailable.
    """
    try:
        async with asyncio.timeout(FETCH_S):
            answer = await _ask(world, host, path, limit_bytes, private)
    except TimeoutError as error:
        raise Unavailable(host, "no answer in time") from error
    except BadAnswer as bad:
        raise Unavailable(host, bad.why) from bad
    if answer.status != 200:
        raise Unavailable(host, f"HTTP status {answer.status}")
    if answer.kind != "text/plain":
        raise Unavailable(host, "it is not text/plain")
    return answer.body


async def _ask(world: World, host: str, path: str, limit_bytes: int, private: bool) -> Answer:
    stream = await _connect(world, host, private)
    try:
        await stream.start_tls(host, True)
        await stream.write(get(host, path))
        reader = AnswerReader(limit_bytes)
        while data := await stream.read():
            if (answer := reader.feed(data)) is not None:
                return answer
        if (answer := reader.end()) is not None:
            return answer
        raise BadAnswer("it breaks off")
    finally:
        stream.close()


async def _connect(world: World, host: str, private: bool) -> Stream:
    try:
        addresses = await world.dns.addresses(host)
    except NotFound as error:
        raise Unavailable(host, "there is no such host") from error
    allowed = [each for each in addresses if private or not (is_private(each) or is_self(each))]
    trouble = Unavailable(host, "it has no address that may be called")
    for address in allowed[:ADDRESSES_MAX]:
        try:
            return await world.net.dial(address, HTTPS_PORT, FETCH_S / 2)
        except Unavailable as found:
            trouble = found
    raise trouble
