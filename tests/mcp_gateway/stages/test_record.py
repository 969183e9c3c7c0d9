import asyncio
import contextlib
import gc
import itertools
import logging
import weakref
from typing import Any

import pytest

from mcp_gateway.core.asking import Asked, Resumed
from mcp_gateway.core.body import Body
from mcp_gateway.core.call import Call, child_of
from mcp_gateway.core.decision import RECORD, UNDECIDED, Decision, Obligation
from mcp_gateway.core.entry import Entry, Receipt
from mcp_gateway.core.errors import Forbidden, Overloaded, Refusal, UpstreamFailed
from mcp_gateway.core.snapshot import Snapshot
from mcp_gateway.stages.record import Record
from tests.mcp_gateway.stages.contract import check
from tests.support.calls import ADD, Inbox, Rest, call, resolved, snapshot
from tests.support.fakes import (
    ALLOWED,
    DENIED,
    WHO,
    FakeLedger,
    FakeObserver,
    FakeParked,
    FakeParking,
    allowing,
    asking,
)

UNLOOKED = Obligation("guard", "strict", "result")
PROGRESS = Body(b'{"jsonrpc":"2.0","method":"notifications/progress"}')


def free() -> Snapshot:
    """A world in which a call owes nothing on the result side."""
    world = snapshot()
    for upstream in world.upstreams.values():
        vars(upstream)["owed"] = frozenset({RECORD})
    return world


def owing() -> Snapshot:
    """A world in which a result has to be looked at."""
    return snapshot(policy=allowing(UNLOOKED))


async def test_record_changes_only_what_it_sets() -> None:
    await check(Record(FakeLedger(), FakeParking()), resolved(snapshot=free()))


async def test_an_answer_is_released_after_its_outcome_is_written() -> None:
    ledger = FakeLedger()
    made = resolved(snapshot=free())
    result = await Record(ledger, FakeParking())(made, Rest())
    assert result.raw == b'{"content":[]}'
    assert ledger.kinds == ["outcome"]
    assert made.receipt == Receipt("log", 0)


@pytest.mark.requirement("record:no-answer-unrecorded")
async def test_an_answer_whose_outcome_cannot_be_written_is_not_released() -> None:
    with pytest.raises(Overloaded):
        await Record(FakeLedger(broken={"outcome"}), FakeParking())(
            resolved(snapshot=free()), Rest()
        )


@pytest.mark.requirement("record:refusals-are-entries")
async def test_a_refusal_is_recorded_under_its_slug_with_its_arguments_as_content() -> None:
    ledger = FakeLedger()
    made = call(snapshot=free())
    with pytest.raises(UpstreamFailed):
        await Record(ledger, FakeParking())(made, Rest(refusal=UpstreamFailed("away")))
    assert ledger.last.body["outcome"] == "upstream_failed"
    assert ledger.last.content == {"params": made.params.raw}


async def test_a_hidden_denial_is_recorded_as_what_it_is() -> None:
    ledger = FakeLedger()
    with pytest.raises(Forbidden):
        await Record(ledger, FakeParking())(
            call(), Rest(refusal=Forbidden("no", recorded="something_else"))
        )
    assert ledger.last.body["outcome"] == "something_else"


async def test_a_refusal_that_cannot_be_recorded_is_an_overload() -> None:
    with pytest.raises(Overloaded):
        await Record(FakeLedger(broken={"outcome"}), FakeParking())(
            call(), Rest(refusal=Forbidden("no"))
        )


@pytest.mark.requirement("chain:nothing-released-while-owed")
@pytest.mark.parametrize("failed", [False, True])
async def test_no_result_or_error_leaves_while_it_has_not_been_looked_at(*, failed: bool) -> None:
    ledger = FakeLedger()
    answer = Body(b'{"message":"from the upstream","code":-1}', failed=failed)
    with pytest.raises(Forbidden, match="guard:strict"):
        await Record(ledger, FakeParking())(resolved(snapshot=owing()), Rest(answer))
    assert ledger.last.body["outcome"] == "forbidden"


