"""The answer of a call on its caller's wire: results, upstream errors, and the protocol's own."""

from mcp_gateway.core.body import Result, Streaming
from mcp_gateway.core.call import Call
from mcp_gateway.edge.asgi import JSON
from mcp_gateway.edge.flow import Flow
from mcp_gateway.edge.refusals import Answer, with_receipt
from mcp_gateway.wire import jsonrpc, legacy, modern


def error(
    id_: bytes, code: int, message: str, data: object = None, *, legacy_: bool = False
) -> Answer:
    """An error of JSON-RPC, before there is a call or instead of its answer."""
    status = 200 if legacy_ else modern.HTTP_STATUS.get(code, 200)
    return Answer(status, (JSON,), jsonrpc.error(id_, code, message, data))


async def flowing(call: Call, id_: bytes, stream: Streaming, *, modern_: bool) -> Answer:
    """A result that is not held, from its first piece on. Raises Refusal where there is none."""
    flow = Flow(call, id_, stream, modern=modern_)
    await flow.begin()
    return Answer(200, (JSON,), b"", flow)


def relayed(call: Call, id_: bytes, result: Result, ttl_ms: int | None) -> Answer:
    """An upstream's result, or its own error, with its receipt.

    `ttl_ms` bounds how long it may be kept; None for the initialize era, which keeps nothing.
    """
    if result.failed:
        return _failed(call, id_, result, modern_=ttl_ms is not None)
    raw = result.raw
    if ttl_ms is None:
        raw = legacy.result_to_legacy(call.method, raw)
    elif call.method in modern.KEPT and call.target.kind != "catalog":
        raw = modern.clamped(raw, ttl_ms)
    elif call.target.kind == "subscription":
        raw = jsonrpc.with_meta(raw, modern.META_SUBSCRIPTION, id_)
    return Answer(200, (JSON,), jsonrpc.result(id_, with_receipt(raw, call)))


def _failed(call: Call, id_: bytes, result: Result, *, modern_: bool) -> Answer:
    given = result.view().get("code")
    code = given if type(given) is int else jsonrpc.INTERNAL_ERROR
    mapped = (legacy.code_to_modern if modern_ else legacy.code_to_legacy)(call.method, code)
    raw = result.raw if mapped == given else jsonrpc.replaced(result.raw, {"code": b"%d" % mapped})
    status = modern.HTTP_STATUS.get(mapped, 200) if modern_ else 200
    return Answer(status, (JSON,), jsonrpc.error_raw(id_, raw))
