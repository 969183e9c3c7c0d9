import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from mcp_gateway.config import Settings
from mcp_gateway.core.body import Body
from mcp_gateway.core.credential import NONE, Grant
from mcp_gateway.core.entry import Entry
from mcp_gateway.core.errors import InvalidRequest, UnknownTarget
from mcp_gateway.core.snapshot import Current, Upstream
from mcp_gateway.core.target import Target
from mcp_gateway.edge.ids import Ids
from mcp_gateway.ledger.append import Log
from mcp_gateway.ledger.commitment import Commitments
from mcp_gateway.ledger.folder import open_log
from mcp_gateway.services import local
from mcp_gateway.services.attendance import Attendance
from mcp_gateway.services.bulletin import Bulletin
from mcp_gateway.services.invitations import Invitations
from mcp_gateway.services.keyring import KeyringService
from mcp_gateway.services.listens import Listens
from mcp_gateway.services.local import Local
from mcp_gateway.services.operations import Operations
from mcp_gateway.stages.resolve import resolve
from mcp_gateway.store.database import Database
from mcp_gateway.store.keys import Keys
from mcp_gateway.store.pins import AccessRequests
from skills import Skill
from tests.support import calls
from tests.support.calls import ALICE
from tests.support.fakes import FakeConnector, FakeHandles
from tests.support.oauth_fakes import FakeConsents

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
SKILL = Skill(
    "refunds",
    "How to refund.",
    "1.0.0",
    "x",
    {"SKILL.md": b"# Refunds", "logo.png": b"\x89PNG\xff", "notes": "ä".encode()},
)


class Desk:
    """The gateway's own upstream on a store and a ledger of its own."""

    def __init__(self, folder: Path) -> None:
        database = Database.open(folder / "gateway.db")
        self.requests = AccessRequests(database)
        keys = Keys(database)
        operations = Operations(keys, KeyringService(Current(), database, keys), self.requests)
        self.ledger = folder / "ledger"
        listens = Listens(Current(), Attendance(Bulletin()), resolve, FakeHandles())
        settings = Settings.model_validate({"gateway": {"contact": "desk@example.com"}})
        self.local = Local([SKILL], operations, self.requests, listens, self.ledger, settings)

    async def log(self) -> Log:
        return await open_log(self.ledger, "test", KEY, Commitments(b"k" * 32))

    async def tool(self, name: str, **arguments: Any) -> Any:
        """The structured face of what a tool says, which its text repeats."""
        made = calls.resolved(
            Target("tool", "gateway", name), params={"name": name, "arguments": arguments}
        )
        result = json.loads((await self.local.send(made)).raw)
        assert json.loads(result["content"][0]["text"]) == result["structuredContent"]
        return result["structuredContent"]

    async def send(self, target: Target) -> Mapping[str, Any]:
        body: Body = await self.local.send(calls.resolved(target))
        return dict(body.view())


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


async def test_it_lists_nothing_and_holds_nothing_open(desk: Desk) -> None:
    assert await desk.local.discover(NONE) == ()
    await desk.local.aclose()


async def test_whoami_says_everything_that_is_compared_of_a_principal(desk: Desk) -> None:
    assert await desk.tool("whoami") == {
        "subject": "alice",
        "issuer": "local",
        "tenant": "acme",
        "client": "",
        "actor": "",
        "roles": ["dev"],
        "scopes": [],
        "mode": "unknown",
    }


def outcome(call: str, **fields: Any) -> Entry:
    body = {
        "issuer": ALICE.issuer,
        "subject": ALICE.subject,
        "tenant": ALICE.tenant,
        "outcome": "forbidden",
        "method": "tools/call",
        "target": "tool/orders/refund",
        "policy": "sha256:p",
    }
    return Entry("outcome", call, body=body | fields)


@pytest.mark.requirement("denials:own-calls-only")
async def test_a_denial_is_explained_with_its_rule_and_whom_to_ask(desk: Desk) -> None:
    log, call = await desk.log(), Ids().new()
    await log.append(outcome(call, rule="no-refunds", roles=["dev"]))

    assert await desk.tool("explain_denial", call=call) == {
        "outcome": "forbidden",
        "method": "tools/call",
        "target": "tool/orders/refund",
        "rule": "no-refunds",
        "roles": ["dev"],
        "ask": "desk@example.com",
    }
    await log.aclose()


@pytest.mark.requirement("denials:own-calls-only")
async def test_a_hidden_denial_is_explained_without_what_was_hidden(desk: Desk) -> None:
    log, call = await desk.log(), Ids().new()
    await log.append(outcome(call, hidden_rule="secret-project"))
    told = await desk.tool("explain_denial", call=call)

    assert "target" not in told
    assert "secret-project" not in str(told)
    await log.aclose()


