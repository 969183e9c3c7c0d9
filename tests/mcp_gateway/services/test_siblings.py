"""Other projects use the names `connectors`, `policies` and `skills` too."""

import hashlib
import shutil
import subprocess
import sys
from base64 import urlsafe_b64encode
from pathlib import Path

import pytest

from mcp_gateway.services import siblings

ROOT = Path(__file__).parents[3]
PACKAGES = ("mcp_gateway", *siblings.PACKAGES)
CHECK = "from mcp_gateway.services import siblings; siblings.check()"


def test_what_runs_here_is_one_distribution() -> None:
    siblings.check()


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A folder as a wheel is installed into it, with the record of what was installed."""
    record = []
    for name in PACKAGES:
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
        file = f"{name}/__init__.py"
        digest = hashlib.sha256((tmp_path / file).read_bytes()).digest()
        record.append(f"{file},sha256={urlsafe_b64encode(digest).rstrip(b'=').decode()},1")
    info = tmp_path / "mcp_gateway-9.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: mcp-gateway\nVersion: 9\n")
    (info / "RECORD").write_text("\n".join([*record, "mcp_gateway-9.dist-info/RECORD,,"]))
    return tmp_path


def ran(*path: Path) -> subprocess.CompletedProcess[str]:
    """Checks in a process that finds its packages in these folders, the first one first."""
    return subprocess.run(
        [sys.executable, "-c", CHECK],
        cwd=path[0],
        env={"PYTHONPATH": ":".join(map(str, path))},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.requirement("operations:no-namesakes")
def test_a_package_that_another_wheel_has_overwritten_is_refused(site: Path) -> None:
    sound = ran(site)
    with (site / "skills" / "__init__.py").open("a") as file:
        file.write("# another project's\n")

    refused = ran(site)

    assert sound.returncode == 0, sound.stderr
    assert refused.returncode != 0
    assert "the package skills was overwritten by another project's" in refused.stderr
    assert "an environment of its own" in refused.stderr


@pytest.mark.requirement("operations:no-namesakes")
def test_a_package_from_elsewhere_is_refused(site: Path, tmp_path: Path) -> None:
    other = tmp_path / "elsewhere"
    other.mkdir()
    shutil.move(site / "policies", other / "policies")

    refused = ran(site, other)

    assert refused.returncode != 0
    assert f"the package policies is not the gateway's: it comes from {other}" in refused.stderr
