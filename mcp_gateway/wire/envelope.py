"""A JSON-RPC response that is read without being held: its result goes on as it arrives."""

from collections.abc import Collection
from typing import Final

from mcp_gateway.wire import jsonrpc
from mcp_gateway.wire.members import Members

MOST: Final = 64 * 1024
"""Bytes of a member that is held, or taken out."""
_TYPE: Final = "resultType"
_FAILED: Final = "isError"
_META: Final = "_meta"


class Trimmed:
    """An object in pieces, without some of its members; those are kept in `taken`.

    What was taken out, and whatever is to stand in its place, is for the caller to write: `feed`
    gives members alone, each with a comma before it but the very first.
    """

    def __init__(self, out: Collection[str], *, first: bool = True) -> None:
        """`first`: whether no member was written before."""
        self._out = out
        self._first = first
        self._members = Members()
        self._member = ""
        self.taken: dict[str, bytes] = {}

    @property
    def done(self) -> bool:
        return self._members.done

    @property
    def empty(self) -> bool:
        """Whether nothing has been written yet: what comes now has no comma before it."""
        return self._first

    def feed(self, data: bytes) -> bytes:
        """What is to be written of these bytes. Raises ValueError for what is no object."""
        made: list[bytes] = []
        for member, piece in self._members.feed(data):
            if member in self._out:
                self.taken[member] = kept(self.taken.get(member, b"") + piece)
                continue
            if member != self._member:
                made += (b"" if self._first else b",", jsonrpc.encode(member), b":")
                self._member, self._first = member, False
            made.append(piece)
        return b"".join(made)


class Envelope:
    """Reads the response to the request `id_`, and gives its result in the core's dialect.

    Of the result the members `out` are left out, and its type: one that is streamed is complete.
    `head` is the members that stand in their place, without a brace. `isError` and `_meta` come
    last, wherever they stood.
    """

    def __init__(self, id_: bytes, head: bytes, out: Collection[str] = ()) -> None:
        self._expected = {"jsonrpc": b'"2.0"', "id": id_}
        self._head = b"{" + head
        self._outer = Members()
        self._members: dict[str, bytes] = {}
        self._result = Trimmed({*out, _TYPE, _FAILED, _META}, first=False)

    @property
    def failed(self) -> bool:
        """Whether the tool says that it failed, as far as was read."""
        return self._result.taken.get(_FAILED, b"").strip() == b"true"

    def feed(self, data: bytes) -> bytes:
        """What these bytes bring of the result. Raises ValueError for what is no such response."""
        made: list[bytes] = []
        for member, piece in self._outer.feed(data):
            if member == "result":
                if self._head:
                    self._check()
                made += (self._head, self._result.feed(piece))
                self._head = b""
            else:
                self._members[member] = kept(self._members.get(member, b"") + piece)
        self._complete(whole=False)
        return b"".join(made)

    def end(self) -> bytes:
        """What the result ends with. Raises ValueError when the response was not whole."""
        named = self._expected.keys() <= self._members.keys()
        if not (named and self._outer.done and self._result.done):
            raise ValueError("the answer ended before it was whole")
        self._check()
        self._complete(whole=True)
        taken = self._result.taken
        failed, meta = taken.get(_FAILED), taken.get(_META)
        if meta is not None:
            jsonrpc.members(meta)
        parts = (
            b"" if failed is None else b',"isError":' + failed,
            b"" if meta is None else b',"_meta":' + meta,
        )
        return b"".join(parts) + b"}"

    def _check(self) -> None:
        """Holds what stands around the result against the request. The id may come behind it."""
        for member, value in self._members.items():
            if member in ("method", "error") or not self._fits(member, value):
                raise ValueError("it answers another request")

    def _fits(self, member: str, value: bytes) -> bool:
        return member not in self._expected or value.strip() == self._expected[member]

    def _complete(self, *, whole: bool) -> None:
        said = self._result.taken.get(_TYPE, b'"complete"')
        try:
            complete = jsonrpc.decode(said) == "complete"
        except ValueError:  # a part of it, unless all has been read
            complete = not whole
        if not complete:
            raise ValueError("only a complete result may be that large")


def kept(value: bytes) -> bytes:
    """Raises ValueError for a member that is too large to be held."""
    if len(value) > MOST:
        raise ValueError(f"a member of more than {MOST} bytes beside the result")
    return value
