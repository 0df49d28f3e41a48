"""What the house tests look at: the source files of this repository and what they import."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def source_files(folder: Path) -> list[Path]:
    """Every Python file below ``folder``, links not followed, rendered templates left out."""
    found = [path for path in folder.rglob("*.py") if "{{" not in str(path) and ".venv" not in path.parts]
    return sorted(path for path in found if not any(parent.is_symlink() for parent in path.parents))


def imported_modules(path: Path, *, top_level_only: bool = False) -> set[str]:
    """The modules that a file imports, as dotted names; ``from a import b`` counts as ``a`` and ``a.b``."""
    tree = ast.parse(path.read_text("utf-8"))
    return set(_imports(tree.body if top_level_only else list(ast.walk(tree))))


def _imports(nodes: list[ast.stmt] | list[ast.AST]) -> Iterator[str]:
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
