"""The strings of a JSON value, names of members among them: what a guard reads."""

from collections.abc import Sequence
from typing import Any, Final

from mcp_gateway.core.ports import Leaf

MOST: Final = 100_000


def leaves(value: Any, path: str = "") -> list[Leaf]:
    """Every string and every name, in order, with its RFC 6901 pointer.

    Raises ValueError for a value of more than 100,000 strings.
    """
    found: list[Leaf] = []
    open_: list[tuple[str, Any]] = [(path, value)]
    while open_:
        where, item = open_.pop()
        if isinstance(item, str):
            found.append(Leaf(where, item))
        elif isinstance(item, dict):
            for name, child in item.items():
                pointer = f"{where}/{name.replace('~', '~0').replace('/', '~1')}"
                found.append(Leaf(pointer, name))
                open_.append((pointer, child))
        elif isinstance(item, list):
            open_.extend((f"{where}/{index}", child) for index, child in enumerate(item))
        if len(found) > MOST:
            raise ValueError(f"more than {MOST} strings in one value")
    return found


def whole(raw: bytes, found: Sequence[Leaf]) -> bool:
    """Whether these leaves are every string of the JSON.

    They are not when a name stands twice in one object: decoding keeps the last value, and
    another reader of the same bytes may keep the first.
    """
    # Each string has two quotes, once the escaped ones are gone: `\\` first, which escapes none.
    quotes = raw.replace(b"\\\\", b"").replace(b'\\"', b"").count(b'"')
    return quotes == 2 * len(found)
