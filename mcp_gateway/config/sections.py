"""What every section is made of: its base, its types, and references to secrets."""

import ipaddress
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Self, TypeVar
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from mcp_gateway.oauth.rfc9068 import ALGORITHMS
from mcp_gateway.wire import address
from mcp_gateway.wire.failures import AddressRefused
from mcp_gateway.wire.url import parse

SCOPE = r"^[\x21\x23-\x5b\x5d-\x7e]+$"
"""One scope, as RFC 6749, section 3.3 spells it: it has a place in a challenge."""


class ConfigError(ValueError):
    """A configuration that cannot be taken, with every reason."""

    def __init__(self, *faults: str) -> None:
        super().__init__("; ".join(faults))
        self.faults = faults


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


_Model = TypeVar("_Model", bound=BaseModel)


def faults_as_one(model: _Model, faults: Iterable[str]) -> _Model:
    """The model, when there is no fault. Raises ValueError with all of them."""
    if found := list(faults):
        raise ValueError("; ".join(found))
    return model


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


def on_this_machine(url: str) -> bool:
    """Whether a URL is one of this machine's own. Raises ValueError for what is no URL."""
    try:
        return address.here(parse(url).origin.host)
    except AddressRefused as refused:
        raise ValueError(str(refused)) from None


def endpoint(text: str) -> str:
    """The URL, where a credential may go. Raises ValueError for any other."""
    if text and "#" in text:
        raise ValueError("a URL that requests go to has no fragment")
    if text and not (text.startswith("https://") or on_this_machine(text)):
        raise ValueError("it is an https URL, or one of this machine")
    if text:
        parse(text)
    return text


def _issuer(text: str) -> str:
    if "?" in text or "#" in text:
        raise ValueError("an issuer is a URL without query and fragment")
    return endpoint(text)


def _algorithm(text: str) -> str:
    if text not in ALGORITHMS:
        raise ValueError(f"{text} cannot be allowed; one of {', '.join(sorted(ALGORITHMS))} can")
    return text


Address = Annotated[str, AfterValidator(_address)]
Url = Annotated[str, AfterValidator(_web)]
Block = Annotated[str, AfterValidator(_block)]
Endpoint = Annotated[str, AfterValidator(endpoint)]
"""Where credentials and tokens go: https, or this machine. Empty where there is none."""
Issuer = Annotated[str, AfterValidator(_issuer)]
Algorithm = Annotated[str, AfterValidator(_algorithm)]
Scope = Annotated[str, Field(pattern=SCOPE)]
Role = Annotated[str, Field(pattern=r"^\S+$")]
RoleMap = dict[str, list[Role]]
"""Groups of a provider, each with the roles that it gives."""


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
        """The value. Raises ConfigError when it is not there, or empty: that is known to all."""
        named = self.file or self.env
        try:
            value = Path(self.file).read_text("utf-8").strip() if self.file else os.environ[named]
        except (OSError, KeyError) as error:
            raise ConfigError(f"the secret {named} cannot be read") from error
        if not value:
            raise ConfigError(f"the secret {named} is empty")
        return value
