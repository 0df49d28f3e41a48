from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from chimes.checks.rules import FileRules
from chimes.evidence.verdict import CheckResult

Ask = Callable[..., CheckResult]
Messages = Callable[[CheckResult], str]
MakeFile = Callable[..., Path]
INFO = "acme_model-1.0.dist-info"
WHEEL = "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


def moved(folder: str) -> dict[str, bytes | None]:
    """The wheel's dist-info under another name."""
    return {
        f"{INFO}/METADATA": None,
        f"{INFO}/WHEEL": None,
        f"{INFO}/entry_points.txt": None,
        f"{INFO}/licenses/LICENSE": None,
        f"{folder}/METADATA": b"Metadata-Version: 2.1\nName: Acme.Model\nVersion: 1.0.0\n",
        f"{folder}/WHEEL": WHEEL.encode(),
    }


@pytest.mark.parametrize("folder", ["Acme.Model-1.0.dist-info", "acme_model-1.0.0.dist-info"])
def test_a_dist_info_folder_in_another_spelling_passes(
    folder: str, make_wheel: MakeFile, ask: Ask, messages: Messages
) -> None:
    result = ask("A03", make_wheel({**moved(folder), f"{folder}/RECORD": b""}))
    assert result.verdict == "pass", messages(result)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("acme_model-1.0.whl", "is not the file name of a wheel"),
        ("acme_model-one-py3-none-any.whl", "is not the file name of a wheel"),
        ("acme_model-1.0-x-py3-none-any.whl", "is not the file name of a wheel"),
        (f"acme_model-{'9' * 200}-py3-none.whl", "is not the file name of a wheel"),
        ("other-1.0-py3-none-any.whl", "the file name says 'other', METADATA says 'acme-model'"),
        ("other-1.0-py3-none-any.whl", f"the folder '{INFO}' belongs to another release"),
        ("acme_model-1.1-py3-none-any.whl", "says version '1.1', METADATA says '1.0'"),
        ("acme_model-1.0-py2.py3-none-any.whl", "has the tags 'py2-none-any', 'py3-none-any', WHEEL 'py3-none-any'"),
    ],
)
def test_a_wheel_under_another_name_fails(
    name: str, words: str, make_wheel: MakeFile, ask: Ask, messages: Messages
) -> None:
    result = ask("A03", make_wheel(name=name))
    assert result.verdict == "fail"
    assert words in messages(result)


@pytest.mark.parametrize(
    ("wheel", "words"),
    [
        (WHEEL.replace("1.0", "2.0"), "WHEEL has Wheel-Version '2.0'"),
        (WHEEL.replace("Wheel-Version: 1.0\n", ""), "WHEEL has Wheel-Version nowhere"),
        (WHEEL.replace("true", "maybe"), "WHEEL has Root-Is-Purelib 'maybe'"),
        (WHEEL.replace("py3-none-any", "cp311-cp311-linux_x86_64"), "WHEEL 'cp311-cp311-linux_x86_64'"),
        (WHEEL.replace("py3-none-any", "any"), "WHEEL 'any'"),
        (WHEEL.replace("Tag: py3-none-any\n", ""), "WHEEL none"),
        (WHEEL + "Build: 2\n", "the build number '', WHEEL '2'"),
        (WHEEL + "no field\n", "line 4 of WHEEL is not a field"),
    ],
)
def test_a_wheel_file_that_disagrees_fails(
    wheel: str, words: str, make_wheel: MakeFile, ask: Ask, messages: Messages
) -> None:
    result = ask("A03", make_wheel(wheel=wheel))
    assert result.verdict == "fail"
    assert words in messages(result)


def test_build_numbers_and_compressed_tags_agree(make_wheel: MakeFile, ask: Ask, messages: Messages) -> None:
    tags = "Wheel-Version: 1.9\nRoot-Is-Purelib: false\nBuild: 2a\nTag: py2-none-any\nTag: py3-none-any\n"
    result = ask("A03", make_wheel(wheel=tags, name="acme_model-1.0-2a-py2.py3-none-any.whl"))
    assert result.verdict == "pass", messages(result)


