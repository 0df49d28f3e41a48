"""Files stay below 400 lines, functions below 50."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from house_tree import ROOT, source_files

FOLDERS = ("sdk/src", "plugins", "marketplace/src", "tests", "examples", "tools", "benchmarks")
FILES = [path for folder in FOLDERS for path in source_files(ROOT / folder)]

LONG_FUNCTIONS: dict[str, str] = {}
"""Exceptions: ``file:function`` and the reason."""


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_has_at_most_400_lines_and_its_functions_50(path: Path) -> None:
    text = path.read_text("utf-8")
    assert text.count("\n") <= 400
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            name = f"{path.relative_to(ROOT)}:{node.name}"
            assert length <= 50 or name in LONG_FUNCTIONS, f"{name} has {length} lines"
