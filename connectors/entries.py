"""The catalogue: a file for each vendor's server, with what is known of it and from where."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import Field, ValidationError, model_validator

from connectors.server_json import Form, Remote, ServerJson, Text, read, reasons
from connectors.templates import place_of, public, variables_of
from mcp_gateway.core.credential import GrantKind

META: Final = "io.github.mcp-gateway/connector"
"""Under which key of `_meta` stands what the registry's form has no place for."""
KINDS: Final = {"streamable-http": "mcp_http", "sse": "mcp_sse"}
"""The connector for each transport of a remote."""
_BUILTIN: Final = Path(__file__).parent / "builtin"


class Auth(Form):
    """How the server is logged in to. Empty is what was not published: it is discovered.

    A client is `manual` where it must be registered by hand beforehand.
    """

    kind: GrantKind
    registration: Literal["", "dynamic", "manual"] = ""
    scopes: list[Text] = []  # noqa: RUF012
    issuer: Text = ""
    authorize: Text = ""
    token: Text = ""
    resource: Text = ""


class Source(Form):
    """Where facts were read, and when."""

    facts: Annotated[list[Text], Field(min_length=1)]
    source: Annotated[Text, Field(min_length=1)]
    date: Annotated[str, Field(pattern=r"^\d{4}-\d{2}(-\d{2})?$")]


class About(Form):
    """What is empty of `operator` to `terms` was not found published."""

    auth: Auth
    guard: Text = "standard"
    quirks: list[Text] = []  # noqa: RUF012
    verified: bool
    verified_by: Text = ""
    operator: Text = ""
    region: Text = ""
    retention: Text = ""
    data_classes: list[Text] = []  # noqa: RUF012
    terms: Text = ""
    sources: Annotated[list[Source], Field(min_length=1)]

    @model_validator(mode="after")
    def _verified_by(self) -> Self:
        if self.verified != bool(self.verified_by):
            raise ValueError("verified goes with verifiedBy: what was tried, and when")
        return self


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of the catalogue."""

    name: str
    server: ServerJson
    about: About

    @property
    def remote(self) -> Remote:
        return self.server.remotes[0]

    @property
    def connector(self) -> str:
        return KINDS[self.remote.type]

    @property
    def standing(self) -> str:
        """Whether it was tried, and by what; or where its facts are from."""
        if self.about.verified:
            return f"verified: {self.about.verified_by}"
        read_at = "; ".join(f"{source.source} ({source.date})" for source in self.about.sources)
        return f"not verified: nobody tried it, its facts are from {read_at}"


def names() -> list[str]:
    """Of everything in the catalogue."""
    return sorted(path.stem for path in _BUILTIN.glob("*.json"))


def entry(name: str) -> Entry:
    """Raises KeyError for a name that is not in the catalogue."""
    if name not in names():
        raise KeyError(name)
    return of_file(name, (_BUILTIN / f"{name}.json").read_bytes())


def of_file(name: str, raw: bytes) -> Entry:
    """The entry that a file is. Raises ValueError with every reason."""
    server = read(raw)
    if META not in server.meta or len(server.remotes) != 1 or server.packages:
        raise ValueError(f"an entry has one remote, no packages, and {META} in _meta")
    for name_of_variable in variables_of(server.remotes[0].url):
        place_of(server.remotes[0].url, name_of_variable)
    public(server.remotes[0].url.replace("{", "x").replace("}", "x"))
    try:
        return Entry(name, server, About.model_validate(server.meta[META]))
    except ValidationError as error:
        raise ValueError("; ".join(reasons(error))) from None
