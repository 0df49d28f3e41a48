"""Calls commands in this process, as the console script does, and returns their output and status."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from chimes_marketplace.commands.line import call
from command_results import CommandResult, RunCommand


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def run_command(data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> RunCommand:
    """``run_command("member", "list")``: with the data folder in the environment, as a script would have it."""
    monkeypatch.setenv("CHIMES_DATA_DIR", str(data))

    def run_command(*arguments: object) -> CommandResult:
        monkeypatch.setattr(sys, "argv", ["chimes-marketplace", *map(str, arguments)])
        status = 0
        try:
            call()
        except SystemExit as end:
            status = end.code if isinstance(end.code, int) else 0
        printed = capsys.readouterr()
        return CommandResult(status, printed.out, printed.err)

    return run_command
