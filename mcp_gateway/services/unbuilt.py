"""Settings that mean nothing in this version: refused, since somebody would rely on them."""

from collections.abc import Iterator
from typing import Final

from mcp_gateway.config import AuthorizationSection, Settings

HERE: Final = frozenset({"keys"})
"""The settings of [authorization] that mean something."""


def faults(settings: Settings) -> Iterator[str]:
    """What is set and would do nothing, each with why."""
    for name, field in AuthorizationSection.model_fields.items():
        default = field.get_default(call_default_factory=True)
        if name not in HERE and getattr(settings.authorization, name) != default:
            yield f"authorization.{name}: this version has no authorization server; leave it out"
    if settings.registry.public:
        yield "registry.public: this version serves no registry"
