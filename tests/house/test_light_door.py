"""Light commands start fast: they load neither pydantic nor pyarrow."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from chimes.processes import run

HEAVY = ("pydantic", "pyarrow", "numpy", "rich")
PROGRAM = """
import sys
from chimes.cli import main
sys.argv = ["chimes", *sys.argv[1:]]
try:
    main()
except SystemExit:
    pass
print("LOADED", *sorted(sys.modules))
"""


@pytest.mark.parametrize("arguments", [["--version"], ["--help"], ["list"], ["list", "--json"]])
def test_light_commands_do_not_import_heavy_libraries(arguments: list[str]) -> None:
    done = run([sys.executable, "-c", PROGRAM, *arguments])
    loaded = done.stdout.decode().rpartition("LOADED")[2].split()
    assert done.returncode == 0, done.text
    assert not set(HEAVY) & set(loaded)


def test_importing_chimes_does_not_import_heavy_libraries(tmp_path: Path) -> None:
    done = run([sys.executable, "-c", "import chimes, sys; print(*sorted(sys.modules))"], cwd=tmp_path)
    assert not {"pydantic", "pyarrow", "pluggy", "click"} & set(done.stdout.decode().split())
