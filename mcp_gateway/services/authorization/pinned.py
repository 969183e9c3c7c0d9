"""Pinned documents of clients: those that ship, and the operator's own. They are never fetched."""

from collections.abc import Collection
from pathlib import Path
from typing import Final

from mcp_gateway.config import ConfigError, Settings
from mcp_gateway.oauth.server import cimd
from mcp_gateway.oauth.server.rfc6749 import OAuthError
from mcp_gateway.services.authorization.documents import Pinned, read
from mcp_gateway.wire import jsonrpc

SHIPPED: Final = Path(__file__).parents[2] / "builtin" / "clients"
"""One file for each runtime, as public sources quote the document of its vendor."""


def pinned_documents(settings: Settings, base: Path) -> Pinned:
    """By client id. `base` is the folder from which the operator's paths count.

    An operator's document goes before one that ships. Raises ConfigError for what is none.
    """
    section = settings.authorization
    own: dict[str, bytes] = {}
    for name in section.pinned:
        id_, raw = _document(base / name, section.private_schemes)
        if id_ in own:
            raise ConfigError(f"authorization.pinned: two files are about {id_}")
        own[id_] = raw
    return dict(_document(path, ()) for path in sorted(SHIPPED.glob("*.json"))) | own


def _document(path: Path, private: Collection[str]) -> tuple[str, bytes]:
    try:
        raw = path.read_bytes()
        said = jsonrpc.decode(raw)
        id_ = str(said.get("client_id", "")) if isinstance(said, dict) else ""
        cimd.check_id(id_)
        read(id_, raw, private)
    except (OSError, ValueError, OAuthError) as fault:
        raise ConfigError(f"authorization.pinned: {path}: {fault}") from None
    return id_, raw
