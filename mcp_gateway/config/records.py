"""What is kept and said of what happens: the ledger and telemetry."""

from typing import Literal

from pydantic import Field

from mcp_gateway.config.sections import Section, Url


class LedgerSection(Section):
    durability: Literal["flushed", "written"] = "flushed"
    checkpoint_every: float = Field(default=1.0, gt=0)


LogLevel = Literal["debug", "info", "warning", "error"]
LogFormat = Literal["auto", "json", "text"]


class Telemetry(Section):
    """What the gateway says of itself.

    Logs go to standard error: a JSON object a line, or, with `auto`, plain text on a terminal.
    Spans go out by OTLP over HTTP when there is an endpoint.
    """

    log_level: LogLevel = "info"
    log_format: LogFormat = "auto"
    otlp_endpoint: Url = ""
