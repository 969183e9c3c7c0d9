"""Keyed commitments: what enters the ledger in place of arguments and results. Pure."""

import hmac
from collections.abc import Mapping
from hashlib import sha256
from typing import Final

from mcp_gateway.wire import jsonrpc

MOST_ARGUMENTS = 64
MOST_SUBJECTS = 10_000
LONGEST_NAME = 100
PARAMS = "params"
ARGUMENTS = "arguments"
_BLOCK: Final = 64
_LARGE: Final = 2048
_INNER: Final = bytes(byte ^ 0x36 for byte in range(256))
_OUTER: Final = bytes(byte ^ 0x5C for byte in range(256))
_LITERALS: Final = frozenset({b"true", b"false", b"null"})
_EXACT_DIGITS: Final = 15


def keyed(key: bytes, message: bytes) -> bytes:
    """HMAC-SHA-256 (RFC 2104) under a key of at most 64 bytes.

    `hmac.digest` lets another thread run each time; while the writer's thread waits for its turn
    that costs more than the hash. So short messages are hashed here, in two plain SHA-256.
    """
    if len(message) > _LARGE:
        return hmac.digest(key, message, "sha256")
    block = key.ljust(_BLOCK, b"\0")
    inner = sha256(block.translate(_INNER) + message).digest()
    return sha256(block.translate(_OUTER) + inner).digest()


def commit(key: bytes, path: str, value: bytes) -> str:
    """HMAC-SHA-256 over the path and the value, in hexadecimal."""
    return keyed(key, b"%b\0%b" % (path.encode(), value)).hex()


class Commitments:
    """Keys by subject, from one secret. Without the key a value cannot even be guessed at."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self._subjects: dict[str, bytes] = {}

    def key(self, subject: str, call: str, kind: str) -> bytes:
        """The key for one entry: a holder can open that entry, and no other."""
        known = self._subjects.get(subject) or self._subject(subject)
        return keyed(known, f"{call}\0{kind}".encode())

    def of(
        self, subject: str, call: str, kind: str, content: Mapping[str, bytes]
    ) -> dict[str, str]:
        """A commitment for each content, and one for each top-level argument of the params.

        An argument that has its own is left out of `params` there: the rest is committed to as
        compact JSON. Content that is no JSON object is committed to as it is.
        """
        key = self.key(subject, call, kind)
        made: dict[str, str] = {}
        for path, value in content.items():
            rest = value
            if path == PARAMS:
                rest, named = parted(value)
                for name, argument in named.items():
                    at = f"{ARGUMENTS}/{name}"
                    made[at] = commit(key, at, argument)
            made[path] = commit(key, path, rest)
        return made

    def begun(self, subject: str, call: str, kind: str, path: str) -> hmac.HMAC:
        """The commitment to a content that comes in pieces: `update` takes them."""
        return hmac.new(self.key(subject, call, kind), b"%b\0" % path.encode(), "sha256")

    def _subject(self, subject: str) -> bytes:
        made = keyed(self._secret, b"subject\0" + subject.encode())
        if len(self._subjects) < MOST_SUBJECTS:
            self._subjects[subject] = made
        return made


def parted(params: bytes) -> tuple[bytes, dict[str, bytes]]:
    """The params without the arguments that are committed to by name, and those, canonical.

    At most 64 have a commitment of their own, and none with a name that is long or not
    printable, since names stand in clear.
    """
    try:
        members = jsonrpc.members(params)
        arguments = jsonrpc.members(bytes(members[ARGUMENTS]))
        named = {
            name: canonical(bytes(arguments.pop(name)))
            for name in [*arguments][:MOST_ARGUMENTS]
            if len(name) <= LONGEST_NAME and name.isprintable()
        }
    except (ValueError, KeyError):
        return params, {}
    return jsonrpc.encode(members | {ARGUMENTS: arguments}), named


def canonical(raw: bytes) -> bytes:
    """Equal values as equal bytes: compact JSON, names sorted. Raises ValueError.

    A plain text or a short whole number is that already.
    """
    plain = raw[:1] == b'"' and b"\\" not in raw
    if plain or raw in _LITERALS or _whole_number(raw):
        return raw
    return jsonrpc.canonical(jsonrpc.decode(raw))


def _whole_number(raw: bytes) -> bool:
    return raw.isdigit() and len(raw) <= _EXACT_DIGITS
