"""What a person shows an upstream outside of a call: for the list that is theirs."""

import asyncio

import pytest

from mcp_gateway.core.credential import NONE, CredentialRefused, Grant, Rejected, Shown
from mcp_gateway.core.grants import Granted, grant_key
from tests.support.brokers import ADA, Bench, header_of


async def test_a_person_shows_outside_of_a_call_what_their_calls_show() -> None:
    bench = Bench({"github": Grant("delegated")})
    bench.given[grant_key(ADA, "github")] = Granted("g1", 1)

    outside = await bench.broker.of_person(ADA, "github")

    assert await bench.shown() == header_of(outside) == "Bearer token-1"
    assert await bench.broker.of_person(ADA, "nowhere") == NONE


@pytest.mark.requirement("connecting:a-look-renews-once")
async def test_looks_whose_credential_is_refused_at_once_cause_one_renewal() -> None:
    bench = Bench({"github": Grant("delegated")})
    bench.given[grant_key(ADA, "github")] = Granted("g1", 1)
    before = await bench.broker.of_person(ADA, "github")
    rejected = Rejected(before, CredentialRefused())

    looks = [bench.broker.of_person(ADA, "github", rejected=rejected) for _ in range(64)]
    found = {header_of(credential) for credential in await asyncio.gather(*looks)}

    assert found == {"Bearer token-2"} == {await bench.shown()}
    assert [wanted.refused for wanted in bench.source.wanted] == [None, rejected.how]


@pytest.mark.requirement("connecting:exchanged-lists")
async def test_a_look_exchanges_what_its_caller_came_with() -> None:
    bench = Bench({"github": Grant("token_exchange")})
    shown = Shown(b"Bearer hers")

    await bench.broker.of_person(ADA, "github", shown)

    assert [wanted.shown for wanted in bench.source.wanted] == [shown]
