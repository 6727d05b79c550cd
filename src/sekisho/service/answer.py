"""What a handler gives back: the reply, or the promise that it hangs on and how it follows from that."""

from collections.abc import Callable

from msgspec import Struct

from sekisho.model.verdict import Reply
from sekisho.world import Promise


class Later(Struct, frozen=True):
    """`reply` is called once `promise` is done, whether or not the client is still there. It may raise what
    the promise holds."""

    promise: Promise
    reply: Callable[[], Reply]


Answer = Reply | Later
