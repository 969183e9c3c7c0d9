import hashlib

import pytest

from mcp_gateway.core.approval import Approval
from mcp_gateway.core.asking import Resumed
from mcp_gateway.core.body import Body
from mcp_gateway.core.call import Call
from mcp_gateway.core.credential import Credential, CredentialRefused
from mcp_gateway.core.decision import UNDECIDED, Obligation
from mcp_gateway.core.entry import Receipt
from mcp_gateway.core.errors import Forbidden, Overloaded, QuestionExpired
from mcp_gateway.core.snapshot import Snapshot
from mcp_gateway.core.target import NOWHERE, Target
from mcp_gateway.stages.forward import Forward
from tests.mcp_gateway.stages.contract import check
from tests.support.calls import Rest, resolved, snapshot
from tests.support.fakes import (
    FakeConnector,
    FakeLedger,
    FakeParked,
    FakeParking,
    allowing,
    asking,
)


def ready(world: Snapshot | None = None) -> Call:
    """A call that owes nothing more before it is sent."""
    made = resolved(snapshot=world or snapshot())
    made.discharged |= made.outstanding("request")
    return made


async def test_forward_changes_only_what_it_sets() -> None:
    await check(Forward(FakeLedger(), FakeParking()), ready())


async def test_a_cleared_call_reaches_its_upstream_after_its_intent_is_written() -> None:
    ledger, connector = FakeLedger(), FakeConnector()
    made = ready(snapshot(connector))
    result = await Forward(ledger, FakeParking())(made, Rest())
    assert result is connector.answer
    assert connector.received == [made.params.raw]
    assert ledger.kinds == ["intent"]
    assert (made.intent, made.attempts) == (Receipt("log", 0), 1)


@pytest.mark.requirement("record:intent-before-a-byte-leaves")
async def test_nothing_is_sent_when_the_intent_cannot_be_written() -> None:
    connector = FakeConnector()
    with pytest.raises(Overloaded):
        await Forward(FakeLedger(broken={"intent"}), FakeParking())(
            ready(snapshot(connector)), Rest()
        )
    assert connector.received == []


@pytest.mark.requirement("chain:nothing-sent-while-owed")
async def test_nothing_is_sent_while_anything_is_owed() -> None:
    connector, ledger = FakeConnector(), FakeLedger()
    full = ready(snapshot(connector)).discharged
    for missing in full:
        made = resolved(snapshot=snapshot(connector))
        made.discharged |= full - {missing}
        with pytest.raises(Forbidden, match=str(missing)):
            await Forward(ledger, FakeParking())(made, Rest())
    assert connector.received == []
    assert ledger.entries == []


async def test_an_obligation_that_nobody_implements_is_a_denial() -> None:
    connector = FakeConnector()
    world = snapshot(connector, allowing(Obligation("watermark", "red")))
    made = resolved(snapshot=world)
    made.discharged |= ready(snapshot(connector)).discharged
    with pytest.raises(Forbidden, match="watermark:red"):
        await Forward(FakeLedger(), FakeParking())(made, Rest())
    assert connector.received == []


async def test_a_call_that_was_never_decided_is_not_sent() -> None:
    connector = FakeConnector()
    made = ready(snapshot(connector))
    made.decision = UNDECIDED
    with pytest.raises(Forbidden):
        await Forward(FakeLedger(), FakeParking())(made, Rest())
    assert connector.received == []


@pytest.mark.parametrize("target", [NOWHERE, Target("tool", "elsewhere", "add")])
async def test_a_call_to_no_registered_server_is_not_sent(target: Target) -> None:
    made = ready()
    made.target = target
    with pytest.raises(Forbidden, match="never"):
        await Forward(FakeLedger(), FakeParking())(made, Rest())


