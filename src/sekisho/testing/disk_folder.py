"""A folder of the disk that forgets, held open. There are no links on that disk."""

from collections.abc import Sequence
from types import TracebackType
from typing import Self

from sekisho.testing.disk import FakeDisk, FakeFile
from sekisho.world import Folder

NEW = 1 << 62
"""When a file was changed that no test calls old."""


class FakeFolder:
    def __init__(self, disk: FakeDisk, path: str) -> None:
        self._disk = disk
        self.path = path

    def enter(self, name: str) -> "FakeFolder":
        if name == ".":
            return self
        if self._at(name) not in self._disk.folders:
            raise FileNotFoundError(self._at(name))
        return FakeFolder(self._disk, self._at(name))

    def make(self, name: str) -> None:
        self._disk.make_folders(self._at(name))

    def create(self, name: str) -> FakeFile:
        return self._disk.create(self._at(name))

    def move(self, name: str, to: Folder, new: str) -> None:
        assert isinstance(to, FakeFolder), "both are on this disk"
        self._disk.rename(self._at(name), to._at(new))

    def unlink(self, name: str) -> None:
        self._disk.unlink(self._at(name))

    def names(self) -> Sequence[str]:
        inner = [name for name in self._disk.folders if name.rpartition("/")[0] == self.path != name]
        return sorted([*self._disk.list(self.path), *(name.rpartition("/")[2] for name in inner)])

    def size(self, name: str) -> int:
        return len(self._disk.read(self._at(name)))

    def read(self, name: str, most: int) -> bytes:
        return self._disk.read_part(self._at(name), 0, most)

    def append(self, name: str, data: bytes) -> None:
        size = self.size(name)
        self._disk.write_at(self._at(name), self._disk.names[self._at(name)], size, data)

    def start(self, name: str, size: int) -> bytes:
        return self._disk.read_part(self._at(name), 0, size)

    def changed_at(self, name: str) -> int:
        if not self._disk.exists(self._at(name)):
            raise FileNotFoundError(self._at(name))
        return self._disk.changed.get(self._at(name), NEW)

    def sync(self) -> None:
        self._disk.sync_folder(self.path)

    def close(self) -> None:
        """Nothing is held."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _at(self, name: str) -> str:
        return f"{self.path.rstrip('/')}/{name}"
