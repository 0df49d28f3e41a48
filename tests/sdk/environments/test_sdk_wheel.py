from __future__ import annotations

import zipfile
from pathlib import Path

import chimes
from chimes.environments import sdk_wheel
from installer.sources import WheelFile


def test_the_same_source_gives_the_same_bytes(tmp_path: Path) -> None:
    first, second = sdk_wheel(tmp_path / "a"), sdk_wheel(tmp_path / "b")
    assert first.name == second.name == f"chimes-{chimes.__version__}-py3-none-any.whl"
    assert first.read_bytes() == second.read_bytes()


def test_the_wheel_contains_the_running_sdk_and_its_metadata(tmp_path: Path) -> None:
    path = sdk_wheel(tmp_path)
    with WheelFile.open(path) as source:
        source.validate_record()
        assert "Requires-Dist: pyarrow" in source.read_dist_info("METADATA")
        assert "chimes = chimes.cli:main" in source.read_dist_info("entry_points.txt")
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        assert archive.read("chimes/errors.py") == (Path(chimes.__file__).parent / "errors.py").read_bytes()
    assert "chimes/py.typed" in names
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)


def test_the_wheel_does_not_contain_caches_and_templates(tmp_path: Path) -> None:
    with zipfile.ZipFile(sdk_wheel(tmp_path)) as archive:
        unwanted = [n for n in archive.namelist() if "__pycache__" in n or "templates/" in n or "_editable" in n]
    assert unwanted == []
