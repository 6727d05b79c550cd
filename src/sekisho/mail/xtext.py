"""The xtext of RFC 3461 4: printable ASCII, other octets as `+` and two digits."""

import re


def decoded(xtext: str) -> str:
    """What it stands for."""
    return re.sub(r"\+([0-9A-F]{2})", lambda found: chr(int(found[1], 16)), xtext)
