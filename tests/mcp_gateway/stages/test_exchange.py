import pytest

from mcp_gateway.core.body import Body, Result
from mcp_gateway.core.call import Call
from mcp_gateway.core.credential import CredentialRefused
from mcp_gateway.core.decision import CREDENTIAL
from mcp_gateway.core.errors import UpstreamFailed
from mcp_gateway.stages.exchange import Exchange
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
async def test_a_second_refusal_is_the_upstreams_failure() -> None:
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
