"""Discovery of upstreams that list what they should not."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from connectors import discovery
from connectors.discovery import MOST_DEFINITIONS, MOST_PAGES, NotOffered, listed, payload
from mcp_gateway.core.errors import UpstreamFailed
from mcp_gateway.core.target import Definition
from mcp_gateway.wire import jsonrpc

ALL = frozenset({"tools", "prompts", "resources"})


def tool(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "inputSchema": {"type": "object"}, **more}


@dataclass
class Lists:
    """An upstream that answers `tools/list` page by page; it has no other lists."""

    page: Callable[[str], bytes]
    asked: list[bytes] = field(default_factory=list)

    async def __call__(self, method: str, params: bytes) -> bytes:
        if method != "tools/list":
            raise NotOffered(method)
        self.asked.append(params)
        return self.page(jsonrpc.decode(params).get("cursor", ""))


def pages(**by_cursor: Mapping[str, Any]) -> Lists:
    return Lists(lambda cursor: jsonrpc.encode(by_cursor[cursor or "first"]))


def found(lists: discovery.Ask, declared: frozenset[str] = ALL) -> list[Definition]:
    return list(asyncio.run(listed("up", lists, declared)))


def failed(lists: discovery.Ask) -> str:
    with pytest.raises(UpstreamFailed) as failure:
        found(lists)
    return failure.value.reason


def test_every_page_is_asked_for_with_the_cursor_of_the_last() -> None:
    lists = pages(
        first={"tools": [tool("a")], "nextCursor": 'two"'},
        **{'two"': {"tools": [tool("b")], "nextCursor": ""}},
    )

    assert [d.name for d in found(lists)] == ["a", "b"]
    assert lists.asked == [b"{}", b'{"cursor":"two\\""}']


def test_a_cursor_of_null_is_none() -> None:
    assert [d.name for d in found(pages(first={"tools": [tool("a")], "nextCursor": None}))] == ["a"]


def test_every_kind_of_list_is_asked_for() -> None:
    answers = {
        "tools/list": {"tools": [tool("t")]},
        "prompts/list": {"prompts": [{"name": "p"}]},
        "resources/list": {"resources": [{"name": "r", "uri": "a://b"}]},
        "resources/templates/list": {
            "resourceTemplates": [{"name": "x", "uriTemplate": "a://{b}"}]
        },
    }

    async def ask(method: str, params: bytes) -> bytes:
        return jsonrpc.encode(answers[method])

    assert [(d.kind, d.name) for d in found(ask)] == [
        ("tool", "t"),
        ("prompt", "p"),
        ("resource", "a://b"),
        ("template", "a://{b}"),
    ]


@pytest.mark.requirement("discovery:half-a-list-is-none")
def test_pages_without_end_are_a_failure() -> None:
    endless = Lists(lambda cursor: jsonrpc.encode({"tools": [], "nextCursor": cursor + "x"}))

    assert "more than 100 pages" in failed(endless)
    assert len(endless.asked) == MOST_PAGES


@pytest.mark.requirement("discovery:half-a-list-is-none")
def test_pages_that_lead_back_to_one_another_are_a_failure() -> None:
    lists = pages(
        first={"tools": [], "nextCursor": "a"},
        a={"tools": [], "nextCursor": "b"},
        b={"tools": [], "nextCursor": "a"},
    )

    assert "lead back to one another" in failed(lists)
    assert len(lists.asked) == 3


@pytest.mark.requirement("discovery:half-a-list-is-none")
def test_more_entries_than_anybody_reads_are_a_failure() -> None:
    many = b'{"tools":[%b]}' % b",".join([b"{}"] * (MOST_DEFINITIONS + 1))

    assert "larger than anybody reads" in failed(Lists(lambda _: many))


@pytest.mark.requirement("discovery:half-a-list-is-none")
def test_more_bytes_than_anybody_reads_are_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(discovery, "MOST_BYTES", 1000)
    page = jsonrpc.encode({"tools": [], "nextCursor": "x", "pad": "x" * 600})

    assert "larger than anybody reads" in failed(
        Lists(lambda cursor: page.replace(b'"x"', b'"%b"' % (cursor + "x").encode()))
    )


@pytest.mark.parametrize(
    "raw",
    [
        b"{}",
        b"[]",
        b"null",
        b"not json",
        b'{"tools":null}',
        b'{"tools":{}}',
        b'{"tools":"x"}',
        b'{"tools":[}',
        b'{"tools":["\\ud800"]}',
        b'{"tools":[' + b"[" * 100_000 + b"]" * 100_000 + b"]}",
        b'{"tools":[],"nextCursor":}',
    ],
)
@pytest.mark.requirement("discovery:half-a-list-is-none")
def test_a_list_that_is_none_is_a_failure(raw: bytes) -> None:
    assert failed(Lists(lambda _: raw)) == "up: the answer to tools/list has no list 'tools'"


@pytest.mark.parametrize("cursor", [7, True, ["a"], {"a": 1}])
def test_a_cursor_that_is_no_text_is_a_failure(cursor: Any) -> None:
    assert "is no text" in failed(pages(first={"tools": [], "nextCursor": cursor}))


@pytest.mark.requirement("definitions:one-bad-entry-costs-itself")
def test_a_bad_entry_is_told_and_costs_no_other() -> None:
    bad = b'{"name":"twice","name":"twice","inputSchema":{"type":"object"}}'
    raw = b'{"tools":[%b,7,%b,%b]}' % (
        jsonrpc.encode(tool("a")),
        bad,
        jsonrpc.encode(tool("b")),
    )

    seen = {d.name: d.flaw for d in found(Lists(lambda _: raw))}

    assert list(seen) == ["a", "(entry 2)", "(entry 3)", "b"]
    assert (seen["a"], seen["b"]) == ("", "")


def test_entries_are_counted_over_all_pages() -> None:
    lists = pages(first={"tools": [tool("a"), 1], "nextCursor": "n"}, n={"tools": [2]})

    assert [d.name for d in found(lists)] == ["a", "(entry 2)", "(entry 3)"]


def test_an_entry_that_is_listed_twice_is_one() -> None:
    again = {"inputSchema": {"type": "object"}, "name": "a"}

    assert [d.name for d in found(pages(first={"tools": [tool("a"), again]}))] == ["a"]


@pytest.mark.requirement("definitions:one-bad-entry-costs-itself")
def test_of_entries_that_share_a_name_and_differ_none_is_served() -> None:
    lists = pages(first={"tools": [tool("a"), tool("b"), tool("a", description="another")]})

    flaws = [(d.name, bool(d.flaw), bool(d.digest)) for d in found(lists)]

    assert flaws == [("a", True, False), ("b", False, True), ("a", True, False)]


def test_what_was_never_declared_and_cannot_be_listed_is_not_there() -> None:
    assert found(pages(first={"nonsense": True}), frozenset()) == []


async def test_an_error_of_a_list_that_was_declared_is_no_empty_list() -> None:
    error = jsonrpc.parse(b'{"jsonrpc":"2.0","id":1,"error":{"code":-32603,"message":"on\\nfire"}}')

    with pytest.raises(UpstreamFailed, match="tools/list with the error -32603: onfire"):
        payload("up", "tools/list", error)


async def test_a_method_that_is_not_known_is_not_offered() -> None:
    error = jsonrpc.parse(b'{"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"no"}}')

    with pytest.raises(NotOffered):
        payload("up", "prompts/list", error)


async def test_a_result_is_what_was_asked_for() -> None:
    answer = jsonrpc.parse(b'{"jsonrpc":"2.0","id":1,"result":{"tools":[]}}')

    assert payload("up", "tools/list", answer) == b'{"tools":[]}'
