"""The command line ``chimes``: one file per verb, imported only when the verb is used."""

from __future__ import annotations

import sys
from io import TextIOWrapper

import click

from chimes import __version__
from chimes.cli.commandline import LazyGroup
from chimes.cli.refusal import as_chimes, refuse, refuse_usage

__all__ = ["main"]

# Verb -> one line of help. The verb's command is `command` in chimes.cli.<verb>.
VERBS = {
    "new": "Scaffold a plugin from a template.",
    "check": "Check a plugin: a project folder, a wheel or an sdist.",
    "publish": "Upload a release to a marketplace and follow its validation.",
    "cancel": "Cancel a submission that is not decided yet.",
    "retry": "Validate a submission again.",
    "run": "Run a pipeline from a TOML file.",
    "list": "List the installed plugins and their components.",
    "explain": "Explain a check or an error code.",
}

EPILOG = """\b
Examples:
  chimes new model my-model
  chimes check my-model
  chimes run pipeline.toml

Exit status: 0 done, 1 the subject failed, 2 the command could not do its work, 130 ended with Ctrl-C.

CHIMES_DEBUG=1 shows the traceback of an error in Chimes itself.
"""
INTERRUPTED = 130


@click.group(
    cls=LazyGroup,
    verbs=VERBS,
    package="chimes.cli",
    epilog=EPILOG,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, prog_name="chimes")
def group() -> None:
    """Write a plugin for an AI computing centre, check it, run it on real data."""


def main() -> None:
    """The console script: an error is shown as a code, one sentence and one fix, with exit status 2 (and as JSON)."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            # Characters that the terminal's encoding lacks are escaped.
            stream.reconfigure(errors="backslashreplace")
    try:
        sys.exit(group.main(prog_name="chimes", standalone_mode=False))
    except click.Abort:
        click.echo("Aborted!", err=True)
        sys.exit(INTERRUPTED)
    except click.ClickException as error:
        refuse_usage(error)
    except Exception as error:
        refuse(as_chimes(error))
