import pytest

from mcp_gateway.config import validated


@pytest.mark.parametrize(
    ("listen", "address", "loopback"),
    [
        ("127.0.0.1:8080", ("127.0.0.1", 8080), True),
        ("127.1.2.3:1", ("127.1.2.3", 1), True),
        ("[::1]:8080", ("::1", 8080), True),
        ("localhost:8080", ("localhost", 8080), True),
        ("0.0.0.0:8080", ("0.0.0.0", 8080), False),
        ("[::]:8080", ("::", 8080), False),
        ("10.0.0.1:8080", ("10.0.0.1", 8080), False),
        ("gateway.internal:8080", ("gateway.internal", 8080), False),
    ],
)
def test_an_address_is_this_machines_own_or_not(
    listen: str, address: tuple[str, int], *, loopback: bool
) -> None:
    gateway = validated({"gateway": {"listen": listen}}).gateway

    assert (gateway.address, gateway.loopback) == (address, loopback)


def test_a_proxys_password_is_in_no_repr() -> None:
    settings = validated({"network": {"proxy": "http://u:hunter2@proxy.example:3128"}})

    assert "hunter2" not in repr(settings)
    assert settings.network.proxy.startswith("http://u:")
