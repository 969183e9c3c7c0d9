from copy import copy

import pytest

from mcp_gateway.core.body import Body, Result
from mcp_gateway.core.call import Call
from mcp_gateway.core.errors import UpstreamFailed, UpstreamTimedOut
from mcp_gateway.core.target import Target
from mcp_gateway.services import retries
from mcp_gateway.services.retries import resent
from tests.support.calls import ADD, resolved

ANSWER = Body(b"{}")
UNSENT = UpstreamFailed("no connection", sent=False)
BROKEN = UpstreamFailed("it broke", passing=True)
NONSENSE = UpstreamFailed("nonsense")


class Upstream:
    """Answers each sending as it is told, and at last."""

    def __init__(self, *ends: Exception) -> None:
        self.ends = list(ends)
        self.sent = 0

    async def __call__(self, call: Call) -> Result:
        self.sent += 1
        assert call.attempts > self.sent
        if not self.ends:
            return ANSWER
        raise copy(self.ends.pop(0))


async def outcome(
    first: UpstreamFailed, *more: Exception, target: Target = ADD
) -> tuple[bool, int, int]:
    """Whether it was answered in the end, how often it was sent again, and counted as sent."""
    call, upstream = resolved(target, params={"name": "github__add"}), Upstream(*more)
    call.attempts = 1
    try:
        answered = await resent(call, copy(first), upstream, {"add"})
    except (UpstreamFailed, UpstreamTimedOut):
        return False, upstream.sent, call.attempts
    return answered is ANSWER, upstream.sent, call.attempts


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retries, "PAUSES", (0, 0))


OTHER = Target("tool", "github", "delete_repo", digest="sha256:delete")


@pytest.mark.requirement("upstreams:sent-again-only-when-safe")
async def test_what_did_not_leave_is_sent_once_more() -> None:
    assert await outcome(UNSENT, target=OTHER) == (True, 1, 2)
    assert await outcome(UNSENT, UNSENT, target=OTHER) == (False, 1, 2)


@pytest.mark.requirement("upstreams:sent-again-only-when-safe")
@pytest.mark.parametrize("failure", [BROKEN, NONSENSE])
async def test_what_may_have_left_is_not(failure: UpstreamFailed) -> None:
    assert await outcome(failure, target=OTHER) == (False, 0, 1)
    assert await outcome(UNSENT, failure, target=OTHER) == (False, 1, 2)


@pytest.mark.requirement("upstreams:sent-again-only-when-safe")
async def test_a_reviewed_tool_is_sent_twice_more_when_its_connection_broke() -> None:
    assert await outcome(BROKEN, BROKEN) == (True, 2, 3)
    assert await outcome(BROKEN, BROKEN, BROKEN) == (False, 2, 3)
    assert await outcome(NONSENSE) == (False, 0, 1)


@pytest.mark.requirement("upstreams:sent-again-only-when-safe")
async def test_a_review_of_a_tool_is_none_of_a_prompt_of_its_name() -> None:
    assert await outcome(BROKEN, target=Target("prompt", "github", "add")) == (False, 0, 1)


async def test_a_timeout_ends_it() -> None:
    assert await outcome(BROKEN, UpstreamTimedOut("too slow")) == (False, 1, 2)


async def test_that_it_may_have_left_once_is_not_forgotten() -> None:
    call, upstream = resolved(), Upstream(UNSENT, UNSENT, UNSENT)
    call.attempts = 1
    with pytest.raises(UpstreamFailed) as failed:
        await resent(call, copy(BROKEN), upstream, {"add"})

    assert failed.value.sent
