"""Discovery: everything that an upstream lists, within bounds."""

from collections import Counter
from collections.abc import Awaitable, Callable, Container, Iterable, Sequence
from dataclasses import replace
from typing import Final

import msgspec

from connectors import answers, definitions, requests
from mcp_gateway.core.errors import UpstreamFailed
from mcp_gateway.core.target import Definition, Kind
from mcp_gateway.wire import jsonrpc
from mcp_gateway.wire.modern import LISTINGS

Ask = Callable[[str, bytes], Awaitable[bytes]]
MOST_PAGES: Final = 100
MOST_DEFINITIONS: Final = 10_000
MOST_BYTES: Final = 32 * 1024 * 1024
"""Of one listing, all its pages together."""
_ITEMS: Final = msgspec.json.Decoder(list[msgspec.Raw])


class NotOffered(Exception):  # an answer, not a fault
    """The upstream does not have this method."""


async def listed(server: str, ask: Ask, declared: Container[str]) -> Sequence[Definition]:
    """All tools, prompts, resources and templates, the flawed ones with their flaw.

    `declared` are the upstream's capabilities. Raises UpstreamFailed for a list that cannot be
    read, or has no end: half a list is none. Only of what an upstream never declared is any
    failure taken for "there are none".
    """
    found: list[Definition] = []
    for method, (member, kind) in LISTINGS.items():
        try:
            found += await _pages(server, method, member, kind, ask)
        except NotOffered:
            continue
        except UpstreamFailed:
            if method.partition("/")[0] in declared:
                raise
    return _told_apart(found)


def payload(server: str, method: str, answer: jsonrpc.Message) -> bytes:
    """The result that answers a listing. Raises NotOffered, UpstreamFailed."""
    raw, failed = requests.answered(answer, server)
    if not failed:
        return raw
    if bytes(jsonrpc.members(raw)["code"]) == b"%d" % jsonrpc.METHOD_NOT_FOUND:
        raise NotOffered(method)
    raise UpstreamFailed(f"{server} answered {method} with {answers.said(raw)}")


async def _pages(server: str, method: str, member: str, kind: Kind, ask: Ask) -> list[Definition]:
    found: list[Definition] = []
    params, asked, size = b"{}", {b"{}"}, 0
    for _ in range(MOST_PAGES):
        raw = await ask(method, params)
        items, cursor = _page(server, method, member, raw)
        size += len(raw)
        if size > MOST_BYTES or len(found) + len(items) > MOST_DEFINITIONS:
            raise UpstreamFailed(f"{server}: the answer to {method} is larger than anybody reads")
        found += [
            definitions.read(server, kind, bytes(item), len(found) + place)
            for place, item in enumerate(items, start=1)
        ]
        if not cursor:
            return found
        params = b'{"cursor":%b}' % jsonrpc.encode(cursor)
        if params in asked:
            raise UpstreamFailed(f"{server}: the pages of {method} lead back to one another")
        asked.add(params)
    raise UpstreamFailed(f"{server}: the answer to {method} has more than {MOST_PAGES} pages")


def _page(server: str, method: str, member: str, raw: bytes) -> tuple[list[msgspec.Raw], str]:
    """The entries, undecoded, and the cursor of the next page; empty on the last one."""
    try:
        found = jsonrpc.members(raw)
        items = _ITEMS.decode(found[member])
        cursor = jsonrpc.decode(found["nextCursor"]) if "nextCursor" in found else ""
    except (KeyError, ValueError, msgspec.DecodeError, RecursionError):
        raise UpstreamFailed(f"{server}: the answer to {method} has no list {member!r}") from None
    if not isinstance(cursor, str | None):
        raise UpstreamFailed(f"{server}: the cursor that {method} answered is no text")
    return items, cursor or ""


def _told_apart(found: Iterable[Definition]) -> list[Definition]:
    """Entries that say the same are one; of those that share a name and differ, none is served."""
    once = {(each.kind, each.name, each.digest, each.flaw): each for each in found}.values()
    named = Counter((each.kind, each.name) for each in once if not each.flaw)
    return [
        each
        if each.flaw or named[each.kind, each.name] == 1
        else replace(each, digest="", flaw="another entry of the list has its name")
        for each in once
    ]
