"""Redaction: takes secrets out of text, by their shapes and by the names before them."""

import re
from typing import Any, Final

import re2

GONE: Final = "[redacted]"
_HEADERS: Final = r"(?:proxy-)?authorization|(?:set-)?cookie|x-api-key|mcp-session-id"
_NAMES: Final = (
    _HEADERS + r"|api[_-]?key"
    r"|(?:access|refresh|id|client|bearer|auth)[_-](?:token|secret|assertion)"
    r"|token|secret|password|passwd|passphrase|assertion|code_verifier"
)
_SHAPES: Final = (
    # A private key, down to its last line or to the end of a text that was cut off.
    (r"(?s)-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----.*?(?:-----END [A-Z0-9 ]*-----|\z)", GONE),
    # The user part of a URL: a password, or a token in the place of a name.
    (r"(?i)\b([a-z][a-z0-9+.-]*://)[^\s/\"'<>]*@", rf"\1{GONE}@"),
    # The gateway's own keys, and JSON Web Tokens.
    (r"mcpgw_[A-Za-z0-9_-]+", f"mcpgw_{GONE}"),
    (r"\bey[A-Za-z0-9_-]{6,}\.[A-Za-z0-9_-]*(?:\.[A-Za-z0-9_-]*)*", GONE),
    # A header or a member by its name, as a head, a mapping or a list of pairs writes it.
    (rf"(?i)\b((?:{_NAMES})\b[\"']\s*[:,]\s*(?:b?[\"']))[^\"']*", rf"\1{GONE}"),
    (rf"(?im)\b({_HEADERS})(\s*:[ \t]*)[^\r\n\"']+", rf"\1\2{GONE}"),
    # A parameter by its name.
    (rf"(?i)\b((?:{_NAMES})=)[^\s&\"';,<>]+", rf"\1{GONE}"),
    # A credential behind its scheme.
    (r"(?i)\b(bearer|basic|digest|negotiate|dpop)([ \t]+)[A-Za-z0-9._~+/=-]{8,}", rf"\1\2{GONE}"),
)
_COMPILED: Final[tuple[tuple[Any, str], ...]] = tuple(
    (re2.compile(pattern), with_) for pattern, with_ in _SHAPES
)
_UNPAIRED: Final = re.compile("[\ud800-\udfff]")


def redacted(text: str) -> str:
    """The text without what looks like a secret. In linear time, whatever the text."""
    text = _UNPAIRED.sub("\ufffd", text)
    for pattern, replacement in _COMPILED:
        text = str(pattern.sub(replacement, text))
    return text
