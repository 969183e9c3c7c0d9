"""Sessions and streams of runtimes."""

from typing import Self

from pydantic import Field, model_validator

from mcp_gateway.config.sections import Section


class SessionsSection(Section):
    """Sessions of the initialize era: seconds and counts."""

    idle: float = Field(default=1800.0, gt=0)
    age: float = Field(default=86_400.0, gt=0)
    most: int = Field(default=10_000, gt=0)
    each: int = Field(default=100, gt=0)
    events: int = Field(default=256, gt=0)
    release_after: float = Field(default=0.0, ge=0)
    question: float = Field(default=600.0, gt=0)


class StreamsSection(Section):
    """Streams towards callers, and results that are too large to be held in memory."""

    keep_alive: float = Field(default=15.0, gt=0)
    result_buffer: int = Field(default=8 * 1024 * 1024, gt=0)
    result_limit: int = Field(default=64 * 1024 * 1024, gt=0)
    listens: int = Field(default=10_000, gt=0)
    listens_each: int = Field(default=32, gt=0)

    @model_validator(mode="after")
    def _one_after_the_other(self) -> Self:
        if self.result_limit < self.result_buffer:
            raise ValueError("result_limit is at least result_buffer: that much is always held")
        return self
