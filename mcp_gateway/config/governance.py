"""Governance: who operates a server, where, and what becomes of the data that it gets."""

import re
from typing import Annotated, Final

from pydantic import AfterValidator, Field

from mcp_gateway.config.sections import Section, Url


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("it holds characters that cannot be seen")
    return text


Said = Annotated[str, Field(max_length=200), AfterValidator(_printable)]
DataClass = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?$")]
_WORD: Final = re.compile(r"[\w.]+")


class Governance(Section):
    """What is known of a server's operation. Empty is what nobody said.

    `terms` is the address of the terms under which data is processed.
    """

    operator: Said = ""
    region: Said = ""
    retention: Said = ""
    data_classes: list[DataClass] = []
    terms: Url = ""

    @property
    def labels(self) -> frozenset[str]:
        """As the targets of the server bear them: `operator:…`, `region:…` and `data:…`."""
        said = [("operator", self.operator), ("region", self.region)]
        said += [("data", name) for name in self.data_classes]
        return frozenset(f"{kind}:{word}" for kind, text in said if (word := _word(text)))


def _word(text: str) -> str:
    """Lower case, with hyphens between its words."""
    return "-".join(_WORD.findall(text.casefold()))


class RegistrySection(Section):
    """`/v0.1/servers`. `public` says that anybody may read which servers there are."""

    public: bool = False
