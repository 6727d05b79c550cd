"""What every table of the settings is made from."""

from msgspec import Meta, Struct


class Settings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of every table: no unknown keys."""


def about(text: str, *, ge: int | None = None, gt: float | None = None, le: int | None = None) -> Meta:
    if gt is not None:
        return Meta(description=text, gt=gt)
    return Meta(description=text, ge=ge, le=le)
