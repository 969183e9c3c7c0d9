"""The schemas of an OpenAPI document: followed within it, and never out of it."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

COMPONENTS: Final = "#/components/schemas/"
FOLLOWED: Final = 16
"""References in a row."""


def an_object(value: Any, what: str) -> Mapping[str, Any]:
    """The value. Raises ValueError when it is no object."""
    if not isinstance(value, dict):
        raise ValueError(f"{what} is an object")  # noqa: TRY004  # of a document, not of code
    return value


class Schemas:
    """Copies of schemas that stand alone: what they refer to comes along, as `$defs`."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._document = document
        self._defs: dict[str, Any] = {}

    def followed(self, node: Any) -> Mapping[str, Any]:
        """What an object is, or refers to. Raises ValueError for what leads out, or nowhere."""
        for _ in range(FOLLOWED):
            found = an_object(node, "what is described here")
            reference = found.get("$ref")
            if not isinstance(reference, str):
                return found
            node = self._at(reference)
        raise ValueError("its references lead round and round")

    def own(self, schema: Any) -> Any:
        """A copy whose references lead into `$defs`."""
        if isinstance(schema, list):
            return [self.own(each) for each in schema]
        if not isinstance(schema, dict):
            return schema
        copy = {name: self.own(value) for name, value in schema.items()}
        if isinstance(schema.get("$ref"), str):
            copy["$ref"] = self._taken_along(schema["$ref"])
        return copy

    def complete(self, properties: Mapping[str, Any], required: Sequence[str]) -> dict[str, Any]:
        """The input schema of a tool with these properties."""
        schema = {"type": "object", "properties": properties, "required": list(required)}
        return {**schema, "$defs": self._defs} if self._defs else schema

    def _taken_along(self, reference: str) -> str:
        name, slash, rest = reference.removeprefix(COMPONENTS).partition("/")
        if not reference.startswith(COMPONENTS) or not name:
            raise ValueError(f"{reference!r} is not among the document's own schemas")
        if name not in self._defs:
            self._defs[name] = {}  # it may refer to itself
            self._defs[name] = self.own(self._at(COMPONENTS + name))
        return f"#/$defs/{name}{slash}{rest}"

    def _at(self, reference: str) -> Any:
        """What an RFC 6901 pointer into the document leads to. Nothing is ever fetched."""
        if not reference.startswith("#/"):
            raise ValueError(f"{reference!r} leads out of the document, and is not followed")
        node: Any = self._document
        for part in reference.removeprefix("#/").split("/"):
            name = part.replace("~1", "/").replace("~0", "~")
            if not isinstance(node, dict) or name not in node:
                raise ValueError(f"{reference!r} leads nowhere")
            node = node[name]
        return node
