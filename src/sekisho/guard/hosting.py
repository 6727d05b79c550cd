"""Which networks are everybody's: hosting, VPN and relay providers, whose neighbours have nothing to do
with each other.

That a user once came from such a provider says nothing about its other customers, so these count per /24
(/48). The numbers were chosen by hand among the providers that botnets, VPN products and privacy relays
are seen to use, each looked up by name in the table of 2026; a provider whose name says what it sells
needs no entry.
"""

import re

# fmt: off
HOSTING: frozenset[int] = frozenset({
    # large clouds: AWS, Google Cloud, Azure, Oracle, IBM, Alibaba, Tencent, Huawei
    14618, 16509, 396982, 8075, 31898, 36351, 37963, 45102, 132203, 55990,
    # rented servers: OVH, Hetzner, DigitalOcean, Akamai/Linode, Constant/Vultr, Contabo, netcup, Scaleway,
    # IONOS, Aruba
    16276, 35540, 24940, 213230, 14061, 63949, 20473, 51167, 197540, 12876, 8560, 31034, 199883,
    # rented servers: Leaseweb, WorldStream, NForce, Serverius, Hivelocity, HostPapa/ColoCrossing, B2,
    # Sharktech, Psychz, QuadraNet
    16265, 28753, 30633, 60781, 395954, 49981, 43350, 50673, 29802, 61317, 36352, 55286, 46844, 40676, 8100,
    # rented servers: Multacom, FranTech, ReliableSite, WholeSale Internet, Eonix, IOFlood, Voxility,
    # Clouvider, Hydra, Hostinger, Unified Layer, New Dream, Namecheap, GoDaddy, Maxihost
    35916, 53667, 23470, 32097, 62904, 53755, 3223, 62240, 25369, 47583, 46606, 26347, 22612, 398101, 262287,
    # rented servers: Selectel, TimeWeb, REG.RU, IOT, Beget, AEZA, Global Connectivity, xTom, Mivo
    49505, 9123, 197695, 29182, 198610, 210644, 215540, 9312, 43289, 39798, 201814,
    # VPN exits and sold proxies: M247, Datacamp, PacketHub (Nord), 31173 (Mullvad), AVAST, GSL, code200,
    # Sprious, Private Layer, F.N.S., IP Volume
    9009, 60068, 212238, 136787, 141039, 147049, 207137, 39351, 198605, 137409, 209709, 64267, 51852, 206092,
    202425,
    # privacy relays and edges: Cloudflare (WARP, Private Relay), Akamai (Private Relay), Fastly, G-Core
    13335, 209242, 36183, 20940, 54113, 199524,
})
# fmt: on

_SELLS = re.compile(
    r"\b(hosting|hosters?|vps|servers?|dedicated|data ?cent(?:er|re)s?|colo(?:cation)?|cloud|vpn|proxy)\b",
    re.IGNORECASE,
)


def sounds_shared(name: str) -> bool:
    """The provider's name says that it rents out servers or exits."""
    return _SELLS.search(name) is not None
