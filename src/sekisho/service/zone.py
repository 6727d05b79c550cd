"""The time zone of dates that we write."""

import os
from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sekisho.world import Unavailable

SYSTEM = "/etc/localtime"


def zone_of(name: str) -> tzinfo:
    """By its name in the tz database; "" for the system's. Raises Unavailable."""
    if not name:
        return _system()
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise Unavailable(f"time zone {name}", "it is not known here") from error


def _system() -> tzinfo:
    """TZ, then the system's file with all its summers; failing these the offset of this moment."""
    try:
        if name := os.environ.get("TZ", ""):
            return ZoneInfo(name.removeprefix(":"))
        with open(SYSTEM, "rb") as file:
            return ZoneInfo.from_file(file, key="")
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return datetime.now().astimezone().tzinfo or ZoneInfo("UTC")


def moment(at: int) -> str:
    """For notices that programs read too: always UTC."""
    return datetime.fromtimestamp(at / 1e6, UTC).strftime("%Y-%m-%d %H:%M UTC")
