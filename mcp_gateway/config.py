"""Settings: one TOML file, one model a section, unknown keys refused."""

import ipaddress
import os
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_serializer,
    model_validator,
)

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

    def __init__(self, *faults: str) -> None:
        super().__init__("; ".join(faults))
        self.faults = faults


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _address(text: str) -> str:
    host, colon, port = text.rpartition(":")
    if not (colon and host and port.isascii() and port.isdecimal() and int(port) < 65_536):
        raise ValueError("an address is host:port, as 127.0.0.1:8080 or [::1]:8080")
    return text


def _web(text: str) -> str:
    parts = urlsplit(text)
    if text and (parts.scheme not in ("http", "https") or not parts.netloc or parts.query):
        raise ValueError("a URL is http://… or https://…, without a query")
    return text


def _block(text: str) -> str:
    """What is no block would quietly cover nothing."""
    ipaddress.ip_network(text)
    return text


Address = Annotated[str, AfterValidator(_address)]
Url = Annotated[str, AfterValidator(_web)]
Block = Annotated[str, AfterValidator(_block)]


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
    """`url` is how downstreams reach the gateway; `contact` is whom a refused caller may ask.

    `page` is how many entries of a list are shown at a time.

    A gateway that is told to stop listens for `notice` seconds more, with readiness red, and
    gives the calls in flight `drain` seconds after that.
    """

    listen: Address = "127.0.0.1:8080"
    url: Url = ""
    data: Path = Path("var")
    tenant: str = "default"
    contact: str = "your administrator"
    origins: list[str] = []
    hosts: list[str] = []
    page: int = Field(default=1000, ge=1, le=100_000)
    notice: float = Field(default=1.0, ge=0, le=60)
    drain: float = Field(default=10.0, ge=0, le=3600)

    @property
    def address(self) -> tuple[str, int]:
        host, _, port = self.listen.rpartition(":")
        return host.strip("[]"), int(port)

    @property
    def loopback(self) -> bool:
        host = self.address[0]
        try:
            return host == "localhost" or ipaddress.ip_address(host).is_loopback
        except ValueError:  # a name, and names may be made to mean anything
            return False


class Certificate(Section):
    certificate: str
    key: str


class NetworkSection(Section):
    """Every connection out and in."""

    proxy: str = Field(default="", repr=False)
    ca: list[str] = []
    tls: Certificate | None = None
    client: Certificate | None = None
    trusted_proxies: list[Block] = []
    private_upstreams: list[Block] = []


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
    revocation: float = Field(default=1.0, ge=0)

    @property
    def ttl_ms(self) -> int:
        """Milliseconds for which an answer may be kept: no longer than a revocation takes."""
        return int(self.revocation * 1000)

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
    """One upstream. What else stands in its section is its connector's own.

    At most `concurrency` requests are at it at once, and `queue` wait; after `breaker` failures in
    a row it is left alone for a while. `idempotent` tools may be sent twice.
    """

    model_config = ConfigDict(extra="allow", frozen=True)

    connector: str
    grant: GrantSection = GrantSection()
    guard: str = "standard"
    trust: Literal["review", "follow"] = "review"
    requires: frozenset[Annotated[str, Field(pattern=SCOPE)]] = frozenset()
    concurrency: int = Field(default=64, ge=1, le=100_000)
    queue: int = Field(default=256, ge=0, le=100_000)
    breaker: int = Field(default=5, ge=0)
    idempotent: frozenset[str] = frozenset()

    @field_serializer("requires", "idempotent", when_used="json")
    def _sorted(self, words: frozenset[str]) -> list[str]:
        """In one order: a digest is taken of what this comes to."""
        return sorted(words)

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


class Settings(Section):
    """The whole file."""

    gateway: Gateway = Gateway()
    network: NetworkSection = NetworkSection()
    identity: Identity = Identity()
    servers: dict[str, Server] = {}
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
        if faults := list(self._faults()):
            raise ValueError("; ".join(faults))
        return self

    def _faults(self) -> Iterator[str]:
        if self.identity.anonymous and not self._loopback_only():
            yield (
                "[identity] anonymous is for a loopback listen address only, and neither for a "
                "url that others reach nor behind trusted_proxies"
            )
        if self.identity.issuer and not self.identity.audience:
            yield "[identity] issuer needs the audience that its tokens are for"
        if "gateway" in self.servers:
            yield "the server name 'gateway' is the gateway's own"
        for name in self.servers:
            if not name.replace("_", "").replace("-", "").isalnum() or "__" in name:
                yield f"the server name {name!r} is not of letters, digits, - and _"

    def _loopback_only(self) -> bool:
        gateway = self.gateway
        if not gateway.loopback or self.network.trusted_proxies:
            return False
        return _on_this_machine(self.public)


def _on_this_machine(url: str) -> bool:
    try:
        return address.here(parse(url).origin.host)
    except AddressRefused as refused:
        raise ValueError(str(refused)) from None


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
