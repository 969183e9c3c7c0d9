"""What is published where clients look for it, and nothing where they look in vain."""

import httpx2
import pytest

from mcp_gateway.edge.authorization.metadata import PLACES
from tests.support.gateway import GatewayUnderTest


@pytest.mark.parametrize("place", PLACES)
async def test_one_document_is_at_both_places_for_any_origin(
    gateway: GatewayUnderTest, anybody: httpx2.AsyncClient, place: str
) -> None:
    answer = await anybody.get(place, headers={"origin": "https://app.example"})

    said = answer.json()
    assert said["issuer"] == gateway.url
    for name in ("authorization", "token", "registration", "revocation", "introspection"):
        assert said[f"{name}_endpoint"].startswith(f"{gateway.url}/oauth/")
    assert set(said["grant_types_supported"]) >= {"authorization_code", "refresh_token"}
    assert "password" not in said["grant_types_supported"]
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "max-age=60" in answer.headers["cache-control"]


@pytest.mark.parametrize(
    "path",
    [
        "/.well-known/oauth-authorization-server/mcp",
        "/.well-known/openid-configuration/mcp",
        "/mcp/.well-known/openid-configuration",
        "/oauth/authorize/.well-known/openid-configuration",
    ],
)
async def test_what_clients_try_besides_is_not_there(
    anybody: httpx2.AsyncClient, path: str
) -> None:
    """Codex looks at seven places, and takes anything but a 404 for an answer."""
    answer = await anybody.get(path)

    assert answer.status_code in {401, 404}
    assert "issuer" not in answer.text


async def test_the_published_keys_are_public_halves(anybody: httpx2.AsyncClient) -> None:
    (key,) = (await anybody.get("/oauth/jwks")).json()["keys"]

    assert (key["kty"], key["crv"], key["use"]) == ("EC", "P-256", "sig")
    assert "d" not in key
