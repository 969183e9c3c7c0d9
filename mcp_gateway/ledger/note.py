"""Checkpoints: C2SP tlog-checkpoint, a signed note with an Ed25519 line."""

import base64
import hashlib
import re
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

_ED25519: Final = b"\x01"
_DASH: Final = "\u2014 "
_SIZE: Final = re.compile(r"0|[1-9][0-9]{0,18}")
_NOTE: Final = re.compile(f"[^\\n]+\\n[0-9]+\\n[^\\n]+\\n\\n(?:{_DASH}[^\\n]+\\n)+")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A signed statement: the log of this origin had this root at this size."""

    origin: str
    size: int
    root: bytes

    def text(self) -> str:
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"


class NoteError(ValueError):
    """A note that is malformed, or that none of the keys signed."""


def signed(checkpoint: Checkpoint, key: Ed25519PrivateKey) -> str:
    text = checkpoint.text()
    public = key.public_key()
    blob = _key_id(checkpoint.origin, public) + key.sign(text.encode())
    return f"{text}\n{_DASH}{checkpoint.origin} {base64.b64encode(blob).decode()}\n"


def opened(note: str, verifier: str) -> Checkpoint:
    """The checkpoint in a note. Raises NoteError unless the verifier key signed it."""
    origin, public = parse_verifier(verifier)
    text, _, signatures = note.partition("\n\n")
    text += "\n"
    for line in signatures.splitlines():
        name, _, encoded = line.removeprefix(_DASH).partition(" ")
        if name == origin and _signs(encoded, text, origin, public):
            return _parse(text, origin)
    raise NoteError("no line of the checkpoint is signed by the key of the log")


def notes(text: str) -> list[str]:
    """The whole notes in a history of them; one that was torn off is left out."""
    return _NOTE.findall(text)


def verifier_line(origin: str, key: Ed25519PrivateKey) -> str:
    """The key in the note format: name, key id and key."""
    public = key.public_key()
    blob = base64.b64encode(_ED25519 + public.public_bytes_raw()).decode()
    return f"{origin}+{_key_id(origin, public).hex()}+{blob}"


def parse_verifier(line: str) -> tuple[str, Ed25519PublicKey]:
    """The name and key of a verifier line. Raises NoteError."""
    try:
        origin, key_id, encoded = line.strip().split("+", 2)
        blob = base64.b64decode(encoded, validate=True)
        public = Ed25519PublicKey.from_public_bytes(blob[1:])
    except ValueError as error:
        raise NoteError(f"not a verifier key: {error}") from None
    if blob[:1] != _ED25519 or _key_id(origin, public).hex() != key_id:
        raise NoteError("the key id of the verifier key is not that of its key")
    return origin, public


def _key_id(origin: str, public: Ed25519PublicKey) -> bytes:
    named = origin.encode() + b"\n" + _ED25519 + public.public_bytes_raw()
    return hashlib.sha256(named).digest()[:4]


def _signs(encoded: str, text: str, origin: str, public: Ed25519PublicKey) -> bool:
    try:
        blob = base64.b64decode(encoded, validate=True)
        if blob[:4] != _key_id(origin, public):
            return False
        public.verify(blob[4:], text.encode())
    except (ValueError, InvalidSignature):
        return False
    return True


def _parse(text: str, origin: str) -> Checkpoint:
    lines = text.split("\n")
    if len(lines) < 4 or lines[0] != origin or not _SIZE.fullmatch(lines[1]):
        raise NoteError("the checkpoint does not have origin, size and root")
    try:
        root = base64.b64decode(lines[2], validate=True)
    except ValueError:
        raise NoteError("the root of the checkpoint is no base64") from None
    if len(root) != hashlib.sha256().digest_size:
        raise NoteError("the root of the checkpoint is no SHA-256")
    return Checkpoint(origin, int(lines[1]), root)
