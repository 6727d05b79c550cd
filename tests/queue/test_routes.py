"""Over which road an address is reached."""

from sekisho.model.config import Outbound, Smarthost
from sekisho.model.delivery import Kind, Tls
from sekisho.queue.routes import LANE_MAX, SMARTHOST, route_for


def test_each_kind_of_address_has_its_road() -> None:
    """A mailbox of ours, a host of the settings, the smarthost, MX; no domain leads nowhere."""
    outbound = Outbound(hosts={"partner.test": "10.0.0.1:26"}, source="192.0.2.1")
    ours = route_for("a@example.com", "mail/example.com/a/Maildir", outbound)
    assert (Kind.MAILDIR, "maildir:mail/example.com/a/Maildir") == (ours.kind, ours.lane)
    host = route_for("a@PARTNER.test", "", outbound)
    assert (Kind.RELAY, "10.0.0.1:26", "192.0.2.1") == (host.kind, host.host, host.source)
    mx = route_for("a@Far.test", "", outbound)
    assert (Kind.MX, "far.test", "mx:far.test") == (mx.kind, mx.host, mx.lane)
    assert Kind.REFUSE is route_for("nobody", "", outbound).kind


def test_a_smarthost_takes_all_but_the_hosts_that_are_named() -> None:
    """With its own TLS rule; credentials only if the settings have a user."""
    outbound = Outbound(hosts={"partner.test": "p"}, smarthost=Smarthost("smart.test:587", tls="required"))
    route = route_for("a@far.test", "", outbound)
    assert (Kind.RELAY, "smart.test:587", Tls.REQUIRED, "") == (
        route.kind,
        route.host,
        route.tls,
        route.credentials,
    )
    assert "p" == route_for("a@partner.test", "", outbound).host
    known = Outbound(smarthost=Smarthost("smart.test:587", user="me", password_file="secret", tls="required"))
    assert SMARTHOST == route_for("a@far.test", "", known).credentials


def test_names_of_lanes_are_bounded() -> None:
    """A domain that cannot exist shares a lane with its like."""
    assert LANE_MAX == len(route_for("a@" + "x" * 1000, "", Outbound()).lane)
