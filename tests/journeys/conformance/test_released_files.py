"""Released files of real build tools pass the file checks."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from chimes.checks.run import run_file_checks
from chimes.checks.subject import open_subject
from chimes.processes import run

RELEASED = {
    "--only-binary": (
        *("click==8.1.8", "pluggy==1.5.0", "pydantic-core==2.27.2", "packaging==24.2", "setuptools==75.8.0"),
        *("attrs==25.1.0", "poetry-core==2.0.1", "protobuf==5.29.3", "ruff==0.9.4", "numpy==2.2.2"),
    ),
    "--no-binary": ("click==8.1.8", "pluggy==1.5.0", "packaging==24.2", "idna==3.10"),
}


@pytest.mark.parametrize("form", RELEASED)
def test_released_files_of_many_tools_have_no_error(form: str, tmp_path: Path) -> None:
    # flit, hatchling, maturin, meson-python, poetry, setuptools, Bazel.
    uv = str(Path(sys.executable).parent / "uv")
    pip = (uv, "run", "--no-project", "--python", sys.executable, "--with", "pip", "python", "-m", "pip")
    fetched = run((*pip, "download", "--no-deps", form, ":all:", "-d", str(tmp_path), *RELEASED[form]))
    assert fetched.returncode == 0, fetched.text
    files = sorted(tmp_path.iterdir())
    assert len(files) == len(RELEASED[form])
    for path in files:
        with open_subject(path) as subject:
            results = [outcome.result for outcome in run_file_checks(subject)]
            assert not [result for result in results if result.verdict in ("fail", "infra")], path.name
