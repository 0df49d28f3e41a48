"""The files that a wheel installs: top level, contents, start-up, scripts, entry points."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from chimes.checks.formats.points import parse_entry_points
from chimes.checks.rules import FileRules
from chimes.evidence.verdict import CheckResult

Ask = Callable[..., CheckResult]
Messages = Callable[[CheckResult], str]
MakeFile = Callable[..., Path]
INFO = "acme_model-1.0.dist-info"
DATA = "acme_model-1.0.data"
POINTS = f"{INFO}/entry_points.txt"
LIBRARY: dict[str, str | None] = {POINTS: None}


@pytest.mark.parametrize("path", ["tests/test_x.py", "docs/index.md", "src/acme/x.py", f"{DATA}/platlib/data/x.py"])
def test_a_common_top_level_name_is_refused(path: str, make_wheel: MakeFile, ask: Ask, messages: Messages) -> None:
    result = ask("A07", make_wheel({path: b"", "acme_model/tests/fine.py": b""}))
    assert result.verdict == "fail"
    assert "a name that many wheels could bring" in messages(result)
    assert len(result.findings) == 1


def test_common_names_inside_a_package_are_fine(make_wheel: MakeFile, ask: Ask) -> None:
    files = {"acme_model/tests/x.py": b"", "acme_model/data/y.bin": b"", f"{DATA}/data/share/docs/z": b""}
    assert ask("A07", make_wheel(files)).verdict == "pass"


def test_a_platlib_wheel_is_checked_by_its_installed_paths(make_wheel: MakeFile, ask: Ask) -> None:
    wheel = "Wheel-Version: 1.0\nRoot-Is-Purelib: false\nTag: py3-none-any\n"
    assert ask("A07", make_wheel({"tests/x.py": b""}, wheel=wheel)).verdict == "fail"


@pytest.mark.parametrize("path", ["acme_model/x.pyc", "acme_model/__pycache__/x.cpython-311.pyc", "acme_model/y.pyo"])
def test_byte_code_is_a_warning(path: str, make_wheel: MakeFile, ask: Ask, messages: Messages) -> None:
    result = ask("A08", make_wheel({path: b""}))
    assert result.verdict == "warn"
    assert "is byte code" in messages(result)


@pytest.mark.parametrize("path", ["acme_model/my-tool.py", "acme_model/class/x.py", "acme_model/2d.so"])
def test_an_unimportable_module_is_a_warning(path: str, make_wheel: MakeFile, ask: Ask, messages: Messages) -> None:
    result = ask("A08", make_wheel({path: b""}))
    assert result.verdict == "warn"
    assert "a module that no import can name" in messages(result)


def test_bundled_libraries_are_not_modules_and_many_files_are_counted(
    make_wheel: MakeFile, ask: Ask, messages: Messages
) -> None:
    assert ask("A08", make_wheel({"acme_model.libs/libx-1a2b.so": b""})).verdict == "pass"
    result = ask("A08", make_wheel({f"acme_model/n{n}.pyc": b"" for n in range(30)}))
    assert len(result.findings) == 11
    assert "20 more such files" in messages(result)


STARTING: dict[str, dict[str, bytes]] = {
    "import line": {"acme.pth": b"# fine\nimport os; os.system('x')\n"},
    "import with a tab": {"acme.pth": b"import\tos\n"},
    "behind a mark": {"acme.pth": b"\xef\xbb\xbfimport os\n"},
    "large": {"ACME.PTH": b"x" * (2 << 20)},
    "in purelib": {f"{DATA}/purelib/acme.pth": b"import os\n"},
    "through data": {f"{DATA}/data/lib/python3.11/site-packages/acme.pth": b"import os\n"},
    "on Windows": {f"{DATA}/data/Lib/site-packages/acme.pth": b"import os\n"},
    "start file": {"acme.start": b"acme_model:main\n"},
    "sitecustomize": {"sitecustomize.py": b""},
    "usercustomize": {"usercustomize/__init__.py": b""},
    "compiled": {"sitecustomize.cpython-311-x86_64-linux-gnu.so": b""},
    "in the standard library": {f"{DATA}/data/lib/python3.11/sitecustomize.py": b""},
    "by a path": {"acme.pth": b"acme_model/inner\n", "acme_model/inner/sitecustomize.py": b""},
}


@pytest.mark.parametrize("files", STARTING.values(), ids=STARTING)
def test_code_at_start_is_refused_in_a_plugin_and_a_warning_in_a_library(
    files: dict[str, bytes], make_wheel: MakeFile, ask: Ask, messages: Messages
) -> None:
    plugin, library = make_wheel(files), make_wheel({**files, **LIBRARY})
    refused = ask("A09", plugin)
    assert refused.verdict == "fail"
    assert "whenever any Python of the environment starts" in messages(refused)
    assert ask("A10", plugin).verdict == "not_applicable"
    assert ask("A10", library).verdict == "warn"
    assert ask("A09", library).verdict == "not_applicable"


def test_paths_and_inner_files_are_not_code_at_start(make_wheel: MakeFile, ask: Ask) -> None:
    files = {
        "acme.pth": b"# import nothing\nacme_model/vendor\n",
        "acme_model/inner.pth": b"import os\n",
        f"{DATA}/data/share/acme.pth": b"import os\n",
    }
    assert ask("A09", make_wheel(files)).verdict == "pass"
    assert ask("A09", make_wheel({"acme_model/boot/sitecustomize.py": b""})).verdict == "pass"


def test_many_start_up_files_are_counted(make_wheel: MakeFile, ask: Ask, messages: Messages) -> None:
    result = ask("A09", make_wheel({f"a{n}.start": b"" for n in range(30)}))
    assert len(result.findings) == 21
    assert "10 more files" in messages(result)


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({f"{DATA}/scripts/python": b""}, "the command 'python' shadows the one of 'python'"),
        ({f"{DATA}/scripts/python3.11": b""}, "'python3.11' shadows"),
        ({f"{DATA}/scripts/Pip3.exe": b""}, "'Pip3.exe' shadows the one of 'pip'"),
        ({f"{DATA}/scripts/pip-script.py": b""}, "'pip-script.py' shadows"),
        ({f"{DATA}/scripts/bash": b""}, "'bash' shadows the one of the system"),
        ({f"{DATA}/data/bin/uv": b""}, "'uv' shadows the one of 'uv'"),
        ({f"{DATA}/data/Scripts/chimes.exe": b""}, "'chimes.exe' shadows the one of 'chimes'"),
        ({POINTS: "[console_scripts]\npip = acme_model.plugin:main\n"}, "'pip' shadows the one of 'pip'"),
        ({POINTS: "[gui_scripts]\npytest = acme_model.plugin:main\n"}, "'pytest' shadows"),
        ({POINTS: "[console_scripts]\n../pip = acme_model.plugin:main\n"}, "'../pip' is a path, not a name"),
    ],
)
def test_a_command_that_shadows_another_is_refused(
    files: dict[str, bytes | str], words: str, make_wheel: MakeFile, ask: Ask, messages: Messages
) -> None:
    result = ask("A11", make_wheel(files))
    assert result.verdict == "fail"
    assert words in messages(result)


def test_the_owner_may_ship_a_command_and_others_may_ship_scripts(
    make_wheel: MakeFile, ask: Ask, messages: Messages
) -> None:
    fine = make_wheel({f"{DATA}/scripts/acme": b"", f"{DATA}/data/share/pip": b"", f"{DATA}/scripts/deep/pip": b""})
    assert ask("A11", fine).verdict == "pass"
    own = {"pip-24.0.data/scripts/pip3.11": b""}
    assert ask("A11", make_wheel(own, name="pip-24.0-py3-none-any.whl")).verdict == "pass"
    ruled = FileRules.model_validate({"script_owners": {"acme": "acme-solver"}})
    assert "'acme' shadows the one of 'acme-solver'" in messages(ask("A11", fine, ruled))


@pytest.mark.parametrize(
    "text",
    [
        "[chimes]\nacme = acme_model.plugin\n",
        "[chimes]\nacme = acme_model\n",
        "# a comment\n[console_scripts]\nacme = other.module:main [extra]\n",
        "",
    ],
)
def test_valid_entry_points_pass(text: str, make_wheel: MakeFile, ask: Ask, messages: Messages) -> None:
    result = ask("A15", make_wheel({POINTS: text}))
    assert result.verdict == "pass", messages(result)


def test_a_compiled_module_is_a_module(make_wheel: MakeFile, ask: Ask) -> None:
    files = {"acme_model/fast.abi3.so": b"", f"{DATA}/platlib/other.pyd": b""}
    text = "[chimes]\nfast = acme_model.fast\nother = other\n"
    assert ask("A15", make_wheel({**files, POINTS: text})).verdict == "pass"
    assert ask("A15", make_wheel(LIBRARY)).verdict == "pass"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[chimes]\nacme = acme_model.absent\n", "the module 'acme_model.absent', which is not in the wheel"),
        ("[chimes]\nacme = os\n", "the module 'os', which is not in the wheel"),
        ("[chimes]\nacme = acme_model.plugin:hooks\n", "not a module -> write acme_model.plugin"),
        ("[chimes]\nacme = acme_model.plugin [gpu]\n", "not a module"),
        ("[chimes]\nacme =\n", "names no object"),
        ("[chimes]\nacme = acme-model.plugin\n", "'acme-model.plugin', which names no object"),
        ("[chimes]\nacme = acme_model.plugin\n  more\n", "names no object"),
        ("[console_scripts]\nacme = 1\n", "names no object"),
        ("[a b]\nacme = x\n", "names no object"),
        ("[chimes]\n", "the group [chimes] has no entry point"),
        ("[chimes]\nacme = a\nacme = b\n", "has the name 'acme' twice"),
        ("[chimes]\na = b\n[chimes]\nc = d\n", "has the group 'chimes' twice"),
        ("acme = a\n[chimes]\n", "an entry before the first group"),
        ("[chimes]\nnonsense\n", "neither a group nor name = value"),
    ],
)
def test_invalid_entry_points_are_named(
    text: str, words: str, make_wheel: MakeFile, ask: Ask, messages: Messages
) -> None:
    result = ask("A15", make_wheel({POINTS: text}))
    assert result.verdict == "fail"
    assert words in messages(result)


def test_entry_points_that_cannot_be_read_are_named(make_wheel: MakeFile, ask: Ask, messages: Messages) -> None:
    assert "is not UTF-8" in messages(ask("A15", make_wheel({POINTS: b"\xff\xfe"})))
    large = make_wheel({POINTS: "[chimes]\n" + "# x\n" * (1 << 19)})
    assert "larger than 1048576 bytes" in messages(ask("A15", large))


def test_a_broken_text_does_not_make_a_library_of_a_plugin() -> None:
    assert parse_entry_points(b"[chimes]\nnonsense\n").plugin
    assert parse_entry_points(b"# hidden\r[chimes]\ra = b\r").plugin
    assert not parse_entry_points(b"[other]\na = b\n").plugin
