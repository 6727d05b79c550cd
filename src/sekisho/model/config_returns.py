"""Settings of return paths (`docs/bounces.md`)."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

_SIGN = Meta(
    description=(
        "Whose mail to other hosts leaves with a signed return path, by which a bounce of it is known: "
        "unfamiliar (who has logged in from a place that the account has not used for days), always "
        "(everybody who has logged in), never."
    )
)
_PLAIN = Meta(
    description=(
        'Domains that are told the plain address all the same, "example.net" or "*.example.net": such as '
        "mailing lists that know their writers by it."
    )
)
_UNSIGNED = Meta(
    description=(
        "Bounces that answer nothing of ours, as they come to addresses that spammers have used: accept "
        'them, or refuse them (only with sign = "always").'
    )
)
_LIFETIME = Meta(
    description="So long after a message its bounces are evidence; later they are only mail.", ge=3600
)
_FORWARDS = Meta(
    description=(
        "Mail of others that is forwarded to other hosts: rewrite its return path to an address of ours that "
        "leads back (SRS), so that SPF passes there; or keep it."
    )
)


class Returns(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    sign: Annotated[Literal["unfamiliar", "always", "never"], _SIGN] = "unfamiliar"
    plain: Annotated[tuple[str, ...], _PLAIN] = ()
    unsigned: Annotated[Literal["accept", "refuse"], _UNSIGNED] = "accept"
    forwards: Annotated[Literal["rewrite", "keep"], _FORWARDS] = "rewrite"
    lifetime_s: Annotated[int, _LIFETIME] = 14 * 86400
