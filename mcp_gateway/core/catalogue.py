"""catalogue(): the one way in which anything that plugs in is registered."""

from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import entry_points
from types import MappingProxyType
from typing import TypeVar

T = TypeVar("T")


def catalogue(
    group: str, built_in: Sequence[tuple[str, T]], allowed: Iterable[str] = ()
) -> Mapping[str, T]:
    """Joins the built-in list with the installed entry points of `group` that are allowed.

    Nothing registers itself by being imported, and nothing is loaded for being installed.
    Raises ValueError when a name is claimed twice, or an allowed one is not installed.
    """
    found: dict[str, T] = {}
    installed = {point.name: point for point in entry_points(group=group)}
    for name, member in built_in:
        if name in found:
            raise ValueError(f"{group}: the name {name!r} is claimed twice")
        found[name] = member
    for name in allowed:
        if name in found:
            raise ValueError(f"{group}: the name {name!r} is claimed twice")
        if name not in installed:
            raise ValueError(f"{group}: the plug {name!r} is allowed but not installed")
        found[name] = installed[name].load()
    return MappingProxyType(found)
