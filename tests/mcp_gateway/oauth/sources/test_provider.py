import pytest

from mcp_gateway.core.errors import UpstreamFailed
from mcp_gateway.oauth.ports import GrantOptions
from mcp_gateway.oauth.sources.provider import Providers
from mcp_gateway.oauth.upstream.discovery import Discovery
from mcp_gateway.wire.http import HttpClient
from tests.mcp_gateway.oauth.sources.exchanging import options_of, wanted_of
from tests.support.identity_provider import CLIENT, authority


async def test_the_provider_is_who_people_log_in_at_with_the_client_there(
    http: HttpClient,
) -> None:
    with authority() as server:
        providers = Providers(Discovery(http), lambda _: (server.url, options_of(server)))

        found = await providers.of(wanted_of("id_jag", GrantOptions(client="of the grant")))

    assert (found.server.token, found.client.id) == (f"{server.url}/token", CLIENT)


async def test_without_a_provider_nobody_vouches(http: HttpClient) -> None:
    providers = Providers(Discovery(http), lambda _: ("", GrantOptions()))

    with pytest.raises(UpstreamFailed, match="needs a provider"):
        await providers.of(wanted_of("id_jag", GrantOptions()))


async def test_a_provider_that_is_away_is_said_to_be_so(http: HttpClient) -> None:
    with authority() as server:
        known = server.url, options_of(server)

    with pytest.raises(UpstreamFailed, match="orders: "):
        await Providers(Discovery(http), lambda _: known).of(wanted_of("id_jag", GrantOptions()))
