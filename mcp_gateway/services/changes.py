"""Changes: what differs between two configurations, and what of it has to wait for a start."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from mcp_gateway.config import Settings, validated

FIXED: Final = (
    "gateway.listen",
    "gateway.data",
    "gateway.tenant",
    "network",
    "ledger",
    "vault",
    "authorization.enabled",
    "authorization.private_documents",
    "telemetry.otlp_endpoint",
)
"""What a running gateway is bound to: its address, folder, connections, keys and record."""


def between(old: Settings, new: Settings) -> Sequence[str]:
    """The names of the settings that differ, no deeper than a key of a section."""
    return list(_differing(old.model_dump(), new.model_dump()))


def waiting(running: Settings, new: Settings) -> Sequence[str]:
    """Those of them that take effect at the next start only."""
    return [name for name in between(running, new) if _fixed(name)]


def live(running: Settings, new: Settings) -> Settings:
    """The new settings with what is fixed as it runs.

    Raises ConfigError when the two do not go together: a file may be sound for the address that
    it names and not for the one that is listened on.
    """
    content = new.model_dump()
    kept = running.model_dump()
    for name in FIXED:
        section, _, key = name.partition(".")
        if key:
            content[section][key] = kept[section][key]
        else:
            content[section] = kept[section]
    where = "with what stays as it is until the next start: " if waiting(running, new) else ""
    return validated(content, where)


def _differing(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    for section, content in new.items():
        before = old[section]
        for key in sorted({*before, *content}):
            if before.get(key) != content.get(key):
                yield f"{section}.{key}"


def _fixed(name: str) -> bool:
    return name in FIXED or name.partition(".")[0] in FIXED
