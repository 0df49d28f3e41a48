"""The files that the model template renders, for unusual but valid answers."""

from __future__ import annotations

import json
import sys
import tomllib
from email import message_from_bytes
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
from chimes.cli.scaffolding.render import collect_answers, get_template, render
from chimes.processes import run

TEXTS = {
    "plain": "Rain in the next two hours",
    "double quotes": 'The "best" one',
    "single quotes": "It's the models' model",
    "both quotes": """It's "good", isn't it""",
    "more double": """"One", "two" and it's three""",
    "backslashes": "C:\\temp\\new \\",
    "markup": "<b>Bold</b> & <!-- chimes --> *stars* [x](y)",
    "jinja": "{{ cookiecutter.name }} {% raw %} {# no #} ${{ x }}",
    "scripts": "温度と圧力\u3000Zoë 🔔 тест",
    "colon": "key: value # no comment",
    "long": "word " * 39 + "end",
}


def project(folder: Path, name: str = "my-model", **answers: str) -> Path:
    template = get_template("model")
    target = folder / name
    render(template, collect_answers(template, {"name": name, **answers}), target)
    return target


def ruff(*arguments: str, cwd: Path) -> None:
    completed = run([sys.executable, "-m", "ruff", *arguments, "--no-cache", "."], cwd=cwd)
    assert completed.returncode == 0, completed.text


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_any_text_is_kept_as_it_is(tmp_path: Path, text: str) -> None:
    target = project(tmp_path, summary=text, author=text, contact=text)
    metadata = tomllib.loads((target / "pyproject.toml").read_text("utf-8"))["project"]
    assert (metadata["description"], metadata["authors"]) == (text, [{"name": text}])
    readme = (target / "README.md").read_text("utf-8")
    assert readme.startswith(f"# my-model\n\n{text}\n")
    assert f"{text}, through {text}.\n" in readme
    ruff("format", "--check", cwd=target)
    ruff("check", cwd=target)
    (component,) = listed(wheel_contents(target))["components"]
    assert (component["summary"], component["failure"]) == (text, None)


@pytest.mark.parametrize("name", ["a", "a1-b2", "acme.rain_2", "x" * 40, "match", "import-me"])
def test_any_legal_name_builds_and_loads(tmp_path: Path, name: str) -> None:
    target = project(tmp_path, name)
    ruff("format", "--check", cwd=target)
    ruff("check", cwd=target)
    found = listed(wheel_contents(target))
    plain = name.replace("_", "-").replace(".", "-")
    assert (found["distribution"], found["version"], found["failure"]) == (plain, "0.1.0", None)
    assert [component["address"] for component in found["components"]] == [f"{plain}:{plain}"]


def test_the_wheel_says_who_wrote_it(tmp_path: Path) -> None:
    site = wheel_contents(project(tmp_path, author='王 "Dr. Rain" & Söhne'))
    metadata = message_from_bytes(next(site.glob("*.dist-info/METADATA")).read_bytes())
    assert metadata["Name"] == "my-model"
    assert metadata["License-Expression"] == "Apache-2.0"
    assert metadata["License-File"] == "LICENSE"
    assert 'Author: 王 "Dr. Rain" & Söhne' in next(site.glob("*.dist-info/METADATA")).read_text("utf-8")


def test_only_the_files_of_one_continuous_integration_are_written(tmp_path: Path) -> None:
    github, gitlab = project(tmp_path, "a", ci="github"), project(tmp_path, "b", ci="gitlab")
    assert {path.name for path in github.iterdir()} - {path.name for path in gitlab.iterdir()} == {".github"}
    assert {path.name for path in gitlab.iterdir()} - {path.name for path in github.iterdir()} == {".gitlab-ci.yml"}
    assert "${{ matrix.python }}" in (github / ".github" / "workflows" / "ci.yml").read_text("utf-8")


def test_the_readme_is_a_card_with_all_its_sections(tmp_path: Path) -> None:
    text = (project(tmp_path) / "README.md").read_text("utf-8")
    for section in ("Purpose", "Inputs", "Outputs", "Limits", "Known failures", "Contact", "Citation"):
        assert f"\n## {section}\n" in text


def test_the_template_asks_at_most_six_questions_and_runs_no_code() -> None:
    template = get_template("model")
    assert len(template.questions) <= 6
    assert not (template.folder / "hooks").exists()
    assert "_extensions" not in json.loads((template.folder / "cookiecutter.json").read_text("utf-8"))


def listed(site: Path) -> dict[str, Any]:
    """The row of ``chimes list`` for the only plugin in a folder."""
    code = "import sys; sys.path.insert(0, sys.argv.pop(1)); from chimes.cli import main; main()"
    completed = run([sys.executable, "-c", code, str(site), "list", "--json"])
    plugins = json.loads(completed.stdout)["plugins"]
    (found,) = (plugin for plugin in plugins if (site / plugin["distribution"].replace("-", "_")).exists())
    return dict(found)


def wheel_contents(target: Path) -> Path:
    """The project's wheel, built and unpacked beside it."""
    out = target.parent / f"{target.name}-wheel"
    built = run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(out)], cwd=target)
    assert built.returncode == 0, built.text
    (wheel,) = out.glob("*.whl")
    with ZipFile(wheel) as archive:
        archive.extractall(out / "site")
    return out / "site"
