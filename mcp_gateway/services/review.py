"""Review: a definition that changed is held back until somebody has looked at it."""

import time
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, cast

from connectors import definitions
from mcp_gateway.core.target import Definition, Kind, Target
from mcp_gateway.store.pins import PinKey, Pins
from mcp_gateway.store.tables import PinRow, WordingRow

Trust = Literal["review", "follow"]


@dataclass(slots=True)
class Reviewed:
    """What may be served of an upstream, and what may not, with the reason.

    Where a definition changed, what is served is the one that was approved: `outdated` has the
    digest of what the upstream lists instead, by that of the approved one.
    """

    served: list[Definition] = field(default_factory=list)
    held: dict[str, str] = field(default_factory=dict)
    outdated: dict[str, str] = field(default_factory=dict)


class Review:
    """Compares what an upstream lists with what was pinned. Blocks: it reads the store."""

    def __init__(self, pins: Pins, clock: Callable[[], float] = time.time) -> None:
        self._pins = pins
        self._clock = clock

    def of(
        self,
        server: str,
        listed: Sequence[Definition],
        trust: Trust,
        insisted: Container[str] = frozenset(),
        *,
        personal: bool = False,
    ) -> Reviewed:
        """Definitions of a server that was never seen are pinned as they are, save flawed ones.

        Of a changed one the approved form is served, unless the upstream has refused it: then the
        digest of the new one is among `insisted`. Where lists are `personal`, all that was approved
        is served, since no one list has everything, and what is approved beside each other stays.
        """
        if personal:
            return self._of_persons(server, listed, trust)
        pinned = self._pins.of(server)
        sound = [definition for definition in listed if not definition.flaw]
        reviewed = Reviewed(held={_target(d): d.flaw for d in listed if d.flaw})
        if not pinned or trust == "follow":
            known = {pin.digest for pin in pinned.values()}
            self._pins.pin((d for d in sound if d.digest not in known), int(self._clock()))
            reviewed.served = sound
            return reviewed
        for definition in sound:
            pin = pinned.get((definition.kind, definition.name))
            if pin is None:
                said = "it is new: accept it with `mcp-gateway servers accept`"
                reviewed.held[_target(definition)] = said
            elif pin.digest == definition.digest:
                reviewed.served.append(definition)
            else:
                _changed(reviewed, pin, definition, refused=definition.digest in insisted)
        return reviewed

    def _of_persons(self, server: str, listed: Sequence[Definition], trust: Trust) -> Reviewed:
        known, sound = self.wordings(server), [d for d in listed if not d.flaw]
        new = [d for d in sound if d.digest not in known.get((d.kind, d.name), ())]
        if not known or trust == "follow":
            self._pins.pin(new, int(self._clock()), beside=True)
            new = []
        reviewed = self.approved(server, personal=True)
        reviewed.held = {_target(d): d.flaw for d in listed if d.flaw}
        for definition in new:
            what = (
                "is worded otherwise" if (definition.kind, definition.name) in known else "is new"
            )
            reviewed.held[_target(definition)] = (
                f"it {what} for somebody ({definition.digest[:19]}): see `mcp-gateway servers "
                "diff`, accept it with `mcp-gateway servers accept`"
            )
        return reviewed

    def approved(self, server: str, *, personal: bool = False) -> Reviewed:
        """What was approved of a server, for as long as it has not answered.

        Of what was approved in several wordings the one that was pinned last stands first; where
        lists are not `personal` it stands alone.
        """
        rows = self._rows(server) if personal else self._pins.of(server).values()
        found = {(row.kind, row.name, row.digest): row for row in rows}
        read = map(_approved, found.values())
        return Reviewed([definition for definition in read if definition])

    def wordings(self, server: str) -> Mapping[PinKey, frozenset[str]]:
        """The digests of each name that were approved."""
        found: dict[PinKey, frozenset[str]] = {}
        for row in self._rows(server):
            key = (row.kind, row.name)
            found[key] = found.get(key, frozenset()) | {row.digest}
        return found

    def _rows(self, server: str) -> Sequence[PinRow | WordingRow]:
        return [*self._pins.of(server).values(), *self._pins.wordings(server)]

    def pinned(self, server: str) -> Mapping[PinKey, PinRow]:
        """What was approved, as it is kept."""
        return self._pins.of(server)

    def accept(self, listed: Sequence[Definition], *, personal: bool = False) -> None:
        """Takes these as reviewed; where lists are `personal`, beside what was before."""
        self._pins.pin(listed, int(self._clock()), beside=personal)


def _changed(reviewed: Reviewed, pin: PinRow, listed: Definition, *, refused: bool) -> None:
    approved = None if refused else _approved(pin)
    if approved:
        reviewed.served.append(approved)
        reviewed.outdated[approved.digest] = listed.digest
        meanwhile = "the approved one is served"
    else:
        meanwhile = "its upstream refuses the approved one" if refused else "nothing is served"
    reviewed.held[_target(listed)] = (
        f"its definition changed from {pin.digest[:19]} to {listed.digest[:19]}, and {meanwhile}: "
        "see `mcp-gateway servers diff`, accept it with `mcp-gateway servers accept`"
    )


def _approved(pin: PinRow | WordingRow) -> Definition | None:
    """The pinned definition, read again; None when it would not be served as it was."""
    read = definitions.read(pin.server, cast("Kind", pin.kind), pin.definition)
    return read if read.digest == pin.digest and not read.flaw else None


def _target(definition: Definition) -> str:
    return str(Target(definition.kind, definition.server, definition.name))
