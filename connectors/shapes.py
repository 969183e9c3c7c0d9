"""What an entry of a listing must look like, so that no client chokes on the list it stands in.

A runtime whose reader is strict drops a whole list for one bad entry, and a list at /mcp holds
the entries of every upstream. Members that are not named here may be anything.
"""

from collections.abc import Mapping
from typing import Any, Final, Literal

import msgspec
from msgspec import UNSET, UnsetType

from mcp_gateway.core.target import Kind

Text = str | UnsetType
Flag = bool | UnsetType
Object = dict[str, Any] | UnsetType


class _Icon(msgspec.Struct):
    src: str


class _Schema(msgspec.Struct):
    type: Literal["object"]
    properties: Object = UNSET
    required: list[str] | UnsetType = UNSET


class _Hints(msgspec.Struct, rename="camel"):
    title: Text = UNSET
    read_only_hint: Flag = UNSET
    destructive_hint: Flag = UNSET
    idempotent_hint: Flag = UNSET
    open_world_hint: Flag = UNSET


class _Entry(msgspec.Struct, rename="camel"):
    name: str
    title: Text = UNSET
    description: Text = UNSET
    icons: list[_Icon] | UnsetType = UNSET
    meta: Object = msgspec.field(name="_meta", default=UNSET)


class _Tool(_Entry, kw_only=True):
    input_schema: _Schema
    output_schema: Object = UNSET
    annotations: _Hints | UnsetType = UNSET


class _Argument(msgspec.Struct):
    name: str
    description: Text = UNSET
    required: Flag = UNSET


class _Prompt(_Entry):
    arguments: list[_Argument] | UnsetType = UNSET


class _Content(_Entry, kw_only=True):
    mime_type: Text = UNSET
    annotations: Object = UNSET


class _Resource(_Content, kw_only=True):
    uri: str
    size: int | float | UnsetType = UNSET


class _Template(_Content, kw_only=True):
    uri_template: str


_SHAPES: Final[Mapping[Kind, type[_Entry]]] = {
    "tool": _Tool,
    "prompt": _Prompt,
    "resource": _Resource,
    "template": _Template,
}


def check(kind: Kind, item: Any) -> None:
    """Raises ValueError with what is amiss."""
    try:
        msgspec.convert(item, _SHAPES[kind])
    except msgspec.ValidationError as error:
        raise ValueError(f"it is not what clients take for a {kind}: {error}") from None
