"""Pages: a list in one order, a part at a time. Pure."""

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import Any, Final, TypeVar

from mcp_gateway.core.errors import InvalidRequest
from mcp_gateway.wire import jsonrpc

Key = tuple[str, str]
"""Where an entry stands: the name that the list shows, and the server that it is of."""
FIRST: Final[Key] = ("", "")
"""Before every entry: no name is empty."""

T = TypeVar("T")


def position(params: Mapping[str, Any]) -> Key:
    """The entry behind which the page begins that is asked for. Raises InvalidRequest."""
    cursor = params.get("cursor")
    if cursor is None:
        return FIRST
    try:
        name, server = jsonrpc.decode(urlsafe_b64decode(cursor.encode()))
        key = str(name), str(server)
        if key != FIRST and _cursor(key) == cursor:
            return key
    except (AttributeError, TypeError, ValueError, binascii.Error):
        pass
    raise InvalidRequest("the cursor is none of this list: ask for the list from its start")


def page(
    ordered: Sequence[tuple[Key, T]], after: Key, most: int, usable: Callable[[T], bool]
) -> tuple[Sequence[T], str]:
    """At most `most` usable entries behind a position, and the cursor of the next page or "".

    It goes by what the entries are called: over any change between two pages, each entry that is
    in both lists is met exactly once.
    """
    found: list[T] = []
    last = after
    for key, item in ordered[bisect_right(ordered, after, key=itemgetter(0)) :]:
        if not usable(item):
            continue
        if len(found) == most:
            return found, _cursor(last)
        found.append(item)
        last = key
    return found, ""


def _cursor(key: Key) -> str:
    return urlsafe_b64encode(jsonrpc.encode(key)).decode()
