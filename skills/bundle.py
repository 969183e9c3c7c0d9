"""Skill: a folder with a SKILL.md, read once, named by its digest."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

FRONT: Final = "SKILL.md"
MOST_FILES: Final = 512
MOST_BYTES: Final = 16 * 1024 * 1024
_NAME: Final = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_FIELD: Final = re.compile(r"([a-z][a-z-]*): (\S.*)")


class SkillInvalid(ValueError):
    """A folder that is no skill, and why."""


@dataclass(frozen=True, slots=True)
class Skill:
    """One version. `digest` is over the sorted paths, digests and sizes of its files."""

    name: str
    description: str
    version: str
    digest: str
    files: Mapping[str, bytes]

    @property
    def text(self) -> str:
        return self.files[FRONT].decode()


def read(folder: Path) -> Skill:
    """Reads a folder. Raises SkillInvalid."""
    files = _files(folder)
    if FRONT not in files:
        raise SkillInvalid(f"{folder.name}: there is no {FRONT}")
    fields = front_matter(files[FRONT], folder.name)
    name, description = fields.get("name", ""), fields.get("description", "")
    if name != folder.name or not _NAME.fullmatch(name) or len(name) > 64:
        raise SkillInvalid(f"{folder.name}: the name is the folder's: a-z, 0-9 and single hyphens")
    if not 0 < len(description) <= 1024:
        raise SkillInvalid(f"{folder.name}: the description has 1 to 1024 characters")
    return Skill(
        name, description, fields.get("metadata.version", "0.0.0"), digest_of(files), files
    )


def front_matter(raw: bytes, name: str) -> dict[str, str]:
    """The plain `key: value` lines between the two `---`, those below metadata as `metadata.key`.

    Raises SkillInvalid with the line.
    """
    try:
        lines = raw.decode().split("\n")
    except UnicodeDecodeError:
        raise SkillInvalid(f"{name}: {FRONT} is not UTF-8") from None
    if lines[0] != "---" or "---" not in lines[1:]:
        raise SkillInvalid(f"{name}: {FRONT} begins with front matter between two lines of ---")
    fields: dict[str, str] = {}
    under = ""
    for number, line in enumerate(lines[1 : lines.index("---", 1)], start=2):
        if line == "metadata:" and not under:
            under = "metadata."
            continue
        nested = bool(under) and line.startswith("  ")
        under = under if nested else ""
        match = _FIELD.fullmatch(line[2:] if nested else line)
        if not match or under + match[1] in fields:
            raise SkillInvalid(f"{name}: {FRONT}:{number} is no `key: value`, or a second one")
        fields[under + match[1]] = match[2].strip()
    return fields


def digest_of(files: Mapping[str, bytes]) -> str:
    lines = [
        f"{path}\0{hashlib.sha256(content).hexdigest()}\0{len(content)}\n"
        for path, content in sorted(files.items())
    ]
    return "sha256:" + hashlib.sha256("".join(lines).encode()).hexdigest()


def _files(folder: Path) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    total = 0
    for path in sorted(folder.rglob("*")):
        if path.is_symlink():
            raise SkillInvalid(f"{folder.name}: {path.name} is a link")
        if path.is_dir():
            continue
        if not path.is_file():
            raise SkillInvalid(f"{folder.name}: {path.name} is no file")
        total += path.stat().st_size
        if len(found) >= MOST_FILES or total > MOST_BYTES:
            raise SkillInvalid(f"{folder.name}: more than {MOST_FILES} files or 16 MiB")
        found[path.relative_to(folder).as_posix()] = path.read_bytes()
    return found
