import pytest

from mcp_gateway.core.approval import NOT_ASKED
from mcp_gateway.core.decision import APPROVAL, Obligation
from mcp_gateway.core.errors import ApprovalRequired
from mcp_gateway.stages.approve import Approve
from tests.mcp_gateway.stages.contract import check
from tests.support.calls import Rest, resolved, snapshot
from tests.support.fakes import allowing


async def test_approve_changes_only_what_it_sets() -> None:
    await check(Approve(), resolved())
    await check(Approve(), resolved(snapshot=snapshot(policy=allowing(Obligation("confirm")))))


async def test_a_call_that_owes_no_approval_goes_on() -> None:
    rest = Rest()
    await Approve()(resolved(), rest)
    assert APPROVAL in rest.calls[0].discharged
    assert rest.calls[0].approval is NOT_ASKED


@pytest.mark.requirement("approve:nobody-can-say-yes-yet")
@pytest.mark.parametrize("owed", [Obligation("approval", "finance"), Obligation("confirm")])
async def test_a_call_that_owes_an_approval_is_refused_and_says_which(owed: Obligation) -> None:
    rest, made = Rest(), resolved(snapshot=snapshot(policy=allowing(owed)))
    with pytest.raises(ApprovalRequired, match=str(owed)) as caught:
        await Approve()(made, rest)
    assert caught.value.rule == "all"
    assert rest.calls == []
    assert APPROVAL not in made.discharged


async def test_other_obligations_are_left_to_their_stages() -> None:
    keep, rest = Obligation("keep", "arguments"), Rest()
    await Approve()(resolved(snapshot=snapshot(policy=allowing(keep))), rest)
    assert keep in rest.calls[0].outstanding("request")
