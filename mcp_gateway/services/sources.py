"""Sources: the files that a configuration is made of, and what tells that one has changed."""

import contextlib
import hashlib
from collections.abc import AsyncGenerator, Callable, Iterable
from pathlib import Path
from typing import Final

from watchfiles import Change, awatch

from mcp_gateway.config import ConfigError, Settings, load
from mcp_gateway.services.compiled import rule_files, suite_files

SETTLED: Final = 200
"""Milliseconds without a change after which a burst of them is over."""
LONGEST_BURST: Final = 2_000
LOOK_EVERY: Final = 5_000
"""Milliseconds after which the files are looked at without a change having been told: some file
systems tell of none, and a link may lead to a folder that is not watched."""
SUFFIXES: Final = (".toml", ".csv")

Contents = dict[Path, bytes]


def files_of(path: Path, settings: Settings) -> frozenset[Path]:
    """The configuration, its rules and suites, and the certificate that is shown to callers."""
    base = path.parent
    files = {path, *rule_files(settings, base)}
    if tls := settings.network.tls:
        files |= {Path(tls.certificate), Path(tls.key)}
    with contextlib.suppress(ConfigError):  # a pattern that fits nothing, yet
        files.update(suite_files(settings, base))
    return frozenset(files)


def contents(files: Iterable[Path]) -> Contents:
    """What is in each file, as a digest, and why one cannot be read. Blocks."""
    return {file: _content(file) for file in files}


def read(path: Path) -> tuple[Settings, Contents]:
    """The settings, and what the files held before they were read. Raises ConfigError.

    So a change that comes while they are read is a difference the next time.
    """
    before = contents([path])
    settings = load(path)
    return settings, contents(files_of(path, settings) - {path}) | before


def _content(file: Path) -> bytes:
    try:
        return hashlib.sha256(file.read_bytes()).digest()
    except OSError as error:
        return type(error).__name__.encode()


async def hints(files: Callable[[], Iterable[Path]]) -> AsyncGenerator[None]:
    """Says, without end, when it is time to look whether any of these files has changed.

    Folders are watched and not files, so that replacing a file by another is seen too.
    """
    while True:
        folders = _folders(files())
        watching = awatch(
            *folders,
            watch_filter=_telling,
            debounce=LONGEST_BURST,
            step=SETTLED,
            rust_timeout=LOOK_EVERY,
            yield_on_timeout=True,
            recursive=False,
        )
        async with contextlib.aclosing(watching):
            async for _ in watching:
                yield
                if _folders(files()) != folders:
                    break


def _folders(files: Iterable[Path]) -> list[Path]:
    return sorted({file.parent for file in files if file.parent.is_dir()})


def _telling(_: Change, path: str) -> bool:
    """A configuration map of Kubernetes changes by a link whose name begins with two dots."""
    name = Path(path).name
    return name.endswith(SUFFIXES) or name.startswith("..")
