"""traceparent, in and out (W3C Trace Context)."""

import re
import secrets
from typing import Final

_TRACEPARENT: Final = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}")


def accept(header: str) -> str:
    """The header when it is a valid traceparent, else the empty string."""
    match = _TRACEPARENT.fullmatch(header)
    if not match or header.startswith("ff") or not int(match[1], 16) or not int(match[2], 16):
        return ""
    return header


def child(traceparent: str) -> str:
    """The same trace with a new span; a new trace when there is none."""
    span = secrets.token_hex(8)
    if not traceparent:
        return f"00-{secrets.token_hex(16)}-{span}-01"
    return f"00-{traceparent[3:35]}-{span}-{traceparent[-2:]}"
