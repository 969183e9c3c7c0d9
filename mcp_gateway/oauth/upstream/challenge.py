"""WWW-Authenticate (RFC 9110, section 11.6.1; RFC 6750, section 3): what an upstream wants."""

import re
from dataclasses import dataclass
from typing import Final

from mcp_gateway.oauth.upstream import scopes

_WORD: Final = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_PARAMETER: Final = re.compile(rf'({_WORD})[ \t]*=[ \t]*(?:({_WORD})|"((?:[^"\\]|\\.)*)")')
_SCHEME: Final = re.compile(rf"({_WORD})(?:[ ]+(?={_WORD})|[ \t]*(?=,|$))")
_TOKEN68: Final = re.compile(r"[A-Za-z0-9._~+/-]+=*[ \t]*(?=,|$)")
_COMMAS: Final = re.compile(r"[ \t]*(?:,[ \t]*)+|[ \t]*$")


@dataclass(frozen=True, slots=True)
class Challenge:
    """The parameters of the scheme Bearer, a stranger's words. `metadata` is of RFC 9728, 5.1."""

    metadata: str = ""
    scopes: frozenset[str] = frozenset()
    error: str = ""


NO_CHALLENGE: Final = Challenge()


def read(header: str) -> Challenge:
    """What Bearer is challenged with, NO_CHALLENGE where it is not.

    Raises ValueError for a header that two readers could understand in two ways: one that is no
    list of challenges, that has Bearer twice, or a parameter of it twice.
    """
    found = [parameters for scheme, parameters in _challenges(header) if scheme == "bearer"]
    if not found:
        return NO_CHALLENGE
    if len(found) > 1:
        raise ValueError("the upstream challenges for Bearer twice")
    named = dict(found[0])
    if len(named) != len(found[0]):
        raise ValueError("the upstream's challenge has a parameter twice")
    return Challenge(
        named.get("resource_metadata", ""),
        scopes.words(named.get("scope", "")),
        named.get("error", ""),
    )


def _challenges(header: str) -> list[tuple[str, list[tuple[str, str]]]]:
    """Schemes in lower case, each with its parameters in order."""
    found: list[tuple[str, list[tuple[str, str]]]] = []
    at = _past_commas(header, 0) if header[:1] in (",", " ", "\t") else 0
    while at < len(header):
        parameter = _PARAMETER.match(header, at)
        if parameter and found:
            found[-1][1].append((parameter[1].lower(), _value(parameter)))
            at = _past_commas(header, parameter.end())
            continue
        scheme = _SCHEME.match(header, at)
        if scheme is None:
            raise ValueError("the upstream's challenge cannot be read")
        found.append((scheme[1].lower(), []))
        at = _after_scheme(header, scheme.end())
    return found


def _after_scheme(header: str, at: int) -> int:
    """Where its parameters begin, or the next challenge does."""
    if _PARAMETER.match(header, at):
        return at
    credentials = _TOKEN68.match(header, at)
    return _past_commas(header, credentials.end() if credentials else at)


def _past_commas(header: str, at: int) -> int:
    found = _COMMAS.match(header, at)
    if found is None:
        raise ValueError("the upstream's challenge cannot be read")
    return found.end()


def _value(parameter: re.Match[str]) -> str:
    if parameter[2] is not None:
        return parameter[2]
    return re.sub(r"\\(.)", r"\1", parameter[3])
