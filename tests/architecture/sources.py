"""The source of the five packages, as syntax trees."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

from tests.architecture.documents import files, name_of

PACKAGES: Final = ("mcp_gateway", "connectors", "policies", "local_models", "skills")
Function = ast.FunctionDef | ast.AsyncFunctionDef


def python() -> list[Path]:
    """Every Python file, tests too."""
    return [path for path in files() if path.suffix == ".py"]


def sources() -> list[Path]:
    """The Python files of the five packages."""
    return [path for path in python() if name_of(path).split("/")[0] in PACKAGES]


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


def functions(path: Path) -> Iterator[Function]:
    for node in ast.walk(tree(path)):
        if isinstance(node, Function):
            yield node


def statements(function: Function) -> list[ast.stmt]:
    """What a function does: its body without the docstring."""
    body = function.body
    return body[1:] if ast.get_docstring(function) is not None else body


def defines(path: Path) -> bool:
    """Whether there is a function or a class in it: what else is there to test?"""
    return any(isinstance(node, Function | ast.ClassDef) for node in ast.walk(tree(path)))
