"""Resolve: which target a name, a URI or a method means, in this call's snapshot."""

import difflib
from collections.abc import Mapping
from typing import Any, ClassVar, Final

from mcp_gateway.core import describe
from mcp_gateway.core.body import Result
from mcp_gateway.core.call import Call, Next
from mcp_gateway.core.errors import InvalidRequest
from mcp_gateway.core.naming import literal_length, template_matches
from mcp_gateway.core.snapshot import GATEWAY
from mcp_gateway.core.target import Kind, Target

_BY_NAME: Final[Mapping[str, Kind]] = {
    "tools/call": "tool",
    "prompts/get": "prompt",
    "operations/call": "operation",
}
_LISTINGS: Final = frozenset(
    {"tools/list", "prompts/list", "resources/list", "resources/templates/list"}
)


class Resolve:
    """Finds the target by dictionary reads; only a miss looks further."""

    needs: ClassVar = frozenset({"method", "params", "snapshot", "endpoint"})
    sets: ClassVar = frozenset({"target"})

    async def __call__(self, call: Call, call_next: Next) -> Result:
        call.target = resolve(call)
        return await call_next(call)


def resolve(call: Call) -> Target:
    """The target. Raises UnknownTarget, and InvalidRequest for a request that names none."""
    if kind := _BY_NAME.get(call.method):
        return _named(call, kind, _text(call.params.view(), "name"))
    if call.method == "resources/read":
        return _resource(call, _text(call.params.view(), "uri"))
    if call.method in _LISTINGS:
        return Target("catalog", call.endpoint or GATEWAY, call.method)
    if call.method == "completion/complete":
        return _completed(call)
    if call.endpoint in call.snapshot.upstreams and call.endpoint:
        return Target("method", call.endpoint, call.method)
    raise describe.unknown(call)


def _text(view: Mapping[str, Any], name: str) -> str:
    value = view.get(name)
    if not isinstance(value, str) or not value:
        raise InvalidRequest(f"{name!r} is a string that is not empty")
    return value


def _find(call: Call, kind: Kind, name: str) -> Target | None:
    if call.endpoint:
        return call.snapshot.local.get((kind, call.endpoint, name))
    return call.snapshot.catalog.get((kind, name))


def _named(call: Call, kind: Kind, name: str) -> Target:
    if found := _find(call, kind, name):
        return found
    raise describe.unknown(call, hint=_hint(call, kind, name))


def _hint(call: Call, kind: Kind, name: str) -> str:
    """`; did you mean …?`, among the names that the caller may use."""
    known = _names(call, kind)
    for close in difflib.get_close_matches(name, known, n=3, cutoff=0.7):
        if call.snapshot.policy.prospect(call, known[close]) != "deny":
            return f"; did you mean {close!r}?"
    return ""


def _names(call: Call, kind: Kind) -> dict[str, Target]:
    snapshot = call.snapshot
    if call.endpoint:
        found = snapshot.local.items()
        return {key[2]: t for key, t in found if key[:2] == (kind, call.endpoint)}
    return {key[1]: target for key, target in snapshot.catalog.items() if key[0] == kind}


def _resource(call: Call, uri: str) -> Target:
    if exact := _find(call, "resource", uri):
        return exact
    templates = _names(call, "template")
    fitting = [name for name in templates if template_matches(name, uri)]
    if fitting:
        return _from_template(uri, templates, fitting)
    if call.endpoint in call.snapshot.upstreams and call.endpoint:
        return Target("resource", call.endpoint, uri)
    raise describe.unknown(call)


def _from_template(uri: str, templates: Mapping[str, Target], fitting: list[str]) -> Target:
    longest = max(map(literal_length, fitting))
    best = [templates[name] for name in fitting if literal_length(name) == longest]
    if len({target.server for target in best}) > 1:
        where = " or ".join(f"/servers/{target.server}/mcp" for target in best)
        raise InvalidRequest(f"{uri!r} fits templates of several servers: read it at {where}")
    return Target("resource", best[0].server, uri, best[0].digest, best[0].labels, best[0].requires)


def _completed(call: Call) -> Target:
    """The prompt or template whose argument is being completed."""
    ref = call.params.view().get("ref")
    if not isinstance(ref, dict):
        raise InvalidRequest("completion/complete has a ref")
    if ref.get("type") == "ref/prompt":
        return _named(call, "prompt", _text(ref, "name"))
    uri = _text(ref, "uri")
    if found := _find(call, "template", uri):
        return found
    return _resource(call, uri)
