"""Which clerk sits at which booth."""

from collections.abc import Callable

from sekisho.service.booth import Booth, Clerk
from sekisho.service.booth_maps import SocketmapClerk, TcpTableClerk
from sekisho.service.booth_milter import MilterClerk
from sekisho.service.booth_policy import PolicyClerk
from sekisho.service.booth_sasl import SaslClerk
from sekisho.service.booth_wforce import WforceClerk
from sekisho.service.front import Front


def booth_of(name: str, protocol: str, front: Front) -> Booth:
    return Booth(name, front, _clerk_of(name, protocol, front))


def _clerk_of(name: str, protocol: str, front: Front) -> Clerk:
    clerks: dict[str, Callable[[str, Front], Clerk]] = {
        "policy": PolicyClerk,
        "sasl": SaslClerk,
        "milter": MilterClerk,
        "wforce": WforceClerk,
        "socketmap": SocketmapClerk,
        "tcp_table": TcpTableClerk,
    }
    return clerks[protocol](name, front)