@pytest.mark.requirement("chain:nothing-released-while-owed")
async def test_no_message_leaves_while_results_have_not_been_looked_at() -> None:
    inbox = Inbox()
    made = resolved(snapshot=owing(), notify=inbox)
    with pytest.raises(Forbidden):
        await Record(FakeLedger(), FakeParking())(made, Rest(messages=(PROGRESS,)))
    assert inbox.messages == []


async def test_a_message_passes_when_nothing_is_owed() -> None:
    inbox = Inbox()
    made = resolved(snapshot=free(), notify=inbox)
    await Record(FakeLedger(), FakeParking())(made, Rest(messages=(PROGRESS, PROGRESS)))
    assert inbox.messages == [PROGRESS.raw] * 2


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (Body(b'{"content":[]}'), "ok"),
        (Body(b'{"content":[],"isError":false}'), "ok"),
        (Body(b'{"content":[],"isError":true}'), "error"),
        (Body(b'{"content":[{"isError":true}]}'), "ok"),
        (Body(b'{"code":-32000,"message":"no"}', failed=True), "error"),
    ],
)
async def test_the_outcome_says_whether_the_upstream_failed(answer: Body, outcome: str) -> None:
    ledger = FakeLedger()
    await Record(ledger, FakeParking())(resolved(snapshot=free()), Rest(answer))
    assert ledger.last.body["outcome"] == outcome


async def test_a_plain_result_is_never_decoded() -> None:
    def decode(raw: bytes) -> Any:
        raise AssertionError(raw)

    await Record(FakeLedger(), FakeParking())(
        resolved(snapshot=free()), Rest(Body(b'{"a":1}', decode=decode))
    )


async def test_the_entry_holds_sizes_times_and_the_intent() -> None:
    ledger = FakeLedger()
    ticks = itertools.count(step=0.25)
    made = resolved(snapshot=free())
    made.intent, made.attempts = Receipt("log", 41), 2
    await Record(ledger, FakeParking(), clock=lambda: next(ticks))(made, Rest(Body(b'{"a":1}')))
    body = ledger.last.body
    assert (body["micros"], body["attempts"], body["intent"]) == (250_000, 2, 41)
    assert (body["bytes_in"], body["bytes_out"]) == (len(made.params), 7)
    assert ledger.last.content == {"result": b'{"a":1}'}
    assert ledger.last.subject == "local|alice"


async def test_no_entry_holds_arguments_or_results_in_clear() -> None:
    ledger = FakeLedger()
    made = call(params={"name": "github__add", "arguments": {"q": "hush-in"}}, snapshot=free())
    made.target = ADD
    await Record(ledger, FakeParking())(made, Rest(Body(b'{"content":"hush-out"}')))
    assert "hush" not in repr(ledger.last)
    assert "hush" not in repr(dict(ledger.last.body))


@pytest.mark.requirement("record:cancelled-calls-are-entries")
async def test_a_cancelled_call_is_recorded_as_cancelled() -> None:
    ledger = FakeLedger()
    with pytest.raises(asyncio.CancelledError):
        await Record(ledger, FakeParking())(call(), Rest(refusal=asyncio.CancelledError()))
    assert ledger.last.body["outcome"] == "cancelled"


async def test_a_caller_that_hangs_up_leaves_a_record() -> None:
    ledger = FakeLedger()
    waiting = asyncio.Event()

    async def hang(_: Any) -> Body:
        waiting.set()
        await asyncio.Event().wait()
        raise AssertionError

    async with asyncio.TaskGroup() as group:
        task = group.create_task(_swallowed(Record(ledger, FakeParking())(call(), hang)))
        await waiting.wait()
        task.cancel()
    assert [entry.body["outcome"] for entry in ledger.entries] == ["cancelled"]


