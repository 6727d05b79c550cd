"""Reads `.sql` files: statements with a name stand beside the functions that use them."""

import re
from functools import lru_cache
from pathlib import Path

_NAME = re.compile(r"^-- name: (\w+)$", re.M)
_COMMENT = re.compile(r"^--.*\n", re.M)


@lru_cache(maxsize=8)
def statements(name: str) -> dict[str, str]:
    """The statements of `NAME.sql` in this folder, without their comments."""
    text = (Path(__file__).parent / f"{name}.sql").read_text()
    parts = _NAME.split(text)[1:]
    return {
        key: _COMMENT.sub("", body.strip() + "\n").strip()
        for key, body in zip(parts[::2], parts[1::2], strict=True)
    }
