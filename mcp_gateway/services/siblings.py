"""Siblings: the four packages beside `mcp_gateway` are this distribution's, and no namesakes."""

import hashlib
import importlib
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import Final

import mcp_gateway
from mcp_gateway.config import ConfigError

PACKAGES: Final = ("connectors", "local_models", "policies", "skills")
ADVICE: Final = "install the gateway into an environment of its own"


def check() -> None:
    """Raises ConfigError for a package that another project has put in the place of ours."""
    if faults := [*_elsewhere(), *_overwritten()]:
        raise ConfigError(*(f"{fault}: {ADVICE}" for fault in faults))


def _elsewhere() -> Iterator[str]:
    """All five lie side by side, wherever that is."""
    root = Path(str(mcp_gateway.__file__)).parents[1]
    for name in PACKAGES:
        file = importlib.import_module(name).__file__
        if file is None or Path(file).parents[1] != root:
            yield f"the package {name} is not the gateway's: it comes from {file}"


def _overwritten() -> Iterator[str]:
    """Another wheel in the same environment writes into the same folder, and the last one wins."""
    try:
        ours = distribution("mcp-gateway")
    except PackageNotFoundError:  # run from its sources
        return
    for name in PACKAGES:
        file = importlib.import_module(name).__file__
        if file and _changed(ours, f"{name}/__init__.py", Path(file)):
            yield f"the package {name} was overwritten by another project's: {file}"


def _changed(ours: Distribution, name: str, file: Path) -> bool:
    """Whether a file is installed by this distribution, and no longer what it installed."""
    listed = next((found for found in ours.files or () if str(found) == name), None)
    if listed is None or listed.hash is None:
        return False
    if Path(str(listed.locate())).resolve() != file.resolve():
        return False
    digest = hashlib.new(listed.hash.mode, file.read_bytes()).digest()
    return urlsafe_b64encode(digest).rstrip(b"=").decode() != listed.hash.value
