"""A name server on loopback with a literal zone: records, rcodes, silence, truncation as real ones do it."""

import asyncio
from typing import Any

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

PAYLOAD_BYTES = 1232


class NameServer(asyncio.DatagramProtocol):
    """Answers from `zone`: {(name, type): records | rcode | None for silence}. Keeps what it was asked."""

    def __init__(self, zone: dict[tuple[str, str], Any]) -> None:
        self.zone = zone
        self.asked: list[tuple[str, str, str]] = []
        self.edns: set[int] = set()

    async def start(self) -> int:
        loop = asyncio.get_running_loop()
        self._tcp = await asyncio.start_server(self._stream, "127.0.0.1", 0)
        port = int(self._tcp.sockets[0].getsockname()[1])
        self._udp, _ = await loop.create_datagram_endpoint(lambda: self, ("127.0.0.1", port))
        return port

    def stop(self) -> None:
        self._tcp.close()
        self._udp.close()

    def datagram_received(self, data: bytes, peer: Any) -> None:
        answer = self._answer(data, "udp")
        if answer is not None:
            self._udp.sendto(answer, peer)

    async def _stream(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        size = int.from_bytes(await reader.readexactly(2), "big")
        answer = self._answer(await reader.readexactly(size), "tcp")
        if answer is not None:
            writer.write(len(answer).to_bytes(2, "big") + answer)
            await writer.drain()
        writer.close()

    def _add_soa(self, response: dns.message.Message) -> None:
        """What says how long "nothing" holds, if the zone names it under ("example", "SOA") (RFC 2308 3)."""
        soa = self.zone.get(("example", "SOA"))
        if soa:
            response.authority.append(dns.rrset.from_text("example.", 86400, "IN", "SOA", soa))

    def _answer(self, data: bytes, over: str) -> bytes | None:
        query = dns.message.from_wire(data)
        (question,) = query.question
        name, kind = str(question.name).rstrip("."), dns.rdatatype.to_text(question.rdtype)
        self.asked.append((name, kind, over))
        self.edns.add(query.payload if query.edns >= 0 else 0)
        records = self.zone.get((name, kind), [])
        if records is None:
            return None
        response = dns.message.make_response(query, recursion_available=True)
        if isinstance(records, dns.rcode.Rcode):
            response.set_rcode(records)
            self._add_soa(response)
        elif records:
            response.answer.append(dns.rrset.from_text(question.name, 300, "IN", kind, *records))
        else:
            self._add_soa(response)
        wire = response.to_wire(max_size=65535)
        if over == "udp" and len(wire) > PAYLOAD_BYTES:
            cut = dns.message.make_response(query, recursion_available=True)
            cut.flags |= dns.flags.TC
            return cut.to_wire()
        return wire
