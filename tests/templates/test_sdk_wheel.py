"""The SDK's wheel contains the templates, also when it is built from the sdist."""

from __future__ import annotations

import json
import sys
import zipfile
from pathlib import Path

from chimes import __version__
from chimes.processes import run
from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).parents[2]
TEMPLATES = ROOT / "templates"


def template_files() -> set[str]:
    found = (path.relative_to(TEMPLATES) for path in TEMPLATES.rglob("*") if path.is_file())
    return {f"chimes/templates/{path}" for path in found if "__pycache__" not in path.parts}


def test_the_wheel_holds_every_file_of_the_templates(sdk_wheel: Path) -> None:
    inside = {name for name in zipfile.ZipFile(sdk_wheel).namelist() if name.startswith("chimes/templates/")}
    assert inside == template_files()


def test_a_wheel_built_from_the_sdist_is_the_same(sdk_wheel: Path, tmp_path: Path) -> None:
    argv = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(tmp_path), str(ROOT / "sdk")]
    built = run(argv)
    assert built.returncode == 0, built.text
    (wheel,) = tmp_path.glob("*.whl")
    assert contents(wheel) == contents(sdk_wheel)


def contents(wheel: Path) -> dict[str, int]:
    return {item.filename: item.CRC for item in zipfile.ZipFile(wheel).infolist()}


def test_the_template_asks_for_this_version_of_the_sdk() -> None:
    for folder in TEMPLATES.iterdir():
        bound = json.loads((folder / "cookiecutter.json").read_text("utf-8"))["__sdk"]
        assert __version__ in SpecifierSet(bound), folder.name
