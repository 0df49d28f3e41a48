"""Imports run one way: within the SDK in the written order, across distributions only downhill."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from house_tree import ROOT, imported_modules, source_files

ORDER = [
    "errors",
    "text",
    "files",
    "processes",
    "sandbox",
    "resources",
    "registration",
    "context",
    "kinds",
    "hooks",
    "registry",
    "hardware",
    "evidence",
    "rpc",
    "host",
    "jobs",
    "pipelines",
    "checks",
    "environments",
    "conformance",
    "testing",
    "cli",
]
SDK = ROOT / "sdk" / "src" / "chimes"
ONLY_IN = {
    "subprocess": {"chimes.processes.command", "chimes.processes.guard"},
    "pluggy": {"chimes.hooks", "chimes.registry"},
}


def part(module: str) -> str | None:
    names = module.split(".")
    return names[1] if len(names) > 1 and names[0] == "chimes" else None


def module_name(path: Path) -> str:
    relative = path.relative_to(SDK.parent).with_suffix("")
    return ".".join(name for name in relative.parts if name != "__init__")


def sdk_files() -> list[Path]:
    return [path for path in source_files(SDK) if "templates" not in path.parts and "strict" not in path.parts]


@pytest.mark.parametrize("path", sdk_files(), ids=lambda path: str(path.relative_to(SDK)))
def test_a_module_imports_only_what_stands_before_it(path: Path) -> None:
    own = part(module_name(path))
    if own is None:
        return
    for imported in imported_modules(path):
        other = part(imported)
        if other is not None and other in ORDER and other != own:
            assert ORDER.index(other) < ORDER.index(own), f"{path} imports {imported}"


def test_the_written_order_names_every_part_of_the_sdk() -> None:
    parts = {path.stem for path in SDK.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    assert parts - {"__init__"} <= set(ORDER)


@pytest.mark.parametrize("library", sorted(ONLY_IN))
def test_a_library_is_imported_only_where_it_belongs(library: str) -> None:
    found = {module_name(path) for path in sdk_files() if library in {m.split(".")[0] for m in imported_modules(path)}}
    assert found == ONLY_IN[library]


def test_nothing_in_the_sdk_imports_a_plugin() -> None:
    for path in sdk_files():
        for module in imported_modules(path):
            assert not module.startswith("chimes_"), f"{path} imports {module}"


def test_plugins_import_the_sdk_and_no_other_plugin() -> None:
    for folder in sorted((ROOT / "plugins").iterdir()):
        own = f"chimes_{folder.name}"
        for path in source_files(folder / "src"):
            assert "subprocess" not in imported_modules(path), path
            for module in imported_modules(path):
                top = module.split(".")[0]
                assert not top.startswith("chimes_") or top == own, f"{path} imports {module}"


def test_there_is_no_import_cycle() -> None:
    graph = {
        module_name(path): {m for m in imported_modules(path, top_level_only=True) if m.startswith("chimes")}
        for path in sdk_files()
    }
    state: dict[str, str] = {}

    def visit(module: str, trail: tuple[str, ...]) -> None:
        assert state.get(module) != "open", f"import cycle: {' -> '.join((*trail, module))}"
        if module in state or module not in graph:
            return
        state[module] = "open"
        for imported in sorted(graph[module]):
            if imported != module:
                visit(imported, (*trail, module))
        state[module] = "done"

    for module in sorted(graph):
        visit(module, ())


@pytest.mark.parametrize("path", sdk_files(), ids=lambda path: str(path.relative_to(SDK)))
def test_an_import_inside_a_function_says_why(path: Path) -> None:
    lines = path.read_text("utf-8").splitlines()
    tree = ast.parse("\n".join(lines))
    functions = [node for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))]
    for function in functions:
        for node in ast.walk(function):
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                assert "#" in lines[node.lineno - 1], f"{path}:{node.lineno} imports inside a function without a reason"
