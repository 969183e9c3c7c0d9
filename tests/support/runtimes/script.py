"""What a scripted model does: calls tools one after the other, and keeps what it was shown."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Arguments = Callable[[Sequence[str]], Mapping[str, Any]]
"""Makes the arguments of a call out of the results that came before it."""


async def nothing() -> None:
    return None


def none(_: Sequence[str]) -> Mapping[str, Any]:
    return {}


def always(**arguments: Any) -> Arguments:
    return lambda _: arguments


@dataclass(frozen=True, slots=True)
class Step:
    """One call: the name that the gateway lists, its arguments, and what happens just before."""

    tool: str
    arguments: Arguments = none
    before: Callable[[], Awaitable[None]] = nothing


@dataclass(slots=True)
class Script:
    """`shown` is what the runtime showed the model of each result, `told` each whole request."""

    steps: Sequence[Step]
    shown: Sequence[str] = ()
    told: list[str] = field(default_factory=list)
    _begun: int = 0

    async def next(self, shown: Sequence[str]) -> tuple[Step, Mapping[str, Any]] | None:
        """The next call and its arguments, or None at the end. A repeated question is the same."""
        self.shown = shown
        if len(shown) >= len(self.steps):
            return None
        step = self.steps[len(shown)]
        if self._begun <= len(shown):
            self._begun = len(shown) + 1
            await step.before()
        return step, step.arguments(shown)
