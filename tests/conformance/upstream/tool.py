"""Tool: what a fixture is made of."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Literal

from tests.conformance.upstream.media import JSON
from tests.conformance.upstream.rounds import Context, Round


@dataclass(frozen=True, slots=True)
class Called:
    """One call of a tool, in one of its rounds."""

    context: Context
    arguments: JSON
    round: Round


Run = Callable[[Called], Awaitable[JSON]]


def takes(*required: str, **properties: JSON) -> JSON:
    """The schema of an object."""
    schema: JSON = {"type": "object", "properties": properties}
    return schema | {"required": list(required)} if required else schema


@dataclass(frozen=True, slots=True)
class Tool:
    """`task` says whether a call may become a task (SEP-2663), or must."""

    description: str
    run: Run
    schema: JSON = field(default_factory=takes)
    task: Literal["", "optional", "required"] = ""


def fixed(description: str, result: JSON) -> Tool:
    """A tool that always answers the same."""

    async def run(called: Called) -> JSON:
        return result

    return Tool(description, run)
