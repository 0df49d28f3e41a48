"""Writes docs/reference from the code: hooks, checks, errors, commands. ``--check`` only compares."""

from __future__ import annotations

import dataclasses
import inspect
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import click
from chimes import cli, errors, hooks
from chimes.checks.catalogue import FILE_CHECKS
from chimes.checks.check import Check
from chimes.conformance.catalogue import CHECKS
from chimes.host import assignability, json_values
from chimes.kinds import predicates
from chimes.kinds.descriptors import KINDS
from chimes.pipelines import formats
from chimes.pipelines import spec as pipeline
from chimes.registration import Registration
from chimes_marketplace.commands import line as marketplace
from chimes_marketplace.errors import CODES
from chimes_marketplace.submissions.checks import UPLOAD_CHECKS
from chimes_marketplace.validation.checks import A20
from chimes_marketplace.web.errors import Problem

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "reference"
OF_INDEX: tuple[type[Check], ...] = (*UPLOAD_CHECKS, A20)  # type: ignore[type-arg]
ANNOTATED = re.compile(r"Annotated\[(\w+), [^\]]*\]")
NOTE = "<!-- Written by `make docs` from the code; do not edit. -->\n"


def hooks_page() -> Iterator[str]:
    """Every hook with its signature and documentation."""
    yield "# Hooks\n\nA plugin implements these in the module that its entry point of group `chimes` names.\n"
    for kind, described in KINDS.items():
        name = described.hook
        function = getattr(hooks, name)
        signature = str(inspect.signature(function)).replace("'", "")
        yield f"\n## `{name}`\n\nRegisters components of kind *{kind}*.\n"
        yield f"\n```python\n@hookimpl\ndef {name}{signature}\n```\n\n{inspect.getdoc(function)}\n"


def checks_page() -> Iterator[str]:
    """Every check with title, rationale and what it blocks."""
    of_index = sorted(check.code for check in OF_INDEX)
    yield "# Checks\n\n`chimes explain CODE` prints the same"
    yield f", apart from {', '.join(of_index)}: they need an index, and the marketplace asks them.\n"
    for check in sorted((*FILE_CHECKS, *CHECKS, *OF_INDEX), key=lambda check: check.code):
        yield from check_section(check)


def check_section(check: type[Check]) -> Iterator[str]:  # type: ignore[type-arg]
    """One check."""
    yield f"\n## {check.code}\n\n**{check.title()}**\n\n"
    if check.rationale():
        yield f"{check.rationale()}\n\n"
    facts = [f"severity: {check.severity}", f"blocks: {check.blocks or 'nothing'}"]
    facts += [f"source: {check.source}"] if check.source else []
    yield " · ".join(facts) + "\n"


def errors_page() -> Iterator[str]:
    """The tree of errors, and each with its code and fault."""
    tree = (errors.__doc__ or "").partition("::\n\n")[2]
    yield f"# Errors\n\n```\n{inspect.cleandoc(tree)}\n```\n"
    for name in errors.__all__:
        error = getattr(errors, name)
        if inspect.isclass(error) and issubclass(error, errors.ChimesError):
            yield f"\n## `{error.code}`\n\n`{name}`: {inspect.getdoc(error)}\n\n"
            yield f"fault: {error.fault} · {'the host may try again' if error.retryable else 'not tried again'}\n"


def commands_page() -> Iterator[str]:
    """The help of every command."""
    yield "# Commands\n"
    yield from help_of(cli.group, "chimes")


def marketplace_commands_page() -> Iterator[str]:
    """The help of every command of the marketplace's operator."""
    yield "# Commands of the marketplace\n"
    yield from help_of(marketplace.group, "chimes-marketplace")


def help_of(command: click.Command, name: str, parent: click.Context | None = None) -> Iterator[str]:
    """The help of a command and of all below it."""
    context = click.Context(command, info_name=name, parent=parent, max_content_width=100, **command.context_settings)
    yield f"\n## `{context.command_path}`\n\n```\n{command.get_help(context)}\n```\n"
    if not isinstance(command, click.Group):
        return
    for inner in command.list_commands(context):
        found = command.get_command(context, inner)
        assert found is not None
        yield from help_of(found, inner, context)


