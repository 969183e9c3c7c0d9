"""Each upstream sees its own credential, never another's, and never the caller's."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from mcp_gateway.core.credential import (
    NONE,
    CredentialRefused,
    Grant,
)
from mcp_gateway.core.errors import ConsentRequired, UpstreamFailed
from mcp_gateway.core.grants import Granted, grant_key
from mcp_gateway.core.target import Target
from mcp_gateway.oauth import broker as the_broker
from mcp_gateway.oauth.terms import Terms
from tests.support.brokers import ADA, EVE, Bench, call_of, header_of
from tests.support.calls import ADD, REFUND

READ, WRITE = frozenset({"read"}), frozenset({"write"})


def _static(**secrets: str) -> Bench:
    said: dict[str, Callable[[], str]] = {n: (lambda v=v: v) for n, v in secrets.items()}  # type: ignore[misc]
    return Bench(dict.fromkeys(secrets, Grant("static")), secrets=said)


@pytest.mark.requirement("broker:each-upstream-its-own")
async def test_an_upstream_is_shown_the_secret_that_is_configured_for_it() -> None:
    bench = _static(github="hub", orders="desk")

    assert (await bench.shown(ADD), await bench.shown(REFUND)) == ("Bearer hub", "Bearer desk")


@pytest.mark.requirement("broker:each-upstream-its-own")
@pytest.mark.parametrize(
    "target",
    [
        REFUND,
        Target("catalog", "github", "tools/list"),
        Target("subscription", "github", "subscriptions/listen"),
        Target("tool", "nowhere", "add"),
    ],
)
async def test_without_terms_nothing_is_shown(target: Target) -> None:
    assert await _static(github="hub").broker.credential(call_of(target)) == NONE


async def test_a_kind_that_nobody_obtains_fails_and_shows_nothing() -> None:
    with pytest.raises(UpstreamFailed, match="cannot obtain a credential for github"):
        await Bench({"github": Grant("id_jag")}).shown()


@pytest.mark.requirement("broker:kept-while-good")
async def test_a_credential_is_kept_as_long_as_it_is_good_and_no_longer() -> None:
    bench = Bench({"github": Grant("service")})

    first = [await bench.shown() for _ in range(3)]
    bench.source.now = 100.0
    after = await bench.shown()

    assert (set(first), after) == ({"Bearer token-1"}, "Bearer token-2")


@pytest.mark.requirement("broker:least-scopes")
async def test_targets_that_need_other_scopes_are_shown_other_tokens() -> None:
    grant = Grant("service", scopes=READ, tools=(("delete_repo", WRITE),))
    bench = Bench({"github": grant})

    plain, other = (
        await bench.shown(ADD),
        await bench.shown(Target("tool", "github", "delete_repo")),
    )

    assert plain != other
    assert [wanted.scopes for wanted in bench.source.wanted] == [READ, READ | WRITE]
    assert await bench.shown(ADD) == plain


@pytest.mark.requirement("broker:nobody-elses")
async def test_nobody_is_shown_as_somebody_else() -> None:
    bench = Bench({"github": Grant("token_exchange")})
    people = [
        ADA,
        EVE,
        replace(ADA, tenant="other"),
        replace(ADA, issuer="x"),
        replace(ADA, client="c"),
    ]

    shown = [await bench.shown(principal=person) for person in people]

    assert len(set(shown)) == len(people)
    assert [await bench.shown(principal=person) for person in people] == shown
    assert [wanted.principal for wanted in bench.source.wanted] == people


@pytest.mark.requirement("broker:consent-counts")
async def test_a_consent_that_is_taken_back_ends_what_was_kept_of_it() -> None:
    bench = Bench({"github": Grant("delegated")})
    key = grant_key(ADA, "github")
    bench.given[key] = Granted("g1", 1)
    first = await bench.shown()

    bench.given[key] = Granted("g2", 2)
    second = await bench.shown()
    del bench.given[key]
    await bench.shown()

    assert (first, second) == ("Bearer token-1", "Bearer token-2")
    assert [w.granted for w in bench.source.wanted] == [Granted("g1", 1), Granted("g2", 2), None]


@pytest.mark.requirement("broker:one-flight")
async def test_many_calls_at_once_obtain_one_credential() -> None:
    bench = Bench({"github": Grant("service")})
    bench.source.let = asyncio.Event()
    waiting = [asyncio.ensure_future(bench.shown()) for _ in range(64)]
    await asyncio.sleep(0)
    bench.source.let.set()

    assert set(await asyncio.gather(*waiting)) == {"Bearer token-1"}
    assert len(bench.source.wanted) == 1


@pytest.mark.requirement("broker:rotated-secrets")
async def test_calls_that_were_refused_together_obtain_one_new_credential() -> None:
    bench = Bench({"github": Grant("service")})
    calls = [call_of() for _ in range(64)]
    for call in calls:
        call.credential = await bench.broker.credential(call)

    renewing = [bench.broker.renewed(call, CredentialRefused()) for call in calls]
    renewed = {header_of(credential) for credential in await asyncio.gather(*renewing)}

    assert renewed == {"Bearer token-2"}
    assert len(bench.source.wanted) == 2
    assert await bench.shown() == "Bearer token-2"
    assert header_of(await bench.broker.renewed(calls[0], CredentialRefused())) == "Bearer token-2"
    assert len(bench.source.wanted) == 2


@pytest.mark.requirement("broker:one-flight")
async def test_calls_that_come_while_a_credential_is_renewed_wait_for_that_one() -> None:
    bench, call = Bench({"github": Grant("service")}), call_of()
    call.credential = await bench.broker.credential(call)
    bench.source.let = asyncio.Event()
    renewing = asyncio.ensure_future(bench.broker.renewed(call, CredentialRefused()))
    await asyncio.sleep(0)
    waiting = asyncio.ensure_future(bench.shown())
    await asyncio.sleep(0)
    bench.source.let.set()

    assert header_of(await renewing) == await waiting == "Bearer token-2"
    assert len(bench.source.wanted) == 2


@pytest.mark.requirement("broker:rotated-secrets")
async def test_who_joins_a_flight_that_brings_what_was_refused_asks_once_more() -> None:
    values = iter(["old", "old", "new"])
    bench = Bench({"github": Grant("static")}, secrets={"github": lambda: next(values)})
    call = call_of()
    call.credential = await bench.broker.credential(call)
    bench.kept.held.clear()
    earlier = asyncio.ensure_future(bench.shown())
    await asyncio.sleep(0)

    renewed = await bench.broker.renewed(call, CredentialRefused())

    assert (await earlier, header_of(renewed)) == ("Bearer old", "Bearer new")


@pytest.mark.requirement("broker:rotated-secrets")
async def test_a_secret_that_was_rotated_is_read_again_when_the_upstream_refused() -> None:
    values = ["old", "new"]
    bench = Bench({"github": Grant("static")}, secrets={"github": lambda: values.pop(0)})
    call = call_of()
    call.credential = await bench.broker.credential(call)

    renewed = await bench.broker.renewed(call, CredentialRefused())

    assert header_of(renewed) == await bench.shown() == "Bearer new"


@pytest.mark.requirement("broker:rotated-secrets")
async def test_a_secret_that_was_not_rotated_is_not_tried_again() -> None:
    bench, call = _static(github="old"), call_of()
    call.credential = await bench.broker.credential(call)

    with pytest.raises(UpstreamFailed, match="refuses the gateway's credential"):
        await bench.broker.renewed(call, CredentialRefused())


@pytest.mark.parametrize(
    ("grant", "refusal"),
    [
        (Grant("delegated"), ConsentRequired),
        (Grant("static", per_user=True), ConsentRequired),
        (Grant("service"), UpstreamFailed),
        (Grant("token_exchange"), UpstreamFailed),
    ],
)
async def test_who_is_refused_twice_is_asked_to_connect_where_that_may_help(
    grant: Grant, refusal: type[Exception]
) -> None:
    bench = Bench({"github": grant})

    assert type(await bench.broker.ended(call_of(), CredentialRefused())) is refusal
    assert len(bench.consents.asked) == (refusal is ConsentRequired)


@pytest.mark.requirement("broker:another-configuration")
async def test_what_was_obtained_goes_on_where_the_terms_do_and_ends_where_they_change() -> None:
    bench = Bench({"github": Grant("service"), "orders": Grant("service")})
    before = [await bench.shown(ADD), await bench.shown(REFUND)]

    bench.terms = {**bench.terms, "orders": Terms("orders", "https://other", Grant("service"))}
    bench.broker = bench.made()

    assert await bench.shown(ADD) == before[0]
    assert await bench.shown(REFUND) not in before


async def test_the_gateway_itself_shows_what_is_nobodys() -> None:
    bench = Bench(
        {"github": Grant("delegated")}, of_gateway={"orders": Grant("service", scopes=READ)}
    )

    assert await bench.broker.of_gateway("github") == NONE
    shown = [await bench.broker.of_gateway("orders") for _ in range(2)]
    bench.source.now = the_broker.OF_GATEWAY
    later = await bench.broker.of_gateway("orders")

    assert [header_of(credential) for credential in [*shown, later]] == [
        "Bearer token-1",
        "Bearer token-1",
        "Bearer token-2",
    ]
    assert bench.source.wanted[0].scopes == READ


async def test_the_gateway_reads_a_configured_secret_each_time() -> None:
    values = ["old", "new"]
    bench = Bench(
        {}, of_gateway={"github": Grant("static")}, secrets={"github": lambda: values.pop(0)}
    )

    shown = [header_of(await bench.broker.of_gateway("github")) for _ in range(2)]

    assert shown == ["Bearer old", "Bearer new"]


async def test_what_is_kept_does_not_grow_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(the_broker, "MOST", 10)
    bench = Bench({"github": Grant("token_exchange")})
    for number in range(50):
        await bench.shown(principal=replace(ADA, subject=f"p{number}"))

    assert len(bench.kept.held) == 10


@pytest.mark.requirement("broker:secrets-stay-inside")
async def test_a_secret_is_in_no_repr() -> None:
    call: Any = call_of()
    bench = _static(github="hub-secret")
    call.credential = await bench.broker.credential(call)

    shown = repr(call.credential) + repr(call) + repr(bench.kept.held) + repr(bench.terms)

    assert "hub-secret" not in shown


INSUFFICIENT = CredentialRefused('Bearer error="insufficient_scope", scope="write"', status=403)


@pytest.mark.requirement("broker:step-up")
async def test_a_target_that_needs_more_is_shown_more_and_the_others_are_not() -> None:
    bench = Bench({"github": Grant("service", scopes=READ)})
    call, other = call_of(), Target("tool", "github", "other")
    call.credential = await bench.broker.credential(call)

    renewed = await bench.broker.renewed(call, INSUFFICIENT)

    assert renewed.scopes == READ | WRITE
    assert await bench.shown(ADD) == header_of(renewed)
    assert [wanted.scopes for wanted in bench.source.wanted] == [READ, READ | WRITE]
    assert await bench.shown(other) == header_of(call.credential)


@pytest.mark.requirement("broker:step-up")
@pytest.mark.parametrize(
    "challenge", ["", "Basic", 'Bearer scope="read"', 'Bearer scope="x", scope="write"']
)
async def test_what_asks_for_nothing_more_is_asked_nothing_more(challenge: str) -> None:
    bench, call = Bench({"github": Grant("service", scopes=READ)}), call_of()
    call.credential = await bench.broker.credential(call)

    with pytest.raises(UpstreamFailed, match="may do too little"):
        await bench.broker.renewed(call, CredentialRefused(challenge, status=403))

    assert len(bench.source.wanted) == 1


@pytest.mark.requirement("broker:step-up")
async def test_a_configured_secret_can_do_no_more_than_it_can() -> None:
    bench, call = _static(github="hub"), call_of()
    call.credential = await bench.broker.credential(call)

    with pytest.raises(UpstreamFailed, match="may do too little"):
        await bench.broker.renewed(call, INSUFFICIENT)
