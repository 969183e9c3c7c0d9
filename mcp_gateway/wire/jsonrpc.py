"""The JSON-RPC 2.0 envelope: parsed once, and everything in it kept as it came."""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from mcp_gateway.core.asking import Asked
from mcp_gateway.core.body import Body, Streaming

PARSE_ERROR: Final = -32700
INVALID_REQUEST: Final = -32600
METHOD_NOT_FOUND: Final = -32601
INVALID_PARAMS: Final = -32602
INTERNAL_ERROR: Final = -32603

LONGEST_ID: Final = 1024
DEEPEST: Final = 256
_VERSION: Final = b'"2.0"'
_REQUEST: Final = frozenset({"jsonrpc", "id", "method", "params"})
_NO_MEMBER: Final = re.compile(rb"\s*}")
_STRING: Final = re.compile(rb'"(?:[^"\\]+|\\.)*"', re.DOTALL)
_ANY: Final = msgspec.json.Decoder()
_MEMBERS: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_COMPACT: Final = msgspec.json.Encoder()
_SORTED: Final = msgspec.json.Encoder(order="sorted")


NO_META: Final = b'{"_meta":{}'
"""How an object begins that has room for what comes to stand in its `_meta`."""


class Malformed(Exception):
    """A message that is no JSON-RPC 2.0. `code` is the error to answer with."""

    def __init__(self, code: int, message: str, id_: bytes = b"null") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.id = id_


class Message(msgspec.Struct, frozen=True):
    """A request (method and id), a notification (method alone) or a response.

    `id`, `result` and `error` are raw JSON, empty when absent.
    """

    id: bytes
    method: str
    params: Body
    result: bytes
    error: bytes


def decode(raw: bytes) -> Any:
    """Any JSON value. Raises ValueError."""
    try:
        return _ANY.decode(raw)
    except (msgspec.DecodeError, RecursionError) as error:
        raise ValueError(str(error)) from None


def encode(value: Any) -> bytes:
    """Compact JSON; `msgspec.Raw` values stay as they are."""
    return _COMPACT.encode(value)


def canonical(value: Any) -> bytes:
    """Compact JSON with sorted names: equal values are equal bytes."""
    return _SORTED.encode(value)


def body(
    raw: bytes,
    *,
    failed: bool = False,
    asked: Asked | None = None,
    stream: Streaming | None = None,
) -> Body:
    return Body(raw, failed=failed, decode=decode, asked=asked, stream=stream)


def members(raw: bytes) -> dict[str, msgspec.Raw]:
    """The members of an object, their values undecoded. Raises ValueError."""
    try:
        return _MEMBERS.decode(raw)
    except (msgspec.DecodeError, RecursionError) as error:
        raise ValueError(str(error)) from None


def replaced(raw: bytes, changes: Mapping[str, bytes | None]) -> bytes:
    """The object with some members set, or taken out (None); other values stay byte-exact."""
    found = members(raw)
    for name, value in changes.items():
        if value is None:
            found.pop(name, None)
        else:
            found[name] = msgspec.Raw(value)
    return _COMPACT.encode(found)


def with_meta(raw: bytes, key: str, value: bytes) -> bytes:
    """The object with `key` set in its `_meta`; nothing else is decoded or changed."""
    if b'"_meta"' in raw or b"\\" in raw:  # an escaped name is the same name
        meta = members(raw).get("_meta")
        if meta is not None:
            return replaced(raw, {"_meta": replaced(bytes(meta), {key: value})})
    start = raw.index(b"{") + 1
    comma = b"" if _NO_MEMBER.match(raw, start) else b","
    return b'{"_meta":{%b:%b}%b%b' % (encode(key), value, comma, raw[start:])


def parse(raw: bytes) -> Message:
    """One message, looked at once. Raises Malformed.

    Batches are refused, and so are names that occur twice in one object of a request: two parsers
    would read two different calls.
    """
    if raw.lstrip()[:1] == b"[":
        raise Malformed(INVALID_REQUEST, "batches are not accepted: send one message a request")
    try:
        top = _MEMBERS.decode(raw)
    except msgspec.ValidationError as error:
        raise Malformed(INVALID_REQUEST, f"not a JSON-RPC 2.0 message: {error}") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Malformed(PARSE_ERROR, f"not JSON: {error}") from None
    id_ = bytes(top.get("id", b""))
    method = _checked(top, id_)
    params = _params(bytes(top.get("params", b"")), id_)
    if raw.count(b"{") + raw.count(b"[") > DEEPEST and _deep(params.view()):
        raise Malformed(PARSE_ERROR, f"nested deeper than {DEEPEST} levels", id_ or b"null")
    if method and not (_compact(raw, top, params) or _unique(raw, top, params)):
        raise Malformed(INVALID_PARAMS, "a name stands twice in one object", id_ or b"null")
    return Message(id_, method, params, _kept(top, "result"), _kept(top, "error"))