def marketplace_errors_page() -> Iterator[str]:
    """Every code of the marketplace with its HTTP status."""
    yield f"# Errors of the marketplace\n\n{inspect.getdoc(Problem)}\n\n"
    yield "Programs receive these members as `application/problem+json`, and as `application/json` where they accept\n"
    yield "exactly that. Terminals that accept `text/plain`, and twine, receive `detail`; browsers receive a page.\n"
    yield "The findings are those of [checks](checks.md).\n\n| member | type |\n|---|---|\n"
    for name in Problem.model_fields:
        yield f"| `{name}` | `{Problem.__annotations__[name]}` |\n"
    yield "\n| code | HTTP status | title |\n|---|---|---|\n"
    for code, (status, title) in sorted(CODES.items()):
        yield f"| `{code}` | {status} | {title} |\n"


def pipelines_page() -> Iterator[str]:
    """Every section and key of a pipeline file, and the conversions that need no cast."""
    yield f"# Pipelines\n\n{inspect.cleandoc(pipeline.__doc__ or '')}\n"
    for name, section in pipeline.SECTIONS.items():
        yield f"\n## `[{name}]`\n\n{inspect.getdoc(section)}\n\n| key | type | default |\n|---|---|---|\n"
        for key, field in section.model_fields.items():
            kind = ANNOTATED.sub(r"\1", section.__annotations__[key]).replace("|", "\\|")
            default = "required" if field.is_required() else f"`{field.get_default(call_default_factory=True)!r}`"
            yield f"| `{key}` | `{kind}` | {default} |\n"
    yield "\n## Columns and filters\n\nA column is a name, or a table with `column` and `cast`. "
    yield f"{inspect.getdoc(pipeline.Column)}\n\nA filter is a table with `op`:\n\n"
    for filter_kind in (predicates.Compare, predicates.In, predicates.IsNull, predicates.StartsWith):
        keys = ", ".join(f"`{key}`" for key in filter_kind.model_fields)
        yield f"- {keys}: {inspect.getdoc(filter_kind)}\n"
    for tree in (predicates.Not, predicates.All, predicates.Any):
        yield f"- {inspect.getdoc(tree)}\n"
    for title, module in (("Output formats", formats), ("Values in JSON Lines", json_values)):
        yield f"\n## {title}\n\n```\n{inspect.cleandoc(module.__doc__ or '')}\n```\n"
    yield f"\n## Conversions\n\n```\n{inspect.cleandoc(assignability.__doc__ or '')}\n```\n"


def registrations_page() -> Iterator[str]:
    """The fields of a registration."""
    yield f"# Registrations\n\n{inspect.getdoc(Registration)}\n\n| field | type | default |\n|---|---|---|\n"
    for field in dataclasses.fields(Registration):
        kind = str(field.type).replace("|", "\\|")
        default = "required" if field.default is dataclasses.MISSING else f"`{field.default!r}`"
        yield f"| `{field.name}` | `{kind}` | {default} |\n"


PAGES: dict[str, Callable[[], Iterator[str]]] = {
    "hooks.md": hooks_page,
    "checks.md": checks_page,
    "errors.md": errors_page,
    "commands.md": commands_page,
    "pipelines.md": pipelines_page,
    "registrations.md": registrations_page,
    "marketplace-commands.md": marketplace_commands_page,
    "marketplace-errors.md": marketplace_errors_page,
}


def stale_pages() -> list[str]:
    """The pages that differ from the code."""
    return [name for name, page in PAGES.items() if read(name) != NOTE + "".join(page())]


def read(name: str) -> str:
    """The content of a page, empty if it is absent."""
    path = FOLDER / name
    return path.read_text("utf-8") if path.exists() else ""


def main() -> None:
    """Write the pages, or with ``--check`` name the stale ones and exit 1."""
    if "--check" in sys.argv[1:]:
        stale = stale_pages()
        print("\n".join(f"docs/reference/{name} is stale: run make docs" for name in stale))
        sys.exit(1 if stale else 0)
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, page in PAGES.items():
        (FOLDER / name).write_text(NOTE + "".join(page()), "utf-8")


if __name__ == "__main__":
    main()
