from collections.abc import Awaitable, Callable

import pytest
from click.testing import Result

from mcp_gateway.oauth.keys.local import LocalKek
from mcp_gateway.oauth.ports import Place
from mcp_gateway.oauth.vault import Vault
from mcp_gateway.services.secrets import SealedSecrets
from mcp_gateway.store.secrets import SecretRows
from tests.support.gateway import GatewayUnderTest

Admin = Callable[..., Awaitable[Result]]


@pytest.mark.requirement("vault:rewrap-goes-on-beside-calls")
async def test_the_keys_are_shown_and_what_is_lost_is_said(
    gateway: GatewayUnderTest, admin: Admin
) -> None:
    wired, rows = gateway.parts.wired.secrets, SecretRows(gateway.parts.database)
    assert wired is not None
    await wired.put(Place("t", "p", "u", "static"), {"value": "x"})
    key = LocalKek(gateway.parts.home.vault_secret())

    listed = await admin("vault", "keys")
    whole = await admin("vault", "rewrap")
    stranger = SealedSecrets(Vault([LocalKek(b"s" * 32)]), rows)
    await stranger.put(Place("t", "p", "lost", "static"), {"value": "x"})
    lost = await admin("vault", "rewrap")
    await wired.drop(Place("t", "p", "lost", "static"))
    refused = await admin("vault", "rewrap", subject="alice")

    assert [line.split() for line in listed.output.splitlines()] == [[key.id, "1", "seals"]]
    assert whole.output == f"0 wrapped with {key.id}\n"
    assert (lost.exit_code, refused.exit_code) == (1, 1)
    assert "1 do not open" in lost.output
