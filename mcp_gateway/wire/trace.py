"""traceparent, in and out (W3C Trace Context)."""

import hashlib
import re
import secrets
from typing import Final

_TRACEPARENT: Final = re.compile(
    r"(?P<version>[0-9a-f]{2})-(?P<trace>[0-9a-f]{32})-(?P<span>[0-9a-f]{16})"
    r"-(?P<flags>[0-9a-f]{2})(?P<more>-.*)?",
    re.ASCII,
)
_ZERO_TRACE: Final = "0" * 32
_ZERO_SPAN: Final = "0" * 16
_KNOWN_FLAGS: Final = 0x03
"""Sampled, and a random trace id (level 2); others must not be passed on."""
_LONGEST: Final = 512


def accept(header: str) -> str:
    """A valid traceparent, as version 00 says it; the empty string when the header is none.

    Of a later version the part that 00 knows is taken (section 3.2.4).
    """
    match = _TRACEPARENT.fullmatch(header) if len(header) <= _LONGEST else None
    if not match or match["version"] == "ff" or (match["version"] == "00" and match["more"]):
        return ""
    if match["trace"] == _ZERO_TRACE or match["span"] == _ZERO_SPAN:
        return ""
    flags = int(match["flags"], 16) & _KNOWN_FLAGS
    return f"00-{match['trace']}-{match['span']}-{flags:02x}"


def child(traceparent: str, span: str = "") -> str:
    """The same trace with a new span; a new trace when empty. Takes what `accept` gives."""
    span = span or secrets.token_hex(8)
    if not traceparent:
        return f"00-{secrets.token_hex(16)}-{span}-01"
    return f"00-{traceparent[3:35]}-{span}-{traceparent[-2:]}"


def span_of(call: str) -> str:
    """The span of a call, from its id: what is exported here and passed on to the upstream."""
    return hashlib.blake2b(call.encode(), digest_size=8, person=b"span").hexdigest()


def begun(call: str) -> str:
    """A trace that begins with this call. Sampled, since somebody here asked for it."""
    trace = hashlib.blake2b(call.encode(), digest_size=16, person=b"trace").hexdigest()
    return f"00-{trace}-{span_of(call)}-01"
