"""server.json: how registries describe a server, read strictly (schema of 2025-12-11)."""

import re
from typing import Annotated, Any, Final, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic.alias_generators import to_camel

from mcp_gateway.wire.canonical import strict

SCHEMA: Final = "https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json"
LARGEST: Final = 256 * 1024
"""Bytes of the largest file that is read."""
NAME: Final = r"^[a-zA-Z0-9.-]+/[a-zA-Z0-9._-]+$"
VARIABLE: Final = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")
_RANGE: Final = re.compile(r"[\^~<>=*|\s]|(^|\.)[xX](\.|$)")


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("it holds characters that cannot be seen")
    return text


def _version(text: str) -> str:
    if text == "latest" or _RANGE.search(text):
        raise ValueError("a version is one version, and neither 'latest' nor a range")
    return text


Text = Annotated[str, AfterValidator(_printable)]
Said = Annotated[Text, Field(min_length=1, max_length=100)]
Version = Annotated[Text, Field(min_length=1, max_length=255), AfterValidator(_version)]


class Form(BaseModel):
    """Names are written as in JSON. What the form does not know is refused."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, alias_generator=to_camel, populate_by_name=True
    )


class Input(Form):
    """A value that somebody has to give, or that is given."""

    description: Text = ""
    is_required: bool = False
    is_secret: bool = False
    format: Literal["string", "number", "boolean", "filepath"] = "string"
    value: Text = ""
    default: Text = ""
    placeholder: Text = ""
    choices: list[Text] = []


class Header(Input):
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9!#$%&'*+.^_`|~-]+$")]
    variables: dict[str, Input] = {}


class Remote(Form):
    """Where a server is reached; the `{variables}` of its URL are to be filled in."""

    type: Literal["streamable-http", "sse"]
    url: Annotated[Text, Field(pattern=r"^https?://[^\s]+$")]
    headers: list[Header] = []
    variables: dict[str, Input] = {}

    @model_validator(mode="after")
    def _described(self) -> Self:
        if missing := set(VARIABLE.findall(self.url)) - set(self.variables):
            raise ValueError(f"the url has variables that are not described: {sorted(missing)}")
        return self


class Repository(Form):
    url: Text
    source: Text
    id: Text = ""
    subfolder: Text = ""


class Icon(Form):
    src: Annotated[Text, Field(max_length=255, pattern=r"^https://")]
    mime_type: Text = ""
    sizes: list[Annotated[str, Field(pattern=r"^(\d+x\d+|any)$")]] = []
    theme: Literal["", "light", "dark"] = ""


class ServerJson(Form):
    """A server. `packages` are programs, of which nothing is read: none is started from here."""

    schema_: Text = Field(default=SCHEMA, alias="$schema")
    name: Annotated[str, Field(min_length=3, max_length=200, pattern=NAME)]
    title: Said | None = None
    description: Said
    version: Version
    website_url: Text = ""
    repository: Repository | None = None
    icons: list[Icon] = []
    packages: list[dict[str, Any]] = []
    remotes: list[Remote] = []
    meta: dict[str, Any] = Field(default={}, alias="_meta")


def read(raw: bytes) -> ServerJson:
    """The server of a file, or of a registry's answer. Raises ValueError with every reason."""
    if len(raw) > LARGEST:
        raise ValueError(f"it has {len(raw)} bytes; at most {LARGEST} are read")
    content = strict(raw)
    if isinstance(content, dict) and "server" in content:
        content = content["server"]
    try:
        return ServerJson.model_validate(content)
    except ValidationError as error:
        raise ValueError("; ".join(reasons(error))) from None


def reasons(error: ValidationError) -> list[str]:
    """Each with its place. What was written there is a stranger's, and not repeated."""
    return [
        ".".join(_place(part) for part in fault["loc"]) + f": {fault['msg']}"
        for fault in error.errors(include_input=False, include_url=False)
    ]


def _place(part: str | int) -> str:
    text = str(part)
    return text if text.isprintable() and len(text) <= 80 else "…"
