"""The pipe to a child that says what it should not, or nothing, or ends."""

import asyncio
import logging

import pytest

from connectors import child as children
from connectors import pipe as pipes
from mcp_gateway.core.errors import ResultTooLarge, UpstreamFailed, UpstreamTimedOut
from tests.connectors.conftest import Around
from tests.connectors.stdio import echo, noted, speaking, text_of
from tests.support.waiting import until

ANSWERS = """
    while True:
        asked = hear()
        if "id" in asked:
            answer(asked, asked["params"]["arguments"]["text"])
"""


async def test_answers_are_matched_by_id_in_any_order_and_only_once(around: Around) -> None:
    program = """
        one, two = hear(), hear()
        say(id=999, result={"content": [{"type": "text", "text": "to nobody"}]})
        say(id=str(one["id"]), result={"content": [{"type": "text", "text": "by a text"}]})
        say(result={"content": []}, id=None)
        answer(two, "second")
        answer(two, "second again")
        answer(one, "first")
        answer(two, "second, late")
        answer(hear(), "third")
    """
    async with speaking(around, program) as connector:
        first, second = await asyncio.gather(connector.send(echo()), connector.send(echo()))
        third = await connector.send(echo())

    assert [text_of(r) for r in (first, second, third)] == ["first", "second", "third"]


@pytest.mark.requirement("upstreams:nonsense-is-theirs-alone")
async def test_what_is_no_message_is_passed_over_and_kept_for_who_asks(
    around: Around, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    program = """
        asked = hear()
        sys.stdout.write("Starting up...\\n\\x00\\x1b[31m{}\\n[1,2]\\n\\n")
        sys.stdout.write("{\\"jsonrpc\\":\\"1.0\\"}\\n")
        sys.stdout.buffer.write(b"\\xff\\xfe\\n{\\"jsonrpc\\":\\"\\xff\\"}\\n")
        answer(asked, "all the same")
        hear()
    """
    async with speaking(around, program) as connector:
        result = await connector.send(echo())

    assert text_of(result) == "all the same"
    assert "up: Starting up..." in caplog.messages


@pytest.mark.requirement("upstreams:nonsense-is-theirs-alone")
async def test_a_line_without_end_is_too_large_and_ends_the_child(
    around: Around, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(children, "LINE_LIMIT", 64 * 1024)
    program = """
        hear()
        while True:
            sys.stdout.write("x" * 65536)
    """
    async with speaking(around, program) as connector:
        with pytest.raises(ResultTooLarge, match="a line that is too long"):
            await connector.send(echo())
        await until(lambda: "child.ended" in around.ledger.kinds)

    assert around.ledger.last.body["end"] == "wrote a line that is too long and was stopped"


@pytest.mark.requirement("upstreams:a-dead-one-fails-its-calls")
async def test_a_child_that_ends_in_the_middle_fails_every_call_under_way_with_its_last_words(
    around: Around,
) -> None:
    program = """
        hear(), hear()
        sys.exit("cannot go on")
    """
    async with speaking(around, program) as connector:
        failures = await asyncio.gather(
            connector.send(echo()), connector.send(echo()), return_exceptions=True
        )

    for failure in failures:
        assert isinstance(failure, UpstreamFailed)
        assert failure.reason == "up ended with exit code 1"
        assert failure.detail == "cannot go on"
    assert failures[0] is not failures[1]


async def test_an_answer_that_is_the_last_word_still_counts(around: Around) -> None:
    program = """
        answer(hear(), "x" * 200000)
        os._exit(0)
    """
    async with speaking(around, program) as connector:
        result = await connector.send(echo())

    assert len(text_of(result)) == 200_000


@pytest.mark.requirement("upstreams:a-dead-one-fails-its-calls")
async def test_a_child_that_leaves_its_output_to_others_is_noticed_all_the_same(
    around: Around,
) -> None:
    program = """
        hear()
        if os.fork() == 0:
            os.setsid()
            note(str(os.getpid()))
            time.sleep(10)
            os._exit(0)
        while not os.path.exists("notes"):
            time.sleep(0.01)
        os._exit(9)
    """
    async with speaking(around, program) as connector:
        with pytest.raises(UpstreamFailed, match="ended with exit code 9"):
            await connector.send(echo())


@pytest.mark.requirement("upstreams:a-dead-one-fails-its-calls")
async def test_a_child_that_closes_its_output_is_stopped(
    around: Around, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipes, "PATIENCE", 0.1)
    program = """
        hear()
        os.close(1)
        while True:
            hear()
    """
    async with speaking(around, program) as connector:
        with pytest.raises(UpstreamFailed, match="closed its standard output and was stopped"):
            await connector.send(echo())


@pytest.mark.requirement("upstreams:nonsense-is-theirs-alone")
async def test_a_child_that_asks_without_listening_costs_no_memory(
    around: Around, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipes, "UNANSWERED", 1000)
    program = """
        asked = hear()
        for n in range(20000):
            say(id=n, method="roots/list")
        answer(asked, "done")
        time.sleep(600)
    """
    async with speaking(around, program) as connector:
        await connector.send(echo())
        pipe = connector._pipe
        assert pipe is not None
        spoken = pipe._child.streams.spoken
        assert spoken is not None
        assert spoken.get_write_buffer_size() < 3000


@pytest.mark.requirement("upstreams:nonsense-is-theirs-alone")
async def test_a_child_that_does_not_read_is_given_only_so_much(
    around: Around, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipes, "UNSENT", 100_000)
    async with speaking(around, "time.sleep(600)", timeout=0.3) as connector:
        with pytest.raises(UpstreamTimedOut):
            await connector.send(echo("x" * 1_000_000))
        with pytest.raises(UpstreamFailed, match="does not read what it is sent"):
            await connector.send(echo())


async def test_a_child_that_closes_its_input_takes_no_more_requests(around: Around) -> None:
    program = """
        os.close(0)
        note("closed")
        time.sleep(600)
    """
    async with speaking(around, program, timeout=5) as connector:
        first = asyncio.ensure_future(connector.send(echo()))
        await until(lambda: noted(around))
        with pytest.raises(UpstreamFailed, match="takes no more requests"):
            await connector.send(echo("x" * 1_000_000))
        first.cancel()


@pytest.mark.parametrize(
    "result",
    ["7", "null", "[]", '{"_meta": 7}', '{"_meta": []}'],
)
@pytest.mark.requirement("upstreams:nonsense-is-theirs-alone")
async def test_a_result_that_is_none_is_the_upstreams_failure(around: Around, result: str) -> None:
    program = f"""
        asked = hear()
        print('{{"jsonrpc":"2.0","id":%d,"result":{result}}}' % asked["id"], flush=True)
        hear()
    """
    async with speaking(around, program) as connector:
        with pytest.raises(UpstreamFailed, match="answered"):
            await connector.send(echo())


async def test_an_error_of_the_upstreams_is_its_answer(around: Around) -> None:
    program = """
        say(id=hear()["id"], error={"code": -32000, "message": "out of tea", "data": {"a": 1}})
        hear()
    """
    async with speaking(around, program) as connector:
        result = await connector.send(echo())

    assert result.failed
    assert result.view() == {"code": -32000, "message": "out of tea", "data": {"a": 1}}
