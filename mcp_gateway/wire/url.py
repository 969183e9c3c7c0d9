"""URLs of upstreams, read strictly: one that two readers could take for two hosts is refused."""

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import SplitResult, urlsplit

PORTS: Final = {"http": 80, "https": 443}

# Looked for before anything is split: urlsplit drops tabs and line ends without a word.
_URL: Final = re.compile(r"[\x21-\x7e]+")
_NAME: Final = re.compile(r"[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*\.?")
_NETLOC: Final = re.compile(r"(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)(:[0-9]{1,5})?")


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a connection goes. `host` is lower-case, an IPv6 address without brackets."""

    scheme: str
    host: str
    port: int

    @property
    def authority(self) -> str:
        """Host and port, as CONNECT names them."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Url:
    """An http or https URL. `named` is its authority as the host header says it."""

    origin: Origin
    named: str
    path: str

    @property
    def absolute(self) -> str:
        return f"{self.origin.scheme}://{self.named}{self.path}"


def parse(url: str) -> Url:
    """Raises ValueError for what is no http or https URL, or holds credentials.

    The message does not repeat the URL, whose query may hold a secret. A fragment is dropped.
    """
    parts = _split(url)
    scheme, host = parts.scheme, parts.hostname or ""
    if scheme not in PORTS:
        raise ValueError("the URL is not an http or https URL")
    if not _NETLOC.fullmatch(parts.netloc) or not (":" in host or _NAME.fullmatch(host)):
        raise ValueError("the URL has no plain host; credentials do not belong in a URL")
    port = PORTS[scheme] if parts.port is None else parts.port
    if port == 0:
        raise ValueError("the URL has port 0")
    origin = Origin(scheme, host, port)
    named = origin.authority if parts.port is not None else _bracketed(host)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Url(origin, named, path)


def _split(url: str) -> SplitResult:
    if not _URL.fullmatch(url):
        raise ValueError("the URL holds characters that no URL has")
    parts = urlsplit(url)
    _ = parts.port  # raises for one that is none
    return parts


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
