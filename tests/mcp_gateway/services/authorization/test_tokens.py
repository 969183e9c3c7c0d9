"""The token endpoint mints for whom the log-in stands for now."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from joserfc import jwt

from mcp_gateway.core.snapshot import Keyring
from mcp_gateway.oauth.server.rfc6749 import OAuthError, Parameters
from mcp_gateway.services.authorization.client import of_section
from tests.support.authorizing import (
    DIGEST,
    KEY,
    PUBLIC,
    REDIRECT,
    VERIFIER,
    Server,
    of,
    server,
)


@pytest.fixture
async def at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Server]:
    monkeypatch.setenv("CI_SECRET", "the-secret-of-ci")
    made = await server(tmp_path)
    section = made.settings.authorization.clients["ci"]
    made.clients.swap({"ci": of_section("ci", section, b"")})
    yield made
    await made.http.aclose()


async def redeemed(at: Server, client: str, back: str, **changes: str) -> Any:
    form = {
        "grant_type": "authorization_code",
        "client_id": client,
        "code": parse_qs(urlsplit(back).query)["code"][0],
        "redirect_uri": REDIRECT,
        "code_verifier": VERIFIER,
    }
    return await at.tokens(of(**form | changes), None, "peer")


async def renewed(at: Server, client: str, refresh: str, **changes: str) -> Any:
    form = {"grant_type": "refresh_token", "client_id": client, "refresh_token": refresh}
    return await at.tokens(of(**form | changes), None, "peer")


def said(at: Server, answer: Any) -> dict[str, Any]:
    return dict(
        jwt.decode(answer["access_token"], at.signing.public(), algorithms=["ES256"]).claims
    )


async def test_a_token_says_who_logged_in_by_what_and_for_which_endpoint(at: Server) -> None:
    client = await at.registered()

    claims = said(at, await redeemed(at, client, await at.coded(client)))

    assert (claims["iss"], claims["aud"]) == (PUBLIC, [f"{PUBLIC}/mcp"])
    assert (claims["sub"], claims["idp"], claims["idp_sub"]) == ("local|ada", "local", "ada")
    assert (claims["tenant"], claims["roles"]) == ("acme", ["user"])
    assert (claims["client_id"], claims["login"]) == (client, sorted(KEY.names))
    assert claims["mode"] == "unknown", "a client does not say in which mode it works"
    assert claims["exp"] - claims["iat"] == 3600


async def test_roles_are_those_of_the_moment_of_a_refresh(at: Server) -> None:
    client = await at.registered()
    held = await redeemed(at, client, await at.coded(client))
    fewer = replace(KEY, principal=replace(KEY.principal, roles=frozenset({"guest"})))
    at.current.swap_keyring(Keyring({DIGEST: fewer}))

    claims = said(at, await renewed(at, client, held["refresh_token"]))

    assert claims["roles"] == ["guest"]


async def test_a_token_lives_no_longer_than_the_key_that_somebody_logged_in_with(
    at: Server,
) -> None:
    at.current.swap_keyring(Keyring({DIGEST: replace(KEY, expires=int(at.now) + 600)}))
    client = await at.registered()

    held = await redeemed(at, client, await at.coded(client))

    assert held["expires_in"] == 600
    at.now += 601
    with pytest.raises(OAuthError, match="log in again"):
        await renewed(at, client, held["refresh_token"])


async def test_when_the_log_in_is_over_its_family_ends(at: Server) -> None:
    client = await at.registered()
    held = await redeemed(at, client, await at.coded(client))
    at.current.swap_keyring(Keyring())

    with pytest.raises(OAuthError, match="log in again"):
        await renewed(at, client, held["refresh_token"])

    assert at.ledger.kinds[-1] == "family.revoked"


async def test_fewer_scopes_may_be_asked_for_and_never_more(at: Server) -> None:
    client = await at.registered()
    held = await redeemed(at, client, await at.coded(client))

    less = await renewed(at, client, held["refresh_token"], scope="mcp")
    with pytest.raises(OAuthError) as refused:
        await renewed(at, client, less["refresh_token"], scope="mcp pay:write")

    assert less["scope"] == "mcp"
    assert refused.value.code == "invalid_scope"


async def test_what_cannot_be_recorded_is_not_minted(at: Server) -> None:
    client = await at.registered()
    back = await at.coded(client)
    at.ledger.broken.add("token.minted")

    with pytest.raises(Exception, match="cannot be written"):
        await redeemed(at, client, back)


@pytest.mark.requirement("authorization:workloads")
async def test_a_program_of_the_configuration_acts_for_itself(at: Server) -> None:
    form = of(grant_type="client_credentials", client_id="ci", client_secret="the-secret-of-ci")

    answer = await at.tokens(form, None, "peer")

    claims = said(at, answer)
    assert (claims["idp"], claims["idp_sub"], claims["mode"]) == ("client", "ci", "unattended")
    assert (claims["roles"], claims["scope"]) == (["bot"], "mcp")
    assert "refresh_token" not in answer


@pytest.mark.requirement("authorization:workloads")
@pytest.mark.parametrize("secret", ["", "another", "the-secret-of-c", "the-secret-of-ci "])
async def test_a_program_without_its_secret_gets_nothing(at: Server, secret: str) -> None:
    form = of(grant_type="client_credentials", client_id="ci", client_secret=secret)

    with pytest.raises(OAuthError) as refused:
        await at.tokens(form, None, "peer")

    assert (refused.value.code, refused.value.status) == ("invalid_client", 401)


@pytest.mark.parametrize("grant", ["password", "implicit", "urn:ietf:params:oauth:grant-type:x"])
async def test_there_are_no_other_grants(at: Server, grant: str) -> None:
    with pytest.raises(OAuthError) as refused:
        await at.tokens(of(grant_type=grant, client_id="ci"), None, "peer")

    assert refused.value.code == "unsupported_grant_type"


async def test_a_runtime_that_registered_itself_does_not_act_for_itself(at: Server) -> None:
    client = await at.registered()

    with pytest.raises(OAuthError) as refused:
        await at.tokens(of(grant_type="client_credentials", client_id=client), None, "peer")

    assert refused.value.code == "unauthorized_client"


async def refusal(at: Server, form: Parameters) -> str:
    with pytest.raises(OAuthError) as refused:
        await at.tokens(form, None, "192.0.2.1")
    return refused.value.code


@pytest.mark.requirement("attack:d36")
async def test_one_address_asks_so_often_and_others_are_heard_meanwhile(at: Server) -> None:
    form = of(grant_type="refresh_token", client_id="unknown", refresh_token="guessed")
    heard = 0
    while heard < 2_000 and await refusal(at, form) != "temporarily_unavailable":
        heard += 1

    assert 600 <= heard < 2_000
    with pytest.raises(OAuthError) as other:
        await at.tokens(form, None, "192.0.2.2")
    assert other.value.code == "invalid_client"
