"""What is found in a result that is not held: held after all, or noted as it passes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local_models.guards.profiles import Profile
from local_models.guards.rules import RulesGuard
from mcp_gateway.core import ports
from mcp_gateway.core.body import Body, Result
from mcp_gateway.core.call import Call
from mcp_gateway.core.errors import Blocked, ResultTooLarge
from mcp_gateway.stages.guard import OVERLAP, Guard, _unescaped
from mcp_gateway.wire import jsonrpc
from tests.support.calls import Rest, resolved, snapshot
from tests.support.fakes import FakeGuard, FakeStream

PIECES = (b'{"content":"some te', b"xt that is hu", b'sh","end":1}')


def guarded() -> Call:
    return resolved(snapshot=snapshot(guard="p"))


async def look(
    made: Call,
    stream: FakeStream,
    guard: ports.Guard,
    *denied: str,
    most: int = 1000,
    **said: object,
) -> Result:
    actions = {("result", label): "deny" for label in denied}
    profile = Profile("p", (guard,), actions, **said)  # type: ignore[arg-type]  # Action
    return await Guard({"p": profile}, most)(made, Rest(Body(b"", stream=stream)))


async def read(result: Result) -> bytes:
    assert result.stream is not None
    return b"".join([piece async for piece in result.stream.chunks()])


@pytest.mark.requirement("streams:observed-as-they-pass")
async def test_who_only_observes_sees_each_piece_before_it_leaves() -> None:
    made, stream, guard = guarded(), FakeStream(PIECES), FakeGuard(words=["hush"])
    result = await look(made, stream, guard)
    assert (stream.given, stream.held) == (0, 0)
    assert (
        made.outstanding("result") - {o for o in made.outstanding("result") if o.name != "guard"}
        == set()
    )

    assert await read(result) == b"".join(PIECES)

    assert made.facts["findings"] == [["result", "credential", "fake", ""]]


@pytest.mark.requirement("streams:held-while-owed")
async def test_who_may_deny_looks_at_all_of_it_first() -> None:
    made, stream = guarded(), FakeStream(PIECES)

    with pytest.raises(Blocked, match="credential at /content"):
        await look(made, stream, FakeGuard(words=["hush"]), "credential")

    assert (stream.given, stream.held, stream.closed) == (0, 1, 1)


async def test_a_clean_result_passes_after_it_was_held() -> None:
    made, stream = guarded(), FakeStream(PIECES)

    result = await look(made, stream, FakeGuard(words=["no such"]), "credential")

    assert await read(result) == b"".join(PIECES)
    assert stream.held == 1


async def test_what_cannot_be_held_is_refused_and_closed() -> None:
    stream = FakeStream(PIECES)

    with pytest.raises(ResultTooLarge):
        await look(guarded(), stream, FakeGuard(), "credential", most=10)

    assert stream.closed


async def test_what_no_guard_can_read_is_refused_and_closed() -> None:
    stream = FakeStream([b'{"a":"hush","a":"hush"}'])

    with pytest.raises(Blocked, match="cannot be read"):
        await look(guarded(), stream, FakeGuard(words=["hush"]), "credential")

    assert stream.closed


async def test_an_observer_that_is_late_ends_the_stream_unless_it_may_be() -> None:
    late = FakeGuard(hangs=True)

    with pytest.raises(Blocked, match="in time"):
        await read(await look(guarded(), FakeStream(PIECES), late, timeout=0.01))

    made = guarded()
    result = await look(made, FakeStream(PIECES), late, timeout=0.01, on_error="allow")
    assert await read(result) == b"".join(PIECES)
    assert made.facts["guard_late"] == "p"


@pytest.mark.requirement("streams:observed-as-they-pass")
@given(
    at=st.integers(1, 20 + 20),
    before=st.integers(0, OVERLAP),
    written=st.sampled_from(["AKIA", "\\u0041KIA", "\\n\\\\AKIA", "\\/AK\\u0049A"]),
)
async def test_nothing_is_missed_for_standing_across_two_pieces(
    at: int, before: int, written: str
) -> None:
    text = f'{{"a":"{"x" * before} {written}{"B" * 16} "}}'.encode()
    cut = min(before + at, len(text) - 1)
    made = guarded()

    await read(await look(made, FakeStream([text[:cut], text[cut:]]), RulesGuard()))

    assert made.facts["findings"] == [["result", "credential", "aws_access_key", ""]]


@given(st.text())
def test_a_text_is_read_as_what_it_stands_for(text: str) -> None:
    for written in (jsonrpc.encode(text), repr_ascii(text)):
        assert _unescaped(written)[1:-1] == text.replace("\0", "\\")


def repr_ascii(text: str) -> bytes:
    """Every character escaped, in pairs of surrogates where it needs two."""
    units = text.encode("utf-16-be")
    codes = [units[at : at + 2].hex() for at in range(0, len(units), 2)]
    return b'"%b"' % b"".join(b"\\u" + code.encode() for code in codes)


@given(st.binary(max_size=60))
def test_any_bytes_are_read_as_some_text(window: bytes) -> None:
    assert isinstance(_unescaped(window.replace(b" ", b"\\")), str)
