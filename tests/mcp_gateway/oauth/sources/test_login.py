"""The tokens of a log-in are its person's, renewed by one process, and shown to their issuer."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field, replace

import pytest

from mcp_gateway.core.errors import UpstreamFailed
from mcp_gateway.core.principal import Principal
from mcp_gateway.core.secret import Secret
from mcp_gateway.oauth.ports import GrantOptions
from mcp_gateway.oauth.sources.login import LogInTokens
from mcp_gateway.oauth.upstream.discovery import Discovery
from mcp_gateway.oauth.upstream.kept import Kept
from mcp_gateway.oauth.upstream.rfc6749 import TokenEndpoint
from mcp_gateway.oauth.vault import place_of
from mcp_gateway.services.leases import StoredLeases
from mcp_gateway.store.database import Database
from mcp_gateway.store.leases import LeaseRows
from mcp_gateway.wire.http import HttpClient, Network
from tests.mcp_gateway.oauth.sources.exchanging import options_of
from tests.support.identity_provider import CLIENT, Authority, authority
from tests.support.oauth_fakes import MemorySecrets


@dataclass
class World:
    """A person who logged in at a provider; `options` is the gateway's client there."""

    there: Authority
    http: HttpClient
    leases: StoredLeases
    options: GrantOptions
    secrets: MemorySecrets = field(default_factory=MemorySecrets)

    @property
    def ada(self) -> Principal:
        return Principal(self.there.url, "ada", "acme", client="runtime")

    @property
    def tokens(self) -> LogInTokens:
        """As each process makes it."""
        discovery, endpoint = Discovery(self.http), TokenEndpoint(self.http)
        return LogInTokens(
            self.secrets,
            self.leases,
            discovery,
            endpoint,
            lambda: (self.there.url, self.options),
        )

    async def logged_in(self, expires: int = 0, refresh: str = "") -> None:
        kept = Kept(
            Secret("at-1"), self.there.url, CLIENT, expires=expires, refresh=Secret(refresh)
        )
        await self.secrets.put(place_of(self.ada, self.there.url, "login"), kept.mapping())


@pytest.fixture
def there() -> Iterator[Authority]:
    with authority() as made:
        yield made


@pytest.fixture
async def world(there: Authority, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    http = HttpClient(Network(loopback=True))
    database = Database.open(tmp_path_factory.mktemp("login") / "gateway.db")
    yield World(there, http, StoredLeases(LeaseRows(database)), options_of(there))
    database.close()
    await http.aclose()


@pytest.mark.requirement("exchange:of-the-log-in")
@pytest.mark.parametrize("left", [0, 3600])
async def test_it_is_the_access_token_while_that_is_good(world: World, left: int) -> None:
    await world.logged_in(left and int(time.time()) + left)

    found = await world.tokens.access(world.ada)

    assert found == Secret("at-1")
    assert not world.there.asked


@pytest.mark.requirement("exchange:of-the-log-in")
async def test_nobody_has_the_tokens_of_somebody_else(world: World) -> None:
    await world.logged_in()

    others = (
        replace(world.ada, subject="eve"),
        replace(world.ada, issuer="local"),
        replace(world.ada, tenant="other"),
    )
    for other in others:
        assert await world.tokens.access(other) is None


@pytest.mark.requirement("exchange:of-the-log-in")
async def test_two_processes_renew_it_once(world: World) -> None:
    await world.logged_in(int(time.time()) - 1, "rt-1")
    world.there.answers["refresh_token"] = "rt-2"
    first, second = world.tokens, world.tokens

    found = await asyncio.gather(*(t.access(world.ada) for t in (first, second) for _ in range(8)))

    assert {token.reveal() for token in found if token} == {world.there.given[0]}
    assert None not in found
    [asked] = world.there.asked
    assert (asked.form["grant_type"], asked.form["refresh_token"]) == ("refresh_token", "rt-1")
    [(_, kept)] = world.secrets.kept.values()
    assert kept["refresh_token"] == "rt-2"


async def test_who_logged_in_too_long_ago_has_to_again(world: World) -> None:
    await world.logged_in(int(time.time()) - 1)

    assert await world.tokens.access(world.ada) is None


async def test_what_another_client_was_given_is_not_shown_by_this_one(world: World) -> None:
    await world.logged_in()
    world.options = replace(world.options, client="another")

    assert await world.tokens.access(world.ada) is None


async def test_a_log_in_that_the_provider_ended_is_forgotten(world: World) -> None:
    await world.logged_in(int(time.time()) - 1, "rt-1")
    world.there.answers["error"] = "invalid_grant"

    assert await world.tokens.access(world.ada) is None
    assert not world.secrets.kept


async def test_a_provider_that_cannot_renew_it_now_ends_nothing(world: World) -> None:
    await world.logged_in(int(time.time()) - 1, "rt-1")
    world.there.answers["error"] = "server_error"

    with pytest.raises(UpstreamFailed, match="server_error"):
        await world.tokens.access(world.ada)
    assert world.secrets.kept


async def test_a_provider_that_is_away_ends_nothing(world: World) -> None:
    await world.logged_in(int(time.time()) - 1, "rt-1")
    world.there.metadata["issuer"] = "https://evil.example"

    with pytest.raises(UpstreamFailed):
        await world.tokens.access(world.ada)
    assert world.secrets.kept
