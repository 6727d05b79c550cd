"""Delivered-To fields: found in the head, written in one line."""

from hypothesis import given
from hypothesis import strategies as st

from sekisho.mail.loops import delivered_field, delivered_to


def test_fields_are_found_in_the_head_only() -> None:
    """Any case, the newest first; what stands in the body is words."""
    head = b"Delivered-To: a@b.example\r\nSubject: x\r\ndelivered-to:\t<C@d.example> \r\n"
    assert ("a@b.example", "C@d.example") == delivered_to(head + b"\r\nDelivered-To: e@f\r\n")
    assert () == delivered_to(b"\r\nDelivered-To: x@y\r\n")
    assert ("x@y",) == delivered_to(b"Delivered-To: x@y")
    assert () == delivered_to(b"X-Delivered-To: a@b\r\n To: Delivered-To: c@d\r\n")


@given(st.text(max_size=60))
def test_a_field_is_one_line(address: str) -> None:
    """Whatever the address: nothing can add a field."""
    field = delivered_field(address)
    assert field.endswith(b"\r\n") and 1 == field.count(b"\n") and 1 == field.count(b"\r")