def _kept(top: Mapping[str, msgspec.Raw], name: str) -> bytes:
    """What is kept as it came is read by others, who need not take what is not UTF-8."""
    raw = bytes(top.get(name, b""))
    if not raw.isascii():
        try:
            raw.decode()
        except UnicodeDecodeError as error:
            raise Malformed(PARSE_ERROR, f"not JSON: {error}") from None
    return raw


def _checked(top: Mapping[str, msgspec.Raw], id_: bytes) -> str:
    """The method, empty in a response."""
    if bytes(top.get("jsonrpc", b"")) != _VERSION:
        raise Malformed(INVALID_REQUEST, 'a message has "jsonrpc": "2.0"')
    if id_ and not _is_id(id_):
        said = f"an id is a number, or a text in UTF-8, of at most {LONGEST_ID} bytes"
        raise Malformed(INVALID_REQUEST, said)
    if "method" in top:
        return _text(top["method"], id_)
    if "result" not in top and "error" not in top:
        raise Malformed(INVALID_REQUEST, "a message has a method, a result or an error", id_)
    return ""


def _text(raw: msgspec.Raw, id_: bytes) -> str:
    try:
        method = decode(bytes(raw))
    except ValueError as error:
        raise Malformed(PARSE_ERROR, f"not JSON: {error}", id_ or b"null") from None
    if not isinstance(method, str) or not method:
        raise Malformed(INVALID_REQUEST, "a method is a text that is not empty", id_ or b"null")
    return method


def _is_id(raw: bytes) -> bool:
    """An id goes back as it came and is never decoded: so its bytes are looked at here."""
    if raw[:1] not in b'"-0123456789' or len(raw) > LONGEST_ID:
        return False
    try:
        return raw.isascii() or bool(raw.decode())
    except UnicodeDecodeError:
        return False


def _params(raw: bytes, id_: bytes) -> Body:
    if not raw or raw == b"null":
        return Body(b"{}", decode=decode, view={})
    try:
        view = decode(raw)
    except ValueError as error:
        raise Malformed(PARSE_ERROR, f"not JSON: {error}") from None
    if not isinstance(view, dict):
        raise Malformed(INVALID_PARAMS, "params is an object", id_ or b"null")
    return Body(raw, decode=decode, view=view)


def _deep(value: Any) -> bool:
    """Whether it is nested deeper than anybody down the path can walk."""
    level = [value]
    for _ in range(DEEPEST):
        level = [inner for item in level for inner in _inner(item)]
        if not level:
            return False
    return True


def _inner(item: Any) -> Iterable[Any]:
    held = item.values() if isinstance(item, dict) else item
    return [inner for inner in held if isinstance(inner, dict | list)]


def _compact(raw: bytes, top: Mapping[str, msgspec.Raw], params: Body) -> bool:
    """Whether the message is what it reads as, written compactly: then no name stands twice.

    Most runtimes write so, and comparing is far cheaper than counting names.
    """
    return top.keys() <= _REQUEST and encode(top) == raw and encode(params.view()) == params.raw


def _unique(raw: bytes, top: Mapping[str, msgspec.Raw], params: Body) -> bool:
    """Whether no object of the message, the envelope's own included, has a name twice."""
    inner = sum(_colons(bytes(value)) for name, value in top.items() if name != "params")
    return _colons(raw) == len(top) + _names(params.view()) + inner


def _colons(raw: bytes) -> int:
    """Colons outside of strings: one for each name."""
    return _STRING.sub(b"", raw).count(b":")


def _names(value: Any) -> int:
    """How many names the objects in a value have, all together."""
    total = 0
    open_: list[Any] = [value]
    while open_:
        item = open_.pop()
        if isinstance(item, dict):
            total += len(item)
            open_.extend(item.values())
        elif isinstance(item, list):
            open_.extend(item)
    return total


def with_first_meta(raw: bytes, key: str, value: bytes) -> bytes:
    """The same for an object of the gateway's own that begins with `NO_META`, however long."""
    start = len(NO_META) - 1
    comma = b"" if raw[start : start + 1] == b"}" else b","
    return b"%b%b:%b%b%b" % (raw[:start], encode(key), value, comma, raw[start:])


def request(id_: bytes, method: str, params: bytes) -> bytes:
    return b'{"jsonrpc":"2.0","id":%b,"method":%b,"params":%b}' % (id_, encode(method), params)


def notification(method: str, params: bytes) -> bytes:
    return b'{"jsonrpc":"2.0","method":%b,"params":%b}' % (encode(method), params)


def result(id_: bytes, raw: bytes) -> bytes:
    return b'{"jsonrpc":"2.0","id":%b,"result":%b}' % (id_ or b"null", raw)


def error(id_: bytes, code: int, message: str, data: Any = None) -> bytes:
    fields = {"code": code, "message": message}
    return error_raw(id_, encode(fields if data is None else {**fields, "data": data}))


def error_raw(id_: bytes, raw: bytes) -> bytes:
    return b'{"jsonrpc":"2.0","id":%b,"error":%b}' % (id_ or b"null", raw)
