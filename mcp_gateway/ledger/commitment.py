"""Keyed commitments: what enters the ledger in place of arguments and results. Pure."""

import hashlib
import hmac
from collections.abc import Mapping

from mcp_gateway.wire import jsonrpc

MOST_ARGUMENTS = 64
MOST_SUBJECTS = 10_000
LONGEST_NAME = 100
PARAMS = "params"


def commit(key: bytes, path: str, value: bytes) -> str:
    """HMAC-SHA-256 over the path and the canonical value, in hexadecimal."""
    return hmac.digest(key, path.encode() + b"\0" + value, hashlib.sha256).hex()


class Commitments:
    """Keys by subject, from one secret. Without the key a value cannot even be guessed at."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self._subjects: dict[str, bytes] = {}

    def key(self, subject: str, call: str, kind: str) -> bytes:
        """The key for one entry: a holder can open that entry, and no other."""
        return hmac.digest(self._subject(subject), f"{call}\0{kind}".encode(), hashlib.sha256)

    def of(
        self, subject: str, call: str, kind: str, content: Mapping[str, bytes]
    ) -> dict[str, str]:
        """A commitment for each content, and one for each top-level argument of the params."""
        key = self.key(subject, call, kind)
        made = {path: commit(key, path, value) for path, value in content.items()}
        if PARAMS in content:
            for name, value in _arguments(content[PARAMS]).items():
                path = f"arguments/{name}"
                made[path] = commit(key, path, value)
        return made

    def _subject(self, subject: str) -> bytes:
        known = self._subjects.get(subject)
        if known is None:
            known = hmac.digest(self._secret, b"subject\0" + subject.encode(), hashlib.sha256)
            if len(self._subjects) < MOST_SUBJECTS:
                self._subjects[subject] = known
        return known


def _arguments(params: bytes) -> dict[str, bytes]:
    """The canonical bytes of the arguments, 64 at most; the commitment to `params` has all.

    A name that is long or not printable has none of its own: names stand in clear.
    """
    try:
        arguments = jsonrpc.members(params).get("arguments")
        found = jsonrpc.members(bytes(arguments)) if arguments is not None else {}
        named = [name for name in found if len(name) <= LONGEST_NAME and name.isprintable()]
        first = named[:MOST_ARGUMENTS]
        return {name: jsonrpc.canonical(jsonrpc.decode(bytes(found[name]))) for name in first}
    except ValueError:
        return {}
