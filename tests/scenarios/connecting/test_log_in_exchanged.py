"""A log-in at the provider is what is exchanged for who comes with a token of the gateway's own."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from mcp.client import Client

from tests.support.connected import RULES, catalog, text_of, until
from tests.support.gateway import GatewayUnderTest, gateway_under_test
from tests.support.identity_provider import CLIENT, SECRET, Authority, authority
from tests.support.keyed_upstream import Keyed, keyed_upstream
from tests.support.logging_in import CALLBACK, asked, browser_at, sent
from tests.support.runtime_oauth import Runtime, agreed

CONFIG = """
[policy]
rules = ["builtin:first-run", "rules.csv"]

[authorization]
enabled = true

[authorization.login]
issuer = "@ISSUER@"
client = "the-gateway"
secret = { file = "@SECRET@" }

[servers.notes]
connector = "mcp_http"
url = "@URL@"
discovery = "first_grant"
grant = { kind = "@KIND@", client = "the-gateway", client_secret = { file = "@SECRET@" },
          issuer = "@SERVER@", resource = "@URL@", scopes = ["notes:read"] }
""".replace(",\n  ", ", ")
World = tuple[GatewayUnderTest, Keyed, Authority]


@pytest.fixture(params=["token_exchange", "id_jag"])
async def world(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[World]:
    (tmp_path / "var").mkdir(mode=0o700)
    (tmp_path / "var" / "rules.csv").write_text(RULES)
    (tmp_path / "secret").write_text(SECRET)
    with authority() as provider, authority() as other:
        other.trusts.append(provider)
        server = provider if request.param == "token_exchange" else other
        async with keyed_upstream(ada=["read"], eve=["read"]) as keyed:
            keyed.issuer = server.url
            config = CONFIG.replace("@KIND@", request.param).replace("@ISSUER@", provider.url)
            config = config.replace("@URL@", keyed.url).replace("@SERVER@", server.url)
            config = config.replace("@SECRET@", str(tmp_path / "secret"))
            async with gateway_under_test(tmp_path, config) as gateway:
                await gateway.serving("notes")
                yield gateway, keyed, provider


def runtime_of(gateway: GatewayUnderTest, provider: Authority, who: str) -> Runtime:
    """One whose person logs in at the provider, and says yes."""

    async def consenting(address: str) -> str:
        async with browser_at(gateway) as browser:
            begun = asked(await sent(browser))
            said = {"sub": who, "aud": CLIENT, "nonce": begun["nonce"]}
            provider.answers["id_token"] = provider.signed("JWT", **said)
            back = {"state": begun["state"], "code": who}
            done = await browser.get(CALLBACK, params=back)
            assert done.status_code == 303, done.text
            return await agreed(browser, address)

    return Runtime(gateway, consenting)


async def seen(gateway: GatewayUnderTest, client: Client) -> None:
    """The first who looks makes the list known."""
    await client.list_tools()
    await until(lambda: ("tool", "notes__read") in catalog(gateway))


@pytest.mark.requirement("exchange:of-the-log-in")
async def test_the_server_is_called_as_who_logged_in_and_sees_no_token_of_ours(
    world: World,
) -> None:
    gateway, keyed, provider = world

    runtime = runtime_of(gateway, provider, "ada")
    async with runtime.client() as client:
        await seen(gateway, client)
        result = await client.call_tool("notes__read", {})

    assert text_of(result) == "read for ada"
    assert keyed.called == [("ada", "read")]
    assert runtime.kept.tokens
    ours = runtime.kept.tokens.access_token
    assert ours not in str([one.form for one in provider.asked])
    assert gateway.outcomes()[-1]["subject"] == "ada"


@pytest.mark.requirement("exchange:of-the-log-in")
async def test_whose_log_in_is_over_at_the_provider_is_told_to_log_in_again(
    world: World,
) -> None:
    gateway, keyed, provider = world
    async with runtime_of(gateway, provider, "ada").client() as client:
        await seen(gateway, client)
    provider.expires_in = 20

    async with runtime_of(gateway, provider, "eve").client() as client:
        refused = await client.call_tool("notes__read", {})

    assert refused.is_error
    assert "log in there" in text_of(refused)
    assert keyed.called == []
