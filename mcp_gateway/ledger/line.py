"""What an entry is as bytes: compact JSON, whole numbers only, and never too large."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from mcp_gateway.core.entry import Common, Entry
from mcp_gateway.ledger.commitment import Commitments
from mcp_gateway.ledger.frame import LARGEST
from mcp_gateway.wire import jsonrpc

SCHEMA: Final = 1
LONGEST_TEXT: Final = 400
"""Characters that a text keeps in an entry that would not fit."""
OWN: Final = frozenset({"v", "log", "index", "time", "kind", "call", "commit", "cut"})
"""The names that the ledger itself gives; no body has them."""
_EXACT: Final = frozenset({str, int, bool})


def line(entry: Entry, log: str, index: int, micros: int, commitments: Commitments) -> bytes:
    """The entry with its place and time (`micros` of Unix time).

    What does not fit the format is shortened and says so (`"cut": true`), so that nobody can
    keep a call out of the ledger by making it large. Raises TypeError for a float, and
    ValueError for a name that would stand twice and when even the shortened entry does not fit.
    """
    common = entry.common.encoded or _encoded(entry.common)
    own: dict[str, Any] = {
        "v": SCHEMA,
        "log": log,
        "index": index,
        "time": micros,
        "kind": entry.kind,
    }
    if entry.call:
        own["call"] = entry.call
    _check(entry)
    own |= entry.body
    if entry.content:
        own["commit"] = commitments.of(entry.subject, entry.call, entry.kind, entry.content)
    if entry.committed:
        own["commit"] = {**own.get("commit", {}), **entry.committed}
    whole = _joined(own, common)
    return whole if len(whole) <= LARGEST else _shortened(entry, own)


def _encoded(common: Common) -> bytes:
    """The members of the object, without its braces. Made once."""
    _exact(common.fields.values())
    if not OWN.isdisjoint(common.fields):
        raise ValueError("a name of the ledger's own stands in what is common")
    common.encoded = jsonrpc.encode(common.fields)[1:-1]
    return common.encoded


def _joined(own: Mapping[str, Any], common: bytes) -> bytes:
    encoded = jsonrpc.encode(own)
    return b"%b,%b}" % (encoded[:-1], common) if common else encoded


def _shortened(entry: Entry, own: dict[str, Any]) -> bytes:
    """Texts are cut, lists and maps left out; of the commitments the whole contents' stay."""
    clear = {**entry.common.fields, **entry.body}
    cut = {**own, **{key: _cut(value) for key, value in clear.items()}, "cut": True}
    if "commit" in own:
        whole = {*entry.content, *(entry.committed or ())}
        cut["commit"] = {path: made for path, made in own["commit"].items() if path in whole}
    made = jsonrpc.encode(cut)
    if len(made) > LARGEST:
        raise ValueError(f"an entry of {len(made)} bytes does not fit {LARGEST}")
    return made


def _cut(value: Any) -> Any:
    if isinstance(value, str):
        return value[:LONGEST_TEXT]
    return value if isinstance(value, int) else f"{len(value)} left out"


def _check(entry: Entry) -> None:
    _exact(entry.body.values())
    if not (OWN.isdisjoint(entry.body) and entry.common.fields.keys().isdisjoint(entry.body)):
        raise ValueError("an entry would say one name twice")


def _exact(values: Iterable[Any]) -> None:
    """Two readers print one float differently, and then its hash no longer is the entry's."""
    for value in values:
        if type(value) in _EXACT:
            continue
        if isinstance(value, float):
            raise TypeError("an entry holds whole numbers only")
        if isinstance(value, Mapping):
            _exact(value.values())
        elif isinstance(value, (list, tuple)):
            _exact(value)
