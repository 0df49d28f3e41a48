"""``chimes new`` from its command line: written files, refusals, and that a refusal leaves no files."""

from __future__ import annotations

import json
import os
import shlex
import sys
from pathlib import Path

import pytest
from chimes.cli.scaffolding.render import collect_answers, get_template
from chimes.errors import ConfigError, NotFoundError
from chimes.processes import Completed, run

DOOR = "from chimes.cli import main; main()"


def new(*arguments: str, cwd: Path, stdin: str | None = None, door: str = DOOR) -> Completed:
    argv = [sys.executable, "-c", door, "new", *arguments]
    env = {**os.environ, "HOME": str(cwd), "PYTHONPATH": ""}
    return run(argv, cwd=cwd, env=env, stdin=None if stdin is None else stdin.encode())


def refused(completed: Completed, cwd: Path, *message: str) -> None:
    assert completed.returncode == 2, completed.text
    assert "Traceback" not in completed.text
    for words in message:
        assert words in completed.text
    assert list(cwd.iterdir()) == []


def test_a_project_is_written_and_the_next_steps_are_named(tmp_path: Path) -> None:
    completed = new("model", "my-model", "--no-input", cwd=tmp_path)
    assert completed.returncode == 0, completed.text
    assert [line.strip() for line in completed.stdout.decode().splitlines()] == [
        "my-model: 15 files. Next:",
        "cd my-model",
        "python -m pip install -e '.[dev]'",
        "pytest",
        "chimes check .",
    ]
    assert (tmp_path / "my-model" / "src" / "my_model" / "plugin.py").is_file()
    assert [path.name for path in tmp_path.iterdir()] == ["my-model"]


def test_the_answers_are_kept_in_the_project(tmp_path: Path) -> None:
    completed = new("model", "lab", "--no-input", "--answer", "ci=gitlab", "--json", cwd=tmp_path)
    printed = json.loads(completed.stdout)
    record = json.loads((tmp_path / "lab" / ".chimes-template.json").read_text("utf-8"))
    assert record["template"] == "model"
    assert record["answers"] == printed["answers"]
    assert (record["answers"]["name"], record["answers"]["ci"]) == ("lab", "gitlab")
    assert printed["files"] == sorted(printed["files"])
    assert ".gitlab-ci.yml" in printed["files"]


def test_questions_are_asked_with_their_defaults_and_asked_again_after_a_bad_answer(tmp_path: Path) -> None:
    answers = "No Such Name\nnowcast\nRain soon\n王\n\nsvn\ngitlab\n"
    completed = new("model", "acme-rain", "--json", cwd=tmp_path, stdin=answers)
    assert completed.returncode == 0, completed.text
    asked = completed.stderr.decode()
    assert "[acme-rain]" in asked
    assert "'No Such Name' is not lower-case words" in asked
    assert "'svn' is not an answer to 'ci'" in asked
    assert json.loads(completed.stdout)["answers"] == {
        "name": "acme-rain",
        "component": "nowcast",
        "summary": "Rain soon",
        "author": "王",
        "contact": "the issue tracker of this project",
        "ci": "gitlab",
    }


def test_an_empty_folder_is_filled_and_a_folder_with_files_is_refused(tmp_path: Path) -> None:
    target = tmp_path / "my-model"
    target.mkdir()
    assert new("model", "my-model", "--no-input", cwd=tmp_path).returncode == 0
    before = sorted(target.rglob("*"))
    again = new("model", "my-model", "--no-input", cwd=tmp_path)
    assert again.returncode == 2
    assert "already exists and is not an empty folder" in again.text
    assert sorted(target.rglob("*")) == before


def test_the_current_folder_is_filled_and_stays_the_current_one(tmp_path: Path) -> None:
    target = tmp_path / "my-model"
    target.mkdir()
    before = target.stat().st_ino
    completed = new("model", ".", "--no-input", cwd=target)
    assert completed.returncode == 0, completed.text
    assert target.stat().st_ino == before
    made = {path.name for path in target.iterdir()}
    assert {"pyproject.toml", ".chimes-template.json"} <= made
    assert not any(name.startswith(".my-model") for name in made)


