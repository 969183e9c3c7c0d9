"""Settings: one TOML file, one model a section, unknown keys refused."""

import ipaddress
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from mcp_gateway.core.credential import GrantKind
from mcp_gateway.limits.memory import Level
from mcp_gateway.oauth.rfc9068 import ALGORITHMS
from mcp_gateway.wire import address
from mcp_gateway.wire.failures import AddressRefused
from mcp_gateway.wire.url import parse

PREFIX = "GATEWAY_"
SCOPE = r"^[\x21\x23-\x5b\x5d-\x7e]+$"
"""One scope, as RFC 6749, section 3.3 spells it: it has a place in a challenge."""


class ConfigError(ValueError):
    """A configuration that cannot be taken, with every reason."""


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Secret(Section):
    """A reference to a secret: a file or an environment variable, never the value."""

    file: str = ""
    env: str = ""

    @model_validator(mode="after")
    def _one(self) -> Self:
        if bool(self.file) == bool(self.env):
            raise ValueError("a secret has either a file or an env")
        return self

    def read(self) -> str:
        """The value. Raises ConfigError when it is not there."""
        try:
            return Path(self.file).read_text("utf-8").strip() if self.file else os.environ[self.env]
        except (OSError, KeyError) as error:
            raise ConfigError(f"the secret {self.file or self.env} cannot be read") from error


class Gateway(Section):
    """`url` is how downstreams reach the gateway; `contact` is whom a refused caller may ask."""

    listen: str = "127.0.0.1:8080"
    url: str = ""
    data: Path = Path("var")
    tenant: str = "default"
    contact: str = "your administrator"
    origins: list[str] = []
    hosts: list[str] = []
    drain: float = Field(default=10.0, ge=0)

    @property
    def address(self) -> tuple[str, int]:
        host, _, port = self.listen.rpartition(":")
        return host.strip("[]"), int(port)

    @property
    def public(self) -> str:
        """The URL without its path, as downstreams see it."""
        return self.url.rstrip("/") or f"http://{self.listen}"

    @property
    def loopback(self) -> bool:
        host = self.address[0]
        return host == "localhost" or ipaddress.ip_address(host).is_loopback


class Certificate(Section):
    certificate: str
    key: str


class NetworkSection(Section):
    """Every connection out and in."""

    proxy: str = ""
    ca: list[str] = []
    tls: Certificate | None = None
    client: Certificate | None = None
    trusted_proxies: list[str] = []
    private_upstreams: list[str] = []


class Identity(Section):
    """Who calls. Without an `issuer` only API keys authenticate."""

    issuer: str = ""
    audience: str = ""
    jwks: str = ""
    algorithms: list[str] = Field(["RS256", "ES256", "Ed25519", "EdDSA"], min_length=1)
    max_token_lifetime: int = Field(default=3600, gt=0)
    roles_claim: str = "roles"
    tenant_claim: str = ""
    anonymous: bool = False
    aliases: dict[str, str] = {}

    @model_validator(mode="after")
    def _sound(self) -> Self:
        if unknown := sorted(set(self.algorithms) - ALGORITHMS):
            raise ValueError(f"algorithms: {', '.join(unknown)} cannot be allowed")
        for name, url in (("issuer", self.issuer), ("jwks", self.jwks)):
            if url and not (url.startswith("https://") or _on_this_machine(url)):
                raise ValueError(f"{name} is an https URL, or one of this machine")
        if "?" in self.issuer or "#" in self.issuer:
            raise ValueError("issuer is a URL without query and fragment")
        return self


class GrantSection(Section):
    """Which credential an upstream is shown."""

    kind: GrantKind = "none"
    header: str = "Authorization"
    prefix: str = "Bearer "
    secret: Secret | None = None

    @model_validator(mode="after")
    def _supported(self) -> Self:
        if self.kind not in ("none", "static"):
            raise ValueError(f"the grant {self.kind!r} is not supported in this version")
        if (self.kind == "static") != (self.secret is not None):
            raise ValueError("a static grant has a secret, and no other has")
        return self


class Server(BaseModel):
    """One upstream. What else stands in its section is its connector's own."""

    model_config = ConfigDict(extra="allow", frozen=True)

    connector: str
    grant: GrantSection = GrantSection()
    guard: str = "standard"
    trust: Literal["review", "follow"] = "review"
    requires: frozenset[Annotated[str, Field(pattern=SCOPE)]] = frozenset()

    def own(self) -> dict[str, Any]:
        """What the connector's model validates."""
        return dict(self.model_extra or {})


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


class LedgerSection(Section):
    durability: Literal["flushed", "written"] = "flushed"
    checkpoint_every: float = Field(default=1.0, gt=0)


class Telemetry(Section):
    """Spans go out by OTLP over HTTP when there is an endpoint."""

    otlp_endpoint: str = ""


class Settings(Section):
    """The whole file."""

    gateway: Gateway = Gateway()
    network: NetworkSection = NetworkSection()
    identity: Identity = Identity()
    servers: dict[str, Server] = {}
    policy: PolicySection = PolicySection()
    limits: dict[Level, dict[str, str]] = {"principal": {"default": "600/minute"}}
    guards: dict[str, GuardSection] = {}
    ledger: LedgerSection = LedgerSection()
    telemetry: Telemetry = Telemetry()

    @model_validator(mode="after")
    def _safe(self) -> Self:
        if self.identity.anonymous and not self._loopback_only():
            raise ValueError(
                "[identity] anonymous is for a loopback listen address only, and neither for a "
                "url that others reach nor behind trusted_proxies"
            )
        if self.identity.issuer and not self.identity.audience:
            raise ValueError("[identity] issuer needs the audience that its tokens are for")
        if "gateway" in self.servers:
            raise ValueError("the server name 'gateway' is the gateway's own")
        for name in self.servers:
            if not name.replace("_", "").replace("-", "").isalnum() or "__" in name:
                raise ValueError(f"the server name {name!r} is not of letters, digits, - and _")
        return self

    def _loopback_only(self) -> bool:
        gateway = self.gateway
        if not gateway.loopback or self.network.trusted_proxies:
            return False
        return _on_this_machine(gateway.public)


def _on_this_machine(url: str) -> bool:
    try:
        return address.here(parse(url).origin.host)
    except AddressRefused as refused:
        raise ValueError(str(refused)) from None


def load(path: Path | None, environment: Mapping[str, str] = os.environ) -> Settings:
    """The settings of a file, with the environment over them. Raises ConfigError.

    `GATEWAY_<SECTION>__<KEY>` sets a key; its value is read as TOML, or is text.
    """
    try:
        content = tomllib.loads(path.read_text("utf-8")) if path else {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path}: {error}") from None
    for name, value in environment.items():
        section, _, key = name.removeprefix(PREFIX).lower().partition("__")
        if name.startswith(PREFIX) and key:
            content.setdefault(section, {})[key] = _value(value)
    try:
        return Settings.model_validate(content)
    except ValidationError as error:
        lines = [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()]
        raise ConfigError(f"{path or 'the environment'}: " + "; ".join(lines)) from None


def _value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
