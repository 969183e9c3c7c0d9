"""A page cannot reach the gateway by a name of its own, nor from an origin of its own."""

import pytest

from mcp_gateway.edge.asgi import HttpError
from mcp_gateway.edge.origins import Origins

LOCAL = Origins("http://127.0.0.1:8080", "127.0.0.1:8080", [], [])
PUBLIC = Origins("https://gateway.example.com", "0.0.0.0:8080", ["gw.internal:8443"], [])


def _status(origins: Origins, host: bytes | None, origin: bytes | None = None) -> int:
    headers = {b"host": host, b"origin": origin}
    try:
        origins.check({name: value for name, value in headers.items() if value is not None})
    except HttpError as refused:
        return refused.status
    return 200


@pytest.mark.requirement("edge:host-is-checked")
@pytest.mark.parametrize(
    "host", [b"127.0.0.1:8080", b"localhost:8080", b"LocalHost:8080", b"[::1]:8080"]
)
def test_a_gateway_on_loopback_has_the_names_of_loopback(host: bytes) -> None:
    assert _status(LOCAL, host) == 200


@pytest.mark.requirement("edge:host-is-checked")
@pytest.mark.parametrize(
    "host",
    [
        None,
        b"",
        b"evil.example:8080",
        b"evil.example",
        b"127.0.0.1",
        b"127.0.0.1:8081",
        b"127.0.0.1:08080",
        b"localhost.evil.example:8080",
        b"localhost.:8080",
        b"localhost:8080@evil.example",
        b"localhost:8080, evil.example",
        b"0.0.0.0:8080",
        b"2130706433:8080",
        b"127.1:8080",
        b"[::ffff:127.0.0.1]:8080",
        b"localhost:8080\x00",
        b"\xff\xfe",
        b"*",
    ],
)
def test_any_other_host_is_refused(host: bytes | None) -> None:
    assert _status(LOCAL, host) == 421


@pytest.mark.requirement("edge:origin-is-checked")
@pytest.mark.parametrize(
    "origin", [b"http://127.0.0.1:8080", b"http://localhost:8080", b"https://localhost:8080"]
)
def test_a_page_of_the_gateway_itself_may_call(origin: bytes) -> None:
    assert _status(LOCAL, b"localhost:8080", origin) == 200


@pytest.mark.requirement("edge:origin-is-checked")
@pytest.mark.parametrize(
    "origin",
    [
        b"",
        b"null",
        b"file://",
        b"http://evil.example",
        b"http://localhost",
        b"http://localhost:3000",
        b"http://localhost:8080/",
        b"http://localhost:8080.evil.example",
        b"http://evil.example#localhost:8080",
        b"https://127.0.0.1:8080, http://evil.example",
        b"chrome-extension://abc",
        b"localhost:8080",
        b"*",
    ],
)
def test_a_page_of_any_other_origin_may_not_call(origin: bytes) -> None:
    assert _status(LOCAL, b"localhost:8080", origin) == 403


@pytest.mark.parametrize(
    ("host", "status"),
    [
        (b"gateway.example.com", 200),
        (b"gateway.example.com:443", 200),
        (b"GATEWAY.example.com", 200),
        (b"gw.internal:8443", 200),
        (b"gw.internal", 421),
        (b"gateway.example.com:80", 421),
        (b"gateway.example.com.", 421),
        (b"localhost:8080", 421),
        (b"127.0.0.1:8080", 421),
    ],
)
def test_a_public_gateway_has_its_public_names(host: bytes, status: int) -> None:
    assert _status(PUBLIC, host) == status


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        (b"https://gateway.example.com", 200),
        (b"https://gw.internal:8443", 200),
        (b"http://gateway.example.com", 403),
        (b"http://gw.internal:8443", 403),
        (b"https://sub.gateway.example.com", 403),
        (b"http://localhost:8080", 403),
    ],
)
def test_an_origin_has_the_scheme_of_the_public_url(origin: bytes, status: int) -> None:
    assert _status(PUBLIC, b"gateway.example.com", origin) == status


@pytest.mark.parametrize(
    ("public", "host"),
    [
        ("https://gateway.example.com:443", b"gateway.example.com"),
        ("http://gateway.example.com:80", b"gateway.example.com"),
        ("http://gateway.example.com", b"gateway.example.com:80"),
        ("https://[2606:4700::1]", b"[2606:4700::1]:443"),
        ("https://[2606:4700::1]:443", b"[2606:4700::1]"),
        ("HTTPS://Gateway.Example.COM/", b"gateway.example.com"),
    ],
)
def test_the_port_of_the_scheme_may_be_said_or_left_out(public: str, host: bytes) -> None:
    assert _status(Origins(public, "0.0.0.0:8080", [], []), host) == 200


def test_without_a_public_name_a_request_without_one_is_still_refused() -> None:
    assert _status(Origins("gateway", "0.0.0.0:8080", [""], []), b"") == 421


def test_further_origins_are_those_that_are_listed() -> None:
    inspector = Origins("http://127.0.0.1:8080", "127.0.0.1:8080", [], ["http://localhost:6274"])

    assert _status(inspector, b"127.0.0.1:8080", b"http://localhost:6274") == 200
    assert _status(inspector, b"127.0.0.1:8080", b"http://localhost:6275") == 403
    assert _status(inspector, b"localhost:6274") == 421


@pytest.mark.requirement("edge:host-is-checked")
@pytest.mark.parametrize(
    ("host", "origin", "status"),
    [
        (b"127.0.0.1:8080", None, 200),
        (b"10.1.2.3:8080", None, 200),
        (b"[fd00::5]:8080", None, 200),
        (b"10.1.2.3", None, 200),
        (b"evil.example:8080", None, 421),
        (b"evil.example", None, 421),
        (b"", None, 421),
        (b"10.1.2.3.evil.example", None, 421),
        (b"[", None, 421),
        (b"10.1.2.3:8080", b"http://evil.example", 421),
        (b"127.0.0.1:8080", b"http://evil.example", 403),
    ],
)
def test_a_monitor_may_ask_by_address_and_a_page_by_no_name_of_its_own(
    host: bytes, origin: bytes | None, status: int
) -> None:
    headers = {b"host": host} | ({b"origin": origin} if origin else {})
    try:
        LOCAL.check_reader(headers)
    except HttpError as refused:
        assert refused.status == status  # noqa: PT017  # no refusal is an outcome here too
    else:
        assert status == 200
