"""Definitions: one entry of a stranger's list."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.definitions import LARGEST, define, read
from mcp_gateway.core.target import Definition, Kind
from mcp_gateway.wire import jsonrpc

TOOL = {"name": "add", "inputSchema": {"type": "object"}}


def made(raw: bytes, kind: Kind = "tool", position: int = 3) -> Definition:
    return read("up", kind, raw, position)


def of(item: Any, kind: Kind = "tool") -> Definition:
    return made(jsonrpc.encode(item), kind)


def test_an_entry_is_kept_as_it_came_with_a_digest() -> None:
    raw = b'{ "inputSchema":{"type":"object"}, "name":"add" , "x":1.0}'

    definition = made(raw)

    assert (definition.kind, definition.server, definition.name) == ("tool", "up", "add")
    assert definition.raw == raw
    assert definition.digest.startswith("sha256:")
    assert definition.flaw == ""


@pytest.mark.parametrize("kind", ["prompt", "tool"])
def test_an_empty_name_names_nothing(kind: Kind) -> None:
    assert of({**TOOL, "name": ""}, kind).flaw == "its name is empty"


@pytest.mark.requirement("definitions:one-text-one-digest")
def test_the_way_it_is_written_does_not_change_its_digest() -> None:
    one = made(b'{"name":"add","inputSchema":{"type":"object","maximum":1.0,"e":"\\u00e9"}}')
    two = made('{"inputSchema":{"e":"é","maximum":1,"type":"object"},\n"name":"add"}'.encode())

    assert one.digest == two.digest


@pytest.mark.parametrize(
    "other",
    [
        {**TOOL, "description": "adds"},
        {**TOOL, "x-vendor": 1},
        {**TOOL, "_meta": {"a/b": 1}},
        {"name": "add", "inputSchema": {"type": "object", "required": []}},
    ],
)
@pytest.mark.requirement("definitions:one-text-one-digest")
def test_whatever_it_says_more_changes_its_digest(other: dict[str, Any]) -> None:
    assert of(other).digest != of(TOOL).digest


def test_the_same_entry_of_another_server_or_kind_has_another_digest() -> None:
    raw = jsonrpc.encode({**TOOL, "uri": "a://b"})

    digests = {
        read(server, kind, raw).digest
        for server in ("up", "up2")
        for kind in ("tool", "prompt", "resource")
    }

    assert len(digests) == 6


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (b'{"name":"add","inputSchema":{"type":"object"},"name":"add"}', "stands twice"),
        (b'{"name":"add","inputSchema":{"type":"object","type":"array"}}', "stands twice"),
        (b'{"name":"add","inputSchema":{"type":"object","maximum":1e999}}', "not representable"),
        (b'{"name":"add","inputSchema":{"type":"object","maximum":9007199254740993}}', "exceeds"),
        (b'{"name":"add","inputSchema":{"type":"object"},"description":"\\ud800"}', "non-UTF-8"),
    ],
)
@pytest.mark.requirement("definitions:read-in-one-way")
def test_an_entry_that_can_be_read_in_two_ways_has_a_flaw_and_no_digest(
    raw: bytes, why: str
) -> None:
    definition = made(raw)

    assert why in definition.flaw
    assert (definition.digest, definition.raw) == ("", b"{}")


@pytest.mark.parametrize(
    "raw", [b"7", b"null", b"[]", b'"add"', b"{}", b'{"name":""}', b"\xff", b"{"]
)
@pytest.mark.requirement("definitions:one-bad-entry-costs-itself")
def test_an_entry_without_a_name_goes_by_its_place_in_the_list(raw: bytes) -> None:
    definition = made(raw)

    assert definition.name == "(entry 3)"
    assert definition.flaw


@pytest.mark.parametrize(
    ("item", "kind", "why"),
    [
        ({**TOOL, "name": "x" * 257}, "tool", "257 characters"),
        ({**TOOL, "name": "x" * 10_000}, "tool", "10000 characters"),
        ({"name": "r", "uri": "a://" + "x" * 2048}, "resource", "2052 characters"),
        ({**TOOL, "name": "a\nb"}, "tool", "cannot be seen"),
        ({**TOOL, "name": "a\x1b[31mb"}, "tool", "cannot be seen"),
        ({**TOOL, "name": "a\u202eb"}, "tool", "cannot be seen"),
        ({**TOOL, "name": "a\u200bb"}, "tool", "cannot be seen"),
        ({**TOOL, "description": "x" * LARGEST}, "tool", f"at most {LARGEST}"),
        ({"name": "add"}, "tool", "clients"),
    ],
)
@pytest.mark.requirement("definitions:one-bad-entry-costs-itself")
def test_an_entry_that_nobody_could_review_has_a_flaw(item: Any, kind: Kind, why: str) -> None:
    definition = of(item, kind)

    assert why in definition.flaw
    assert definition.name.isprintable()
    assert len(definition.name) <= 81


def test_the_limits_are_generous_to_what_is_sound() -> None:
    assert of({**TOOL, "name": "x" * 256}).flaw == ""
    assert of({"name": "r", "uri": "a://" + "x" * 2044}, "resource").flaw == ""
    assert of({**TOOL, "name": "Ünïcode and spaces"}).flaw == ""


@given(st.binary(max_size=200))
def test_no_bytes_are_too_strange_to_be_told_about(raw: bytes) -> None:
    definition = made(raw)

    assert bool(definition.flaw) != bool(definition.digest)


def test_deep_nesting_is_a_flaw_and_no_crash() -> None:
    deep = b"[" * 50_000 + b"]" * 50_000

    assert "nested too deeply" in made(b'{"name":"add","x":%b}' % deep).flaw


def test_claims_are_labels() -> None:
    hints = {"readOnlyHint": True, "destructiveHint": False, "openWorldHint": True}

    assert of({**TOOL, "annotations": hints}).labels == {"claims_read_only", "claims_open_world"}
    assert of(TOOL).labels == frozenset()


@pytest.mark.requirement("mirrors:invalid-annotations-hide-the-tool")
def test_mirrored_arguments_are_read_with_the_definition() -> None:
    good = {"type": "object", "properties": {"a": {"type": "string", "x-mcp-header": "A"}}}
    bad = {"type": "object", "properties": {"a": {"type": "number", "x-mcp-header": "A"}}}

    assert [m.header for m in of({"name": "t", "inputSchema": good}).mirrored] == ["mcp-param-a"]
    assert "x-mcp-header" in of({"name": "t", "inputSchema": bad}).flaw
    assert of({"name": "p", "inputSchema": bad}, "prompt").flaw == ""


def test_an_entry_of_the_gateways_own_making_that_is_flawed_is_an_error() -> None:
    assert define("gateway", "tool", TOOL).name == "add"
    with pytest.raises(ValueError, match="add: it is not what clients take"):
        define("gateway", "tool", {"name": "add"})
