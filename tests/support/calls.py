"""Calls and snapshots for tests: one principal, two servers, a few targets."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from mcp_gateway.core import ports
from mcp_gateway.core.body import Body, Result
from mcp_gateway.core.call import Call
from mcp_gateway.core.naming import downstream_name
from mcp_gateway.core.principal import Principal
from mcp_gateway.core.snapshot import GATEWAY, Snapshot, Upstream
from mcp_gateway.core.target import Target
from mcp_gateway.wire import jsonrpc
from tests.support.fakes import FakeConnector, FakePolicy

ALICE = Principal(issuer="local", subject="alice", tenant="acme", roles=frozenset({"dev"}))

ADD = Target("tool", "github", "add", digest="sha256:add")
DELETE = Target("tool", "github", "delete_repo", digest="sha256:delete")
REFUND = Target("tool", "orders", "refund", digest="sha256:refund")
GREET = Target("prompt", "orders", "greet", digest="sha256:greet")
README = Target("resource", "github", "repo://site/readme", digest="sha256:readme")
FILES = Target("template", "github", "repo://{repo}/{path}", digest="sha256:files")
TARGETS = (ADD, DELETE, REFUND, GREET, README, FILES)

_NAMED = frozenset({"tool", "prompt", "operation"})


def snapshot(
    connector: ports.Connector | None = None,
    policy: ports.Policy | None = None,
    *,
    guard: str = "none",
    targets: Iterable[Target] = TARGETS,
    **changes: Any,
) -> Snapshot:
    """A world with the servers of `targets` and the gateway itself, all on one connector."""
    connector = connector or FakeConnector()
    targets = tuple(targets)
    servers = {GATEWAY, *(target.server for target in targets)}
    values: dict[str, Any] = {
        "tenant": "acme",
        "generation": 7,
        "digest": "sha256:snapshot",
        "upstreams": {name: Upstream(name, connector, guard=guard) for name in servers},
        "catalog": {(t.kind, _downstream(t)): t for t in targets},
        "local": {(t.kind, t.server, t.name): t for t in targets},
        "definitions": {},
        "policy": policy or FakePolicy(),
    }
    return Snapshot(**(values | changes))


def _downstream(target: Target) -> str:
    return downstream_name(target.server, target.name) if target.kind in _NAMED else target.name


def call(
    method: str = "tools/call",
    params: Mapping[str, Any] | bytes | None = None,
    **changes: Any,
) -> Call:
    """A call as the edge hands it over: nothing but the first block is set."""
    if params is None:
        params = {"name": "github__add", "arguments": {"a": 1}}
    raw = params if isinstance(params, bytes) else jsonrpc.encode(params)
    values: dict[str, Any] = {
        "id": "c-1",
        "method": method,
        "params": jsonrpc.body(raw),
        "principal": ALICE,
        "snapshot": changes.pop("snapshot", None) or snapshot(),
    }
    return Call(**(values | changes))


def resolved(target: Target = ADD, **changes: Any) -> Call:
    """A call whose target is known and whose decision the snapshot's policy has made."""
    made = call(**changes)
    made.target = target
    made.decision = made.snapshot.policy.decide(made)
    return made


@dataclass
class Rest:
    """The rest of a chain, after the stage that is tested: says what it saw, then answers."""

    answer: Result = field(default_factory=lambda: Body(b'{"content":[]}'))
    refusal: BaseException | None = None
    messages: tuple[Body, ...] = ()
    calls: list[Call] = field(default_factory=list)

    async def __call__(self, call: Call) -> Result:
        self.calls.append(call)
        for message in self.messages:
            await call.notify(message)
        if self.refusal is not None:
            raise self.refusal
        return self.answer


@dataclass
class Inbox:
    """Who called: keeps the upstream's messages that reached them."""

    messages: list[bytes] = field(default_factory=list)

    async def __call__(self, message: Body) -> None:
        self.messages.append(message.raw)