def test_a_project_can_be_made_in_another_folder(tmp_path: Path) -> None:
    (tmp_path / "a b").mkdir()
    completed = new("model", "a b/my-model/", "--no-input", cwd=tmp_path)
    assert "cd 'a b/my-model/'" in completed.text
    assert (tmp_path / "a b" / "my-model" / "pyproject.toml").is_file()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["connector", "x"], ["there is no template for a connector yet", "templates: model"]),
        (["model", "My Model"], ["'My Model' is not a name for a plugin", "my-model"]),
        (["model", "no/such/folder"], ["there is no folder", "mkdir -p"]),
        (["model", ""], ["the path is empty"]),
        (["model", "numpy"], ["a plugin cannot be called 'numpy'", "acme-numpy"]),
        (["model", "x", "--answer", "ci"], ["'ci' is not an answer", "KEY=VALUE"]),
        (["model", "x", "--answer", "name=y"], ["'y' differs from the folder's name 'x'"]),
        (["model", "x", "--answer", "author= "], ["the answer to 'author' is empty"]),
    ],
)
def test_a_bad_request_is_refused_with_one_fix_and_leaves_nothing(
    tmp_path: Path, arguments: list[str], message: list[str]
) -> None:
    refused(new(*arguments, "--no-input", cwd=tmp_path), tmp_path, "fix: ", *message)


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        ({"ci": "svn"}, "'svn' is not an answer to 'ci'"),
        ({"colour": "red"}, "no question 'colour'"),
        ({"name": "json"}, "'json', which is a module of Python's standard library"),
        ({"component": "Rain"}, "'Rain' is not lower-case words"),
        ({"summary": "two\nlines"}, r"unprintable character U\+000A"),
    ],
)
def test_every_answer_is_checked_and_the_bad_one_named(answers: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        collect_answers(get_template("model"), answers)


@pytest.mark.parametrize("kind", ["../model", "models", ""])
def test_an_unknown_kind_has_no_template(kind: str) -> None:
    with pytest.raises(NotFoundError, match="is not a kind of component"):
        get_template(kind)


def test_an_end_of_input_is_a_refusal(tmp_path: Path) -> None:
    completed = new("model", "x", cwd=tmp_path, stdin="a\n")
    refused(completed, tmp_path, "the question 'summary' was not answered", "--no-input")


@pytest.mark.parametrize("room_kib", [16, 120])
def test_a_full_disk_leaves_nothing(tmp_path: Path, room_kib: int) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    code = shlex.join([sys.executable, "-c", DOOR, "new", "model", "disk/x", "--no-input"])
    script = f"mount -t tmpfs -o size={room_kib}k full disk && {code}; echo status $?; ls -A disk"
    completed = run(["unshare", "--map-root-user", "--mount", "sh", "-c", script], cwd=tmp_path)
    assert "disk/x cannot be written: " in completed.stderr.decode()
    assert completed.stdout.decode().split("\n") == ["status 2", ""]


def test_settings_of_cookiecutter_have_no_effect_and_none_are_written(tmp_path: Path) -> None:
    (tmp_path / ".cookiecutterrc").write_text("default_context:\n  author: Another Author\n  ci: gitlab\n", "utf-8")
    answers = json.loads(new("model", "x", "--no-input", "--json", cwd=tmp_path).stdout)["answers"]
    assert (answers["author"], answers["ci"]) == ("The authors of x", "github")
    assert sorted(path.name for path in tmp_path.iterdir()) == [".cookiecutterrc", "x"]


def test_without_the_extra_the_fix_is_to_install_it(tmp_path: Path) -> None:
    door = f"import sys; sys.modules['cookiecutter'] = None; {DOOR}"
    completed = new("model", "x", "--no-input", cwd=tmp_path, door=door)
    refused(completed, tmp_path, "unsupported: scaffolding needs cookiecutter", "pip install 'chimes[author]'")


def test_help_shows_an_example_and_the_exit_statuses(tmp_path: Path) -> None:
    completed = new("--help", cwd=tmp_path)
    assert completed.returncode == 0
    assert "chimes new model my-model" in completed.text
    assert "Exit status: 0" in completed.text
