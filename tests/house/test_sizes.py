"""Files stay below 400 lines, functions below 50, folders below about twelve modules."""

from __future__ import annotations

import ast

from house_tree import ROOT, source_files, syntax_tree

FOLDERS = ("sdk/src", "plugins", "marketplace/src", "tests", "examples", "tools", "benchmarks")
FILES = [path for folder in FOLDERS for path in source_files(ROOT / folder)]
MODULES = 12

LONG_FUNCTIONS: dict[str, str] = {}
"""Exceptions: ``file:function`` and the reason."""
LARGE_FOLDERS: dict[str, str] = {}
"""Exceptions: folder and the reason."""


def test_a_file_has_at_most_400_lines() -> None:
    assert not [path for path in FILES if path.read_text("utf-8").count("\n") > 400]


def test_a_function_has_at_most_50_lines() -> None:
    long = []
    for path in FILES:
        for node in ast.walk(syntax_tree(path)):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                name = f"{path.relative_to(ROOT)}:{node.name}"
                if length > 50 and name not in LONG_FUNCTIONS:
                    long.append(f"{name} has {length} lines")
    assert not long


def test_a_folder_has_at_most_twelve_modules() -> None:
    folders = {path.parent for path in FILES}
    counts = {str(folder.relative_to(ROOT)): len(_modules(folder)) for folder in folders}
    assert not {name: count for name, count in counts.items() if count > MODULES and name not in LARGE_FOLDERS}


def _modules(folder: object) -> list[object]:
    return [path for path in FILES if path.parent == folder and path.name not in ("__init__.py", "conftest.py")]
