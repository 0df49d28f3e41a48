"""Imports of the marketplace run one way: ground, areas in order, faces that do not know each other, composition."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from house_tree import ROOT, imported_modules, source_files

SOURCE = ROOT / "marketplace" / "src"
PACKAGE = SOURCE / "chimes_marketplace"
ORDER = [
    "errors",
    "settings",
    "database",
    "storage",
    "accounts",
    "catalog",
    "submissions",
    "lanes",
    "validation",
    "tables",
    "migrations",
    "web",
    "index",
    "api",
    "pages",
    "app",
    "worker",
    "commands",
]
AREAS = {"accounts", "catalog", "lanes", "storage", "submissions", "validation"}
FACES = {"index", "api", "pages"}
WEB = {"web", "app", *FACES}
MAY_IMPORT = {
    "litestar": WEB | {"commands.server"},
    "granian": {"commands.server"},
    "sqlmodel": {"database", "tables"} | AREAS,
    "alembic": {"migrations"},
    "subprocess": set(),
    "multiprocessing": set(),
    "importlib": {"commands.line"},
    "runpy": set(),
}
"""Library to the parts of the marketplace that may import it."""
FILES = source_files(PACKAGE)


def module_name(path: Path) -> str:
    names = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(name for name in names if name != "__init__")


def part(module: str) -> str | None:
    names = module.split(".")
    return names[1] if len(names) > 1 and names[0] == "chimes_marketplace" else None


@pytest.mark.parametrize("path", FILES, ids=module_name)
def test_a_module_of_the_marketplace_imports_only_what_stands_before_it(path: Path) -> None:
    own = module_name(path).partition(".")[0]
    for imported in imported_modules(path):
        other = part(imported)
        if other is None or other == own or other.startswith("__"):
            continue
        assert ORDER.index(other) < ORDER.index(own), f"{path} imports {imported}"
        assert not {own, other} <= FACES, f"{path}: a face knows another face"


def test_the_written_order_names_every_part_of_the_marketplace() -> None:
    parts = {path.stem for path in PACKAGE.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    assert parts - {"__init__"} == set(ORDER)


@pytest.mark.parametrize("path", FILES, ids=module_name)
def test_a_module_of_the_marketplace_imports_a_library_only_where_it_belongs(path: Path) -> None:
    own = module_name(path)
    for library in {module.partition(".")[0] for module in imported_modules(path)} & set(MAY_IMPORT):
        allowed = MAY_IMPORT[library]
        assert own in allowed or own.partition(".")[0] in allowed, f"{path} imports {library}"


@pytest.mark.parametrize("path", FILES, ids=module_name)
def test_the_marketplace_imports_no_plugin(path: Path) -> None:
    for module in imported_modules(path):
        top = module.partition(".")[0]
        assert not top.startswith("chimes_") or top == "chimes_marketplace", f"{path} imports {module}"


@pytest.mark.parametrize("path", FILES, ids=module_name)
def test_a_face_has_no_import_for_types_only(path: Path) -> None:
    if module_name(path).partition(".")[0] in WEB:
        assert "TYPE_CHECKING" not in path.read_text("utf-8")


@pytest.mark.parametrize("path", FILES, ids=module_name)
def test_a_late_import_in_the_marketplace_says_why(path: Path) -> None:
    lines = path.read_text("utf-8").splitlines()
    functions = [
        n for n in ast.walk(ast.parse("\n".join(lines))) if isinstance(n, (ast.FunctionDef, ast.AsyncFunctionDef))
    ]
    for function in functions:
        for node in ast.walk(function):
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                near = lines[max(0, node.lineno - 2) : node.lineno]
                assert any(line.strip().startswith("# ") for line in near), f"{path}:{node.lineno}"


def test_there_is_no_import_cycle_in_the_marketplace() -> None:
    graph = {
        f"chimes_marketplace.{module_name(path)}": {
            module for module in imported_modules(path, top_level_only=True) if module.startswith("chimes_marketplace.")
        }
        for path in FILES
    }
    state: dict[str, str] = {}

    def visit(module: str, trail: tuple[str, ...]) -> None:
        assert state.get(module) != "open", f"import cycle: {' -> '.join((*trail, module))}"
        if module in state or module not in graph:
            return
        state[module] = "open"
        for imported in sorted(graph[module] - {module}):
            visit(imported, (*trail, module))
        state[module] = "done"

    for module in sorted(graph):
        visit(module, ())
