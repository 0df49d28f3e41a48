"""Only distributions that an installer has written and not removed count as installed plugins."""

from __future__ import annotations

import os
import sys
from importlib import metadata
from pathlib import Path

import pytest
from chimes.registry import Registry, find_plugins, scan

METADATA = "Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n\nName: not-a-header\n"


def install(site: Path, folder: str, name: str = "acme-one", version: str = "0.9", module: str = "acme_one") -> Path:
    info = site / folder
    info.mkdir(parents=True)
    (info / "METADATA").write_text(METADATA.format(name=name, version=version))
    (info / "entry_points.txt").write_text(f"[chimes]\nit = {module}\n")
    return info


@pytest.mark.parametrize(
    ("folder", "name", "version", "expected"),
    [
        ("acme_one-0.9.dist-info", "acme-one", "0.9", ["acme-one 0.9"]),
        ("Acme.One-0.9.dist-info", "Acme.One", "0.9", ["acme-one 0.9"]),
        ("acme-one-0.9.dist-info", "acme__one", "0.9", ["acme-one 0.9"]),
        ("a-1.dist-info", "a", "1", ["a 1"]),
        ("acme_one-1!2.0rc1.post2.dev3+local.4.dist-info", "acme-one", "1!2.0rc1.post2.dev3+local.4", None),
        ("acme_one-2024.01.dist-info", "acme-one", "2024.1", ["acme-one 2024.1"]),
        # Names of folders that pip leaves behind when an uninstall is interrupted.
        ("~cme_one-0.9.dist-info", "acme-one", "0.9", []),
        ("~~me_one-0.9.dist-info", "acme-one", "0.9", []),
        ("-cme_one-0.9.dist-info", "acme-one", "0.9", []),
        ("~cme_one-0.9.dist-info", "~cme_one", "0.9", []),
        # Names that no installer writes.
        ("acme_one.dist-info", "acme-one", "0.9", []),
        ("acme_one-.dist-info", "acme-one", "0.9", []),
        ("-0.9.dist-info", "acme-one", "0.9", []),
        (".dist-info", "acme-one", "0.9", []),
        ("_acme-0.9.dist-info", "_acme", "0.9", []),
        ("acme_-0.9.dist-info", "acme_", "0.9", []),
        ("acme one-0.9.dist-info", "acme one", "0.9", []),
        ("acmé-0.9.dist-info", "acmé", "0.9", []),
        ("acme_one-new.dist-info", "acme-one", "new", []),
        ("acme_one-0.9.dist-info.bak", "acme-one", "0.9", []),
        ("acme_one-0.9.DIST-INFO", "acme-one", "0.9", ["acme-one 0.9"]),
        ("acme_one-0.9-py3.11.egg-info", "acme-one", "0.9", []),
        ("acme_one.egg-info", "acme-one", "0.9", []),
        # Name and METADATA disagree.
        ("acme_two-0.9.dist-info", "acme-one", "0.9", []),
    ],
)
def test_a_folder_counts_by_its_name_and_its_metadata(
    tmp_path: Path, folder: str, name: str, version: str, expected: list[str] | None
) -> None:
    install(tmp_path, folder, name, version)
    found = [f"{each.name} {each.version}" for each in scan([str(tmp_path)])]
    assert found == ([f"{name} {version}"] if expected is None else expected)


def test_a_folder_whose_name_is_not_utf8_is_passed_over(tmp_path: Path) -> None:
    install(tmp_path, "acme_one-0.9.dist-info")
    info = install(tmp_path, "odd-1.dist-info", "odd", "1")
    os.rename(os.fsencode(info), os.fsencode(tmp_path) + b"/od\xff-1.dist-info")
    assert [each.name for each in scan([str(tmp_path)])] == ["acme-one"]


@pytest.mark.parametrize(
    "content",
    [
        None,
        b"",
        b"Name: acme-one\n",
        b"Version: 0.9\n",
        b"\nName: acme-one\nVersion: 0.9\n",
        b"\xff\xfe\x00",
        b"x" * 200_000,
    ],
)
def test_a_folder_without_usable_metadata_does_not_hide_the_plugin_that_is_installed(
    tmp_path: Path, content: bytes | None
) -> None:
    info = install(tmp_path / "first", "acme_one-0.9.dist-info")
    (info / "METADATA").unlink()
    if content is not None:
        (info / "METADATA").write_bytes(content)
    second = install(tmp_path / "second", "acme_one-1.0.dist-info", version="1.0")
    assert [each.folder for each in scan([str(tmp_path / "first"), str(tmp_path / "second")])] == [second]


