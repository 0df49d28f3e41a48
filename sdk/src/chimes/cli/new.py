"""``chimes new``: scaffolds a plugin from a template, by asking at most six questions."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING, Any

import click

from chimes.cli.commandline import GivenPath
from chimes.errors import CancelledError, ChimesError, ConfigError, UnsupportedError

if TYPE_CHECKING:
    from chimes.cli.scaffolding.render import Question

__all__ = ["command"]

EPILOG = """\b
Examples:
  chimes new model my-model
  chimes new model my-model --no-input --answer ci=gitlab --answer author="Hubei Institute"

\b
PATH is the folder to make. Its last part is the name of the distribution.
Works without a network. Needs the extra `author`: pip install 'chimes[author]'

Exit status: 0 the project was written, 2 it was not, and no files were left.
"""

INSTALL = "python -m pip install -e '.[dev]'"


@click.command(epilog=EPILOG)
@click.argument("kind")
@click.argument("path", type=GivenPath())
@click.option("--no-input", is_flag=True, help="Do not ask; use the defaults.")
@click.option("--answer", "given", multiple=True, metavar="KEY=VALUE", help="Answer a question in advance; repeatable.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(kind: str, path: str, no_input: bool, given: tuple[str, ...], as_json: bool) -> None:
    """Scaffold a plugin of KIND (for example: model) in the new folder PATH."""
    scaffold = _load_scaffold()
    template = scaffold.get_template(kind)
    target = scaffold.find_target(path)
    answers = scaffold.collect_answers(template, _parse(given, target.name), None if no_input else _ask)
    files = scaffold.render(template, answers, target)
    steps = [f"cd {shlex.quote(path)}", INSTALL, "pytest", "chimes check ."]
    if as_json:
        found = {"kind": kind, "path": str(target), "answers": answers, "files": files, "next": steps}
        click.echo(json.dumps(found, indent=2, ensure_ascii=False))
        return
    click.echo(f"{path}: {len(files)} files. Next:")
    for step in steps:
        click.echo(f"  {step}")


def _load_scaffold() -> Any:
    try:
        from chimes.cli.scaffolding import render as scaffold  # noqa: PLC0415 - cookiecutter is optional, and slow to import
    except ModuleNotFoundError as error:
        raise UnsupportedError(
            f"scaffolding needs {error.name}, which is not installed", hint="pip install 'chimes[author]'"
        ) from error
    return scaffold


def _parse(given: tuple[str, ...], name: str) -> dict[str, str]:
    answers = {"name": name}
    for item in given:
        key, equals, value = item.partition("=")
        if not equals:
            raise ConfigError(f"{item!r} is not an answer", hint="write --answer KEY=VALUE")
        if key == "name" and value != name:
            raise ConfigError(
                f"the name {value!r} differs from the folder's name {name!r}",
                hint="the folder's name is used as the plugin's name; leave this answer out",
            )
        answers[key] = value
    return answers


def _ask(question: Question, default: str) -> str:
    from chimes.cli.scaffolding.naming import check_answer  # noqa: PLC0415 - needed only for questions

    def check(answer: str) -> str:
        try:
            return check_answer(question.key, answer, question.choices)
        except ChimesError as error:
            raise click.UsageError(f"{error} ({error.hint})") from error

    choices = f" ({', '.join(question.choices)})" if question.choices else ""
    try:
        answer: str = click.prompt(question.prompt + choices, default=default, value_proc=check, err=True)
    except click.Abort as error:
        raise CancelledError(
            f"the question {question.key!r} was not answered", hint="answer it, or take the defaults with --no-input"
        ) from error
    return answer
