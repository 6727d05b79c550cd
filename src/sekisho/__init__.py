"""sekisho (関所, the checkpoint): a mail system that notices a stolen password after the first stray
message."""

__version__ = "0.1.0"
