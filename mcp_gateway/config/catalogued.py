"""Sections of servers that are in the catalogue: what they do not say, their entry does."""

import difflib
from collections.abc import Mapping
from typing import Any, Final

from connectors import entries, templates
from connectors.entries import Entry

CATALOG: Final = "catalog:"
_TEMPLATES: Final = ("issuer", "authorize", "token", "resource")


def catalogued(section: Mapping[str, Any]) -> dict[str, Any]:
    """The section, filled from the entry that its connector names, if it names one.

    Each key of the section goes before the entry's, in `grant` and `governance` one by one.
    Raises ValueError, which repeats no value.
    """
    connector = section.get("connector")
    if not isinstance(connector, str) or not connector.startswith(CATALOG):
        return dict(section)
    entry = found(connector.removeprefix(CATALOG))
    own = {key: value for key, value in section.items() if key not in ("connector", "variables")}
    values = _values(entry, section, own)
    merged = {
        "connector": entry.connector,
        "entry": entry.name,
        "guard": entry.about.guard,
        **({} if "url" in own else {"url": _filled(entry, entry.remote.url, values)}),
        **own,
    }
    merged["grant"] = _grant(entry, own.get("grant", {}), values)
    merged["governance"] = _over(_governance(entry), own.get("governance", {}))
    return merged


def found(name: str) -> Entry:
    """Raises ValueError for a name that is not in the catalogue, with one that is meant perhaps."""
    try:
        return entries.entry(name)
    except KeyError:
        close = difflib.get_close_matches(name, entries.names(), 1)
        meant = f"did you mean {CATALOG}{close[0]}?" if close else "see `servers catalogue`"
        raise ValueError(f"the catalogue has no entry {name!r}; {meant}") from None


def _values(entry: Entry, section: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, str]:
    """What the variables are, by name; nothing where the section has a url of its own."""
    given, known = section.get("variables", {}), entry.remote.variables
    if not isinstance(given, dict) or not all(isinstance(value, str) for value in given.values()):
        raise ValueError("variables is a table of names and texts")
    if "url" in own and given:
        raise ValueError("variables fill the url of the catalogue, and the section has its own")
    if unknown := sorted(given.keys() - known.keys()):
        names = ", ".join(known) or "none"
        raise ValueError(f"{CATALOG}{entry.name} has no variable {unknown[0]!r}; it has: {names}")
    return {name: given.get(name, variable.default) for name, variable in known.items()}


def _filled(entry: Entry, template: str, values: Mapping[str, str]) -> str:
    for name in templates.variables_of(template):
        if not values[name]:
            said = entry.remote.variables[name].description
            raise ValueError(f"{CATALOG}{entry.name} needs the variable {name}: {said}")
    return templates.fill(template, values)


def _grant(entry: Entry, own: Any, values: Mapping[str, str]) -> Any:
    """That of the entry under the section's; a grant of another kind is the section's alone."""
    auth = entry.about.auth
    if not isinstance(own, Mapping) or own.get("kind", auth.kind) != auth.kind:
        return own
    said = {name: text for name in _TEMPLATES if (text := getattr(auth, name))}
    merged = {"kind": auth.kind, **({"scopes": list(auth.scopes)} if auth.scopes else {}), **own}
    for name in said.keys() - own.keys():
        if all(values[variable] for variable in templates.variables_of(said[name])):
            merged[name] = templates.fill(said[name], values)
    if auth.registration == "manual" and not {"client", "client_metadata"} & merged.keys():
        raise ValueError(
            f"{CATALOG}{entry.name} registers nobody by itself: register a client there, and "
            "name it in grant.client, with grant.client_secret where it has one"
        )
    return merged


def _governance(entry: Entry) -> dict[str, Any]:
    about = entry.about
    return {
        "operator": about.operator,
        "region": about.region,
        "retention": about.retention,
        "data_classes": list(about.data_classes),
        "terms": about.terms,
    }


def _over(said: dict[str, Any], own: Any) -> Any:
    return {**said, **own} if isinstance(own, Mapping) else own
