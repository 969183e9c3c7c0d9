import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from local_models.guards.rules import RulesGuard
from mcp_gateway.core.asking import Declared, Resumed
from mcp_gateway.core.body import Body, Result
from mcp_gateway.core.call import Call
from mcp_gateway.core.credential import Credential, CredentialRefused
from mcp_gateway.core.decision import CREDENTIAL
from mcp_gateway.core.errors import ConsentRequired, UpstreamFailed
from mcp_gateway.stages.exchange import Exchange
from mcp_gateway.wire import jsonrpc
from mcp_gateway.wire.modern import META_CAPABILITIES
from tests.mcp_gateway.stages.contract import check
from tests.support.calls import Rest, resolved
from tests.support.fakes import FakeBroker


class Upstream:
    """Refuses the credentials of the first `times` calls."""

    def __init__(self, times: int) -> None:
        self.times = times
        self.shown: list[str] = []

    async def __call__(self, call: Call) -> Result:
        self.shown.append(dict(call.credential.headers)["authorization"])
        if len(self.shown) <= self.times:
            raise CredentialRefused
        return Body(b"{}")


async def test_exchange_changes_only_what_it_sets() -> None:
    await check(Exchange(FakeBroker()), resolved())


async def test_the_rest_of_the_chain_has_a_credential() -> None:
    rest = Rest()
    await Exchange(FakeBroker())(resolved(), rest)
    assert rest.calls[0].credential.reference == "static:github"
    assert CREDENTIAL in rest.calls[0].discharged


@pytest.mark.requirement("exchange:one-renewal")
async def test_a_refused_credential_is_renewed_once() -> None:
    upstream = Upstream(times=1)
    await Exchange(FakeBroker())(resolved(), upstream)
    assert upstream.shown == ["Bearer key-1", "Bearer key-2"]


@pytest.mark.requirement("exchange:one-renewal")
async def test_a_second_refusal_ends_as_the_broker_says() -> None:
    upstream = Upstream(times=9)
    with pytest.raises(UpstreamFailed, match="github refuses the gateway's credential") as caught:
        await Exchange(FakeBroker())(resolved(), upstream)
    assert len(upstream.shown) == 2
    assert "key-" not in str(caught.value)


async def test_without_a_credential_nothing_goes_on() -> None:
    rest, made = Rest(), resolved()
    with pytest.raises(UpstreamFailed):
        await Exchange(FakeBroker(refusal=UpstreamFailed("no secret")))(made, rest)
    assert rest.calls == []
    assert CREDENTIAL not in made.discharged


async def test_a_credential_never_shows_in_a_repr() -> None:
    rest = Rest()
    await Exchange(FakeBroker())(resolved(), rest)
    assert "key-1" not in repr(rest.calls[0])


LINK = "https://gateway.example/connect/secret"
ABLE: Mapping[str, Any] = {META_CAPABILITIES: {"elicitation": {"url": {}}}}


def unconnected() -> Exchange:
    return Exchange(FakeBroker(refusal=ConsentRequired("github", LINK)))


def able(method: str = "tools/call", meta: Mapping[str, Any] = ABLE, **changes: Any) -> Call:
    """A call of a runtime that can show its person an address."""
    params = {"name": "github__add", "arguments": {}, "_meta": meta}
    return resolved(method=method, params=params, **changes)


@pytest.mark.requirement("connecting:asked-by-elicitation")
@pytest.mark.parametrize("method", ["tools/call", "prompts/get", "resources/read"])
async def test_who_can_be_shown_an_address_is_asked_to_connect_there(method: str) -> None:
    rest, made = Rest(), able(method)

    result = await unconnected()(made, rest)

    view = result.view()
    assert view["resultType"] == "input_required"
    assert view["inputRequests"]["connect"]["method"] == "elicitation/create"
    params = view["inputRequests"]["connect"]["params"]
    assert (params["mode"], params["url"]) == ("url", LINK)
    assert result.asked is not None
    assert result.asked.own
    assert rest.calls == []
    assert CREDENTIAL in made.discharged


