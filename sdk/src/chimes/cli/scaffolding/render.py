"""Writes a project folder from a template and answers, completely or not at all.

Needs cookiecutter, of the extra ``author``: import this module only to scaffold.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cookiecutter.generate import generate_files
from cookiecutter.prompt import render_variable
from cookiecutter.utils import create_env_with_context

from chimes import __version__
from chimes.cli.scaffolding.naming import check_answer
from chimes.errors import ConfigError, ConflictError, InfrastructureError, NotFoundError
from chimes.kinds.descriptors import KINDS
from chimes.processes import scratch_folder

__all__ = ["RECORD", "Question", "Template", "collect_answers", "find_target", "get_template", "render"]

TEMPLATES = Path(__file__).parents[2] / "templates"

RECORD = ".chimes-template.json"
"""The file in a project that says which template, which SDK and which answers it was made from."""


@dataclass(frozen=True)
class Question:
    """One question of a template; ``default`` is a Jinja expression over the answers before it."""

    key: str
    prompt: str
    default: str
    choices: tuple[str, ...] = ()


@dataclass(frozen=True)
class Template:
    """The template of a kind. ``derived`` are values computed from the answers, by Jinja expressions."""

    kind: str
    folder: Path
    questions: tuple[Question, ...]
    derived: Mapping[str, str]


Ask = Callable[[Question, str], str]
"""Returns the answer to a question, given the rendered default."""


def get_template(kind: str) -> Template:
    """Read the template of a kind; raises NotFoundError naming the existing templates."""
    known = sorted(path.parent.name for path in TEMPLATES.glob("*/cookiecutter.json"))
    if kind not in known:
        what = f"there is no template for a {kind} yet" if kind in KINDS else f"{kind!r} is not a kind of component"
        raise NotFoundError(what, hint=f"templates: {', '.join(known)}")
    folder = TEMPLATES / kind
    values: dict[str, Any] = json.loads((folder / "cookiecutter.json").read_text("utf-8"))
    prompts = values.pop("__prompts__")
    questions = tuple(_question(key, prompts[key], raw) for key, raw in values.items() if not key.startswith("_"))
    derived = {key: raw for key, raw in values.items() if key.startswith("_")}
    return Template(kind, folder, questions, derived)


def _question(key: str, prompt: str, raw: str | list[str]) -> Question:
    if isinstance(raw, list):
        return Question(key, prompt, raw[0], tuple(raw))
    return Question(key, prompt, raw)


def find_target(path: str | Path) -> Path:
    """The absolute folder to be made.

    Raises ConflictError unless it is absent or an empty folder, NotFoundError without its parent.
    """
    target = Path(os.path.abspath(path))
    if target.is_symlink() or target.is_file() or (target.is_dir() and any(target.iterdir())):
        raise ConflictError(f"{target} already exists and is not an empty folder", hint="choose another path")
    if not target.parent.is_dir():
        raise NotFoundError(f"there is no folder {target.parent}", hint=f"make it first: mkdir -p {target.parent}")
    return target


def collect_answers(template: Template, given: Mapping[str, str], ask: Ask | None = None) -> dict[str, str]:
    """One valid answer to each question: given, else asked for, else the default.

    Raises ConfigError for an answer that is not valid, or to a question that does not exist.
    """
    keys = [question.key for question in template.questions]
    for key in given:
        if key not in keys:
            raise ConfigError(f"the template asks no question {key!r}", hint=f"questions: {', '.join(keys)}")
    answers: dict[str, str] = {}
    for question in template.questions:
        answer = given.get(question.key)
        if answer is None:
            default = _evaluate(question.default, answers)
            answer = default if ask is None else ask(question, default)
        answers[question.key] = check_answer(question.key, answer, question.choices)
    return answers


def _evaluate(expression: str, values: Mapping[str, str]) -> str:
    env = create_env_with_context({"cookiecutter": {}})
    return str(render_variable(env, expression, dict(values)))


def render(template: Template, answers: Mapping[str, str], target: Path) -> list[str]:
    """Write the project to ``target`` and return its files, sorted; a failure leaves no files.

    Raises InfrastructureError where the folder cannot be written.
    """
    try:
        # An existing folder is filled, not replaced: it may be the current folder of a shell, or a mount.
        beside = target if target.is_dir() else target.parent
        with scratch_folder(f".{target.name}-", parent=beside) as scratch:
            project = _generate(template, answers, scratch)
            record = {"template": template.kind, "chimes": __version__, "answers": dict(answers)}
            (project / RECORD).write_text(json.dumps(record, ensure_ascii=False, indent=2) + "\n", "utf-8")
            _move(project, target)
    except OSError as error:
        why = error.strerror or "copying the template failed"
        raise InfrastructureError(
            f"{target} cannot be written: {why}", hint="choose a folder that you may write to, on a disk with room"
        ) from error
    return sorted(str(path.relative_to(target)) for path in target.rglob("*") if path.is_file())


def _move(project: Path, target: Path) -> None:
    if not target.is_dir():
        project.rename(target)
        return
    moved: list[Path] = []
    try:
        for path in list(project.iterdir()):
            moved.append(path.rename(target / path.name))
    except OSError:
        for path in moved:
            path.rename(project / path.name)
        raise


def _generate(template: Template, answers: Mapping[str, str], scratch: Path) -> Path:
    # Bytecode is left out: an installer may have compiled the template's files.
    source = shutil.copytree(template.folder, scratch / "template", ignore=shutil.ignore_patterns("__pycache__"))
    values = dict(answers)
    for key, expression in template.derived.items():
        values[key] = _evaluate(expression, values)
    generate_files(
        repo_dir=str(source),
        context={"cookiecutter": values},
        output_dir=str(scratch / "rendered"),
        overwrite_if_exists=True,  # the name of a folder may render to ".", which is the project itself
        accept_hooks=False,
    )
    (project,) = (scratch / "rendered").iterdir()
    return project
