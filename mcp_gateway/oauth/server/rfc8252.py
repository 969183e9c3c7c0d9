"""Redirect addresses of clients (RFC 6749, section 3.1.2; RFC 8252): compared as strings.

Of a loopback address the port is free (RFC 8252, section 7.3): programs listen where they can.
"""

import re
from collections.abc import Collection, Sequence
from typing import Final
from urllib.parse import urlsplit

from mcp_gateway.wire import address
from mcp_gateway.wire.failures import AddressRefused
from mcp_gateway.wire.url import parse

LONGEST: Final = 1024
MOST: Final = 20
"""Redirect addresses of one client."""
LOOPBACK: Final = frozenset({"127.0.0.1", "[::1]", "localhost"})
_PLAIN: Final = re.compile(r"[A-Za-z0-9._~:/?\[\]@!$&'()*+,;=%-]+")
_SCHEME: Final = re.compile(r"([a-z][a-z0-9+.-]*):")
_LOCAL: Final = re.compile(
    r"http://(127\.0\.0\.1|\[::1\]|localhost)(?::([0-9]{1,5}))?(/[^?]*)?(\?.*)?"
)
_DOTTED: Final = re.compile(r"(^|/)(\.|%2e){1,2}(/|$)", re.IGNORECASE)


def check_redirect(text: str, private: Collection[str] = ()) -> None:
    """Raises ValueError for an address that no client may have.

    It is https, http of this very machine, or of a `private` scheme. What two readers could take
    for two addresses is none: credentials, fragments, dot segments, names with a final dot.
    """
    if len(text) > LONGEST or not _PLAIN.fullmatch(text):
        raise ValueError("it is too long, has a fragment, or holds characters that no URL has")
    scheme = _SCHEME.match(text)
    if scheme is None:
        raise ValueError("it has no scheme")
    if _DOTTED.search(text.partition("?")[0].partition(":")[2]):
        raise ValueError("it has dot segments")
    if scheme[1] == "http":
        _check_local(text)
    elif scheme[1] == "https":
        _check_web(text)
    elif scheme[1] in private:
        urlsplit(text)  # Raises ValueError for what has no host that can be read.
    else:
        raise ValueError(f"the scheme {scheme[1]} is not allowed here; https and loopback http are")


def _check_local(text: str) -> None:
    match = _LOCAL.fullmatch(text)
    if match is None or int(match[2] or 80) not in range(1, 65_536):
        raise ValueError("over http it is one of 127.0.0.1, [::1] and localhost, spelled so")


def _check_web(text: str) -> None:
    host = parse(text).origin.host
    if host.endswith(".") or urlsplit(text).netloc != urlsplit(text).netloc.lower():
        raise ValueError("its host is in lower case, without a final dot")
    try:
        address.literal(host)
    except AddressRefused as refused:
        raise ValueError(str(refused)) from None


def matches(redirect: str, registered: str) -> bool:
    """Whether an address is the registered one: the same string, or the same but for the port."""
    if redirect == registered:
        return True
    ours, theirs = _LOCAL.fullmatch(registered), _LOCAL.fullmatch(redirect)
    if ours is None or theirs is None:
        return False
    if int(theirs[2] or 80) not in range(1, 65_536):
        return False
    return (ours[1], ours[3], ours[4]) == (theirs[1], theirs[3], theirs[4])


def chosen(redirect: str, registered: Sequence[str], private: Collection[str] = ()) -> str:
    """The address where an answer goes. Raises ValueError.

    Without one in the request it is the only one that the client has.
    """
    if not redirect:
        if len(registered) != 1:
            raise ValueError("redirect_uri is missing")
        redirect = registered[0]
    check_redirect(redirect, private)
    if not any(matches(redirect, one) for one in registered):
        raise ValueError("redirect_uri is not one that the client registered")
    return redirect


def is_loopback(redirect: str) -> bool:
    """Whether whatever listens on the person's own machine gets the answer."""
    return _LOCAL.fullmatch(redirect) is not None


def host_of(redirect: str) -> str:
    """Host and port, as a page names where the answer goes; the scheme of a private one."""
    parts = urlsplit(redirect)
    if is_loopback(redirect):
        return parts.hostname or ""
    return parts.netloc if parts.scheme == "https" else f"{parts.scheme}:"


def origin_of(redirect: str) -> str:
    """What a page's policy names so that the browser may go there."""
    parts = urlsplit(redirect)
    web = parts.scheme in ("http", "https")
    return f"{parts.scheme}://{parts.netloc}" if web else f"{parts.scheme}:"
