"""What a broker counts, beside the calls that it answers."""

import pytest

from mcp_gateway.core.credential import CredentialRefused, Grant
from mcp_gateway.core.errors import ConsentRequired, UpstreamFailed
from mcp_gateway.core.grants import Granted, grant_key
from mcp_gateway.oauth.broker import Kept
from tests.support.brokers import ADA, EVE, Bench, call_of


@pytest.mark.requirement("operations:credentials-are-measured")
async def test_what_was_there_already_is_counted_apart_from_what_was_obtained() -> None:
    told: list[tuple[str, ...]] = []
    kept = Kept(lambda server, kind, outcome, _: told.append((server, kind, outcome)))
    bench = Bench({"github": Grant("service")}, kept=kept)

    for _ in range(5):
        await bench.shown()
    counted = [dict(kept.shown()), dict(kept.shown())]
    bench.source.now = 100.0
    await bench.shown()
    await bench.shown()

    assert counted == [{("github", "service"): 4}] * 2
    assert kept.shown() == {("github", "service"): 5}
    assert told == [("github", "service", "obtained")] * 2


@pytest.mark.requirement("operations:credentials-are-measured")
@pytest.mark.parametrize(
    ("grant", "failure", "outcome"),
    [
        (Grant("static", per_user=True), ConsentRequired, "consent"),
        (Grant("static"), UpstreamFailed, "failed"),
    ],
)
async def test_what_came_to_nothing_is_counted_too(
    grant: Grant, failure: type[Exception], outcome: str
) -> None:
    told: list[str] = []
    kept = Kept(lambda _, __, outcome, ___: told.append(outcome))

    with pytest.raises(failure):
        await Bench({"github": grant}, kept=kept).shown()

    assert told == [outcome]


@pytest.mark.requirement("operations:credentials-are-measured")
async def test_what_was_renewed_is_counted_apart() -> None:
    told: list[str] = []
    bench = Bench(
        {"github": Grant("service")}, kept=Kept(lambda _, __, outcome, ___: told.append(outcome))
    )
    call = call_of()
    call.credential = await bench.broker.credential(call)

    await bench.broker.renewed(call, CredentialRefused())

    assert told == ["obtained", "renewed"]


@pytest.mark.requirement("connecting:last-used")
async def test_the_grants_that_calls_were_made_with_are_given_once_and_looks_are_no_use() -> None:
    bench = Bench({"github": Grant("delegated")})
    for who in (ADA, EVE):
        bench.given[grant_key(who, "github")] = Granted(who.subject, 1)

    await bench.shown()
    first = bench.kept.used()
    await bench.shown()
    await bench.broker.of_person(EVE, "github")
    again = bench.kept.used()

    assert first == again == {grant_key(ADA, "github")}
    assert bench.kept.used() == set()


@pytest.mark.requirement("connecting:last-used")
async def test_a_use_is_not_lost_with_the_credential_that_it_was_of() -> None:
    bench = Bench({"github": Grant("delegated")})
    bench.given[grant_key(ADA, "github")] = Granted("g1", 1)
    await bench.shown()
    bench.kept.used()

    await bench.shown()
    bench.source.now = 100.0
    await bench.broker.of_person(ADA, "github")

    assert bench.kept.used() == {grant_key(ADA, "github")}
