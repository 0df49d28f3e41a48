"""Each command in a separate process, as a shell starts it: only the command's own imports are loaded."""

from __future__ import annotations

from pathlib import Path

import click
from chimes.processes import run
from chimes_marketplace.commands.line import group
from market_factories import COMMAND, make_market, run_env
from release_factories import make_release

ACCOUNTS = (
    "member add acme --name Acme --type industry",
    "member list",
    "user add alice --member acme",
    "user list",
    "token create --user alice",
    "token list --user alice",
    "token revoke 1",
    "fsck",
)
DECISIONS = (
    "submission list --state held",
    "submission approve 1 --reason seen",
    "submission reject 2 --reason seen",
)


def run_here(data: Path, command: str) -> None:
    done = run([str(COMMAND), *command.split(), "--data", str(data)], env=run_env(), timeout_s=60)
    assert (done.returncode, done.stderr) == (0, b""), command
    assert done.stdout, command


def test_every_command_works_in_a_separate_process(tmp_path: Path) -> None:
    for command in ACCOUNTS:
        run_here(tmp_path / "data", command)
    market = make_market(tmp_path)
    for version in ("1.0", "2.0"):
        make_release(market, version=version, state="held")
    for command in DECISIONS:
        run_here(tmp_path / "data", command)


def test_every_command_but_server_and_worker_is_listed_here() -> None:
    commands = (*ACCOUNTS, *DECISIONS)
    context = click.Context(group)
    for verb in group.list_commands(context):
        command = group.get_command(context, verb)
        for name in command.commands if isinstance(command, click.Group) else ():
            assert any(each.startswith(f"{verb} {name} ") or each == f"{verb} {name}" for each in commands), (
                verb,
                name,
            )
