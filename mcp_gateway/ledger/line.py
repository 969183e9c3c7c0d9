"""What an entry is as bytes: canonical JSON, whole numbers only, and never too large."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from mcp_gateway.core.entry import Entry
from mcp_gateway.ledger.commitment import Commitments
from mcp_gateway.ledger.frame import LARGEST
from mcp_gateway.wire import jsonrpc

SCHEMA: Final = 1
LONGEST_TEXT: Final = 400
"""Characters that a text keeps in an entry that would not fit."""


def line(entry: Entry, log: str, index: int, micros: int, commitments: Commitments) -> bytes:
    """The entry with its place and time (`micros` of Unix time).

    What does not fit the format is shortened and says so (`"cut": true`), so that nobody can
    keep a call out of the ledger by making it large. Raises TypeError for a float, and
    ValueError when even the shortened entry does not fit.
    """
    _check(entry.body.values())
    own: dict[str, Any] = {
        "v": SCHEMA,
        "log": log,
        "index": index,
        "time": micros,
        "kind": entry.kind,
    }
    if entry.call:
        own["call"] = entry.call
    if entry.content:
        own["commit"] = commitments.of(entry.subject, entry.call, entry.kind, entry.content)
    whole = jsonrpc.canonical({**entry.body, **own})
    return whole if len(whole) <= LARGEST else _shortened(entry, own)


def _shortened(entry: Entry, own: dict[str, Any]) -> bytes:
    """Texts are cut, lists and maps left out; of the commitments the whole contents' stay."""
    body = {key: _cut(value) for key, value in entry.body.items()}
    if "commit" in own:
        own["commit"] = {path: own["commit"][path] for path in entry.content}
    made = jsonrpc.canonical({**body, **own, "cut": True})
    if len(made) > LARGEST:
        raise ValueError(f"an entry of {len(made)} bytes does not fit {LARGEST}")
    return made


def _cut(value: Any) -> Any:
    if isinstance(value, str):
        return value[:LONGEST_TEXT]
    return value if isinstance(value, int) else f"{len(value)} left out"


def _check(values: Iterable[Any]) -> None:
    """Two readers print one float differently, and then its hash no longer is the entry's."""
    for value in values:
        if isinstance(value, float):
            raise TypeError("an entry holds whole numbers only")
        if isinstance(value, Mapping):
            _check(value.values())
        elif isinstance(value, (list, tuple)):
            _check(value)