async def _swallowed(answer: Any) -> None:
    with pytest.raises(asyncio.CancelledError):
        await answer


async def test_a_fault_of_the_gateways_own_is_recorded_as_failed_and_raised(
    caplog: pytest.LogCaptureFixture,
) -> None:
    ledger = FakeLedger()
    with caplog.at_level(logging.ERROR), pytest.raises(ZeroDivisionError):
        await Record(ledger, FakeParking())(call(), Rest(refusal=ZeroDivisionError()))
    assert ledger.last.body["outcome"] == "failed"
    assert "c-1" in caplog.text


async def test_observers_see_every_end() -> None:
    observer = FakeObserver()
    recorder = Record(FakeLedger(), FakeParking(), [observer], clock=lambda: 1.0)
    await recorder(resolved(snapshot=free()), Rest())
    with pytest.raises(Forbidden):
        await recorder(resolved(snapshot=free()), Rest(refusal=Forbidden("no")))
    assert observer.seen == [("c-1", "ok", 0.0), ("c-1", "forbidden", 0.0)]


async def test_what_stages_noted_stands_in_the_entry() -> None:
    ledger = FakeLedger()
    made = resolved(snapshot=free())
    made.facts["findings"] = [["result", "role_marker", "inst_tags", "/content/0/text"]]
    await Record(ledger, FakeParking())(made, Rest())
    assert ledger.last.body["findings"] == made.facts["findings"]


@pytest.mark.parametrize("raw", [b'["isError"]', b'{"isError":tru'])
async def test_an_answer_that_is_no_object_still_leaves_a_record(raw: bytes) -> None:
    ledger = FakeLedger()
    with contextlib.suppress(ValueError, Refusal):
        await Record(ledger, FakeParking())(resolved(snapshot=free()), Rest(Body(raw)))
    assert ledger.kinds == ["outcome"]


@pytest.mark.requirement("record:a-call-that-ended-is-gone")
async def test_a_call_that_ended_is_freed_without_the_collector() -> None:
    class Seen(Body):
        """A body that can be seen going."""

        __slots__ = ("__weakref__",)

    async def one() -> weakref.ref[Body]:
        made = resolved(snapshot=free())
        made.params = made.outgoing = Seen(made.params.raw)
        await Record(FakeLedger(), FakeParking())(made, Rest(messages=(PROGRESS,)))
        return weakref.ref(made.params)

    gc.disable()
    try:
        seen = await one()
        assert seen() is None
    finally:
        gc.enable()


class Asking(Rest):
    """The rest of a chain whose upstream asks, and waits."""

    def __init__(self, answer: Body | None = None, refusal: BaseException | None = None) -> None:
        self.parked = FakeParked()
        super().__init__(answer or asking(self.parked), refusal)

    async def __call__(self, call: Call) -> Body:
        call.parked = self.parked
        call.children = tuple(child_of(call, n, WHO) for n in (1, 2))
        for child in call.children:
            child.decision, child.facts["key"] = ALLOWED, "who"
        return await super().__call__(call)


@pytest.mark.requirement("questions:child-entries")
async def test_each_question_is_an_entry_before_the_outcome_of_its_call() -> None:
    ledger, made = FakeLedger(), resolved(snapshot=free())

    await Record(ledger, FakeParking())(made, Asking())

    assert ledger.kinds == ["asked", "asked", "outcome"]
    first = ledger.entries[0]
    assert (first.call, first.subject) == ("c-1.1", "local|alice")
    assert first.body == {"bytes_in": len(WHO.params), "parent": "c-1", "key": "who"}
    assert first.content == {"params": WHO.params}
    assert first.common.fields["method"] == "elicitation/create"
    assert (first.common.fields["rule"], first.common.fields["effect"]) == ("all", "allow")
    assert made.receipt == Receipt("log", 2)


