"""What an account's memory takes when it is written down, and that it comes back."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent.parent))

from bench.guard_cost import full_memory

from sekisho.guard.memory import pack_memory, unpack_memory


def test_a_full_memory_is_bounded_and_comes_back() -> None:
    """Every list as long as it may be, with IPv6 addresses: 23 KB."""
    full = full_memory()
    written = pack_memory(full)
    assert len(written) < 23_000
    back = unpack_memory(written)
    assert (back.confirmed, back.provisional, back.terms) == (full.confirmed, full.provisional, full.terms)
    assert back.recipients == full.recipients and back.fresh.keys() == full.fresh.keys()