@pytest.mark.parametrize(
    ("name", "metadata", "folder", "wheel"),
    [
        ("acme_model-1.0-001-py3-none-any", "Acme-Model 1.0", "acme_model-1.0", "Build: 001\nTag: py3-none-any"),
        ("acme_model-1.0-001-py3-none-any", "acme_model 1.0", "acme_model-1.0", "Build: 1\nTag: py3-none-any"),
        ("acme_model-1.0-1-py3-none-any", "acme.model 1.0", "acme_model-1.0", "Build: 0001\nTag: py3-none-any"),
        ("acme_model-1.0-01a-py3-none-any", "acme-model 1.0", "acme_model-1.0", "Build: 1a\nTag: py3-none-any"),
        ("acme_model-1.0-1-py3-none-any", "acme-model 1.0", "acme_model-1.0", "Tag: py3-none-any"),
        ("Acme.Model-1.0-py3-none-any", "ACME_model 1.0.0", "acme_model-1", "Tag: PY3-none-any"),
        ("acme_model-1.0rc1-py3-none-any", "acme-model 1.0-RC.1", "acme_model-1.0c1", "Tag: py3-none-any"),
        ("acme_model-1.0.post2-py3-none-any", "acme-model 1.0-2", "acme_model-1.0_2", "Tag: py3-none-any"),
        ("acme_model-1.0+cann_8-py3-none-any", "acme-model v1.0+CANN-8", "acme_model-1.0+cann.8", "Tag: py3-none-any"),
        ("acme_model-0!1.0-py3-none-any", "acme-model 1.0", "acme_model-01.0", "Tag: py3-none-any"),
        ("acme_model-1.0-py2.py3-none-any", "acme-model 1.0", "acme_model-1.0", "Tag: py3.py2-none-any"),
        ("acme_model-1.0-py3.py2-none-any", "acme-model 1.0", "acme_model-1.0", "Tag: py3-none-any\nTag: py2-none-any"),
        (
            "acme_model-1.0-cp312.cp311-abi3.cp311-linux_x86_64.manylinux_2_28_x86_64",
            "acme-model 1.0",
            "acme_model-1.0",
            "Tag: cp311.cp312-cp311.abi3-manylinux_2_28_x86_64\nTag: cp312.cp311-abi3.cp311-linux_x86_64",
        ),
    ],
)
def test_equal_values_in_different_spellings_agree(
    name: str, metadata: str, folder: str, wheel: str, make_wheel: MakeFile, ask: Ask, messages: Messages
) -> None:
    project, _, version = metadata.partition(" ")
    files = {
        **moved(f"{folder}.dist-info"),
        f"{folder}.dist-info/METADATA": f"Metadata-Version: 2.1\nName: {project}\nVersion: {version}\n".encode(),
        f"{folder}.dist-info/WHEEL": f"Wheel-Version: 1.0\nRoot-Is-Purelib: TRUE\n{wheel}\n".encode(),
    }
    result = ask("A03", make_wheel({**files, f"{folder}.dist-info/RECORD": b""}, name=f"{name}.whl"))
    assert result.verdict == "pass", messages(result)


@pytest.mark.parametrize(
    ("name", "wheel", "words"),
    [
        ("acme_model-1.0-001-py3-none-any", "Build: 0010\nTag: py3-none-any", "number '001', WHEEL '0010'"),
        ("acme_model-1.0-1a-py3-none-any", "Build: 1\nTag: py3-none-any", "number '1a', WHEEL '1'"),
        ("acme_model-1.0-1a-py3-none-any", "Build: 1A\nTag: py3-none-any", "number '1a', WHEEL '1A'"),
        ("acme_model-1.0-1-py3-none-any", "Build: one\nTag: py3-none-any", "number '1', WHEEL 'one'"),
        ("acme_model-1.0-1-py3-none-any", "Build: 1\nBuild: 1\nTag: py3-none-any", "WHEEL '1', '1'"),
        ("acme_model-1.0-py3-none-any", "Build: 0\nTag: py3-none-any", "number '', WHEEL '0'"),
        ("acme_model-1.0.1-py3-none-any", "Tag: py3-none-any", "version '1.0.1', METADATA says '1.0'"),
        ("acme_model-1.0.dev0-py3-none-any", "Tag: py3-none-any", "version '1.0.dev0', METADATA says '1.0'"),
        ("acme_model-1.0+a-py3-none-any", "Tag: py3-none-any", "version '1.0+a', METADATA says '1.0'"),
        ("acme_model-1!1.0-py3-none-any", "Tag: py3-none-any", "version '1!1.0', METADATA says '1.0'"),
        ("acme_model-1.0-py2.py3-none-any", "Tag: py2-none-any", "WHEEL 'py2-none-any'"),
        ("acme_model-1.0-py3-none-any", "Tag: py2.py3-none-any", "has the tags 'py3-none-any', WHEEL"),
        ("acme_model-1.0-cp311-abi3-linux_x86_64", "Tag: cp311-cp311-linux_x86_64", "has the tags"),
    ],
)
def test_different_values_are_findings(
    name: str, wheel: str, words: str, make_wheel: MakeFile, ask: Ask, messages: Messages
) -> None:
    text = f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\n{wheel}\n"
    result = ask("A03", make_wheel(wheel=text, name=f"{name}.whl"))
    assert result.verdict == "fail"
    assert words in messages(result)


