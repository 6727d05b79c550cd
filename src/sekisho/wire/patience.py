"""After which commands a client must wait for the reply (RFC 2920 3.1), and what is said if it does not.

Where a byte came too early it could be read in two ways, so nothing more is read.
"""

from sekisho.model.verdict import Reply
from sekisho.wire import replies
from sekisho.wire.steps import (
    Chunk,
    Data,
    Hello,
    Login,
    Opened,
    Owing,
    ScramBegun,
    ScramDone,
    ScramProof,
    StartTls,
    Token,
    XClient,
)

SASL: frozenset[type[Owing]] = frozenset((Login, ScramBegun, ScramProof, ScramDone, Token))

PIPELINED = (replies.PIPELINED, "pipelined")

IMPATIENT: dict[type[Owing], tuple[Reply, str]] = {
    Opened: (replies.EARLY_TALKER, "early_talker"),
    StartTls: (replies.GLUED, "glued"),
    Hello: PIPELINED,
    Data: PIPELINED,
    XClient: PIPELINED,
    **dict.fromkeys(SASL, PIPELINED),
}
"""What is said, and the violation that it is."""

ONWARD: dict[type[Owing], int] = {Data: 354, Chunk: 354, StartTls: 220}
"""The one code that moves on; for everything else any positive reply does."""
