"""What a simulated server was told of an account: one raised grade, true or false."""

from msgspec import Struct

from sekisho.model.incident import Grade


class Alarm(Struct, frozen=True):
    """The guard raised a grade; `true` if a thief had come by then."""

    account: str
    at: int
    grade: Grade
    true: bool
    sentence: str
