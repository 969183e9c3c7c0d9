"""The one text of a JSON value (RFC 8785), for digests: off the path of a call."""

import json
from collections.abc import Iterable
from typing import Any

import rfc8785


def canonical(value: Any) -> bytes:
    """Equal values are equal bytes, whichever way their numbers, strings and names were written.

    Raises ValueError for what has no such text: NaN, an infinity, a whole number beyond 2^53 - 1,
    half a surrogate pair, or more nesting than can be followed.
    """
    try:
        return rfc8785.dumps(value)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def strict(raw: bytes) -> Any:
    """The JSON value of these bytes, when no two readers could differ about it.

    Raises ValueError for a name that stands twice in one object, for NaN and the infinities,
    and for whatever is no JSON in UTF-8.
    """
    try:
        return json.loads(
            raw.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_no_constant
        )
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _unique(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise ValueError("a name stands twice in one object")
        found[name] = value
    return found


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is no JSON")
