"""The error of every verb that cannot do its work: a code, a sentence, a fix; with ``--json`` one JSON object."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest
from chimes.processes import Completed, run

CHIMES = str(Path(sys.executable).with_name("chimes"))
FAULTY = """\
import sys
from chimes import cli
from chimes.cli import list
list.find_plugins = lambda: 1 / 0
sys.argv = ["chimes", "list", *sys.argv[1:]]
cli.main()
"""
BACKEND = "def build_wheel(*given, **more):\n    raise ValueError('\\x1b[2J\\x1b]0;title\\x07\\x9b1m all \\x08clean')\n"
PROJECT = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'


def chimes(*arguments: str | Path, argv: tuple[str, ...] = (CHIMES,), **env: str) -> Completed:
    return run([*argv, *map(str, arguments)], env={**os.environ, **env})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["check"], "Missing argument 'PATH'"),
        (["check", "--bogus", "X"], "No such option '--bogus'"),
        (["list", "--bogus"], "No such option '--bogus'"),
        (["list", "--kind", "verb"], "'verb' is not one of 'model', 'connector', 'backend'"),
        (["check", ""], "Invalid value for 'PATH': the path is empty"),
        (["publish", ""], "the path is empty"),
        (["run", ""], "Invalid value for 'FILE': the path is empty"),
        (["check", ".", "--out", ""], "Invalid value for '--out': the path is empty"),
        (["explain"], "Missing argument 'CODE'"),
        (["frobnicate"], "No such command 'frobnicate'"),
        (["explain", "a\x1b[2J"], r"there is no check and no error with the code 'a\x1b[2J'"),
    ],
)
def test_an_invalid_command_line_is_refused_as_text_and_as_json(arguments: list[str], message: str) -> None:
    plain, as_json = chimes(*arguments), chimes(*arguments, "--json")
    assert plain.returncode == as_json.returncode == 2
    assert plain.stdout == b""
    assert message in plain.text
    assert "  fix: " in plain.text
    assert "\x1b" not in plain.text
    error = json.loads(as_json.stdout)["error"]
    assert message in error["message"].replace("\\\\", "\\")
    assert error["code"] in ("usage", "not-found")
    assert error["fix"]


def test_without_a_verb_the_help_is_shown() -> None:
    done = chimes()
    assert done.returncode == 2
    assert "Examples:" in done.stderr.decode()


def test_a_bug_of_chimes_is_one_sentence_and_a_traceback_with_chimes_debug() -> None:
    argv = (sys.executable, "-c", FAULTY)
    done = chimes(argv=argv)
    assert done.returncode == 2
    assert done.stderr.decode().splitlines()[0] == (
        "chimes: internal: Chimes itself failed with ZeroDivisionError: division by zero"
    )
    assert "fix: report it to the authors of Chimes" in done.text
    assert json.loads(chimes("--json", argv=argv).stdout)["error"]["code"] == "internal"
    assert "Traceback (most recent call last)" in chimes(argv=argv, CHIMES_DEBUG="1").text


def test_output_of_a_build_backend_is_escaped(tmp_path: Path) -> None:
    (tmp_path / "backend.py").write_text(BACKEND)
    (tmp_path / "pyproject.toml").write_text(PROJECT)
    done = chimes("check", tmp_path)
    assert done.returncode == 2
    assert "cannot be built: ValueError: \\x9b1m all \\x08clean" in done.stderr.decode()
    assert not any(byte in done.stderr for byte in (b"\x1b[2J", b"\x1b]0", b"\x07", b"\x08", b"\xc2\x9b"))


@pytest.fixture
def pipe(tmp_path: Path) -> Path:
    """Reading the pipe would never end, because it has no writer."""
    os.mkfifo(tmp_path / "pipe")
    return tmp_path / "pipe"


@pytest.mark.parametrize(
    "arguments",
    [("check", ".", "--rules"), ("check", ".", "--nonce-file"), ("check", ".", "--sandbox", "--lock"), ("run",)],
)
def test_a_pipe_or_a_device_is_not_read(pipe: Path, arguments: tuple[str, ...]) -> None:
    for file in (pipe, Path("/dev/zero")):
        done = chimes(*arguments, file)
        assert done.returncode == 2, done.text
        assert str(file) in done.text
        assert "  fix: " in done.text


@pytest.mark.parametrize("name", ["acme-1.0-py3-none-any.whl", "acme-1.0.tar.gz"])
def test_a_pipe_is_refused_as_a_distribution(pipe: Path, name: str) -> None:
    done = chimes("check", pipe.rename(pipe.with_name(name)))
    assert done.returncode == 2
    assert "it is not a regular file" in done.text