@pytest.mark.requirement("denials:own-calls-only")
@pytest.mark.parametrize(
    "others", [{"subject": "bob"}, {"issuer": "https://idp"}, {"tenant": "other"}, {"subject": ""}]
)
async def test_a_call_of_somebody_elses_is_told_like_one_that_never_was(
    desk: Desk, others: Mapping[str, str]
) -> None:
    log, call, never = await desk.log(), Ids().new(), Ids().new()
    await log.append(outcome(call, **others))
    said = []
    for asked in (call, never):
        with pytest.raises(InvalidRequest) as refused:
            await desk.tool("explain_denial", call=asked)
        said.append(str(refused.value).replace(asked, "ID"))

    assert said[0] == said[1] == "you made no call 'ID' that has ended"
    await log.aclose()


async def test_a_request_for_access_is_kept_and_says_what_happens_next(desk: Desk) -> None:
    said = await desk.tool("request_access", target="tool/orders/refund", reason="for returns")

    (row,) = desk.requests.open("acme")
    assert said == {
        "request": row.id,
        "ask": "desk@example.com",
        "next": "wait: do not retry the call",
    }
    assert (row.identity, row.target, row.reason) == (
        "local|alice",
        "tool/orders/refund",
        "for returns",
    )


async def test_requests_for_access_do_not_grow_without_end(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local, "MOST_REQUESTS", 2)
    for number in range(2):
        await desk.tool("request_access", target=f"tool/a/{number}", reason="x")
    with pytest.raises(InvalidRequest, match="2 requests of yours are open"):
        await desk.tool("request_access", target="tool/a/2", reason="x")


@pytest.mark.parametrize("value", [None, "", 5, ["x"], "x" * 501])
async def test_an_argument_that_is_no_short_text_is_refused(desk: Desk, value: object) -> None:
    with pytest.raises(InvalidRequest, match="'target' is a text of 1 to 500 characters"):
        await desk.tool("request_access", target=value, reason="x")


async def test_the_files_of_a_skill_are_resources(desk: Desk) -> None:
    async def content(name: str) -> Mapping[str, Any]:
        target = Target("resource", "gateway", f"skill://refunds/{name}")
        result = await desk.send(target)
        assert (result["cacheScope"], result["resultType"]) == ("private", "complete")
        return dict(result["contents"][0])

    assert await content("SKILL.md") == {
        "uri": "skill://refunds/SKILL.md",
        "mimeType": "text/markdown",
        "text": "# Refunds",
    }
    assert (await content("notes"))["text"] == "ä"
    logo = await content("logo.png")
    assert (logo["mimeType"], logo["blob"]) == ("image/png", "iVBOR/8=")


async def test_a_skill_is_a_prompt(desk: Desk) -> None:
    result = await desk.send(Target("prompt", "gateway", "refunds"))

    assert result["description"] == "How to refund."
    assert result["messages"] == [
        {"role": "user", "content": {"type": "text", "text": "# Refunds"}}
    ]


@pytest.mark.parametrize(
    "target",
    [
        Target("resource", "gateway", "skill://refunds/../../etc/passwd"),
        Target("resource", "gateway", "skill://other/SKILL.md"),
        Target("template", "gateway", "skill://{x}"),
        Target("operation", "gateway", "keys.steal"),
        Target("method", "gateway", "x/y"),
    ],
    ids=str,
)
async def test_what_is_not_there_is_unknown(desk: Desk, target: Target) -> None:
    with pytest.raises(UnknownTarget):
        await desk.send(target)


async def test_a_listing_is_answered_here_whichever_server_it_is_of(desk: Desk) -> None:
    target = Target("catalog", "github", "prompts/list")
    world = calls.snapshot(targets=[calls.ADD])
    made = calls.resolved(target, method="prompts/list", snapshot=world)

    assert (await desk.local.send(made)).view()["prompts"] == []


@pytest.mark.requirement("connecting:a-tool-stands-for-a-list")
async def test_the_tool_that_connects_a_server_answers_in_words(desk: Desk) -> None:
    upstream = Upstream("docs", FakeConnector(), Grant("delegated"))
    target = Target("tool", "gateway", "connect_docs")
    made = calls.resolved(target, snapshot=calls.snapshot(upstreams={"docs": upstream}))
    desk.local.invitations = Invitations(FakeConsents)

    result = (await desk.local.send(made)).view()

    assert "http://127.0.0.1/connect/1" in result["content"][0]["text"]
