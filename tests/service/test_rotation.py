"""Keys of return paths change at their day while the server runs, and no bounce is lost meanwhile."""

import asyncio
from pathlib import Path

from sekisho.host import HostChance, HostDisk
from sekisho.model.config import Config
from sekisho.model.envelope import Envelope, Origin
from sekisho.model.ident import make_id
from sekisho.service.returns import Returns
from sekisho.service.rotation import HOUR_S, hourly
from sekisho.store import return_keys
from sekisho.testing.loop import run
from sekisho.world import Unavailable

BEGAN = 1_700_000_000 * 1_000_000
HOUR, DAY = 3600 * 1_000_000, 86_400 * 1_000_000
HELLO = "hello@example.com"
LIFE_S = 14 * 86_400


class House:
    def is_local_domain(self, domain: str) -> bool:
        return domain == "example.com"

    def senders_of(self, address: str) -> tuple[str, ...]:
        return (HELLO,)


def tend(state: Path, at: int) -> None:
    return_keys.tend(HostDisk(), HostChance(), str(state), at, LIFE_S)


def front(state: Path, at: int) -> Returns:
    return Returns(HostDisk(), House(), Config(hostname="mx.example.com", state=str(state)), at)


def path(front: Returns, at: int) -> str:
    envelope = Envelope(HELLO, ("f@far.example",), Origin("s", "submission", at, account=HELLO, network="x"))
    return front.path_for(make_id(at, 1), envelope, "unfamiliar")


def test_two_fronts_know_each_others_paths_at_every_hour(tmp_path: Path) -> None:
    """Whichever reads first after the 90th day: what one signs, the other opens, and the new key comes to
    sign without a start.
    """
    tend(tmp_path, BEGAN)
    one, other = front(tmp_path, BEGAN), front(tmp_path, BEGAN)
    before = one._signing
    at = BEGAN + 90 * DAY
    assert one.opened(path(one, at), at) is not None
    for _ in range(6):
        tend(tmp_path, at)
        one.read_keys(at)
        for signer, reader in ((one, other), (other, one)):
            assert reader.opened(path(signer, at), at) is not None
        at += HOUR
        other.read_keys(at - HOUR // 2)  # always half an hour behind
    assert before != one._signing == other._signing
    assert before in one._keys


def test_a_file_that_cannot_be_read_changes_nothing(tmp_path: Path) -> None:
    """As in the moment in which a supervisor has written it and not given it to fronts yet."""
    tend(tmp_path, BEGAN)
    reader = front(tmp_path, BEGAN)
    signed = path(reader, BEGAN)
    (tmp_path / return_keys.FILE).unlink()
    reader.read_keys(BEGAN + HOUR)
    assert reader.opened(signed, BEGAN + HOUR) is not None and signed == path(reader, BEGAN)


def test_every_hour_also_after_a_failure() -> None:
    """What cannot be written is told, what breaks too, and the next hour comes."""

    async def story() -> list[str]:
        looked: list[float] = []
        told: list[str] = []
        troubles: list[Exception | None] = [Unavailable("disk", "full"), KeyError("bug"), None]

        def look() -> None:
            looked.append(asyncio.get_running_loop().time())
            if (trouble := troubles[len(looked) - 1]) is not None:
                raise trouble

        def record(what: str, about: str, why: str) -> None:
            told.append(f"{what} {about}")

        task = asyncio.create_task(hourly(look, "keys", record))
        await asyncio.sleep(3.5 * HOUR_S)
        task.cancel()
        assert [HOUR_S, 2 * HOUR_S, 3 * HOUR_S] == looked
        return told

    assert ["keys disk", "keys "] == run(story())
