"""Our own event archive, and the history that the demo writes, are read beside other servers' logs."""

import random
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from command import sekisho
from covers import covers
from sekisho.model.event import Accepted, DeliveryTried, LoginTried
from sekisho.model.ident import make_id
from sekisho.model.verdict import Reply

START = int(datetime(2025, 3, 1, tzinfo=UTC).timestamp()) * 1_000_000
MINUTE = 60_000_000
REFUSED = {"result": "failed", "reply": Reply(550, "5.1.1", "no"), "cause": "5yz"}
TAKEN = {"result": "delivered", "reply": Reply(250, "2.0.0", "ok")}
ACCOUNT = "user@corp.example"


def archive(bots: int) -> bytes:
    """A botnet's sign-ins with a message each, as our fronts record them."""
    chance, lines = random.Random(1), []
    for number in range(bots):
        at, address = (
            START + number * 3 * MINUTE,
            f"{chance.randrange(20, 99)}.{chance.randrange(256)}.7.{number % 250 + 1}",
        )
        login, message = make_id(at, number), make_id(at + 5, number)
        common = {"source": "front", "account": ACCOUNT, "address": address}
        recipients = tuple(f"x{number}.{place}@strangers.example" for place in range(5))
        lines += [
            LoginTried(id=login, at=at, service="submission", ok=True, mechanism="PLAIN", **common),
            Accepted(
                id=make_id(at + 6, 0), at=at + 7_000_000, message=message, sender="forged@elsewhere.example",
                recipients=recipients, recipient_count=5, size=900, login=login, **common,
            ),
            *(
                DeliveryTried(
                    id=make_id(at + 9, place), at=at + 9_000_000, message=message, delivery=f"d{place}",
                    recipient=recipient, **common, **(REFUSED if place < 2 else TAKEN),
                )
                for place, recipient in enumerate(recipients)
            ),
        ]  # fmt: skip
    return b"".join(msgspec.json.encode(line) + b"\n" for line in lines)


@covers("F-04", "F-05", "F-06")
def test_our_own_events_need_no_guess(tmp_path: Path) -> None:
    """The message names its login: confidence 1, whatever the envelope's sender says."""
    (tmp_path / "2025-03-01.front.jsonl").write_bytes(archive(50))
    result = sekisho("scan", "--json", str(tmp_path))
    (row,) = result.rows()
    (case,) = row["incidents"]
    assert (ACCOUNT, "takeover", 50, 50, 50, 250, 100) == (
        case["account"], case["kind"], case["logins"], case["distinct_addresses"], case["messages"],
        case["recipients"], case["bounced"],
    )  # fmt: skip
    assert {1.0} == {join["confidence"] for join in case["joins"]}
    assert {"sekisho": 350} == row["dialects"]


def test_a_copy_of_an_event_changes_nothing(tmp_path: Path) -> None:
    """Two files that overlap, one of them cut by a crash in its last line."""
    text = archive(50)
    (tmp_path / "a.jsonl").write_bytes(text)
    (tmp_path / "b.jsonl").write_bytes(text[: len(text) // 2])
    (row,) = sekisho("scan", "--json", str(tmp_path)).rows()
    (case,) = row["incidents"]
    assert (50, 50, 100) == (case["logins"], case["messages"], case["bounced"])


@covers("F-07")
def test_each_piece_of_evidence_leads_to_its_line(tmp_path: Path) -> None:
    """A takeover, with evidence; where a piece names an address, that address stands in the raw line."""
    (tmp_path / "2025-03-01.front.jsonl").write_bytes(archive(50))
    (row,) = sekisho("scan", "--json", str(tmp_path)).rows()
    (case,) = row["incidents"]
    assert case["kind"] == "takeover"
    named = [item for item in case["evidence"] if item["text"].startswith("sign-in from ")]
    assert named
    for item in case["evidence"]:
        raw = Path(item["file"]).read_text().splitlines()[item["line"] - 1]
        assert ACCOUNT in raw
        assert item not in named or item["text"].split()[2] in raw
