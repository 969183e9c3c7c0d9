from dataclasses import replace

import pytest

from mcp_gateway.core.body import Body
from mcp_gateway.core.call import Call, silent
from mcp_gateway.core.credential import NONE
from mcp_gateway.core.decision import (
    APPROVAL,
    CREDENTIAL,
    LIMIT,
    NEVER,
    RECORD,
    STANDING,
    UNDECIDED,
    Obligation,
)
from mcp_gateway.core.target import NOWHERE
from tests.support.calls import ADD, call, resolved, snapshot
from tests.support.fakes import allowing


@pytest.mark.requirement("call:born-refused")
def test_a_call_is_born_refused() -> None:
    made = call()
    assert made.target is NOWHERE
    assert made.decision is UNDECIDED
    assert not made.decision.allowed
    assert made.credential is NONE
    assert made.outstanding("request") >= STANDING
    assert made.outstanding("result") == {o for o in NEVER if o.side == "result"}


def test_what_leaves_is_what_came_until_a_stage_changes_it() -> None:
    made = call()
    assert made.outgoing is made.params


def test_two_calls_share_nothing_that_grows() -> None:
    one, two = call(), call()
    one.discharged.add(RECORD)
    one.facts["a"] = 1
    assert two.discharged == set()
    assert two.facts == {}


def test_what_is_owed_has_a_side() -> None:
    made = resolved(snapshot=snapshot(guard="strict"))
    asked, answered = made.outstanding("request"), made.outstanding("result")
    assert asked == {RECORD, LIMIT, APPROVAL, CREDENTIAL, Obligation("guard", "strict")}
    assert answered == {Obligation("guard", "strict", "result")}


def test_what_a_rule_owes_joins_what_the_server_owes() -> None:
    keep = Obligation("keep", "arguments")
    made = resolved(snapshot=snapshot(policy=allowing(keep)))
    assert keep in made.outstanding("request")


def test_discharging_one_side_leaves_the_other_owed() -> None:
    made = resolved(snapshot=snapshot(guard="strict"))
    made.discharged.add(Obligation("guard", "strict"))
    assert Obligation("guard", "strict") not in made.outstanding("request")
    assert Obligation("guard", "strict", "result") in made.outstanding("result")


def test_what_was_discharged_for_one_server_is_owed_anew_by_another() -> None:
    made = resolved()
    made.discharged |= made.outstanding("request") | made.outstanding("result")
    made.target = replace(ADD, server="elsewhere")
    assert made.outstanding("request") == {Obligation("never")}
    assert made.outstanding("result") == {Obligation("never", side="result")}


def test_a_call_takes_its_fields_by_name_only() -> None:
    with pytest.raises(TypeError):
        Call("c-1", "tools/call")  # type: ignore[call-arg]  # what must not work


async def test_a_message_to_nobody_is_dropped() -> None:
    await silent(Body(b"{}"))
    assert call().notify is silent
