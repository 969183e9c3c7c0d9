"""The data folder: generated once, readable by its owner only."""

import os
import secrets
import sys
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
        text = text.replace("@PYTHON@", sys.executable)
        text = text.replace("@SAMPLES@", str(samples.absolute()) if samples else "")
        rules = Path(policies.__file__).parent / "builtin" / "first-run.csv"
        _write_new(self.folder / "policy.csv", rules.read_bytes())
        _write_new(self.config, text.encode())

    def signing_key(self) -> Ed25519PrivateKey:
        """The key that signs checkpoints."""
        path = self.folder / "ledger.key"
        _write_new(path, _pem(Ed25519PrivateKey.generate()))
        key = load_pem_private_key(path.read_bytes(), None)
        if not isinstance(key, Ed25519PrivateKey):
            raise ConfigError(f"{path} is no Ed25519 key")
        return key

    def commitment_secret(self) -> bytes:
        """The secret under which arguments and results are committed to."""
        path = self.folder / "commitments.key"
        _write_new(path, secrets.token_hex(32).encode())
        return bytes.fromhex(path.read_text("ascii").strip())

    def installation(self) -> str:
        """A name for this installation's logs, made once."""
        path = self.folder / "installation"
        _write_new(path, f"mcp-gateway.local/{secrets.token_hex(4)}".encode())
        return path.read_text("ascii").strip()


def _write_new(path: Path, content: bytes) -> None:
    """Writes a file that is not there yet, for its owner only."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _pem(key: Ed25519PrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
