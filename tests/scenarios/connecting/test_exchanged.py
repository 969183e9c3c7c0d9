"""Where the tokens of callers are exchanged, each of them has a list of their own."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from mcp.shared.exceptions import MCPError

from tests.support.connected import RULES, catalog, names, text_of, until
from tests.support.gateway import GatewayUnderTest, gateway_under_test
from tests.support.identity_provider import SECRET, Authority, authority
from tests.support.keyed_upstream import Keyed, keyed_upstream

CONFIG = """
[policy]
rules = ["builtin:first-run", "rules.csv"]

[identity]
issuer = "@ISSUER@"
audience = "@ISSUER@/gateway"
jwks = "@ISSUER@/jwks"
algorithms = ["ES256"]

[servers.notes]
connector = "mcp_http"
url = "@URL@"
discovery = "first_grant"
grant = { kind = "@KIND@", client = "the-gateway", client_secret = { file = "@SECRET@" },
          issuer = "@SERVER@", resource = "@URL@", scopes = ["notes:read"]@MORE@ }
""".replace(",\n  ", ", ")
MORE = {"token_exchange": "", "id_jag": ', provider = "@ISSUER@/token"'}
World = tuple[GatewayUnderTest, Keyed, Authority]


@pytest.fixture(params=["token_exchange", "id_jag"])
async def world(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[World]:
    (tmp_path / "var").mkdir(mode=0o700)
    (tmp_path / "var" / "rules.csv").write_text(RULES)
    (tmp_path / "secret").write_text(SECRET)
    with authority() as provider, authority() as other:
        other.trusts.append(provider)
        server = provider if request.param == "token_exchange" else other
        async with keyed_upstream(ada=["read", "write"], eve=["read"]) as keyed:
            keyed.issuer = server.url
            config = CONFIG.replace("@MORE@", MORE[request.param]).replace("@KIND@", request.param)
            config = config.replace("@URL@", keyed.url).replace("@SERVER@", server.url)
            config = config.replace("@SECRET@", str(tmp_path / "secret"))
            async with gateway_under_test(
                tmp_path, config.replace("@ISSUER@", provider.url)
            ) as gateway:
                for who in ("ada", "eve"):
                    gateway.keys[who] = token(provider, who)
                await gateway.serving("notes")
                yield gateway, keyed, server


def token(provider: Authority, who: str) -> str:
    about: dict[str, Any] = {"client_id": "runtime", "roles": ["user"], "jti": f"of-{who}"}
    return provider.signed(sub=who, aud=f"{provider.url}/gateway", **about)


async def seen_once(gateway: GatewayUnderTest) -> None:
    """Ada's first look makes the list known."""
    await names(gateway, "ada")
    await until(lambda: ("tool", "notes__write") in catalog(gateway))


@pytest.mark.requirement("connecting:exchanged-lists")
async def test_each_caller_is_listed_what_their_own_exchanged_token_shows(world: World) -> None:
    gateway, keyed, _ = world
    await seen_once(gateway)

    hers, others = await names(gateway, "ada"), await names(gateway, "eve")
    async with gateway.as_("ada") as client:
        written = await client.call_tool("notes__write", {})
    async with gateway.as_("eve") as client:
        with pytest.raises(MCPError, match="no tool is called 'notes__write'"):
            await client.call_tool("notes__write", {})

    assert hers == {"notes__read", "notes__write"}
    assert others == {"notes__read"}
    assert text_of(written) == "write for ada"
    assert keyed.called == [("ada", "write")]


@pytest.mark.requirement("connecting:exchanged-lists")
async def test_who_comes_with_nothing_to_exchange_is_listed_nothing_and_told_why_by_a_call(
    world: World,
) -> None:
    gateway, keyed, _ = world
    await seen_once(gateway)

    listed = await names(gateway, "alice")
    async with gateway.as_("alice") as client:
        refused = await client.call_tool("notes__read", {})

    assert listed == set()
    assert refused.is_error
    assert "you came without one" in text_of(refused)
    assert keyed.called == []


@pytest.mark.requirement("connecting:a-look-renews-once")
async def test_an_exchanged_token_that_the_server_takes_no_more_is_exchanged_again_for_a_list(
    world: World,
) -> None:
    gateway, keyed, server = world
    await seen_once(gateway)
    async with gateway.as_("ada") as client:
        await client.call_tool("notes__read", {})
    keyed.refused.update(server.given)

    gateway.parts.wired.views._views.clear()  # type: ignore[attr-defined]  # its time is over
    listed = await names(gateway, "ada")

    assert listed == {"notes__read", "notes__write"}