@pytest.mark.requirement("approve:bound-to-what-leaves")
async def test_what_changed_after_it_was_approved_is_not_sent() -> None:
    connector = FakeConnector()
    made = ready(snapshot(connector))
    made.approval = Approval("g-1", hashlib.sha256(made.params.raw).hexdigest())
    made.outgoing = Body(b'{"name":"github__add","arguments":{"a":1000}}')
    with pytest.raises(Forbidden, match="changed after it was approved"):
        await Forward(FakeLedger(), FakeParking())(made, Rest())
    assert connector.received == []


async def test_what_was_approved_is_sent() -> None:
    connector = FakeConnector()
    made = ready(snapshot(connector))
    made.approval = Approval("g-1", hashlib.sha256(made.params.raw).hexdigest())
    await Forward(FakeLedger(), FakeParking())(made, Rest())
    assert len(connector.received) == 1


@pytest.mark.requirement("record:one-intent-a-call")
async def test_a_second_attempt_writes_no_second_intent() -> None:
    ledger = FakeLedger()
    forward = Forward(ledger, FakeParking())
    made = ready(snapshot(FakeConnector(unauthorised=1)))
    with pytest.raises(CredentialRefused):
        await forward(made, Rest())
    await forward(made, Rest())
    assert ledger.kinds == ["intent"]
    assert made.attempts == 2


async def test_the_intent_commits_to_what_leaves_and_names_the_credential() -> None:
    ledger, made = FakeLedger(), ready()
    made.credential = Credential("static:github", (("authorization", "Bearer hush"),))
    made.outgoing = Body(b'{"changed":true}')
    await Forward(ledger, FakeParking())(made, Rest())
    assert ledger.last.content == {"params": b'{"changed":true}'}
    assert ledger.last.body["credential"] == "static:github"
    assert "hush" not in repr(dict(ledger.last.body))


async def test_a_listing_goes_to_the_gateways_own_connector() -> None:
    own, other = FakeConnector(), FakeConnector()
    world = snapshot(own)
    vars(world.upstreams["github"])["connector"] = other
    made = ready(world)
    made.target = Target("catalog", "github", "tools/list")
    await Forward(FakeLedger(), FakeParking())(made, Rest())
    assert (len(own.received), len(other.received)) == (1, 0)


def continuing(park: str = "c-0") -> Call:
    made = ready()
    made.resumed = Resumed(parent="c-0", park=park)
    return made


@pytest.mark.requirement("parks:single-use")
async def test_an_answer_goes_to_what_waits_for_it_after_its_intent_is_written() -> None:
    ledger, parking, parked = FakeLedger(), FakeParking(), FakeParked()
    parking.kept["c-0"] = parked
    connector, made = FakeConnector(), continuing()
    made.snapshot = snapshot(connector)

    result = await Forward(ledger, parking)(made, Rest())

    assert result is parked.answer
    assert parked.resumed == [made.outgoing.raw]
    assert connector.received == []
    assert (ledger.last.body["parent"], ledger.last.body["park"]) == ("c-0", "c-0")
    assert parking.kept == {}


async def test_an_intent_that_cannot_be_written_loses_nothing_that_waits() -> None:
    parking = FakeParking({"c-0": FakeParked()})

    with pytest.raises(Overloaded):
        await Forward(FakeLedger(broken={"intent"}), parking)(continuing(), Rest())

    assert list(parking.kept) == ["c-0"]


async def test_an_answer_that_nobody_waits_for_is_not_sent() -> None:
    made = continuing("gone")

    with pytest.raises(QuestionExpired):
        await Forward(FakeLedger(), FakeParking())(made, Rest())

    assert made.attempts == 0


@pytest.mark.parametrize("parked", [None, FakeParked()], ids=["forgot the call", "waits"])
async def test_what_waits_for_an_answer_is_known_to_its_call(parked: FakeParked | None) -> None:
    made = ready(snapshot(FakeConnector(asking(parked))))

    await Forward(FakeLedger(), FakeParking())(made, Rest())

    assert made.parked is parked
