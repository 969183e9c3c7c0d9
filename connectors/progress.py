"""Progress tokens: unique among the requests that share a session or a pipe.

Two callers may have chosen the same token, so an upstream is shown the id of the request instead,
and what it then says is given back under the caller's own.
"""

from typing import Final

from mcp_gateway.core.body import Body
from mcp_gateway.wire import jsonrpc

METHOD: Final = "notifications/progress"
_MEMBER: Final = "progressToken"


def token_of(params: bytes) -> bytes:
    """The token that a request asks to be told of its progress by, raw; empty without one."""
    if b"progressToken" not in params and b"\\u" not in params:  # an escaped name is the same
        return b""
    meta = jsonrpc.members(params).get("_meta")
    return b"" if meta is None else bytes(jsonrpc.members(bytes(meta)).get(_MEMBER, b""))


def renumbered(params: bytes, id_: bytes) -> bytes:
    """The parameters with the request's id for their token, where they have one."""
    if not token_of(params):
        return params
    meta = bytes(jsonrpc.members(params)["_meta"])
    return jsonrpc.replaced(params, {"_meta": jsonrpc.replaced(meta, {_MEMBER: id_})})


def returned(params: bytes, token: bytes) -> Body:
    """The notification with these parameters, under the caller's own token."""
    own = jsonrpc.replaced(params, {_MEMBER: token})
    return jsonrpc.body(jsonrpc.notification(METHOD, own))


def about(params: bytes) -> bytes:
    """The token that a notification is about, raw; empty when it names none."""
    return bytes(jsonrpc.members(params).get(_MEMBER, b""))
