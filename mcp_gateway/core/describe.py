"""How a call reads in the ledger, and in the gateway's own words. Pure."""

import difflib
from collections.abc import Mapping
from itertools import islice
from typing import Any, Final

from mcp_gateway.core.asking import AFRESH
from mcp_gateway.core.call import Call
from mcp_gateway.core.credential import Credential
from mcp_gateway.core.entry import Common
from mcp_gateway.core.errors import UnknownTarget
from mcp_gateway.core.target import Kind, Target

_WORDS: Final[Mapping[str, Kind]] = {
    "tools/call": "tool",
    "prompts/get": "prompt",
    "resources/read": "resource",
    "operations/call": "operation",
}
_LONGEST: Final = 200
_MOST_REMEMBERED: Final = 10_000
_ALIKE: Final = 3
"""Characters with which a name begins like one that it may have been meant for."""
_MOST_COMPARED: Final = 100


def asked_for(call: Call) -> str:
    """The name that the caller used, shortened; empty when the method names nothing."""
    view = call.params.view()
    name = view.get("uri") if call.method == "resources/read" else view.get("name")
    return name[:_LONGEST] if isinstance(name, str) else ""


def unknown(call: Call, *, recorded: str = "", rule: str = "") -> UnknownTarget:
    """The one wording for a name that does not exist and for one that the caller may not know.

    `rule` is for the ledger alone: it is never told.
    """
    word = _WORDS.get(call.method, "target")
    said = f"no {word} is called {asked_for(call)!r}" if asked_for(call) else "no such target"
    if rule:
        call.facts["hidden_rule"] = rule
    return UnknownTarget(said + _hint(call), recorded=recorded)


def names(call: Call, kind: Kind) -> dict[str, Target]:
    """The targets of a kind under the names that they have at this call's endpoint."""
    snapshot = call.snapshot
    if call.endpoint:
        found = snapshot.local.items()
        return {key[2]: t for key, t in found if key[:2] == (kind, call.endpoint)}
    return {key[1]: target for key, target in snapshot.catalog.items() if key[0] == kind}


def _hint(call: Call) -> str:
    """`; did you mean …?`, among the names that the caller may use.

    The name itself is left out, so that a hidden one has the hint of one that does not exist.
    """
    kind, name = _WORDS.get(call.method), asked_for(call)
    if kind is None or kind == "resource":
        return ""
    known = names(call, kind)
    known.pop(name, None)
    # Comparing is dear, and whoever asks for unknown names is not limited yet: only a few are.
    alike = (other for other in known if other[:_ALIKE] == name[:_ALIKE])
    compared = list(islice(alike, _MOST_COMPARED))
    for close in difflib.get_close_matches(name, compared, n=3, cutoff=0.7):
        if call.snapshot.policy.prospect(call, known[close]) != "deny":
            return f"; did you mean {close!r}?"
    return ""


def common(call: Call) -> Common:
    """What this call's entries say in clear like those of all calls of its kind.

    Remembered on the snapshot, and made anew for another decision.
    """
    remembered = call.snapshot.described
    key = (call.principal, call.target, call.method, call.endpoint, call.client)
    known = remembered.get(key)
    if known is not None and known[0] is call.decision:
        return known[1]
    made = Common(clear(call))
    if len(remembered) >= _MOST_REMEMBERED:
        remembered.clear()
    remembered[key] = (call.decision, made)
    return made


def own(call: Call) -> dict[str, Any]:
    """What an entry says in clear of this call alone."""
    body: dict[str, Any] = {"bytes_in": len(call.params)}
    if call.trace:
        body["trace"] = call.trace
    if call.parent:
        body["parent"] = call.parent
    if call.resumed is not AFRESH:
        body |= _continued(call)
    if call.credential.reference:
        body |= _credential(call.credential)
    return body


def _credential(credential: Credential) -> dict[str, Any]:
    """Which credential it was, and what bounds what it is good for."""
    body: dict[str, Any] = {"credential": credential.reference}
    if credential.scopes:
        body["credential_scopes"] = sorted(credential.scopes)
    if credential.effective:
        body["credential_effective"] = credential.effective
    return body


def _continued(call: Call) -> dict[str, str]:
    """The call whose question this one answers, and the one whose upstream waits."""
    found = {"parent": call.resumed.parent, "park": call.resumed.park}
    return {name: value for name, value in found.items() if value}


def clear(call: Call) -> dict[str, Any]:
    """Who called what, and what was decided by which rules.

    A resource is named by its scheme alone: its URI enters as a commitment.
    """
    principal, target, decision = call.principal, call.target, call.decision
    named = target.name if target.kind != "resource" else target.name.partition(":")[0] + ":"
    body: dict[str, Any] = {
        "method": call.method,
        "target": f"{target.kind}/{target.server}/{named}",
        "digest": target.digest,
        "tenant": principal.tenant,
        "issuer": principal.issuer,
        "subject": principal.subject,
        "actor": principal.actor,
        "client": principal.client,
        "runtime": call.client,
        "mode": principal.mode,
        "roles": sorted(principal.roles),
        "labels": sorted(target.labels),
        "effect": str(decision.effect),
        "rule": decision.rule,
        "obligations": sorted(map(str, decision.obligations)),
        "policy": call.snapshot.policy.digest,
        "snapshot": call.snapshot.digest,
        "generation": call.snapshot.generation,
        "endpoint": call.endpoint,
    }
    return {key: value for key, value in body.items() if value not in ("", [])}
