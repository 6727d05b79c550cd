"""The frames of a channel: length, number and kind in nine bytes, then MessagePack.

Requests are told apart by their tag, so one decoder reads them all; an answer is decoded as what was asked
for. Only an encoder made with `reveal=True` lets a Secret through: the one on the channel to the vault.
"""

import struct
from collections.abc import Iterator
from enum import IntEnum
from typing import Any

import msgspec

from sekisho.model.secret import Secret
from sekisho.service import messages

FRAME_BYTES_MAX = 64 * 1024 * 1024
_HEAD = struct.Struct(">IIB")

Requests = (
    messages.Observe
    | messages.Report
    | messages.Judge
    | messages.Consult
    | messages.VerifyPassword
    | messages.AskSalt
    | messages.VerifyProof
    | messages.AskAccount
    | messages.RevokeAccess
    | messages.RestoreAccess
    | messages.AskSigners
    | messages.SignDigests
    | messages.Carry
    | messages.Sweep
    | messages.AskRoom
    | messages.HoldQueue
    | messages.ReleaseQueue
    | messages.DropSessions
    | messages.Deposit
    | messages.QueueAsk
    | messages.IncidentAsk
    | messages.StatusAsk
    | messages.Reload
)


class Kind(IntEnum):
    TOLD = 0
    ASKED = 1
    ANSWER = 2
    PROBLEM = 3


class BrokenFrame(ValueError):
    """What arrived is not a frame of ours; the connection is useless from here on."""


def frame(kind: Kind, number: int, payload: bytes) -> bytes:
    return _HEAD.pack(len(payload), number, kind) + payload


class Frames:
    """Cuts a stream of bytes into (kind, number, payload)."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def receive(self, data: bytes) -> Iterator[tuple[Kind, int, bytes]]:
        self._buffer += data
        while len(self._buffer) >= _HEAD.size:
            length, number, kind = _HEAD.unpack_from(self._buffer)
            if length > FRAME_BYTES_MAX or kind > Kind.PROBLEM:
                raise BrokenFrame(f"frame of kind {kind} and {length} bytes")
            end = _HEAD.size + length
            if len(self._buffer) < end:
                return
            payload = bytes(self._buffer[_HEAD.size : end])
            del self._buffer[:end]
            yield Kind(kind), number, payload


class Codec:
    """Requests and answers as bytes; without `reveal` a Secret is a TypeError on the way out."""

    def __init__(self, *, reveal: bool = False) -> None:
        self._encoder = msgspec.msgpack.Encoder(enc_hook=_revealed if reveal else _refused)
        self._requests: msgspec.msgpack.Decoder[Any] = msgspec.msgpack.Decoder(Requests, dec_hook=_secret)

    def encode(self, value: msgspec.Struct) -> bytes:
        return self._encoder.encode(value)

    def request(self, payload: bytes) -> messages.Request:
        request: messages.Request = self._requests.decode(payload)
        return request


def decode_answer(payload: bytes, answer: type[Any]) -> Any:
    return msgspec.msgpack.decode(payload, type=answer)


def _revealed(value: object) -> bytes:
    if isinstance(value, Secret):
        return value.reveal()
    raise TypeError(f"{type(value).__name__} cannot be sent")


def _refused(value: object) -> bytes:
    raise TypeError(f"{type(value).__name__} cannot be sent over this channel")


def _secret(kind: type[Any], value: object) -> object:
    if kind is Secret and isinstance(value, bytes):
        return Secret(value)
    raise TypeError(f"{kind.__name__} cannot be read")
