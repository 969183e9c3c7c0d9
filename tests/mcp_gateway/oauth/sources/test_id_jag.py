"""The provider vouches for the person, and the upstream's own server gives the token."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from mcp_gateway.core.errors import UpstreamFailed
from mcp_gateway.oauth.ports import GrantOptions
from mcp_gateway.oauth.sources.id_jag import IdJag
from mcp_gateway.oauth.sources.provider import Providers
from mcp_gateway.oauth.upstream.discovery import Discovery
from mcp_gateway.wire.http import HttpClient
from tests.mcp_gateway.oauth.sources.exchanging import (
    UPSTREAM,
    asking,
    options_of,
    subjects_of,
    wanted_of,
)
from tests.support.identity_provider import EXCHANGE, JWT_BEARER, TYPE, Authority, authority


@contextmanager
def _both() -> Iterator[tuple[Authority, Authority]]:
    """The company's provider, and the upstream's server, which trusts it."""
    with authority() as provider, authority() as server:
        server.trusts.append(provider)
        yield provider, server


def _source(http: HttpClient, provider: Authority) -> IdJag:
    known = provider.url, options_of(provider)
    providers = Providers(Discovery(http), lambda _: known)
    return IdJag(asking(http), subjects_of(provider), providers.of)


@pytest.mark.requirement("id-jag:two-legs")
async def test_an_assertion_for_the_upstreams_server_becomes_its_token(http: HttpClient) -> None:
    with _both() as (provider, server):
        subject = provider.signed(sub="ada")
        wanted = wanted_of("id_jag", options_of(server), provider.url, subject)

        obtained = await _source(http, provider).obtain(wanted)

    first, second = provider.asked[0].form, server.asked[0].form
    assert (first["grant_type"], first["requested_token_type"]) == (EXCHANGE, TYPE + "id-jag")
    assert (first["audience"], first["resource"]) == (server.url, UPSTREAM)
    assert first["subject_token"] == subject
    assert second["grant_type"] == JWT_BEARER
    assert subject not in second.values()
    token = obtained.credential.headers[0][1].removeprefix("Bearer ")
    assert server.claims(token)["sub"] == "ada"
    assert token != second["assertion"]


@pytest.mark.requirement("attack:b6")
async def test_what_is_no_assertion_is_taken_nowhere(http: HttpClient) -> None:
    with _both() as (provider, server):
        provider.answers = {"issued_token_type": TYPE + "access_token"}
        wanted = wanted_of("id_jag", options_of(server), provider.url, provider.signed(sub="ada"))

        with pytest.raises(UpstreamFailed, match="gave no assertion"):
            await _source(http, provider).obtain(wanted)

    assert server.asked == []


@pytest.mark.requirement("attack:b3")
async def test_an_assertion_that_comes_back_as_the_token_is_shown_to_nobody(
    http: HttpClient,
) -> None:
    with _both() as (provider, server):
        subject = provider.signed(sub="ada")
        server.answers = {"access_token": subject}
        wanted = wanted_of("id_jag", options_of(server), provider.url, subject)

        with pytest.raises(UpstreamFailed, match="gave back the caller's own token"):
            await _source(http, provider).obtain(wanted)


@pytest.mark.requirement("attack:b7")
async def test_a_server_that_the_provider_is_unknown_to_gives_nothing(http: HttpClient) -> None:
    with _both() as (provider, server):
        server.trusts.clear()
        wanted = wanted_of("id_jag", options_of(server), provider.url, provider.signed(sub="ada"))

        with pytest.raises(UpstreamFailed, match="says invalid_grant"):
            await _source(http, provider).obtain(wanted)


async def test_a_provider_in_the_grant_stands_for_the_one_of_the_log_in(http: HttpClient) -> None:
    with _both() as (provider, server):
        providers = Providers(Discovery(http), lambda _: ("", GrantOptions()))
        source = IdJag(asking(http), subjects_of(provider), providers.of)
        options = replace(options_of(server), provider=f"{provider.url}/token")
        wanted = wanted_of("id_jag", options, provider.url, provider.signed(sub="ada"))

        await source.obtain(wanted)

    assert len(provider.asked) == len(server.asked) == 1
