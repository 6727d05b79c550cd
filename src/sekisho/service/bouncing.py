"""Makes the report on a failed letter for the reporter: reads what a report carries, and finds the words."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import tzinfo
from hashlib import sha256

from sekisho.model.account import POSTMASTER
from sekisho.model.config import Config
from sekisho.model.delivery import Delivery
from sekisho.model.letter import Letter
from sekisho.model.verdict import Reply
from sekisho.queue.bounce import Failure, Kind, Original, Reporter, Told, report_on
from sekisho.service.reporting import Report
from sekisho.service.tried import HERE
from sekisho.store.texts import Texts
from sekisho.world import Disk


class Bouncer:
    """A `Maker` (service/reporting.py). `language` finds the language of an account, "" for whom it does
    not know.
    """

    def __init__(
        self,
        disk: Disk,
        config: Config,
        zone: tzinfo,
        language: Callable[[str], str] | None = None,
        first_domain: Callable[[], str] | None = None,
    ) -> None:
        self._disk = disk
        self._config = config
        self._zone = zone
        self._language = language
        self._first_domain = first_domain

    def reload(self, config: Config, zone: tzinfo) -> None:
        self._config, self._zone = config, zone

    def __call__(
        self,
        letter: Letter,
        ended: Sequence[tuple[Delivery, Reply]],
        message: str,
        at: int,
        kind: Kind = "failed",
    ) -> Report | None:
        original = Original(letter.envelope, self._start(letter))
        told = [_told(delivery, reply, kind) for delivery, reply in ended]
        recipient = self._postmaster() if kind == "double" else letter.envelope.sender or ""
        report = Told(kind, recipient, message, at)
        bounce = report_on(original, told, self._reporter(letter), report)
        if bounce is None:
            return None
        digest = sha256(bounce.letter).hexdigest()
        return Report(bounce.recipient, b"", bounce.letter, digest, bounce.subject)

    def _postmaster(self) -> str:
        """Ours only: what failed does not go out once more."""
        domain = self._first_domain() if self._first_domain else ""
        return f"{POSTMASTER}@{domain}" if domain else ""

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


def _told(delivery: Delivery, reply: Reply, kind: Kind) -> Failure:
    until = delivery.expires_at if kind == "delayed" else 0
    return Failure(delivery.recipient, reply, until, here=delivery.route.kind in HERE)
