"""Names are the field's: none says that its author did not know what the thing is."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.architecture.documents import name_of
from tests.architecture.sources import Function, functions, sources, tree

VAGUE: Final = frozenset(
    {"bar", "foo", "helper", "helpers", "manager", "managers", "misc", "stuff", "thing", "things"}
    | {"util", "utils"}
)
OF_OTHERS: Final = frozenset({"account", "adapter", "backend", "org"})
"""What elsewhere is called so is a principal, a connector, an upstream and a tenant here."""
SHORTENED: Final = frozenset(
    {"cb", "cfg", "cnt", "conf", "ctl", "err", "fn", "idx", "impl", "mgr", "msg", "num", "obj"}
    | {"req", "resp", "ret", "tmp", "val"}
)
OF_CLASSES: Final = frozenset(
    {"Data", "Info", "Handler", "Processor", "Object", "Base", "Abstract"}
)
OF_FUNCTIONS: Final = ("process_", "do_", "my_", "handle_", "perform_")
_WORD: Final = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[0-9]+")


def words(name: str) -> set[str]:
    return {word.lower() for word in _WORD.findall(name)}


def names(path: Path) -> Iterator[str]:
    """Whatever a file gives a name to."""
    yield path.stem
    for node in ast.walk(tree(path)):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield name
            case ast.ClassDef(name=name) | ast.arg(arg=name):
                yield name
            case ast.Name(id=name, ctx=ast.Store()):
                yield name
            case ast.Attribute(value=ast.Name(id="self"), attr=name, ctx=ast.Store()):
                yield name
            case _:
                pass


@pytest.mark.requirement("tree:names-are-the-fields")
@pytest.mark.parametrize("path", sources(), ids=name_of)
def test_no_name_is_vague_shortened_or_of_another_field(path: Path) -> None:
    found = {name for name in names(path) if words(name) & (VAGUE | OF_OTHERS | SHORTENED)}

    assert found == set()


@pytest.mark.requirement("tree:names-are-the-fields")
@pytest.mark.parametrize("path", sources(), ids=name_of)
def test_classes_are_nouns_of_the_field_and_functions_say_what_they_do(path: Path) -> None:
    classes = {n.name for n in ast.walk(tree(path)) if isinstance(n, ast.ClassDef)}
    done = {f.name.lstrip("_") for f in functions(path)}

    assert {name for name in classes if set(_WORD.findall(name)) & OF_CLASSES} == set()
    assert {name for name in done if name.startswith(OF_FUNCTIONS)} == set()


def test_a_name_that_is_none_is_noticed() -> None:
    assert words("SessionManager") & VAGUE
    assert words("http_utils") & VAGUE
    assert words("_reqId") & SHORTENED
    assert words("JSONHandler") == {"json", "handler"}
    assert isinstance(ast.parse("async def f(): ...").body[0], Function)
