"""A network that nobody configured reaches the public only."""

from dataclasses import FrozenInstanceError

import pytest

from mcp_gateway.wire.network import Network


def test_the_default_allows_nothing_private() -> None:
    assert Network() == Network(proxy="", ca=(), certificate="", key="", private=(), loopback=False)


def test_the_password_of_a_proxy_is_not_shown() -> None:
    assert "secret" not in repr(Network(proxy="http://user:secret@proxy.test:3128"))


def test_a_network_does_not_change_under_its_client() -> None:
    with pytest.raises(FrozenInstanceError):
        Network().loopback = True  # type: ignore[misc]  # that it cannot be set is the point
