"""Requests to an upstream of 2026-07-28; what is said beside answers: test_mcp_http_asides.py."""

from typing import Any

import pytest

from mcp_gateway.core.asking import Declared, Resumed
from mcp_gateway.wire import jsonrpc, modern
from tests.connectors.answering import able, asked_of, retry
from tests.connectors.conftest import Around
from tests.connectors.http import (
    KEY,
    Asked,
    answer_of,
    connected,
    echo,
    events,
    raw_upstream,
    result,
    text,
)
from tests.support.calls import Inbox

ASKS = {
    "resultType": "input_required",
    "inputRequests": {"who": {"method": "elicitation/create", "params": {"message": "Who?"}}},
    "requestState": "the upstream's own",
}


async def test_a_question_is_passed_on_and_the_retry_brings_the_upstreams_own_state(
    around: Around,
) -> None:
    def say(asked: Asked) -> bytes:
        return (
            text(asked, "hello")
            if "requestState" in asked.message["params"]
            else result(asked, ASKS)
        )

    async with raw_upstream(say) as up, connected(around, up.url) as connector:
        made = able(echo())
        asked = asked_of(await connector.send(made))
        again = retry(made, {"who": {"action": "cancel"}})
        again.resumed = Resumed(parent=made.id, state=asked.state)
        answer = await connector.send(again)

    assert (asked.parked, asked.state) == (None, "the upstream's own")
    assert answer.asked is None
    second = up.of("tools/call")[1].message["params"]
    assert second["requestState"] == "the upstream's own"
    assert second["inputResponses"] == {"who": {"action": "cancel"}}


@pytest.mark.parametrize(
    ("fields", "level"),
    [
        ({}, None),
        ({"level": "info"}, "info"),
        ({"declared": Declared(level="error")}, "error"),
        ({"declared": Declared()}, None),
        ({"declared": Declared(level="error"), "level": "info"}, "info"),
    ],
)
@pytest.mark.requirement("upstreams:logs-are-opted-in")
async def test_the_level_of_a_session_is_what_each_of_its_requests_asks_for(
    around: Around, fields: dict[str, Any], level: str | None
) -> None:
    async with (
        raw_upstream(lambda asked: text(asked, "done")) as up,
        connected(around, up.url) as connector,
    ):
        await connector.send(echo(KEY, **fields))

    meta = up.of("tools/call")[0].message["params"]["_meta"]
    assert meta.get(modern.META_LOG_LEVEL) == level


@pytest.mark.requirement("tasks:of-who-began-them")
async def test_what_is_about_no_request_does_not_reach_the_caller_of_one(around: Around) -> None:
    """The id of a task that stands in it is the upstream's own."""
    inbox = Inbox()

    def say(asked: Asked) -> bytes:
        told = [("tasks", b'{"taskId":"own"}'), ("tools/list_changed", b"{}"), ("vendor/x", b"{}")]
        notes = [jsonrpc.notification(f"notifications/{name}", params) for name, params in told]
        return events(*notes, answer_of(asked))

    async with raw_upstream(say) as up, connected(around, up.url) as connector:
        await connector.send(echo(notify=inbox))

    assert [jsonrpc.decode(said)["method"] for said in inbox.messages] == ["notifications/vendor/x"]


async def test_what_the_upstream_offers_is_known_once_it_was_asked(around: Around) -> None:
    async with (
        raw_upstream(lambda asked: text(asked, "done")) as up,
        connected(around, up.url) as connector,
    ):
        assert connector.offered.capabilities is None
        await connector.send(echo())

        assert connector.offered.era == "modern"
        assert connector.offered.capabilities == {"tools": b"{}"}