def test_missing_and_additional_folders_are_named(make_wheel: MakeFile, ask: Ask, messages: Messages) -> None:
    assert "no readable WHEEL" in messages(ask("A03", make_wheel({f"{INFO}/WHEEL": None})))
    two = make_wheel({"other-1.0.dist-info/METADATA": b""})
    assert "has 2 .dist-info folders" in messages(ask("A03", two))
    none = make_wheel({**dict.fromkeys(moved("x"), None), f"{INFO}/RECORD": None})
    assert "has 0 .dist-info folders: none" in messages(ask("A03", none))
    data = make_wheel({"other-1.0.data/scripts/x": b"", "acme_model-1.0.data/scripts/y": b""})
    assert "has 2 .data folders" in messages(ask("A03", data))
    other = make_wheel({"other-1.0.data/scripts/x": b""})
    assert "the folder 'other-1.0.data' belongs to another release" in messages(ask("A03", other))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("acme_model.tar.gz", "is not the file name of an sdist"),
        ("acme_model-one.tar.gz", "is not the file name of an sdist"),
        ("acme-model-1.0.tar.gz", "named 'acme-model-1.0.tar.gz', not 'acme_model-1.0.tar.gz'"),
        ("acme_model-1.0.0.tar.gz", ""),
        ("other-1.0.tar.gz", "the file name says 'other', PKG-INFO says 'acme-model'"),
        ("acme_model-2.tar.gz", "the file name says version '2', PKG-INFO says '1.0'"),
    ],
)
def test_an_sdist_has_exactly_its_normalised_name(
    name: str, words: str, make_sdist: MakeFile, ask: Ask, messages: Messages
) -> None:
    result = ask("A03", make_sdist(name=name))
    assert words in messages(result)
    assert result.verdict == ("fail" if words else "pass")


@pytest.mark.parametrize("name", ["json", "Tomllib", "distutils", "python", "chimes", "requirements.txt"])
def test_names_of_modules_and_reserved_names_are_refused(
    name: str, make_wheel: MakeFile, ask: Ask, messages: Messages
) -> None:
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n"
    result = ask("A12", make_wheel(metadata=metadata))
    assert result.verdict == "fail"
    assert "own" in messages(result)


def test_reserved_names_and_prefixes_are_rules_and_can_be_granted(
    make_wheel: MakeFile, make_sdist: MakeFile, ask: Ask, messages: Messages
) -> None:
    path = make_wheel()
    assert ask("A12", path).verdict == "pass"
    prefixed = FileRules(reserved_prefixes=("acme-",))
    assert "begins with 'acme-'" in messages(ask("A12", path, prefixed))
    assert "begins with 'acme-'" in messages(ask("A12", make_sdist(), prefixed))
    assert "begins with 'acme-'" in messages(ask("A12", path, FileRules(reserved_prefixes=("Acme_",))))
    named = FileRules(reserved_names=frozenset({"Acme.Model"}))
    assert "'acme-model' is reserved" in messages(ask("A12", path, named))
    granted = FileRules(reserved_prefixes=("acme-",), granted_names=frozenset({"acme_model"}))
    assert ask("A12", path, granted).verdict == "pass"


def test_a_wheel_that_brings_a_package_of_another_owner_is_refused(
    make_wheel: MakeFile, ask: Ask, messages: Messages
) -> None:
    replacing = make_wheel({"chimes/__init__.py": b"", "pip.py": b"", "acme_model-1.0.data/purelib/uv/x.py": b""})
    result = ask("A12", replacing)
    assert [finding.where for finding in result.findings] == ["chimes", "pip", "uv"]
    assert "brings the package 'chimes', which belongs to 'chimes'" in messages(result)


def test_files_for_one_centre_get_a_note_that_blocks_nothing(
    make_wheel: MakeFile, make_sdist: MakeFile, ask: Ask, messages: Messages
) -> None:
    assert ask("A16", make_wheel()).findings == ()
    assert ask("A16", make_sdist()).findings == ()
    assert ask("A16", make_sdist(name="nonsense.tar.gz")).findings == ()
    result = ask("A16", make_wheel(name="acme_model-1.0+cann8-cp311-cp311-linux_x86_64.whl"))
    assert result.verdict == "pass"
    assert {(finding.severity, finding.blocks) for finding in result.findings} == {("info", None)}
    assert "local version 'cann8'" in messages(result)
    assert "platform 'linux_x86_64'" in messages(result)
    assert "'cann8'" in messages(ask("A16", make_sdist(name="acme_model-1.0+cann8.tar.gz")))
