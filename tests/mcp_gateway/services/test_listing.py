import json
from typing import Any

import pytest

from mcp_gateway.core.target import Definition, Target
from mcp_gateway.services.listing import TTL_MS, listing
from mcp_gateway.wire import jsonrpc
from tests.support import calls
from tests.support.fakes import FakePolicy

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


def listed(method: str, endpoint: str = "", **denied: Any) -> dict[str, Any]:
    definitions = {t.digest: Definition(t.kind, t.server, t.name, raw(t), t.digest) for t in TOOLS}
    world = calls.snapshot(
        policy=FakePolicy(prospects=denied.get("prospects", {})),
        targets=TOOLS,
        definitions=definitions,
    )
    result: dict[str, Any] = json.loads(
        listing(calls.call(method, {}, snapshot=world, endpoint=endpoint)).raw
    )
    return result


def test_a_listing_is_whole_private_and_short_lived() -> None:
    result = listed("tools/list")

    assert {tool["name"] for tool in result.pop("tools")} == {
        "desk__open",
        "desk__burn",
        "shop__sell",
    }
    assert result == {"resultType": "complete", "ttlMs": TTL_MS, "cacheScope": "private"}


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
    assert [tool["name"] for tool in listed("tools/list", "desk")["tools"]] == ["open", "burn"]
    assert listed("tools/list", "nowhere")["tools"] == []
    assert len(listed("resources/templates/list", "desk")["resourceTemplates"]) == 1
