"""The shape of the tree: small files and functions, each thing in its one place."""

import ast
import re
from pathlib import Path

import pytest

from tests.architecture.documents import files, name_of
from tests.architecture.sources import Function, functions, python, sources, statements, tree

LARGEST = 400
LONGEST = 30
_ELSEWHERE = re.compile(r"p[y]pi\.org|p[y]thonhosted|n[p]mjs\.org|d[e]b\.debian|/r[o]ot/|/w[o]rk/")
CATCHING = ("mcp_gateway/edge/", "mcp_gateway/stages/record.py")
"""Where a fault of a call that nobody foresaw ends: as an entry, and as an answer."""
SUPERVISING = (
    "mcp_gateway/services/attendance.py",
    "mcp_gateway/services/jobs.py",
    "mcp_gateway/services/servers.py",
    "mcp_gateway/services/views.py",
)
"""Where one of what runs beside the calls ends: said, and begun again."""
_DEFINITIONS = (ast.Import, ast.ImportFrom, ast.Assign, ast.AnnAssign, ast.ClassDef)
WIRED_AT_IMPORT = {"mcp_gateway/__main__.py", "mcp_gateway/cli/main.py"}
"""The program itself, and the list of its commands."""


def test_no_source_file_is_longer_than_four_hundred_lines() -> None:
    long = {name_of(path): len(path.read_text("utf-8").splitlines()) for path in python()}
    assert {name: lines for name, lines in long.items() if lines > LARGEST} == {}


@pytest.mark.requirement("tree:small-functions")
def test_no_function_is_longer_than_thirty_lines() -> None:
    """Signature and docstring aside: a contract may be as long as it has to be."""
    long = {
        f"{name_of(path)}:{function.name}": lines
        for path in python()
        for function in functions(path)
        if (lines := length(function)) > LONGEST
    }
    assert long == {}


def length(function: Function) -> int:
    body = statements(function)
    return (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0


def test_no_file_names_a_registry_or_a_path_of_a_machine() -> None:
    found = [
        name_of(path)
        for path in files()
        if path.suffix != ".png" and _ELSEWHERE.search(path.read_text("utf-8", "replace"))
    ]
    assert found == []


def test_every_test_folder_is_a_package() -> None:
    folders = {path.parent for path in files() if path.name.startswith("test_")}
    assert [str(f) for f in sorted(folders) if not (f / "__init__.py").exists()] == []


@pytest.mark.requirement("tree:one-place-for-the-orm")
def test_only_the_store_imports_an_orm() -> None:
    found = {
        name_of(path)
        for path in sources()
        for module in imported(path)
        if module.split(".")[0] in {"sqlmodel", "sqlalchemy"}
    }
    assert [name for name in found if not name.startswith("mcp_gateway/store/")] == []
    assert found


def imported(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(tree(path)):
        match node:
            case ast.Import(names=names):
                found |= {alias.name for alias in names}
            case ast.ImportFrom(module=str(module)):
                found.add(module)
            case _:
                pass
    return found


@pytest.mark.requirement("tree:faults-end-in-one-place")
def test_only_the_record_the_edge_and_supervisors_catch_what_nobody_foresaw() -> None:
    """Others may clean up after anything, and let it pass on."""
    swallowing = [
        f"{name_of(path)}:{handler.lineno}"
        for path in sources()
        if not name_of(path).startswith((*CATCHING, *SUPERVISING))
        for handler in catching_all(path)
        if not (isinstance(last := handler.body[-1], ast.Raise) and last.exc is None)
    ]
    assert swallowing == []


def catching_all(path: Path) -> list[ast.ExceptHandler]:
    found = [node for node in ast.walk(tree(path)) if isinstance(node, ast.ExceptHandler)]
    return [h for h in found if h.type is None or caught(h.type) & {"Exception", "BaseException"}]


def caught(expression: ast.expr) -> set[str]:
    return {node.id for node in ast.walk(expression) if isinstance(node, ast.Name)}


@pytest.mark.requirement("tree:importing-does-nothing")
def test_importing_a_module_only_defines() -> None:
    found = [
        f"{name_of(path)}:{statement.lineno}"
        for path in sources()
        if name_of(path) not in WIRED_AT_IMPORT
        for statement in tree(path).body
        if not defining(statement)
    ]
    assert found == []


def defining(statement: ast.stmt) -> bool:
    match statement:
        case ast.Expr(value=ast.Constant(value=str())):
            return True
        case ast.If(test=ast.Name(id="TYPE_CHECKING")):
            return True
        case ast.If(test=ast.Compare(left=ast.Name(id="__name__"))):
            return True
        case _:
            return isinstance(statement, (*_DEFINITIONS, ast.FunctionDef, ast.AsyncFunctionDef))
