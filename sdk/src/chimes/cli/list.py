"""``chimes list``: the installed plugins, each component on a line, each failure with its reason.

Plugins are loaded in a child process, so that one that fails, hangs or exits does not stop the command.
"""

from __future__ import annotations

import json
import os

import click

from chimes.kinds.descriptors import KINDS
from chimes.registry import Plugin, find_plugins
from chimes.registry.isolated import load_isolated
from chimes.text import escape

__all__ = ["command"]

LONGEST = 500
EPILOG = """\b
Examples:
  chimes list
  chimes list --kind model --json
  CHIMES_PLUGINS=chimes-files chimes list     (load only this plugin)

Exit status: 0, also where a plugin does not load: that is a row with its reason.
"""


@click.command(epilog=EPILOG)
@click.option("--kind", type=click.Choice(tuple(KINDS)), help="Only components of this kind.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(kind: str | None, as_json: bool) -> None:
    """List the installed plugins and their components."""
    plugins = load_isolated(find_plugins())
    if as_json:
        click.echo(json.dumps({"plugins": [to_json(plugin, kind) for plugin in plugins]}, indent=2))
        return
    lines = [line for plugin in plugins for line in _lines(plugin, kind)]
    for line in lines or [_empty_line(kind)]:
        click.echo(line)


def _empty_line(kind: str | None) -> str:
    if (only := os.environ.get("CHIMES_PLUGINS")) is not None:
        return (
            f"CHIMES_PLUGINS={only!r} names no installed {kind or 'plugin'}, and hides all others: unset it to see them"
        )
    what = "plugins are" if kind is None else f"{kind}s are"
    return f"No {what} installed. Install one with pip, or write one: chimes new model my-model"


def to_json(plugin: Plugin, kind: str | None = None) -> dict[str, object]:
    """A plugin as a JSON object: distribution, version, failure, components."""
    components = [
        {
            "address": _valid(item.address),
            "kind": item.kind,
            "summary": _valid(item.registration.summary),
            "devices": [_valid(device) for device in item.registration.devices],
            "capabilities": [_valid(capability) for capability in item.registration.capabilities],
            "environment": list(item.registration.environment),
            "failure": item.failure and _valid(item.failure),
        }
        for item in plugin.components
        if kind in (None, item.kind)
    ]
    return {
        "distribution": _valid(plugin.distribution),
        "version": _valid(plugin.version),
        "failure": plugin.failure and _valid(plugin.failure),
        "components": components,
    }


def _lines(plugin: Plugin, kind: str | None) -> list[str]:
    distribution, version = _shown(plugin.distribution), _shown(plugin.version)
    if plugin.failure:
        return [f"{'failed':<10} {distribution} {version}  {_shown(plugin.failure)}"]
    if not plugin.components and kind is None:
        return [f"{'nothing':<10} {distribution} {version}  registers no component"]
    rows = [item for item in plugin.components if kind in (None, item.kind)]
    return [
        f"{item.kind:<10} {_shown(item.address):<32} {version:<9} "
        + _shown(f"cannot be used here: {item.failure}" if item.failure else item.registration.summary)
        for item in rows
    ]


def _shown(text: str) -> str:
    return escape(text, limit=LONGEST)


def _valid(text: str) -> str:
    # Lone surrogates are escaped: they are not valid in UTF-8, and other readers of JSON refuse them.
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
