"""A state folder for tests of commands that need house and settings, but no keys and no server."""

import contextlib
from pathlib import Path

from command import Result, sekisho
from sekisho.model.account import Domain
from sekisho.service.founding import HIGH_PORTS, Plan, settings_text
from sekisho.store.house import Change, House


class MailHome:
    """Calling it plays `sekisho WORDS -c SETTINGS`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = str(folder / "sekisho.toml")
        with contextlib.closing(House.create(str(folder))) as house:
            house.save_domain(Domain("example.com"), Change(1, "test", "added", "example.com"))
        plan = Plan(str(folder), "example.com", "mx.example.com", "127.0.0.1", HIGH_PORTS)
        Path(self.path).write_text(settings_text(plan))

    def __call__(self, *words: str, typed: bytes = b"", language: str = "en") -> Result:
        return sekisho(*words, "-c", self.path, typed=typed, language=language)

    def house(self) -> contextlib.closing[House]:
        return contextlib.closing(House.open(str(self.folder)))
