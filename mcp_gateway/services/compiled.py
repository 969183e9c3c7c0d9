"""Compiled: what a configuration comes to, checked whole before anything of it is in force."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

import policies
from connectors import CONNECTORS
from local_models.guards import GUARDS
from local_models.guards.profiles import Action, Profile, built_in
from mcp_gateway.config import ConfigError, GuardSection, Server, Settings, faults_of
from mcp_gateway.core import ports
from mcp_gateway.limits.memory import MemoryLimiter
from mcp_gateway.oauth.documents import DocumentError
from mcp_gateway.oauth.rfc7517 import key_set
from mcp_gateway.services.authorization.pinned import pinned_documents
from policies import suites

BUILT_IN_RULES: Final = Path(policies.__file__).parent / "builtin"
BUILT_IN_SUITES: Final = Path(policies.__file__).parent / "suites"


@dataclass(frozen=True, slots=True)
class Compiled:
    """The parts of a snapshot that come from files alone. `servers` holds each connector's own."""

    engine: policies.Engine
    guards: Mapping[str, Profile]
    servers: Mapping[str, Any]


def compiled(settings: Settings, base: Path) -> Compiled:
    """Reads the rules and runs their suites. Blocks. Raises ConfigError with every reason.

    `base` is the folder that the paths of the configuration are relative to.
    """
    faults = [*_limit_faults(settings), *_client_faults(settings, base)]
    guards = profiles(settings.guards)
    servers: dict[str, Any] = {}
    for name, server in settings.servers.items():
        try:
            servers[name] = _own(name, server, guards)
        except ConfigError as error:
            faults += error.faults
    try:
        engine = compile_policy(settings, base)
        faults += _guard_faults(engine, guards)
    except (policies.PolicyError, ConfigError) as error:
        faults += error.faults
    if faults:
        raise ConfigError(*faults)
    return Compiled(engine, guards, servers)


def _client_faults(settings: Settings, base: Path) -> Iterator[str]:
    """Documents and keys of clients that cannot be read."""
    try:
        pinned_documents(settings, base)
    except ConfigError as error:
        yield str(error)
    for name, section in settings.authorization.clients.items():
        try:
            if section.jwks:
                key_set(json.loads((base / section.jwks).read_bytes()))
        except (OSError, ValueError, DocumentError) as error:
            yield f"authorization.clients.{name}: {error}"


def compile_policy(settings: Settings, base: Path) -> policies.Engine:
    """The compiled rules, their suites passed. Raises PolicyError, ConfigError."""
    engine = policies.load(rule_files(settings, base), settings.identity.aliases)
    if failures := suites.run(engine, suite_files(settings, base)):
        raise ConfigError(*(f"{failure.where}: {failure.said}" for failure in failures))
    return engine


def rule_files(settings: Settings, base: Path) -> list[Path]:
    return [_file(text, BUILT_IN_RULES, ".csv", base) for text in settings.policy.rules]


def suite_files(settings: Settings, base: Path) -> list[Path]:
    """Raises ConfigError for a pattern that fits no file: no suite would run, and none fail."""
    files = []
    for text in settings.policy.suites:
        found = _fitting(text, base)
        if not found:
            raise ConfigError(f"policy.suites: {text} fits no file")
        files += found
    return files


def _fitting(text: str, base: Path) -> list[Path]:
    name = Path(text).name
    if "*" in name:
        return sorted((base / text).parent.glob(name))
    return [_file(text, BUILT_IN_SUITES, ".toml", base)]


def profiles(sections: Mapping[str, GuardSection]) -> Mapping[str, Profile]:
    """The profiles that ship, and those of the configuration in their place."""
    rules = GUARDS["rules"]()
    own = {name: _profile(name, section, rules) for name, section in sections.items()}
    return {**built_in(rules), **own}


def _profile(name: str, section: GuardSection, rules: ports.Guard) -> Profile:
    actions: dict[tuple[ports.Channel, str], Action] = {}
    actions |= {("arguments", label): action for label, action in section.arguments.items()}
    actions |= {("result", label): action for label, action in section.result.items()}
    return Profile(name, (rules,), actions, section.timeout, section.on_error)


def _own(name: str, server: Server, guards: Mapping[str, Profile]) -> Any:
    """The section of the connector's own. Raises ConfigError with every reason."""
    where, faults = f"servers.{name}", list[str]()
    if server.guard not in guards:
        faults.append(f"{where}: no guard profile is called {server.guard!r}")
    kind = CONNECTORS.get(server.connector)
    if kind is None:
        known = ", ".join(sorted(CONNECTORS))
        raise ConfigError(*faults, f"{where}: no connector {server.connector!r}; known: {known}")
    try:
        own = kind.Config.model_validate(server.own())
    except ValidationError as error:
        faults += [f"{where}.{fault}" for fault in faults_of(error)]
    if faults:
        raise ConfigError(*faults)
    return own


def _limit_faults(settings: Settings) -> Iterator[str]:
    """Level by level: a limiter stops at its first fault."""
    for level, texts in settings.limits.items():
        for pattern, text in texts.items():
            try:
                MemoryLimiter({level: {pattern: text}})
            except ValueError as error:
                yield str(error)


def _guard_faults(engine: policies.Engine, guards: Mapping[str, Profile]) -> Iterator[str]:
    """A rule that owes a profile which is not there would refuse every call that it allows."""
    for rule in engine.rules.rules:
        named = {o.value for o in rule.obligations if o.name == "guard"}
        for missing in sorted(named - set(guards)):
            yield f"{rule.where}: no guard profile is called {missing!r}"


def _file(text: str, built_in: Path, suffix: str, base: Path) -> Path:
    if text.startswith("builtin:"):
        return built_in / (text.removeprefix("builtin:") + suffix)
    return base / text
