"""Our own event archive as a dialect: one JSON object a line, `{"event":"login_tried",...}` (see
`model/event.py`)."""

import msgspec

from sekisho.model.event import Event

NAME = "sekisho"
PATTERN = rb"(\{\"event\":\"[^\n]*)"

_DECODER = msgspec.json.Decoder(Event)


def parse(raw: bytes) -> Event | None:
    """None for a line cut by a crash, or written by a newer version."""
    try:
        event: Event = _DECODER.decode(raw)
    except (msgspec.DecodeError, RecursionError):
        return None
    return event
