"""Tests of a policy: who, what, and what is expected, in TOML."""

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from mcp_gateway.core.decision import Effect
from mcp_gateway.core.principal import Principal
from mcp_gateway.core.target import KINDS, Target
from policies.engine import Engine
from policies.explain import explain


class Case(BaseModel):
    """One expectation. `rule` is the id that must have decided; empty when any may."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    subject: str = Field(alias="as")
    issuer: str = "local"
    tenant: str = "default"
    roles: frozenset[str] = frozenset()
    action: str
    target: str
    expect: Effect
    rule: str = ""


class Suite(BaseModel):
    """A file of them."""

    model_config = ConfigDict(extra="forbid")

    case: list[Case] = Field(min_length=1)


@dataclass(frozen=True, slots=True)
class Failure:
    """A case that did not come out as expected, or a suite that cannot be read."""

    where: str
    said: str


def run(engine: Engine, files: Sequence[Path]) -> Sequence[Failure]:
    """Every failure of every suite."""
    found: list[Failure] = []
    for file in files:
        try:
            suite = Suite.model_validate(tomllib.loads(file.read_text("utf-8")))
        except (OSError, ValueError) as error:
            found.append(Failure(file.name, str(error)))
            continue
        for number, case in enumerate(suite.case, start=1):
            if said := _failure(engine, case):
                found.append(Failure(f"{file.name}, case {number}", said))
    return found


def _failure(engine: Engine, case: Case) -> str:
    principal = Principal(case.issuer, case.subject, case.tenant, roles=case.roles)
    try:
        target = parse_target(case.target)
    except ValueError as error:
        return str(error)
    explained = explain(engine, principal, target, case.action)
    decision = explained.decision
    if decision.effect != case.expect:
        return f"expected {case.expect}:\n{explained}"
    if case.rule and decision.rule != case.rule:
        return f"expected the rule {case.rule}:\n{explained}"
    return ""


def parse_target(text: str) -> Target:
    """`kind/server/name`. Raises ValueError."""
    kind, _, rest = text.partition("/")
    server, _, name = rest.partition("/")
    if kind not in KINDS or not server or not name:
        raise ValueError(f"{text!r} is no target: write kind/server/name, as tool/orders/refund")
    return Target(kind, server, name)  # type: ignore[arg-type]  # looked up in KINDS above
