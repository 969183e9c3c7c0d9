"""Skills (SEP-2640): two of them, their files as resources, and the methods that list them."""

import hashlib
from types import MappingProxyType

import mcp_types as types
from mcp.shared.exceptions import MCPError

from tests.conformance.upstream.media import JSON
from tests.conformance.upstream.rounds import INVALID_PARAMS, Context

EXTENSION = "io.modelcontextprotocol/skills"
CACHED: JSON = {"ttlMs": 60_000, "cacheScope": "public"}
HEAD = "SKILL.md"
_NOTES = """---
name: release-notes
description: How to write release notes
---

Take a layout from `templates/` and fill it in.
"""
_STYLE = """---
name: style-guide
description: How documentation is worded here
---

Short sentences.
"""
FILES = MappingProxyType(
    {
        "skill://release-notes/SKILL.md": _NOTES,
        "skill://release-notes/templates/short.md": "# Release\n\n- a line for each change\n",
        "skill://docs/style-guide/SKILL.md": _STYLE,
    }
)
ROOTS = tuple(uri.removesuffix(f"/{HEAD}") for uri in FILES if uri.endswith(f"/{HEAD}"))


class UriParams(types.PaginatedRequestParams):
    uri: str


def entry(root: str) -> JSON:
    """A skill as the lists show it."""
    front = FILES[f"{root}/{HEAD}"].split("---")[1].strip().splitlines()
    files = [
        {"uri": uri, "digest": f"sha256:{hashlib.sha256(body).hexdigest()}", "size": len(body)}
        for uri, body in ((uri, text.encode()) for uri, text in FILES.items())
        if uri.startswith(f"{root}/")
    ]
    matter = dict(line.split(": ", 1) for line in front)
    return {"uri": f"{root}/{HEAD}", "frontmatter": matter, "resources": files}


async def listed(context: Context, params: types.PaginatedRequestParams) -> JSON:
    return {"skills": [entry(root) for root in ROOTS], **CACHED}


async def get(context: Context, params: UriParams) -> JSON:
    root, slash, name = params.uri.rpartition("/")
    if not slash or name != HEAD or root not in ROOTS:
        raise MCPError(INVALID_PARAMS, "Unknown skill", {"uri": params.uri})
    return {"skill": entry(root), **CACHED}


async def directory(context: Context, params: UriParams) -> JSON:
    """What lies directly under a folder."""
    found: dict[str, JSON] = {}
    for uri in FILES:
        if uri.startswith(f"{params.uri}/"):
            name, _, deeper = uri.removeprefix(f"{params.uri}/").partition("/")
            kind = "inode/directory" if deeper else "text/markdown"
            found[name] = {"uri": f"{params.uri}/{name}", "name": name, "mimeType": kind}
    if not found:
        raise MCPError(INVALID_PARAMS, "Not a directory", {"uri": params.uri})
    return {"resources": list(found.values()), **CACHED}
