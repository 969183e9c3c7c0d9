"""The caller's token becomes another one, and never leaves for the upstream."""

import time

import pytest

from mcp_gateway.core.errors import UpstreamFailed
from mcp_gateway.oauth.ports import GrantOptions
from mcp_gateway.oauth.sources.rfc8693 import TokenExchange
from mcp_gateway.wire.http import HttpClient
from tests.mcp_gateway.oauth.sources.exchanging import (
    UPSTREAM,
    asking,
    options_of,
    subjects_of,
    wanted_of,
)
from tests.support.identity_provider import CLIENT, EXCHANGE, TYPE, Authority, authority


def _source(http: HttpClient, server: Authority) -> TokenExchange:
    return TokenExchange(asking(http), subjects_of(server))


@pytest.mark.requirement("exchange:a-token-for-the-upstream")
async def test_an_exchanged_token_is_for_the_person_and_for_the_upstream(http: HttpClient) -> None:
    with authority() as server:
        subject = server.signed(sub="ada", act={"sub": "agent"})
        options = options_of(server, audience="orders")
        wanted = wanted_of("token_exchange", options, server.url, subject)

        obtained = await _source(http, server).obtain(wanted)

    form = server.asked[0].form
    assert (form["grant_type"], form["audience"], form["resource"]) == (
        EXCHANGE,
        "orders",
        UPSTREAM,
    )
    assert (form["subject_token"], form["subject_token_type"]) == (subject, TYPE + "access_token")
    token = obtained.credential.headers[0][1].removeprefix("Bearer ")
    claims = server.claims(token)
    assert token != subject
    assert (claims["sub"], claims["aud"], claims["scope"]) == ("ada", UPSTREAM, "orders:read")
    assert claims["act"] == {"sub": "agent"}


@pytest.mark.requirement("exchange:a-token-for-the-upstream")
async def test_the_gateway_says_that_it_acts_and_who_acted_before_stays_said(
    http: HttpClient,
) -> None:
    with authority() as server:
        subject = server.signed(sub="ada", act={"sub": "agent"})
        wanted = wanted_of("token_exchange", options_of(server, actor=True), server.url, subject)

        obtained = await _source(http, server).obtain(wanted)

    claims = server.claims(obtained.credential.headers[0][1].removeprefix("Bearer "))
    assert claims["act"] == {"sub": CLIENT, "act": {"sub": "agent"}}


@pytest.mark.requirement("attack:b4")
async def test_an_exchanged_token_is_shown_for_five_minutes_at_most(http: HttpClient) -> None:
    with authority() as server:
        wanted = wanted_of(
            "token_exchange", options_of(server), server.url, server.signed(sub="ada")
        )
        obtained = await _source(http, server).obtain(wanted)

    assert 290 < obtained.until - time.time() <= 300


@pytest.mark.requirement("attack:b3")
async def test_an_exchange_that_gives_the_callers_token_back_shows_it_to_nobody(
    http: HttpClient,
) -> None:
    with authority() as server:
        subject = server.signed(sub="ada")
        server.answers = {"access_token": subject}

        with pytest.raises(UpstreamFailed, match="gave back the caller's own token") as failed:
            await _source(http, server).obtain(
                wanted_of("token_exchange", options_of(server), server.url, subject)
            )

    assert subject not in str(failed.value)


@pytest.mark.requirement("attack:b6")
@pytest.mark.parametrize("issued", ["", TYPE + "id_token", TYPE + "refresh_token", TYPE + "id-jag"])
async def test_an_exchange_that_brings_no_access_token_is_refused(
    http: HttpClient, issued: str
) -> None:
    with authority() as server:
        server.answers = {"issued_token_type": issued}
        wanted = wanted_of(
            "token_exchange", options_of(server), server.url, server.signed(sub="ada")
        )

        with pytest.raises(UpstreamFailed, match="brought no access token"):
            await _source(http, server).obtain(wanted)


@pytest.mark.requirement("attack:b7")
async def test_an_upstream_cannot_name_the_server_that_gets_its_callers_tokens(
    http: HttpClient,
) -> None:
    with authority() as server:
        wanted = wanted_of(
            "token_exchange", GrantOptions(client=CLIENT), server.url, server.signed(sub="ada")
        )

        with pytest.raises(UpstreamFailed, match="needs an issuer or a token endpoint"):
            await _source(http, server).obtain(wanted)

    assert server.asked == []
