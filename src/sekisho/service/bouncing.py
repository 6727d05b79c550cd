"""Makes the report on a failed letter for the reporter: reads what a report carries, and finds the words."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import tzinfo
from hashlib import sha256

from sekisho.model.config import Config
from sekisho.model.delivery import Delivery
from sekisho.model.letter import Letter
from sekisho.model.verdict import Reply
from sekisho.queue.bounce import Failure, Original, Reporter, bounce_for
from sekisho.service.reporting import Report
from sekisho.store.texts import Texts
from sekisho.world import Disk


class Bouncer:
    """A `Maker` (service/reporting.py). `language` finds the language of an account, "" for whom it does
    not know.
    """

    def __init__(
        self, disk: Disk, config: Config, zone: tzinfo, language: Callable[[str], str] | None = None
    ) -> None:
        self._disk = disk
        self._config = config
        self._zone = zone
        self._language = language

    def reload(self, config: Config, zone: tzinfo) -> None:
        self._config, self._zone = config, zone

    def __call__(
        self, letter: Letter, failed: Sequence[tuple[Delivery, Reply]], message: str, at: int
    ) -> Report | None:
        original = Original(letter.envelope, self._start(letter))
        failures = [Failure(delivery.recipient, reply) for delivery, reply in failed]
        bounce = bounce_for(original, failures, self._reporter(letter), message, at)
        if bounce is None:
            return None
        digest = sha256(bounce.letter).hexdigest()
        return Report(bounce.recipient, b"", bounce.letter, digest, bounce.subject)

    def _reporter(self, letter: Letter) -> Reporter:
        language = self._language(letter.envelope.origin.account) if self._language else ""
        texts = Texts.of(language or self._config.notify.language)
        return Reporter(self._config.hostname, self._config.queue.bounce_bytes, self._zone, texts.say)

    def _start(self, letter: Letter) -> bytes:
        """Head and body, as much as a report may carry and a byte more. A body that is gone is just not
        there.
        """
        limit = self._config.queue.bounce_bytes + 1
        start = letter.head + b"".join(letter.body)
        if letter.path and len(start) < limit:
            with suppress(FileNotFoundError):
                start += self._disk.read_part(letter.path, 0, limit - len(start))
        return start[: max(limit, 1)]