@pytest.mark.parametrize("form", ["file", "fifo", "dangling link", "link to itself", "metadata is a folder"])
def test_an_entry_that_is_not_a_folder_does_not_hide_the_plugin_that_is_installed(tmp_path: Path, form: str) -> None:
    odd = tmp_path / "first" / "acme_one-0.9.dist-info"
    odd.parent.mkdir()
    match form:
        case "file":
            odd.write_text("")
        case "fifo":
            os.mkfifo(odd)
        case "dangling link":
            odd.symlink_to(tmp_path / "nowhere")
        case "link to itself":
            odd.symlink_to(odd)
        case _:
            (odd / "METADATA").mkdir(parents=True)
    second = install(tmp_path / "second", "acme_one-1.0.dist-info", version="1.0")
    assert [each.folder for each in scan([str(tmp_path / "first"), str(tmp_path / "second")])] == [second]


def test_a_pipe_in_place_of_a_file_is_not_waited_for(tmp_path: Path) -> None:
    for number, name in enumerate(("METADATA", "entry_points.txt")):
        info = install(tmp_path, f"acme_{number}-0.9.dist-info", f"acme-{number}")
        (info / name).unlink()
        os.mkfifo(info / name)
    assert list(scan([str(tmp_path)])) == []


def test_a_distribution_without_a_record_is_listed(tmp_path: Path) -> None:
    info = install(tmp_path, "acme_one-0.9.dist-info")
    assert not (info / "RECORD").exists()
    assert [each.name for each in scan([str(tmp_path)])] == ["acme-one"]


@pytest.mark.parametrize("spelling", ["acme-one", "Acme_One", "ACME.ONE", "acme-_.one"])
def test_the_first_distribution_of_a_project_wins_in_any_spelling(tmp_path: Path, spelling: str) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    install(first, "acme_one-0.9.dist-info")
    install(second, f"{spelling}-1.0.dist-info", spelling, "1.0")
    for path, version in (((first, second), "0.9"), ((second, first), "1.0"), ((first, first, second), "0.9")):
        assert [each.version for each in find_plugins(map(str, path))] == [version]


def test_two_versions_in_one_folder_are_one_plugin_always_the_same(tmp_path: Path) -> None:
    for version in ("1.1", "1.0", "0.9"):
        install(tmp_path, f"acme_one-{version}.dist-info", version=version)
    assert [each.version for each in scan([str(tmp_path)])] == ["1.1"]


def test_a_distribution_that_is_not_a_plugin_hides_a_later_one_of_its_name(tmp_path: Path) -> None:
    info = install(tmp_path / "first", "acme_one-0.9.dist-info")
    (info / "entry_points.txt").unlink()
    install(tmp_path / "second", "acme_one-1.0.dist-info", version="1.0")
    assert list(scan([str(tmp_path / "first"), str(tmp_path / "second")])) == []


@pytest.mark.parametrize("place", ["absent", "a file", "", "\0"])
def test_a_folder_of_the_path_that_cannot_be_listed_is_passed_over(tmp_path: Path, place: str) -> None:
    (tmp_path / "a file").write_text("")
    install(tmp_path / "second", "acme_one-1.0.dist-info", version="1.0")
    odd = str(tmp_path / place) if place.isprintable() and place else place
    assert "acme-one" in [each.name for each in scan([odd, str(tmp_path / "second")])]


@pytest.mark.parametrize(
    "content", [b"[chimes]\n[chimes\nx", b"[chimes]\nit = caf\xe9\n", b"[chimes]\nno equals sign\n"]
)
def test_entry_points_that_cannot_be_read_are_a_row_with_the_reason(tmp_path: Path, content: bytes) -> None:
    info = install(tmp_path, "acme_one-0.9.dist-info")
    (info / "entry_points.txt").write_bytes(content)
    (plugin,) = Registry.discover([str(tmp_path)], only=["acme-one"]).plugins
    assert "plugin-load: its entry_points.txt cannot be read" in str(plugin.failure)


def test_the_plugins_of_this_environment_are_those_that_the_standard_library_finds() -> None:
    points = metadata.entry_points(group="chimes")
    expected = sorted({(point.dist.metadata["Name"], point.dist.version) for point in points if point.dist})
    assert [(each.name, each.version) for each in find_plugins(sys.path, [name for name, _ in expected])] == expected