@pytest.mark.requirement("connecting:asked-in-words")
@pytest.mark.parametrize(
    "meta",
    [
        {},
        {META_CAPABILITIES: {}},
        {META_CAPABILITIES: {"elicitation": {}}},
        {META_CAPABILITIES: {"elicitation": {"form": {}}}},
        {META_CAPABILITIES: {"sampling": {}}},
    ],
)
async def test_who_can_be_shown_no_address_is_refused_with_it(meta: Mapping[str, Any]) -> None:
    with pytest.raises(ConsentRequired, match=LINK):
        await unconnected()(able(meta=meta), Rest())


async def test_a_method_whose_result_may_not_ask_is_refused_with_the_address() -> None:
    with pytest.raises(ConsentRequired, match=LINK):
        await unconnected()(able("completion/complete"), Rest())


@pytest.mark.requirement("connecting:asked-once")
@pytest.mark.parametrize(
    "resumed", [Resumed(own=True), Resumed(park="c-0"), Resumed(state="the upstream's")]
)
async def test_who_was_asked_before_is_not_asked_again_in_one_round(resumed: Resumed) -> None:
    made = able()
    made.resumed = resumed

    with pytest.raises(ConsentRequired, match=LINK):
        await unconnected()(made, Rest())


@dataclass
class Expired(FakeBroker):
    """Gives one credential, and no other in its place."""

    async def renewed(self, call: Call, refused: CredentialRefused) -> Credential:  # noqa: ARG002
        raise ConsentRequired(call.target.server, LINK)


async def test_who_has_to_consent_again_is_asked_for_it_in_the_middle_of_the_call() -> None:
    upstream = Upstream(times=1)

    result = await Exchange(Expired())(able(), upstream)

    assert result.asked is not None
    assert result.asked.own
    assert len(upstream.shown) == 1


def test_the_address_is_nothing_that_a_guard_would_stop() -> None:
    """It is random: were it like a key, some runtimes could never be told."""
    rules = RulesGuard()

    for _ in range(2000):
        link = f"https://gateway.example/connect/{secrets.token_urlsafe(32)}"
        assert rules.clears(link.encode())


@dataclass
class Later(FakeBroker):
    """Has a credential once its person has consented."""

    consented: bool = False

    async def credential(self, call: Call) -> Credential:
        if not self.consented:
            raise ConsentRequired(call.target.server, LINK)
        return await super().credential(call)


def answering(action: str) -> Call:
    """The call again, of who was asked before."""
    answers = {"connect": {"action": action}}
    params = {"name": "github__add", "_meta": ABLE, "inputResponses": answers}
    made = resolved(params=params)
    made.resumed = Resumed(own=True)
    return made


@pytest.mark.requirement("connecting:a-person-has-a-while")
async def test_who_said_that_they_open_the_address_has_a_while_to_consent_there() -> None:
    broker, rest, waited = Later(), Rest(), []

    async def given(call: Call, server: str) -> bool:
        waited.append(server)
        broker.consented = True
        return True

    result = await Exchange(broker, given)(answering("accept"), rest)

    assert result is rest.answer
    assert waited == ["github"]


@pytest.mark.parametrize("action", ["decline", "cancel", "accept"])
async def test_who_does_not_open_it_or_not_in_time_is_refused(action: str) -> None:
    waited: list[str] = []

    async def given(call: Call, server: str) -> bool:
        waited.append(server)
        return False

    with pytest.raises(ConsentRequired):
        await Exchange(Later(), given)(answering(action), Rest())

    assert waited == (["github"] if action == "accept" else [])


@pytest.mark.parametrize("answers", [None, [], {"connect": "accept"}, {"other": {}}])
async def test_what_is_no_answer_waits_for_nothing(answers: Any) -> None:
    async def given(call: Call, server: str) -> bool:
        raise AssertionError

    made = answering("accept")
    made.params = Body(jsonrpc.encode({"name": "github__add", "inputResponses": answers}))

    with pytest.raises(ConsentRequired):
        await Exchange(Later(), given)(made, Rest())


async def test_in_the_initialize_era_nobody_waits() -> None:
    async def given(call: Call, server: str) -> bool:
        raise AssertionError

    made = answering("accept")
    made.declared = Declared()

    with pytest.raises(ConsentRequired):
        await Exchange(Later(), given)(made, Rest())
