import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from mcp_gateway.config import ConfigError
from mcp_gateway.services import sources

TEXT = '[policy]\nrules = ["rules/own.csv", "builtin:first-run"]\nsuites = ["suites/*.toml"]\n'


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "gateway.toml"
    path.write_text(TEXT)
    for name in ("rules/own.csv", "suites/a.toml", "suites/b.toml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    return path


def names(files: frozenset[Path]) -> set[str]:
    return {file.name for file in files}


def test_a_configuration_is_made_of_its_rules_suites_and_certificate_too(config: Path) -> None:
    config.write_text(TEXT + '[network]\ntls = { certificate = "c.pem", key = "k.pem" }\n')
    settings, seen = sources.read(config)

    files = sources.files_of(config, settings)

    assert names(files) == {
        "gateway.toml",
        "own.csv",
        "first-run.csv",
        "a.toml",
        "b.toml",
        "c.pem",
        "k.pem",
    }
    assert sources.contents(files) == seen


def test_suites_that_are_not_there_yet_hide_no_other_file(config: Path, tmp_path: Path) -> None:
    for suite in (tmp_path / "suites").iterdir():
        suite.unlink()

    assert names(sources.files_of(config, sources.read(config)[0])) == {
        "gateway.toml",
        "own.csv",
        "first-run.csv",
    }


@pytest.mark.parametrize("file", ["gateway.toml", "rules/own.csv", "suites/b.toml"])
def test_a_file_that_changes_comes_or_goes_is_a_difference(config: Path, file: str) -> None:
    settings, before = sources.read(config)
    path = config.parent / file
    text = path.read_text()
    files = sources.files_of(config, settings)

    path.unlink()
    gone = sources.contents(files)
    path.write_text(text + "\n")
    changed = sources.contents(files)
    path.write_text(text)

    assert before not in (gone, changed)
    assert gone != changed
    assert sources.contents(files) == before


def test_what_is_no_configuration_says_so(config: Path) -> None:
    config.write_text("[")
    with pytest.raises(ConfigError):
        sources.read(config)


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: (folder / "gateway.toml").write_text("x"),
        lambda folder: (folder / "suites" / "new.toml").write_text("x"),
        lambda folder: (folder / "rules" / "own.csv").unlink(),
        lambda folder: (folder / "new.toml").rename(folder / "gateway.toml"),
        lambda folder: (folder / "..data").symlink_to(folder / "suites"),
    ],
    ids=["written", "added", "removed", "renamed", "linked"],
)
@pytest.mark.requirement("reload:both-triggers")
async def test_every_way_in_which_a_file_changes_gives_a_hint(
    config: Path, monkeypatch: pytest.MonkeyPatch, change: Callable[[Path], object]
) -> None:
    monkeypatch.setattr(sources, "LOOK_EVERY", 60_000)
    (config.parent / "new.toml").write_text(TEXT)
    settings, _ = sources.read(config)
    hints = sources.hints(lambda: sources.files_of(config, settings))
    waiting = asyncio.ensure_future(anext(hints))
    changing = asyncio.ensure_future(_again_and_again(config.parent, change))

    async with asyncio.timeout(10):
        await waiting

    changing.cancel()
    await hints.aclose()


@pytest.mark.requirement("reload:both-triggers")
async def test_the_files_are_looked_at_from_time_to_time_without_any_event(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "LOOK_EVERY", 50)
    settings, _ = sources.read(config)
    hints = sources.hints(lambda: sources.files_of(config, settings))

    async with asyncio.timeout(10):
        await anext(hints)
        await anext(hints)

    await hints.aclose()


async def test_a_folder_that_only_a_new_configuration_names_is_watched_from_then_on(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "LOOK_EVERY", 50)
    files = {config}
    hints = sources.hints(lambda: files)
    async with asyncio.timeout(10):
        await anext(hints)
        files.add(tmp_path / "rules" / "own.csv")
        await anext(hints)
        await anext(hints)

    await hints.aclose()


async def _again_and_again(folder: Path, change: Callable[[Path], object]) -> None:
    """The watching begins on a thread, some time after it was asked for."""
    while True:
        await asyncio.sleep(0.3)
        try:
            change(folder)
        except OSError:
            (folder / "new.toml").write_text(TEXT)
            (folder / "rules" / "own.csv").write_text("")
            (folder / "..data").unlink(missing_ok=True)
