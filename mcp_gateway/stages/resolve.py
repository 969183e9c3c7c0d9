"""Resolve: which target a name, a URI or a method means, in this call's snapshot."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Final

from mcp_gateway.core import describe, ports
from mcp_gateway.core.asking import AFRESH, TASKS
from mcp_gateway.core.body import Result
from mcp_gateway.core.call import Call, Next
from mcp_gateway.core.errors import HeaderMismatch, InvalidRequest, InvalidState, MissingCapability
from mcp_gateway.core.naming import literal_length, template_matches
from mcp_gateway.core.snapshot import GATEWAY
from mcp_gateway.core.target import Kind, Target
from mcp_gateway.core.views import UNSEEN
from mcp_gateway.wire import capabilities, mirror, modern

_BY_NAME: Final[Mapping[str, Kind]] = {
    "tools/call": "tool",
    "prompts/get": "prompt",
    "operations/call": "operation",
}
_OWN: Final[Mapping[str, Kind]] = {
    "tools/list": "catalog",
    "prompts/list": "catalog",
    "resources/list": "catalog",
    "resources/templates/list": "catalog",
    "subscriptions/listen": "subscription",
}
"""What the gateway answers itself, for one server or for all."""
_LONGEST: Final = 200


class Resolve:
    """Finds the target by dictionary reads; only a miss looks further."""

    needs: ClassVar = frozenset({"method", "params", "snapshot", "endpoint", "mirrors", "declared"})
    sets: ClassVar = frozenset({"target", "resumed"})

    def __init__(self, handles: ports.Handles) -> None:
        self._handles = handles

    async def __call__(self, call: Call, call_next: Next) -> Result:
        if "requestState" in call.params.view() or call.method in TASKS:
            check_tasks(call)
            call.resumed = self._handles.open(call)
        call.target = resolve(call)
        if call.resumed is not AFRESH and call.resumed.server != call.target.server:
            raise InvalidState
        if call.target.mirrored:
            check_mirrors(call)
        result = await call_next(call)
        return result if result.asked is None else self._handles.seal(call, result)


def resolve(call: Call) -> Target:
    """The target. Raises UnknownTarget, and InvalidRequest for a request that names none."""
    if call.resumed.task:
        return _task(call)
    if kind := _BY_NAME.get(call.method):
        return _named(call, kind, _text(call.params.view(), "name"))
    if call.method == "resources/read":
        return _resource(call, _text(call.params.view(), "uri"))
    if kind := _OWN.get(call.method):
        return Target(kind, call.endpoint or GATEWAY, call.method)
    if call.method == "completion/complete":
        return _completed(call)
    if call.endpoint in call.snapshot.upstreams and call.endpoint:
        return Target("method", call.endpoint, call.method)
    raise describe.unknown(call)


def _task(call: Call) -> Target:
    """A task is of the tool that began it, wherever it is asked for, and needs what that needs."""
    server, name = call.resumed.server, call.resumed.tool
    tool = call.snapshot.local.get(("tool", server, name))
    if tool is None or call.endpoint not in ("", server):
        raise InvalidState
    return Target("task", server, name, requires=tool.requires)


def check_tasks(call: Call) -> None:
    """Raises MissingCapability for a request about a task of a client that knows none."""
    if call.method not in TASKS:
        return
    if lacking := capabilities.unable_to_wait(capabilities.declared(call)):
        raise MissingCapability(f"your client declares nothing of {call.method}", lacking)


def check_mirrors(call: Call) -> None:
    """Raises HeaderMismatch for `Mcp-Param-*` headers that do not repeat the arguments.

    Of who may not use the tool nothing is asked: the answer would say that it exists.
    """
    if call.mirrors is None or call.snapshot.policy.prospect(call, call.target) == "deny":
        return
    arguments = call.params.view().get("arguments")
    try:
        mirror.check(call.target.mirrored, arguments, call.mirrors())
    except modern.Mismatch as mismatch:
        raise HeaderMismatch(mismatch.message) from None


def _text(view: Mapping[str, Any], name: str) -> str:
    value = view.get(name)
    if not isinstance(value, str) or not value:
        raise InvalidRequest(f"{name!r} is a string that is not empty")
    return value


def _find(call: Call, kind: Kind, name: str) -> Target | None:
    if call.endpoint:
        found = call.snapshot.local.get((kind, call.endpoint, name))
    else:
        found = call.snapshot.catalog.get((kind, name))
    return found and _theirs(call, found)


def _theirs(call: Call, target: Target) -> Target | None:
    """It as the caller's own list words it, where each person has one and it was looked at."""
    upstream = call.snapshot.upstreams.get(target.server)
    if upstream is None or not upstream.personal:
        return target
    view = call.snapshot.views.of(upstream.whose(call.principal))
    if view is UNSEEN:
        return target
    digest = view.names.get((target.kind, target.name), "")
    if digest == target.digest:
        return target
    return call.snapshot.wordings.get((target.kind, target.server, target.name, digest))


def _named(call: Call, kind: Kind, name: str) -> Target:
    if found := _find(call, kind, name):
        return found
    raise describe.unknown(call)


def _resource(call: Call, uri: str) -> Target:
    """Who lists the URI itself, else who has the template of which most is fixed."""
    if exact := _exact(call, "resource", uri):
        return exact
    fitting = [t for t in _templates(call) if template_matches(t.name, uri)]
    if fitting:
        longest = max(literal_length(template.name) for template in fitting)
        best = [_pinned(uri, t) for t in fitting if literal_length(t.name) == longest]
        return _one(call, uri, best)
    if call.endpoint in call.snapshot.upstreams and call.endpoint:
        return Target("resource", call.endpoint, uri)
    raise describe.unknown(call)


def _exact(call: Call, kind: Kind, uri: str) -> Target | None:
    if found := _find(call, kind, uri):
        return found
    claimed = () if call.endpoint else call.snapshot.claims.get((kind, uri), ())
    return _one(call, uri, claimed) if claimed else None


def _templates(call: Call) -> Iterator[Target]:
    yield from describe.names(call, "template").values()
    if not call.endpoint:
        for (kind, _), claimed in call.snapshot.claims.items():
            if kind == "template":
                yield from claimed


def _one(call: Call, uri: str, best: Sequence[Target]) -> Target:
    """The one that the caller may use: a tie names no server that they may not know."""
    usable = [t for t in best if call.snapshot.policy.prospect(call, t) != "deny"] or best[:1]
    servers = sorted({target.server for target in usable})
    if len(servers) > 1:
        where = " or ".join(f"/servers/{server}/mcp" for server in servers)
        raise InvalidRequest(f"{uri[:_LONGEST]!r} is of several servers: ask for it at {where}")
    return usable[0]


def _pinned(uri: str, template: Target) -> Target:
    return Target(
        "resource", template.server, uri, template.digest, template.labels, template.requires
    )


def _completed(call: Call) -> Target:
    """The prompt or template whose argument is being completed."""
    ref = call.params.view().get("ref")
    if not isinstance(ref, dict):
        raise InvalidRequest("completion/complete has a ref")
    if ref.get("type") == "ref/prompt":
        return _named(call, "prompt", _text(ref, "name"))
    uri = _text(ref, "uri")
    if found := _exact(call, "template", uri):
        return found
    return _resource(call, uri)
