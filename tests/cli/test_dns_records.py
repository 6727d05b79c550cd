"""`sekisho dns`: what is to be published, and what is wrong with what is."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dns.rcode
import pytest
from mailhome import MailHome
from publishing import keyed_house, name_server, publish

from nameserver import NameServer

HOST, DOMAIN = "mx.example.com", "example.com"


@pytest.fixture
def server() -> Iterator[NameServer]:
    with name_server() as server:
        yield server


@pytest.fixture
def keyed(tmp_path: Path, server: NameServer) -> MailHome:
    return keyed_house(tmp_path, server)


def good(server: NameServer, keyed: MailHome) -> None:
    publish(server, keyed, "202311r", "202311e")
    server.zone.update(
        {
            (HOST, "A"): ["192.0.2.25"],
            ("25.2.0.192.in-addr.arpa", "PTR"): [f"{HOST}."],
            (DOMAIN, "MX"): [f"10 {HOST}."],
            (DOMAIN, "TXT"): ['"v=spf1 ip4:192.0.2.0/24 -all"', '"other=1"'],
            ("_dmarc.example.com", "TXT"): ['"v=DMARC1; p=reject"'],
            ("_mta-sts.example.com", "TXT"): ['"v=STSv1; id=1"'],
            ("_smtp._tls.example.com", "TXT"): ['"v=TLSRPTv1; rua=mailto:x@example.com"'],
            ("_submissions._tcp.example.com", "SRV"): [f"0 1 465 {HOST}."],
            ("_submission._tcp.example.com", "SRV"): ["0 1 587 other.example."],
            ("autoconfig.example.com", "CNAME"): [f"{HOST}."],
        }
    )


def verdicts(keyed: MailHome) -> dict[str, str]:
    rows: list[dict[str, Any]] = [
        json.loads(line) for line in keyed("dns", "check", DOMAIN, "--json").out.splitlines()
    ]
    return {f"{row['about']} {row['name']}".rstrip(". "): row["verdict"] for row in rows}


def test_all_is_right(keyed: MailHome, server: NameServer) -> None:
    """An SPF record of other words that lets our address send is as good; what is not needed is told only."""
    good(server, keyed)
    said = keyed("dns", "check", DOMAIN)
    assert 0 == said.code, said
    found = verdicts(keyed)
    assert {"right"} == {verdict for about, verdict in found.items() if "submission._tcp" not in about}, found
    assert "wrong" == found["SRV _submission._tcp.example.com"]


@pytest.mark.parametrize(
    ("place", "value", "about", "verdict"),
    [
        ((HOST, "A"), [], "A mx.example.com", "missing"),
        (("25.2.0.192.in-addr.arpa", "PTR"), ["host25.isp.example."], "PTR", "wrong"),
        ((DOMAIN, "MX"), ["10 mx.old.example."], "MX example.com", "wrong"),
        ((DOMAIN, "TXT"), ['"v=spf1 ip4:198.51.100.1 -all"'], "SPF example.com", "wrong"),
        ((DOMAIN, "TXT"), ['"v=spf1 +all"', '"v=spf1 -all"'], "SPF example.com", "wrong"),
        (("_dmarc.example.com", "TXT"), [], "DMARC _dmarc.example.com", "missing"),
        (
            ("202311r._domainkey.example.com", "TXT"),
            ['"v=DKIM1; p=AAAA"'],
            "DKIM 202311r._domainkey.example.com",
            "wrong",
        ),
        ((DOMAIN, "MX"), dns.rcode.SERVFAIL, "MX example.com", "unknown"),
    ],
)
def test_what_is_wrong(
    keyed: MailHome,
    server: NameServer,
    place: tuple[str, str],
    value: Any,
    about: str,
    verdict: str,
) -> None:
    """Each is named with what it should be, and the exit code says so."""
    good(server, keyed)
    server.zone[place] = value
    assert verdict == verdicts(keyed)[about]
    assert 1 == keyed("dns", "check", DOMAIN).code


def test_the_records(keyed: MailHome) -> None:
    """Lines of a zone file, and the policy to serve."""
    said = keyed("dns", "records", DOMAIN).out
    for line in (
        "example.com. IN MX 10 mx.example.com.",
        'example.com. IN TXT "v=spf1 mx -all"',
        '_dmarc.example.com. IN TXT "v=DMARC1; p=none; rua=mailto:postmaster@example.com"',
        '_smtp._tls.example.com. IN TXT "v=TLSRPTv1; rua=mailto:postmaster@example.com"',
        "_submissions._tcp.example.com. IN SRV 0 1 465 mx.example.com.",
        "autoconfig.example.com. IN CNAME mx.example.com.",
        "version: STSv1",
    ):
        assert f"  {line}\n" in said
    assert 2 == said.count("._domainkey.example.com. IN TXT")
    assert 0 != keyed("dns", "records", "no domain").code
    assert "CAA" not in said
    settings = Path(keyed.path)
    acme = 'directory = "https://acme-v02.api.letsencrypt.org/directory"\nterms_agreed = true\n'
    settings.write_text(f"{settings.read_text()}\n[acme]\n{acme}")
    assert '  mx.example.com. IN CAA 0 issue "letsencrypt.org"\n' in keyed("dns", "records", DOMAIN).out
