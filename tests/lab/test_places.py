"""The map the generator lives on."""

import ipaddress
import random

from sekisho.lab.places import MadeUp, Places

PLAN = MadeUp(1)
PLACES = Places(PLAN.find, random.Random(1))


def test_the_invented_plan_is_the_same_for_a_seed() -> None:
    """And covers what is public; the rest is no place."""
    assert MadeUp(1).find("8.8.8.8") == PLAN.find("8.8.8.8")
    assert not PLAN.find("127.0.0.1").place
    assert not PLAN.find("192.168.1.1").place
    assert PLAN.find("8.8.8.8").asn


def test_hosting_counts_per_24() -> None:
    """Two addresses of one hoster in different /24s are different networks."""
    site = PLACES.hosting[0]
    rng = random.Random(2)
    keys = {PLAN.find(site.address(rng)).key for _ in range(50)}
    assert len(keys) > 1 and all(key.endswith("/24") for key in keys)


def test_addresses_of_a_site_are_in_its_network() -> None:
    """Also its neighbours, which share the /24."""
    rng = random.Random(3)
    for site in PLACES.homes[:50]:
        address = site.address(rng)
        assert PLAN.find(address).key == site.network.key
        near = site.neighbour(address, rng)
        assert ipaddress.ip_network(f"{address}/24", strict=False) == ipaddress.ip_network(
            f"{near}/24", strict=False
        )


def test_a_home_is_in_the_country_asked_for() -> None:
    """Larger networks are met more often."""
    rng = random.Random(4)
    country = PLACES.a_country(rng, networks=8)
    assert {PLACES.home(country, rng).country for _ in range(50)} == {country}
    assert len({PLACES.anywhere(rng).country for _ in range(300)}) > 15


def test_ipv6_prefixes_belong_to_the_network() -> None:
    """A home with IPv6 has one prefix of its provider's."""
    rng = random.Random(5)
    with_v6 = [site for site in PLACES.homes if site.bases_v6]
    prefix = with_v6[0].prefix_v6(rng)
    assert prefix is not None
    assert PLAN.find(str(ipaddress.IPv6Address(prefix << 64 | 1))).key == with_v6[0].network.key
