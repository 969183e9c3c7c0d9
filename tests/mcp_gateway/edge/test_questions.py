"""A question has an id of its own, and the first answer to it counts."""

import asyncio
import json

import pytest

from mcp_gateway.core.asking import Question
from mcp_gateway.core.body import Body
from mcp_gateway.edge.questions import Questions, TakenBack
from mcp_gateway.wire import jsonrpc

ROOTS = Question("roots/list")


def never() -> "asyncio.Future[None]":
    """Of an upstream that goes on asking."""
    return asyncio.get_running_loop().create_future()


def _response(id_: bytes, result: bytes = b"{}") -> jsonrpc.Message:
    return jsonrpc.parse(b'{"jsonrpc":"2.0","id":%b,"result":%b}' % (id_, result))


@pytest.mark.requirement("edge:clients-are-asked")
async def test_each_question_is_answered_by_its_id_in_any_order() -> None:
    questions = Questions()
    said: list[bytes] = []

    async def say(message: Body) -> None:
        said.append(json.loads(message.raw)["id"].encode())

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(questions.put(ROOTS, say, 5, never())) for _ in range(3)]
        await asyncio.sleep(0)
        for number, id_ in reversed(list(enumerate(said))):
            questions.answer(_response(b'"%b"' % id_, b'{"n":%d}' % number))

    assert [task.result().result for task in tasks] == [b'{"n":0}', b'{"n":1}', b'{"n":2}']
    assert len(set(said)) == 3
    assert len(questions) == 0


@pytest.mark.requirement("edge:answers-are-their-sessions")
async def test_the_first_answer_counts_and_others_are_nobodys() -> None:
    questions = Questions()

    async def say(message: Body) -> None:
        for id_ in (b'"gw-2"', b"1", b'"GW-1"'):
            questions.answer(_response(id_, b'{"n":9}'))
        questions.answer(_response(b'"gw-1"', b'{"n":1}'))
        questions.answer(_response(b'"gw-1"', b'{"n":2}'))

    answer = await questions.put(ROOTS, say, 5, never())
    questions.answer(_response(b'"gw-1"', b'{"n":3}'))

    assert answer.result == b'{"n":1}'


async def test_a_client_that_cannot_be_reached_leaves_no_question_open() -> None:
    questions = Questions()

    async def say(message: Body) -> None:
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        await questions.put(ROOTS, say, 5, never())
    assert len(questions) == 0


@pytest.mark.requirement("questions:taken-back-are-told-and-recorded")
async def test_who_asked_and_does_not_any_more_has_it_cancelled() -> None:
    questions, unasked = Questions(), never()
    said: list[bytes] = []

    async def say(message: Body) -> None:
        said.append(message.raw)
        if not unasked.done():
            unasked.set_result(None)

    with pytest.raises(TakenBack):
        await questions.put(ROOTS, say, 5, unasked)

    note = json.loads(said[1])
    assert note["method"] == "notifications/cancelled"
    assert note["params"] == {"requestId": json.loads(said[0])["id"]}
    assert len(questions) == 0


async def test_an_answer_that_is_none_leaves_the_question_open() -> None:
    questions = Questions()

    async def say(message: Body) -> None:
        with pytest.raises(jsonrpc.Malformed):
            questions.answer(_response(b'"gw-1"', b"[]"))
        questions.answer(_response(b'"gw-1"'))

    assert (await questions.put(ROOTS, say, 5, never())).result == b"{}"
