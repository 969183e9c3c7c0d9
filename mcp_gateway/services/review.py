"""Review: a definition that changed is held back until somebody has looked at it."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from mcp_gateway.core.target import Definition, Target
from mcp_gateway.store.pins import Pins

Trust = Literal["review", "follow"]


@dataclass(slots=True)
class Reviewed:
    """What may be served of an upstream, and what may not, with the reason."""

    served: list[Definition] = field(default_factory=list)
    held: dict[str, str] = field(default_factory=dict)


class Review:
    """Compares what an upstream lists with what was pinned. Blocks: it reads the store."""

    def __init__(self, pins: Pins, clock: Callable[[], float] = time.time) -> None:
        self._pins = pins
        self._clock = clock

    def of(self, server: str, listed: Sequence[Definition], trust: Trust) -> Reviewed:
        """Definitions of a server that was never seen are pinned as they are, save flawed ones."""
        pinned = self._pins.of(server)
        sound = [definition for definition in listed if not definition.flaw]
        reviewed = Reviewed(held={_target(d): d.flaw for d in listed if d.flaw})
        if not pinned or trust == "follow":
            self._pins.pin(sound, int(self._clock()))
            reviewed.served = sound
            return reviewed
        for definition in sound:
            pin = pinned.get((definition.kind, definition.name))
            target = _target(definition)
            if pin is None:
                reviewed.held[target] = "it is new: accept it with `mcp-gateway servers accept`"
            elif pin.digest != definition.digest:
                reviewed.held[target] = (
                    f"its definition changed from {pin.digest[:19]} to {definition.digest[:19]}: "
                    "accept it with `mcp-gateway servers accept`"
                )
            else:
                reviewed.served.append(definition)
        return reviewed

    def accept(self, listed: Sequence[Definition]) -> None:
        """Takes these as reviewed."""
        self._pins.pin(listed, int(self._clock()))


def _target(definition: Definition) -> str:
    return str(Target(definition.kind, definition.server, definition.name))
