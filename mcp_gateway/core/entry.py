"""Entry and Receipt: one line of the ledger, and where it stands."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final


@dataclass(slots=True, eq=False)
class Common:
    """What many entries say alike, in clear. `encoded` is the ledger's, which makes it once."""

    fields: Mapping[str, Any]
    encoded: bytes = b""


NOTHING: Final = Common({})


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the ledger, before the ledger gives it a time, a log and an index.

    `kind` is "intent", "outcome", "abandoned" or the name of an event ("spawn", "key.reset").
    `body` and `common` enter in clear, have no name in common, and hold strings, integers,
    booleans, lists and maps only.
    `content` (path to bytes) never enters: only its commitments do, keyed for `subject`. What was
    committed to while it passed is in `committed` instead, by path.
    """

    kind: str
    call: str = ""
    subject: str = ""
    body: Mapping[str, Any] = field(default_factory=dict)
    content: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    common: Common = NOTHING
    committed: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Receipt:
    """Where an entry stands: the log's origin and the index in it, counted from 0."""

    log: str
    index: int


UNWRITTEN: Final = Receipt(log="", index=-1)
