"""What a skill is, and the ones that ship."""

from collections.abc import Sequence
from pathlib import Path

from skills.bundle import Skill, SkillInvalid, read

__all__ = ["Skill", "SkillInvalid", "builtin", "read"]


def builtin() -> Sequence[Skill]:
    """The skills under builtin/."""
    folder = Path(__file__).parent / "builtin"
    return [read(path) for path in sorted(folder.iterdir()) if path.is_dir()]
