"""Operation: one line of the table of what can be done besides calls of upstreams."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from mcp_gateway.core.call import Call

Word = Annotated[str, Field(pattern=r"^[!#-\[\]-~]{1,100}$")]
"""One role or scope: a blank in it would make it two."""


class Nothing(BaseModel):
    """No parameters."""

    model_config = ConfigDict(extra="forbid")


@dataclass(frozen=True, slots=True)
class Operation:
    """Its HTTP form, its parameters and what does it.

    `run` is a method of the service that `Operations.acting` has under the first part of the
    operation's name; of `Operations` itself where there is none.
    """

    route: str
    parameters: type[BaseModel]
    run: Callable[[Any, Call, Any], Awaitable[Any]]
