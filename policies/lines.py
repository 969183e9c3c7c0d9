"""Lines of a policy file, read so that no editor and no other parser sees different ones."""

import re
from collections.abc import Iterator
from typing import Final

_INVISIBLE: Final = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
"""What counts as printable, and shows nothing."""
_DECEIVING: Final = re.compile(
    "[\x00-\x08\x0a-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]"
)
"""What ends a comment for some parser, or shows its text in another order."""
_BRACKETS: Final = re.compile(r"[()\[\]]")
"""Casbin's own reader does not split at a comma between them."""


def numbered(text: str) -> Iterator[tuple[int, str]]:
    """The lines with their numbers. A line feed ends one, and nothing else does."""
    for number, line in enumerate(text.split("\n"), start=1):
        yield number, line.removesuffix("\r")


def fields(line: str) -> list[str]:
    """The fields of a line; none for a comment or a blank one.

    Raises ValueError for characters that cannot be seen, and for ones that Casbin reads
    differently.
    """
    if line.lstrip(" \t").startswith("#"):
        _refuse(_DECEIVING.search(line))
        return []
    _refuse(_INVISIBLE.search(line))
    for character in line:
        if not character.isprintable():
            raise ValueError(_named(character))
    if _BRACKETS.search(line):
        raise ValueError("a line that is no comment holds no brackets")
    return [field.strip(" ") for field in line.split(",")] if line.strip(" ") else []


def _refuse(found: re.Match[str] | None) -> None:
    if found:
        raise ValueError(_named(found[0]))


def _named(character: str) -> str:
    return f"the character U+{ord(character):04X} cannot be seen, so it may not stand here"
