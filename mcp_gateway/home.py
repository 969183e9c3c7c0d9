"""The data folder: generated once, readable by its owner only."""

import contextlib
import json
import os
import secrets
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

import policies
from mcp_gateway.config import ConfigError

BUILT_IN: Final = Path(__file__).parent / "builtin"
CONFIG: Final = "gateway.toml"
SECRET: Final = 32
"""Bytes of a secret."""
RESTORE: Final = "restore it from a backup"
RESTORE_OR_REMOVE: Final = f"{RESTORE}, or remove it: then open questions and tasks are lost"


@dataclass(frozen=True, slots=True)
class Home:
    """Where everything of an installation lies."""

    folder: Path

    @property
    def config(self) -> Path:
        return self.folder / CONFIG

    @property
    def database(self) -> Path:
        return self.folder / "gateway.db"

    @property
    def ledger(self) -> Path:
        return self.folder / "ledger"

    def prepare(self) -> None:
        """Makes the folder. Raises ConfigError when others may read it."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self.folder.stat().st_mode & 0o077:
            raise ConfigError(f"others may read {self.folder}: run `chmod 700 {self.folder}`")

    def write_defaults(self, samples: Path | None = None) -> None:
        """The configuration and rules of a first run, where there are none yet."""
        text = (BUILT_IN / CONFIG).read_text("utf-8")
        if samples:
            text += (BUILT_IN / "samples.toml").read_text("utf-8")
        text = text.replace("@PYTHON@", _quoted(sys.executable))
        text = text.replace("@SAMPLES@", _quoted(str(samples.absolute())) if samples else "")
        rules = Path(policies.__file__).parent / "builtin" / "first-run.csv"
        _write_new(self.folder / "policy.csv", rules.read_bytes())
        _write_new(self.config, text.encode())

    def signing_key(self) -> Ed25519PrivateKey:
        """The key that signs checkpoints."""
        path = self.folder / "ledger.key"
        _write_new(path, _pem(Ed25519PrivateKey.generate()))
        try:
            key = load_pem_private_key(path.read_bytes(), None)
        except ValueError:
            raise ConfigError(f"{path} is no private key in PEM: {RESTORE}") from None
        if not isinstance(key, Ed25519PrivateKey):
            raise ConfigError(f"{path} is no Ed25519 key: {RESTORE}")
        return key

    def commitment_secret(self) -> bytes:
        """The secret under which arguments and results are committed to."""
        return _secret(self.folder / "commitments.key", RESTORE)

    def state_secret(self) -> bytes:
        """The secret that seals what callers bring back. Losing it expires open questions."""
        return _secret(self.folder / "state.key", RESTORE_OR_REMOVE)

    def vault_secret(self) -> bytes:
        """The key of the vault, where none is configured. Losing it loses what people connected."""
        return _secret(self.folder / "vault.key", RESTORE)

    def installation(self) -> str:
        """A name for this installation's logs, made once."""
        path = self.folder / "installation"
        _write_new(path, f"mcp-gateway.local/{secrets.token_hex(4)}".encode())
        return path.read_text("ascii").strip()


def _secret(path: Path, advice: str) -> bytes:
    """Made once. Raises ConfigError for a file that holds something else."""
    _write_new(path, secrets.token_hex(SECRET).encode())
    try:
        secret = bytes.fromhex(path.read_bytes().decode("ascii").strip())
    except ValueError:
        secret = b""
    if len(secret) != SECRET:
        raise ConfigError(f"{path} is no secret of {SECRET} bytes in hexadecimal: {advice}")
    return secret


def _write_new(path: Path, content: bytes) -> None:
    """Writes a file that is not there yet, for its owner only: whole, or not at all."""
    if path.exists():
        return
    descriptor, fresh = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    with contextlib.suppress(FileExistsError):  # another process was as fast
        os.link(fresh, path)
    Path(fresh).unlink()


def _quoted(text: str) -> str:
    """What stands between the quotes of a TOML string: JSON escapes alike."""
    return json.dumps(text, ensure_ascii=False)[1:-1]


def _pem(key: Ed25519PrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
