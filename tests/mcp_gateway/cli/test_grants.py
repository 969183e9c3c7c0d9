import re
from collections.abc import Awaitable, Callable

import pytest
from click.testing import Result

from mcp_gateway.core.principal import Principal
from mcp_gateway.oauth.ports import Brought
from mcp_gateway.services.connections import Connections
from tests.support.gateway import TENANT, GatewayUnderTest

Admin = Callable[..., Awaitable[Result]]
ADA = Principal("local", "ada", TENANT)


@pytest.mark.requirement("connecting:administrators-see-and-revoke")
async def test_grants_are_listed_and_one_is_revoked(
    gateway: GatewayUnderTest, admin: Admin
) -> None:
    connections = gateway.parts.wired.consents
    assert isinstance(connections, Connections)
    brought = Brought({"access_token": "at-secret"}, frozenset({"read"}))
    granted = await connections.made(ADA, "docs", "delegated", brought)
    await connections.broken(ADA, "docs", "the server\x1b refuses it")

    listed = await admin("grants", "list")
    revoked = await admin("grants", "revoke", granted.id, "--reason", "she left")
    again = await admin("grants", "revoke", granted.id)
    after = await admin("grants", "list")

    assert re.search(
        rf"^{granted.id}  broken +docs +local\|ada +\d{{4}}-\d\d-\d\d  used never +read$",
        listed.output,
        re.MULTILINE,
    )
    assert "refuses it" in listed.output
    assert "\x1b" not in listed.output
    assert "at-secret" not in listed.output
    assert revoked.output == f"revoked {granted.id} of docs\n"
    assert again.exit_code == 1
    assert "there is no grant" in again.output
    assert after.output == ""


async def test_grants_are_for_administrators(admin: Admin) -> None:
    refused = await admin("grants", "list", subject="alice")

    assert refused.exit_code == 1
