"""The gateway's own client, with a secret or a key."""

import time

import pytest
from joserfc.jwk import ECKey

from mcp_gateway.core.errors import UpstreamFailed
from mcp_gateway.oauth.sources.service import Service
from mcp_gateway.wire.http import HttpClient
from tests.mcp_gateway.oauth.sources.exchanging import READ, UPSTREAM, asking, options_of, wanted_of
from tests.support.identity_provider import CLIENT, authority


@pytest.mark.requirement("service:a-token-of-its-own")
async def test_a_token_is_asked_for_with_the_scopes_and_for_the_upstream(http: HttpClient) -> None:
    with authority() as server:
        obtained = await Service(asking(http)).obtain(wanted_of("service", options_of(server)))

    header, value = obtained.credential.headers[0]
    claims = server.claims(value.removeprefix("Bearer "))
    assert header == "Authorization"
    assert (claims["sub"], claims["aud"], claims["scope"]) == (CLIENT, UPSTREAM, "orders:read")
    assert obtained.credential.reference == "service:orders"
    assert (obtained.credential.scopes, obtained.credential.effective) == (READ, "token")
    assert 3500 < obtained.until - time.time() < 3600


@pytest.mark.requirement("service:a-token-of-its-own")
async def test_a_client_with_a_key_signs_for_the_issuer_once_each_time(http: HttpClient) -> None:
    key = ECKey.generate_key("P-256")
    pem = key.as_pem(private=True).decode()
    with authority() as server:
        server.client_key = ECKey.import_key(key.as_dict(private=False))
        options = options_of(server, client_secret=lambda: "", client_key=lambda: pem)
        source = Service(asking(http))
        for _ in range(2):
            await source.obtain(wanted_of("service", options))

    assert [asked.client for asked in server.asked] == [CLIENT, CLIENT]


async def test_where_none_is_to_be_sent_no_resource_is(http: HttpClient) -> None:
    with authority() as server:
        await Service(asking(http)).obtain(wanted_of("service", options_of(server, resource="-")))

    assert "resource" not in server.asked[0].form


@pytest.mark.parametrize(("seconds", "shown"), [(3600, 3570), (40, 20), (0, 300)])
async def test_a_token_is_not_shown_until_its_very_end(
    http: HttpClient, seconds: int, shown: int
) -> None:
    with authority() as server:
        server.answers = {"expires_in": seconds}
        obtained = await Service(asking(http)).obtain(wanted_of("service", options_of(server)))

    assert shown - 10 < obtained.until - time.time() <= shown


@pytest.mark.requirement("attack:b5")
@pytest.mark.parametrize(
    "token", ["", "a\r\nx-admin: yes", "a b", "schlüssel", "\x00", 7, None, "x" * 20_000]
)
async def test_what_is_no_token_is_shown_to_nobody(http: HttpClient, token: object) -> None:
    with authority() as server:
        server.answers = {"access_token": token}
        with pytest.raises(UpstreamFailed) as failed:
            await Service(asking(http)).obtain(wanted_of("service", options_of(server)))

    assert "admin" not in str(failed.value)


async def test_a_token_of_another_type_is_not_shown_as_a_bearer_token(http: HttpClient) -> None:
    with authority() as server:
        server.answers = {"token_type": "DPoP"}
        with pytest.raises(UpstreamFailed, match="no bearer token"):
            await Service(asking(http)).obtain(wanted_of("service", options_of(server)))


async def test_a_server_that_refuses_is_named_by_its_code_alone(http: HttpClient) -> None:
    with authority() as server:
        options = options_of(server, client_secret=lambda: "another-secret")
        with pytest.raises(UpstreamFailed, match="says invalid_client") as failed:
            await Service(asking(http)).obtain(wanted_of("service", options))

    assert "another-secret" not in str(failed.value)
