"""A token is recorded before anybody has it, and minted for nobody who was revoked."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from mcp_gateway.core.errors import Overloaded
from mcp_gateway.oauth.server.rfc6749 import OAuthError
from mcp_gateway.services.authorization.minting import Grant
from tests.support.authorizing import ADA, KEY, PUBLIC, Server, server

WHO = replace(ADA, client="c-1", scopes=frozenset({"mcp"}))
GRANT = Grant(
    "authorization_code", WHO, f"{PUBLIC}/mcp", "f-1", since=1_699_999_000, login=KEY.names
)


@pytest.fixture
async def at(tmp_path: Path) -> AsyncIterator[Server]:
    made = await server(tmp_path)
    yield made
    await made.http.aclose()


async def test_the_entry_names_the_token_and_does_not_hold_it(at: Server) -> None:
    answer = await at.minting(GRANT)

    body = at.ledger.last.body
    assert at.ledger.last.kind == "token.minted"
    assert (body["identity"], body["client"], body["family"]) == ("local|ada", "c-1", "f-1")
    assert body["scopes"] == ["mcp"]
    assert answer["access_token"] not in str(body)


async def test_a_refresh_is_counted_elsewhere(at: Server) -> None:
    await at.minting(GRANT)
    before = len(at.ledger.entries)

    await at.minting(replace(GRANT, recorded=False))

    assert len(at.ledger.entries) == before


@pytest.mark.parametrize(
    "name", ["subject:local|ada", "client:c-1", "family:f-1", "key:0a1b", "client:key:0a1b"]
)
async def test_nobody_who_was_revoked_since_gets_another_one(at: Server, name: str) -> None:
    keyring = at.current.keyring
    at.current.swap_keyring(replace(keyring, ended={name: 1_699_999_500}))

    with pytest.raises(OAuthError, match="revoked"):
        await at.minting(GRANT)

    assert await at.minting(replace(GRANT, since=1_699_999_600))


async def test_what_cannot_be_recorded_is_not_minted(at: Server) -> None:
    at.ledger.broken.add("token.minted")

    with pytest.raises(Overloaded):
        await at.minting(GRANT)


@pytest.mark.requirement("attack:d34")
async def test_a_log_out_at_the_provider_ends_what_renews_tokens_here(at: Server) -> None:
    keyring = at.current.keyring
    at.current.swap_keyring(replace(keyring, ended={"sessionless:local|ada": 1_699_999_500}))

    with pytest.raises(OAuthError, match="revoked"):
        await at.minting(GRANT)
