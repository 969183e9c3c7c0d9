"""How the gateway shows who it is."""

import base64
from dataclasses import replace

import pytest

from mcp_gateway.core.secret import Secret
from mcp_gateway.oauth.ports import GrantOptions
from mcp_gateway.oauth.upstream.client import Client, configured, method, registered_method
from mcp_gateway.oauth.upstream.rfc8414 import AuthorizationServer

SERVER = AuthorizationServer("https://as.example.com")
CLIENT = Client("us:1", secret=Secret("a b:%"))


@pytest.mark.requirement("upstream:client-authentication")
def test_basic_encodes_both_halves_first() -> None:
    form, headers = replace(CLIENT, method="client_secret_basic").shown(SERVER)

    assert form == []
    said = dict(headers)["authorization"].removeprefix("Basic ")
    assert base64.b64decode(said) == b"us%3A1:a+b%3A%25"


def test_post_and_none_say_it_in_the_form() -> None:
    assert CLIENT.shown(SERVER) == ([("client_id", "us:1")], [])
    form, headers = replace(CLIENT, method="client_secret_post").shown(SERVER)
    assert (dict(form), headers) == ({"client_id": "us:1", "client_secret": "a b:%"}, [])


def test_a_method_that_is_unknown_here_is_refused() -> None:
    with pytest.raises(ValueError, match="tls_client_auth"):
        replace(CLIENT, method="tls_client_auth").shown(SERVER)


def test_a_client_shows_no_secret_by_itself() -> None:
    assert "a b:%" not in repr(replace(CLIENT, key=Secret("a b:%")))


@pytest.mark.parametrize(
    ("configured", "methods", "secret", "key", "found"),
    [
        ("client_secret_post", ("client_secret_basic",), True, False, "client_secret_post"),
        ("", ("client_secret_basic", "client_secret_post"), True, False, "client_secret_basic"),
        ("", ("client_secret_post",), True, False, "client_secret_post"),
        ("", (), True, False, "client_secret_basic"),
        ("", ("none",), False, False, "none"),
        ("", ("client_secret_basic",), False, True, "private_key_jwt"),
    ],
)
def test_the_method_is_one_that_the_server_takes(
    configured: str, methods: tuple[str, ...], found: str, *, secret: bool, key: bool
) -> None:
    server = replace(SERVER, methods=methods)
    assert method(configured, server, secret=secret, key=key) == found


def test_the_client_that_is_configured_reads_its_secret_when_it_is_needed() -> None:
    def broken() -> str:
        raise OSError("/run/secrets/up")

    found = configured(GrantOptions(client="us", client_secret=lambda: "s"), SERVER)
    assert (found.id, found.method, found.secret) == ("us", "client_secret_basic", Secret("s"))
    with pytest.raises(ValueError, match="cannot read") as told:
        configured(GrantOptions(client="us", client_key=broken), SERVER)
    assert "/run" not in str(told.value)


@pytest.mark.parametrize(
    ("methods", "found"),
    [
        (("none", "client_secret_post", "client_secret_basic"), "client_secret_basic"),
        (("none", "client_secret_post"), "client_secret_post"),
        (("none",), "none"),
        (("private_key_jwt",), "none"),
    ],
)
def test_the_gateway_registers_for_a_secret_where_there_is_one(
    methods: tuple[str, ...], found: str
) -> None:
    assert registered_method(replace(SERVER, methods=methods)) == found
