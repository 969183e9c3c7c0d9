"""Entry and Receipt: one line of the ledger, and where it stands."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the ledger, before the ledger gives it a time, a log and an index.

    `kind` is "intent", "outcome", "abandoned" or the name of an event ("spawn", "key.reset").
    `body` enters in clear and holds strings, integers, booleans, lists and maps only.
    `content` (path to bytes) never enters: only its commitments do, keyed for `subject`.
    """

    kind: str
    call: str = ""
    subject: str = ""
    body: Mapping[str, Any] = field(default_factory=dict)
    content: Mapping[str, bytes] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Receipt:
    """Where an entry stands: the log's origin and the index in it, counted from 0."""

    log: str
    index: int


UNWRITTEN: Final = Receipt(log="", index=-1)
