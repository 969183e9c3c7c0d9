"""A failure says whether anything may have arrived."""

import pytest

from mcp_gateway.wire.failures import AddressRefused, HttpFailed, HttpTimedOut, TooLarge


@pytest.mark.parametrize("kind", [HttpFailed, HttpTimedOut, TooLarge, AddressRefused])
def test_nothing_was_sent_unless_it_is_said(kind: type[HttpFailed]) -> None:
    assert not kind("x").sent
    assert kind("x", sent=True).sent
    assert isinstance(kind("x"), HttpFailed)
