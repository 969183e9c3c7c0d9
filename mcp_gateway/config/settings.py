"""Settings: one TOML file, one model a section, unknown keys refused."""

import os
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, Self

from pydantic import ValidationError, model_validator

from mcp_gateway.config.authorization import AuthorizationSection
from mcp_gateway.config.gateway import Gateway, NetworkSection
from mcp_gateway.config.governance import RegistrySection
from mcp_gateway.config.identity import Identity
from mcp_gateway.config.policy import GuardSection, PolicySection
from mcp_gateway.config.records import LedgerSection, Telemetry
from mcp_gateway.config.sections import ConfigError, Section, faults_as_one, on_this_machine
from mcp_gateway.config.servers import Server
from mcp_gateway.config.streams import SessionsSection, StreamsSection
from mcp_gateway.config.vault import VaultSection
from mcp_gateway.limits.memory import Level

PREFIX = "GATEWAY_"
EXCHANGING: Final = frozenset({"token_exchange", "id_jag"})
"""Kinds of grant that begin with a token of an identity provider's."""


class Settings(Section):
    """The whole file."""

    gateway: Gateway = Gateway()
    network: NetworkSection = NetworkSection()
    identity: Identity = Identity()
    authorization: AuthorizationSection = AuthorizationSection()
    vault: VaultSection = VaultSection()
    servers: dict[str, Server] = {}
    registry: RegistrySection = RegistrySection()
    policy: PolicySection = PolicySection()
    limits: dict[Level, dict[str, str]] = {"principal": {"default": "600/minute"}}
    guards: dict[str, GuardSection] = {}
    sessions: SessionsSection = SessionsSection()
    streams: StreamsSection = StreamsSection()
    ledger: LedgerSection = LedgerSection()
    telemetry: Telemetry = Telemetry()

    @property
    def public(self) -> str:
        """The URL without its path, as downstreams see it."""
        scheme = "https" if self.network.tls else "http"
        return self.gateway.url.rstrip("/") or f"{scheme}://{self.gateway.listen}"

    @model_validator(mode="after")
    def _safe(self) -> Self:
        return faults_as_one(self, self._faults())

    def _faults(self) -> Iterator[str]:
        if self.identity.anonymous and not self._loopback_only():
            yield (
                "[identity] anonymous is for a loopback listen address only, and neither for a "
                "url that others reach nor behind trusted_proxies"
            )
        if self.identity.issuer and not self.identity.audience:
            yield "[identity] issuer needs the audience that its tokens are for"
        yield from self._server_faults()
        yield from self._authorization_faults()

    def _authorization_faults(self) -> Iterator[str]:
        section = self.authorization
        if not section.enabled and section.login is None:
            return
        if not self.public.startswith("https://") and not on_this_machine(self.public):
            named = "enabled" if section.enabled else "login"
            yield (
                f"[authorization] {named} needs a gateway.url that is https, or a gateway that is "
                "reached on this machine only: passwords and tokens pass there"
            )
        if self.identity.issuer == self.public:
            yield "[identity] issuer is another one than the gateway, whose tokens are known"

    def _server_faults(self) -> Iterator[str]:
        if "gateway" in self.servers:
            yield "the server name 'gateway' is the gateway's own"
        for name in self.servers:
            if not name.replace("_", "").replace("-", "").isalnum() or "__" in name:
                yield f"the server name {name!r} is not of letters, digits, - and _"
        tokens = self.identity.issuer or self.authorization.login
        for name, server in self.servers.items():
            if server.grant.kind in EXCHANGING and not tokens:
                yield (
                    f"servers.{name}: a grant of kind {server.grant.kind} exchanges what a caller "
                    "logged in with, at identity.issuer or authorization.login; neither is there"
                )

    def _loopback_only(self) -> bool:
        gateway = self.gateway
        if not gateway.loopback or self.network.trusted_proxies:
            return False
        return on_this_machine(self.public)


def load(path: Path | None, environment: Mapping[str, str] = os.environ) -> Settings:
    """The settings of a file, with the environment over them. Raises ConfigError.

    `GATEWAY_<SECTION>__<KEY>` sets a key; its value is read as TOML, or is text. An empty file is
    refused: it is what an editor leaves while it writes, and would take every server away.
    """
    content = _content(path) if path else {}
    for name, value in environment.items():
        section, _, key = name.removeprefix(PREFIX).lower().partition("__")
        if name.startswith(PREFIX) and key:
            table = content.setdefault(section, {})
            if not isinstance(table, dict):
                raise ConfigError(f"{path}: {section} is no table, so {name} has no place in it")
            table[key] = _value(value)
    return validated(content, f"{path or 'the environment'}: ")


def validated(content: Mapping[str, Any], where: str = "") -> Settings:
    """The settings that tables say. Raises ConfigError."""
    try:
        return Settings.model_validate(content)
    except ValidationError as error:
        raise ConfigError(*(where + fault for fault in faults_of(error))) from None


def faults_of(error: ValidationError) -> list[str]:
    """Each fault with its place. What was written there is not repeated: it may be a secret."""
    return [
        f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" if fault["loc"] else fault["msg"]
        for fault in error.errors(include_input=False, include_url=False)
    ]


def _content(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text("utf-8")
        content = tomllib.loads(text)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path}: {error}") from None
    if not text.strip():
        raise ConfigError(f"{path}: the file is empty")
    return content


def _value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
