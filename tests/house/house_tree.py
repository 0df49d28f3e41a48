"""The source files of this repository and their imports, for the house tests."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def source_files(folder: Path) -> list[Path]:
    """Every Python file below ``folder``, links not followed, rendered templates left out."""
    found = [path for path in folder.rglob("*.py") if "{{" not in str(path) and ".venv" not in path.parts]
    return sorted(path for path in found if not any(parent.is_symlink() for parent in path.parents))


@cache
def syntax_tree(path: Path) -> ast.Module:
    """The parsed file, read once for all tests."""
    return ast.parse(path.read_text("utf-8"))


@cache
def imported_modules(path: Path) -> frozenset[str]:
    """The modules that a file imports anywhere, as dotted names; ``from a import b`` counts as ``a`` and ``a.b``."""
    return frozenset(_names(ast.walk(syntax_tree(path))))


def late_imports(path: Path) -> Iterator[ast.stmt]:
    """The import statements inside functions."""
    for node in ast.walk(syntax_tree(path)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield from (inner for inner in ast.walk(node) if isinstance(inner, (ast.Import, ast.ImportFrom)))


def find_cycle(graph: dict[str, set[str]]) -> list[str]:
    """The modules of one import cycle, the first one repeated at the end; empty without a cycle."""
    done: set[str] = set()

    def visit(module: str, trail: list[str]) -> list[str]:
        if module in trail:
            return [*trail[trail.index(module) :], module]
        if module in done or module not in graph:
            return []
        for imported in sorted(graph[module] - {module}):
            if cycle := visit(imported, [*trail, module]):
                return cycle
        done.add(module)
        return []

    return next((cycle for module in sorted(graph) if (cycle := visit(module, []))), [])


def _names(nodes: Iterator[ast.AST]) -> Iterator[str]:
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
