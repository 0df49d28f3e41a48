from __future__ import annotations

import base64
import hashlib
import sys
import zipfile
from pathlib import Path

import pytest
from check_wheel_contents.checker import WheelChecker
from check_wheel_contents.contents import WheelContents
from chimes.environments.wheelfile import wheel_name, write_wheel
from chimes.processes import run
from installer.sources import WheelFile

FILES = {"acme_rain/__init__.py": b'"""Rain."""\n', "acme_rain/plugin.py": b"X = 1\n"}


def acme(folder: Path, files: dict[str, bytes] | None = None, **options: object) -> Path:
    return write_wheel(folder, name="Acme.Rain", version="1.0", files=files or FILES, **options)  # type: ignore[arg-type]


def test_the_same_files_in_another_order_give_the_same_bytes(tmp_path: Path) -> None:
    first = acme(tmp_path / "a", requires=("click",), entry_points={"chimes": {"x": "m", "a": "n"}})
    second = acme(
        tmp_path / "b",
        dict(reversed(FILES.items())),
        requires=("click",),
        entry_points={"chimes": {"a": "n", "x": "m"}},
    )
    assert first.read_bytes() == second.read_bytes()


def test_the_file_name_follows_the_specification(tmp_path: Path) -> None:
    assert acme(tmp_path).name == "acme_rain-1.0-py3-none-any.whl"
    assert wheel_name("a--b", "1.0.RC1") == "a_b-1.0rc1"


def test_installer_validates_the_record(tmp_path: Path) -> None:
    path = acme(tmp_path, entry_points={"console_scripts": {"rain": "acme_rain.plugin:X"}})
    with WheelFile.open(path) as source:
        source.validate_record()
        assert "rain = acme_rain.plugin:X" in source.read_dist_info("entry_points.txt")


def test_the_record_is_the_last_member_and_has_every_digest(tmp_path: Path) -> None:
    with zipfile.ZipFile(acme(tmp_path)) as archive:
        *members, record = archive.namelist()
        lines = archive.read(record).decode().splitlines()
        digest = base64.urlsafe_b64encode(hashlib.sha256(FILES["acme_rain/plugin.py"]).digest()).rstrip(b"=").decode()
    assert record == "acme_rain-1.0.dist-info/RECORD"
    assert [line.split(",")[0] for line in lines] == [*members, record]
    assert f"acme_rain/plugin.py,sha256={digest},6" in lines
    assert lines[-1] == f"{record},,"


def test_strict_checkers_accept_it(tmp_path: Path) -> None:
    path = acme(tmp_path, requires=("click>=8",))
    checker = WheelChecker()
    assert list(checker.check_contents(WheelContents.from_wheel(path))) == []
    twine = run([sys.executable, "-m", "twine", "check", "--strict", str(path)])
    assert twine.returncode == 0, twine.text


def test_metadata_contains_the_requirements(tmp_path: Path) -> None:
    with zipfile.ZipFile(acme(tmp_path, requires=("click>=8",), requires_python=">=3.12")) as archive:
        text = archive.read("acme_rain-1.0.dist-info/METADATA").decode()
    assert "Requires-Dist: click>=8\n" in text
    assert "Requires-Python: >=3.12\n" in text


def test_given_members_replace_generated_ones(tmp_path: Path) -> None:
    files = {**FILES, "acme_rain-1.0.dist-info/RECORD": b"nonsense"}
    with zipfile.ZipFile(acme(tmp_path, files, metadata="Name: other\n")) as archive:
        assert archive.read("acme_rain-1.0.dist-info/RECORD") == b"nonsense"
        assert archive.read("acme_rain-1.0.dist-info/METADATA") == b"Name: other\n"


@pytest.mark.parametrize(
    ("tag", "pure", "lines"),
    [
        ("py2.py3-none-any", "true", ["Tag: py2-none-any", "Tag: py3-none-any"]),
        ("cp311-abi3-linux_x86_64", "false", ["Tag: cp311-abi3-linux_x86_64"]),
    ],
)
def test_compressed_tags_are_written_out(tmp_path: Path, tag: str, pure: str, lines: list[str]) -> None:
    with zipfile.ZipFile(acme(tmp_path, tag=tag)) as archive:
        text = archive.read("acme_rain-1.0.dist-info/WHEEL").decode().splitlines()
    assert f"Root-Is-Purelib: {pure}" in text
    assert [line for line in text if line.startswith("Tag")] == lines


def test_only_scripts_are_executable(tmp_path: Path) -> None:
    with zipfile.ZipFile(acme(tmp_path, {**FILES, "acme_rain-1.0.data/scripts/rain": b"#!python\n"})) as archive:
        modes = {item.filename: item.external_attr >> 16 & 0o777 for item in archive.infolist()}
    assert modes["acme_rain-1.0.data/scripts/rain"] == 0o755
    assert modes["acme_rain/plugin.py"] == 0o644
