"""OAuth 2.0 (RFC 6749): its parameters, read once each, and its errors."""

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import parse_qsl, unquote_plus, urlencode

MOST_PARAMETERS: Final = 40
LONGEST: Final = 8192
"""Characters of the longest parameter."""
_VISIBLE: Final = re.compile(r"[\x20-\x7e]*")
_SCOPE: Final = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]{1,256}")
_BASIC: Final = re.compile(rb"basic +([A-Za-z0-9+/]+={0,2})", re.IGNORECASE)


class OAuthError(Exception):
    """A refusal in OAuth's own words (section 5.2). `code` is one of its registry."""

    def __init__(self, code: str, description: str, status: int = 400) -> None:
        super().__init__(description)
        self.code = code
        self.description = description
        self.status = status

    @property
    def body(self) -> Mapping[str, str]:
        return {"error": self.code, "error_description": self.description}


def invalid_request(description: str) -> OAuthError:
    return OAuthError("invalid_request", description)


def invalid_grant(description: str) -> OAuthError:
    return OAuthError("invalid_grant", description)


def invalid_client(description: str) -> OAuthError:
    return OAuthError("invalid_client", description, 401)


class Parameters:
    """The parameters of one request: each at most once, but `resource`, which may stand often.

    An empty one counts as left out (section 3.1).
    """

    def __init__(self, pairs: Sequence[tuple[str, str]]) -> None:
        self._single = {name: value for name, value in pairs if name != "resource"}
        self.resources = tuple(value for name, value in pairs if name == "resource")

    @classmethod
    def parse(cls, text: str) -> "Parameters":
        """Reads a query or a form. Raises OAuthError."""
        if not text:
            return cls([])
        try:
            found = parse_qsl(
                text,
                keep_blank_values=True,
                strict_parsing=True,
                errors="strict",
                max_num_fields=MOST_PARAMETERS,
            )
        except ValueError:
            raise invalid_request("the parameters cannot be read") from None
        pairs = [(name, value) for name, value in found if value]
        names = [name for name, _ in found if name != "resource"]
        if len(set(names)) < len(names):
            raise invalid_request("a parameter stands twice")
        for name, value in pairs:
            if len(value) > LONGEST or not _VISIBLE.fullmatch(name + value):
                raise invalid_request("a parameter is too long, or holds more than visible ASCII")
        return cls(pairs)

    def get(self, name: str) -> str:
        """Empty when it is not there."""
        return self._single.get(name, "")

    def need(self, name: str) -> str:
        """Raises OAuthError when it is not there."""
        if not (value := self.get(name)):
            raise invalid_request(f"{name} is missing")
        return value


def scopes_of(text: str) -> frozenset[str]:
    """The words of a scope (section 3.3). Raises OAuthError."""
    words = frozenset(text.split(" ")) - {""}
    if not all(_SCOPE.fullmatch(word) for word in words):
        raise OAuthError("invalid_scope", "a scope holds characters that none may have")
    return words


def spelled(scopes: frozenset[str]) -> str:
    """Scopes as one text, in one order."""
    return " ".join(sorted(scopes))


def basic(authorization: bytes) -> tuple[str, str]:
    """Client id and secret of an Authorization header (section 2.3.1). Raises OAuthError."""
    match = _BASIC.fullmatch(authorization.strip())
    try:
        if match is None:
            raise ValueError
        raw = base64.b64decode(match[1], validate=True).decode("ascii")
        name, colon, secret = raw.partition(":")
        if not colon:
            raise ValueError
        return unquote_plus(name, errors="strict"), unquote_plus(secret, errors="strict")
    except (binascii.Error, ValueError):
        raise invalid_client("the Authorization header is not HTTP Basic") from None


def redirected(redirect: str, answer: Mapping[str, str]) -> str:
    """Where the browser goes with an answer; empty members are left out (section 4.1.2)."""
    query = urlencode({name: value for name, value in answer.items() if value})
    return f"{redirect}{'&' if '?' in redirect else '?'}{query}"
