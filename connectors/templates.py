"""Templates: URLs with variables, filled so that a value stays in its place."""

import re
from collections.abc import Mapping
from typing import Final, Literal

from connectors.server_json import VARIABLE
from mcp_gateway.wire import address, url
from mcp_gateway.wire.failures import AddressRefused

Place = Literal["label", "host", "segment"]
"""Where a value stands: in a label of the host's name, as the whole host, in a segment of the path.
"""
_LABEL: Final = r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
PLACES: Final[Mapping[Place, tuple[re.Pattern[str], str]]] = {
    "label": (re.compile(_LABEL), "letters, digits and inner hyphens, 63 at most"),
    "host": (
        re.compile(rf"(?=.{{4,253}}\Z)({_LABEL}\.)+[A-Za-z]({_LABEL})?"),
        "the name of a host, with a dot in it and no port",
    ),
    "segment": (
        re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,254}"),
        "letters, digits, _, - and inner dots",
    ),
}


def place_of(template: str, name: str) -> Place:
    """Where a variable of a URL stands. Raises ValueError where no value may."""
    hole = f"{{{name}}}"
    scheme, _, rest = template.partition("://")
    authority, _, path = rest.partition("/")
    if hole in scheme or set(path) & set("?#") or (hole in authority and ":" in authority):
        raise ValueError(f"the variable {name} stands where no value may stand")
    if hole in authority:
        return "host" if authority == hole else "label"
    return "segment"


def variables_of(template: str) -> list[str]:
    """Each once, in their order."""
    return list(dict.fromkeys(VARIABLE.findall(template)))


def fill(template: str, values: Mapping[str, str]) -> str:
    """The URL. Raises KeyError for a value that is not there, ValueError for one out of place.

    What a value was is not repeated.
    """
    for name in variables_of(template):
        pattern, said = PLACES[place_of(template, name)]
        if not pattern.fullmatch(values[name]):
            raise ValueError(f"the variable {name} is {said}")
    filled = VARIABLE.sub(lambda hole: values[hole[1]], template)
    if "{" in filled or "}" in filled:
        raise ValueError("the url has a brace that begins or ends no variable")
    return filled


def public(text: str) -> str:
    """The URL: https, and neither of this machine nor of an address that is not public.

    Raises ValueError. A name is looked up, and its addresses are checked, when it is connected to.
    """
    found = url.parse(text)
    if found.origin.scheme != "https":
        raise ValueError("its URL is not https")
    try:
        literal = address.literal(found.origin.host)
        if address.here(found.origin.host) or (literal and not address.public(literal)):
            raise ValueError("its URL is of an address that is not public")
    except AddressRefused as refused:
        raise ValueError(str(refused)) from None
    return text