@pytest.mark.parametrize(
    ("answer", "method", "outcome"),
    [
        (asking(), "tools/call", "input_required"),
        (Body(b"{}", asked=Asked({}, "later")), "tools/call", "input_required"),
        (Body(b"{}", asked=Asked({})), "tools/call", "task"),
        (Body(b"{}", asked=Asked({})), "tasks/get", "ok"),
    ],
)
async def test_the_outcome_says_that_there_is_more_to_come(
    answer: Body, method: str, outcome: str
) -> None:
    ledger = FakeLedger()

    await Record(ledger, FakeParking())(resolved(snapshot=free(), method=method), Rest(answer))

    assert ledger.last.body["outcome"] == outcome


@pytest.mark.requirement("parks:none-without-a-record")
async def test_what_waits_is_kept_once_its_call_is_recorded() -> None:
    parking, rest = FakeParking(), Asking()

    await Record(FakeLedger(), parking)(resolved(snapshot=free()), rest)

    assert parking.kept == {"c-1": rest.parked}
    assert rest.parked.abandoned == 0


@pytest.mark.requirement("parks:none-without-a-record")
@pytest.mark.parametrize(
    "refusal", [Forbidden("no"), ZeroDivisionError(), asyncio.CancelledError()]
)
@pytest.mark.parametrize("broken", [set[str](), {"outcome"}])
async def test_after_any_other_end_nothing_waits(refusal: BaseException, broken: set[str]) -> None:
    parking, rest = FakeParking(), Asking(refusal=refusal)
    ledger = FakeLedger(broken=broken)

    with pytest.raises((type(refusal), Overloaded)):
        await Record(ledger, parking)(resolved(snapshot=free()), rest)

    assert parking.kept == {}
    assert rest.parked.abandoned == 1
    assert ledger.kinds[:2] == ["asked", "asked"]


@pytest.mark.requirement("parks:end-with-their-caller")
@pytest.mark.parametrize(
    ("decision", "ended"),
    [(DENIED, [("c-0", "denied")]), (ALLOWED, []), (UNDECIDED, [])],
    ids=["denied", "refused otherwise", "before it was decided"],
)
@pytest.mark.parametrize("broken", [set[str](), {"outcome"}])
async def test_a_denied_answer_ends_what_waits_for_it_and_another_may_come_again(
    decision: Decision, ended: list[tuple[str, str]], broken: set[str]
) -> None:
    parking, made = FakeParking(), resolved(snapshot=free())
    made.resumed, made.decision = Resumed(parent="c-0", park="c-0"), decision

    with pytest.raises((Forbidden, Overloaded)):
        await Record(FakeLedger(broken=broken), parking)(made, Rest(refusal=Forbidden("no")))

    assert parking.ended == ended


@pytest.mark.requirement("parks:none-without-a-record")
@pytest.mark.parametrize("broken", ["asked", "outcome"])
async def test_a_question_that_cannot_be_recorded_is_not_asked(broken: str) -> None:
    parking, rest = FakeParking(), Asking()

    with pytest.raises(Overloaded):
        await Record(FakeLedger(broken={broken}), parking)(resolved(snapshot=free()), rest)

    assert (parking.kept, rest.parked.abandoned) == ({}, 1)


@pytest.mark.requirement("parks:none-without-a-record")
async def test_a_caller_who_hangs_up_while_it_is_recorded_leaves_nothing_waiting() -> None:
    class Slow(FakeLedger):
        async def _written(self, entry: Entry) -> Receipt:
            await asyncio.Event().wait()
            return await super()._written(entry)

    parking, rest, ledger = FakeParking(), Asking(), Slow()
    calling = asyncio.ensure_future(Record(ledger, parking)(resolved(snapshot=free()), rest))
    while not rest.calls:
        await asyncio.sleep(0)
    await asyncio.sleep(0)

    calling.cancel()
    with pytest.raises(asyncio.CancelledError):
        await calling

    assert (parking.kept, rest.parked.abandoned) == ({}, 1)
