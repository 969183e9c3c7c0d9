"""What is let through: rules and guards."""

from typing import Literal

from pydantic import Field

from mcp_gateway.config.sections import Section


class PolicySection(Section):
    rules: list[str] = ["builtin:first-run"]
    suites: list[str] = []


Label = Literal["hidden_unicode", "role_marker", "credential"]
Action = Literal["observe", "deny"]


class GuardSection(Section):
    """A profile: what is done about what the rules find, by label. Unknown labels are refused."""

    arguments: dict[Label, Action] = {}
    result: dict[Label, Action] = {}
    timeout: float = Field(default=1.0, gt=0)
    on_error: Literal["deny", "allow"] = "deny"
