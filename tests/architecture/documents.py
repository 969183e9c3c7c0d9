"""The documents of the repository, taken apart: sections, tables, blocks, inline code, links."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import cache
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
DOCS: Final = ROOT / "docs"
_FENCE: Final = re.compile(r"^```(.*)\n((?:.*\n)*?)```$", re.MULTILINE)
_INLINE: Final = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
_LINK: Final = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_ROW: Final = re.compile(r"^\|(.+)\|$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block. `where` is "file:line", `language` the word behind the fence."""

    where: str
    language: str
    text: str

    @property
    def commands(self) -> list[str]:
        """What is typed in a `console` block: the lines behind a `$`."""
        return [line[2:] for line in self.text.splitlines() if line.startswith("$ ")]


@cache
def files() -> tuple[Path, ...]:
    """Every file of the project, new ones too; git need not be there."""
    ignored = [".git", *(ROOT / ".gitignore").read_text("utf-8").split()]
    found: list[Path] = []
    for folder, folders, names in os.walk(ROOT):
        here = Path(folder)
        folders[:] = [name for name in folders if not _ignored(here / name, ignored)]
        found += [here / name for name in names if not _ignored(here / name, ignored)]
    return tuple(sorted(found))


def _ignored(path: Path, patterns: list[str]) -> bool:
    """As git reads the simple patterns: one that begins with a slash is of the root only."""
    top = path.parent == ROOT
    return any(
        fnmatch(path.name, pattern.strip("/")) and (top or not pattern.startswith("/"))
        for pattern in patterns
    )


def documents() -> list[Path]:
    return [path for path in files() if path.suffix == ".md"]


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def blocks(path: Path) -> list[Block]:
    text = path.read_text("utf-8")
    return [
        Block(
            f"{name_of(path)}:{text.count(chr(10), 0, found.start()) + 1}",
            found[1].strip(),
            found[2],
        )
        for found in _FENCE.finditer(text)
    ]


def every_block(language: str) -> list[Block]:
    return [b for path in documents() for b in blocks(path) if b.language == language]


def prose(path: Path) -> str:
    """The text without its fenced blocks."""
    return _FENCE.sub("", path.read_text("utf-8"))


def inline(text: str) -> list[str]:
    """What stands between single backticks."""
    return _INLINE.findall(text)


def links(path: Path) -> list[str]:
    return _LINK.findall(_INLINE.sub("", prose(path)))


def sections(text: str, level: int = 2) -> dict[str, str]:
    """The text below each heading of a level. Raises ValueError when one stands twice."""
    mark = "#" * level
    parts = re.split(rf"^{mark} (.+)$", text, flags=re.MULTILINE)
    names = [name.strip("` ") for name in parts[1::2]]
    if len(set(names)) < len(names):
        raise ValueError(f"a heading stands twice among {names}")
    return dict(zip(names, parts[2::2], strict=True))


def rows(text: str) -> Iterator[list[str]]:
    """The cells of each row of every table, its head and its rule left out."""
    for table in re.findall(r"(?:^\|.*\|\n?)+", text, re.MULTILINE):
        for line in _ROW.findall(table)[2:]:
            yield [cell.strip() for cell in re.split(r"(?<!\\)\|", line)]


def first_cells(text: str) -> list[str]:
    """What the tables of a text are about: the inline code of each row's first cell."""
    return [word for row in rows(text) for word in inline(row[0])]
