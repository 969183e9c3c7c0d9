"""Profiles: what is done about what a guard finds, by channel."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from local_models.guards.patterns import CREDENTIAL, HIDDEN, LABELS
from mcp_gateway.core import ports

Action = Literal["observe", "deny"]


@dataclass(frozen=True, slots=True)
class Profile:
    """`actions` maps (channel, label) to what is done; what is not listed is observed.

    `timeout` is in seconds. A guard that fails or is late refuses the call, unless `on_error`
    is "allow".
    """

    name: str
    guards: Sequence[ports.Guard] = ()
    actions: Mapping[tuple[ports.Channel, str], Action] = field(default_factory=dict)
    timeout: float = 1.0
    on_error: Literal["deny", "allow"] = "deny"

    def denies(self, channel: ports.Channel) -> bool:
        """Whether anything that it may find there stops a call; else it only observes."""
        return any(at == channel and a == "deny" for (at, _), a in self.actions.items())

    def denied(self, channel: ports.Channel, verdict: ports.Verdict) -> list[ports.Finding]:
        """The findings for which the call does not go on."""
        return [f for f in verdict.findings if self.actions.get((channel, f.label)) == "deny"]


def built_in(rules: ports.Guard) -> Mapping[str, Profile]:
    """`none` looks at nothing, `observe` only records, `standard` and `strict` refuse."""
    standard: dict[tuple[ports.Channel, str], Action] = {
        ("arguments", CREDENTIAL): "deny",
        ("arguments", HIDDEN): "deny",
        ("result", HIDDEN): "deny",
    }
    strict: dict[tuple[ports.Channel, str], Action] = {
        (channel, label): "deny" for channel in CHANNELS for label in LABELS
    }
    return {
        "none": Profile("none"),
        "observe": Profile("observe", (rules,)),
        "standard": Profile("standard", (rules,), standard),
        "strict": Profile("strict", (rules,), strict),
    }


CHANNELS: Final[tuple[ports.Channel, ...]] = ("arguments", "result")
