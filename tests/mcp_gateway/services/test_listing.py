import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from mcp_gateway.core.body import Body
from mcp_gateway.core.errors import InvalidRequest
from mcp_gateway.core.snapshot import Snapshot
from mcp_gateway.core.target import Definition, Target
from mcp_gateway.services.listing import fingerprint, listing
from mcp_gateway.services.outcomes import SERVERS
from mcp_gateway.wire import jsonrpc
from tests.support import calls
from tests.support.fakes import FakePolicy

TTL_MS = 700
TOOLS = (
    Target("tool", "desk", "open", "sha256:open"),
    Target("tool", "desk", "burn", "sha256:burn"),
    Target("tool", "shop", "sell", "sha256:sell"),
    Target("prompt", "desk", "greet", "sha256:greet"),
    Target("resource", "desk", "note://a", "sha256:note"),
    Target("template", "desk", "note://{x}", "sha256:notes"),
)


def raw(target: Target) -> bytes:
    named = "uri" if target.kind == "resource" else "name"
    return jsonrpc.encode({named: target.name, "x-unknown": {"kept": [1.50, None]}})


def world(targets: Sequence[Target] = TOOLS, **changes: Any) -> Snapshot:
    definitions = {
        t.digest: Definition(t.kind, t.server, t.name, raw(t), t.digest) for t in targets
    }
    return calls.snapshot(targets=targets, definitions=definitions, **changes)


def listed(
    method: str,
    endpoint: str = "",
    *,
    most: int = 1000,
    cursor: Any = None,
    snapshot: Snapshot | None = None,
    **prospects: Any,
) -> dict[str, Any]:
    snapshot = snapshot or world(policy=FakePolicy(prospects=prospects.get("prospects", {})))
    params = {} if cursor is None else {"cursor": cursor}
    asked = calls.call(method, params, snapshot=snapshot, endpoint=endpoint)
    result: dict[str, Any] = json.loads(listing(asked, most, TTL_MS).raw)
    return result


def test_a_listing_is_whole_private_and_short_lived() -> None:
    result = listed("tools/list")
    names = [tool["name"] for tool in result.pop("tools")]

    assert names == ["desk__burn", "desk__open", "shop__sell"]
    assert result == {
        "resultType": "complete",
        "ttlMs": TTL_MS,
        "cacheScope": "private",
        "_meta": {SERVERS: {"desk": "ok", "shop": "ok"}},
    }


@pytest.mark.requirement("listing:one-order")
def test_a_list_has_one_order_whatever_the_order_of_the_servers_and_their_answers() -> None:
    there, back = (listed("tools/list", snapshot=world(t)) for t in (TOOLS, TOOLS[::-1]))

    assert there == back


@pytest.mark.requirement("listing:pages")
def test_a_long_list_is_met_in_pages_and_says_so_once() -> None:
    first = listed("tools/list", most=2)
    second = listed("tools/list", most=2, cursor=first["nextCursor"])

    assert [tool["name"] for tool in first["tools"]] == ["desk__burn", "desk__open"]
    assert [tool["name"] for tool in second["tools"]] == ["shop__sell"]
    assert ("nextCursor" in second, second["_meta"]) == (False, {})


@pytest.mark.parametrize("cursor", ["", "nonsense", 7, ["a"], "WyIiLCIiXQ==", "\ud800", "é"])
@pytest.mark.requirement("listing:pages")
def test_a_cursor_that_is_none_is_an_invalid_request(cursor: Any) -> None:
    asked = calls.call("tools/list", {}, snapshot=world())
    asked.params = Body(b"", view={"cursor": cursor})

    with pytest.raises(InvalidRequest, match="from its start") as refused:
        listing(asked, 2, TTL_MS)
    assert refused.value.code == -32602


@pytest.mark.requirement("resources:one-address-of-several-servers")
def test_an_address_of_two_servers_is_listed_for_each_that_may_be_read() -> None:
    both = [Target("resource", server, "note://a", server) for server in ("desk", "shop")]
    claims = {("resource", "note://a"): tuple(both)}
    snapshot = world(both, catalog={}, claims=claims)

    assert len(listed("resources/list", snapshot=snapshot)["resources"]) == 2
    assert len(listed("resources/list", most=1, snapshot=snapshot)["resources"]) == 1


def test_an_entry_is_as_the_upstream_wrote_it_but_for_its_name() -> None:
    assert listed("prompts/list")["prompts"] == [
        {"name": "desk__greet", "x-unknown": {"kept": [1.5, None]}}
    ]
    assert listed("resources/list")["resources"] == [
        {"uri": "note://a", "x-unknown": {"kept": [1.5, None]}}
    ]


@pytest.mark.requirement("listing:only-what-may-be-used")
def test_what_the_caller_may_not_use_is_not_there(caplog: pytest.LogCaptureFixture) -> None:
    prospects = {"tool/desk/burn": "deny", "tool/shop/sell": "depends"}
    names = {tool["name"] for tool in listed("tools/list", prospects=prospects)["tools"]}

    assert names == {"desk__open", "shop__sell"}


def test_at_one_server_its_own_are_listed_under_their_own_names() -> None:
    assert [tool["name"] for tool in listed("tools/list", "desk")["tools"]] == ["burn", "open"]
    assert listed("tools/list", "nowhere")["tools"] == []
    assert len(listed("resources/templates/list", "desk")["resourceTemplates"]) == 1


@pytest.mark.requirement("listing:rendered-once")
def test_a_list_is_rendered_once_a_principal_endpoint_and_snapshot() -> None:
    there = world()
    bob = replace(calls.ALICE, subject="bob")
    first = listing(calls.call("tools/list", {}, snapshot=there), 1000, TTL_MS).raw
    again = listing(calls.call("tools/list", {}, snapshot=there), 1000, TTL_MS).raw
    others = [
        listing(calls.call("tools/list", {}, snapshot=there, principal=bob), 1000, TTL_MS).raw,
        listing(calls.call("tools/list", {}, snapshot=there, endpoint="desk"), 1000, TTL_MS).raw,
        listing(calls.call("prompts/list", {}, snapshot=there), 1000, TTL_MS).raw,
        listing(calls.call("tools/list", {}, snapshot=there), 1000, TTL_MS + 1).raw,
        listing(calls.call("tools/list", {}, snapshot=world()), 1000, TTL_MS).raw,
        listing(calls.call("tools/list", {}, snapshot=there), 2, TTL_MS).raw,
    ]

    assert again is first
    assert all(other is not first for other in others)


@pytest.mark.requirement("listens:policy-changes-are-told")
def test_a_fingerprint_is_of_what_the_caller_sees_and_of_nothing_else() -> None:
    def print_of(of: Any, endpoint: str = "", **denied: Any) -> bytes:
        there = world(policy=FakePolicy(prospects=denied))
        return fingerprint(calls.call("tools/list", {}, snapshot=there, endpoint=endpoint), of)

    hidden = {"tool/desk/burn": "deny"}
    assert print_of("tools") == print_of("tools", **{"tool/desk/burn": "depends"})
    assert print_of("tools") != print_of("tools", **hidden)
    assert print_of("prompts") == print_of("prompts", **hidden)
    assert print_of("tools", "shop") == print_of("tools", "shop", **hidden)
    assert print_of("resources") != print_of("resources", **{"template/desk/note://{x}": "deny"})
