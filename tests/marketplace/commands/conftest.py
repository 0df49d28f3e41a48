"""Commands called as the console script calls them, in this process: each says what it printed and its status."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from chimes_marketplace.commands.line import call
from telling import Tell, Told


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def tell(data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Tell:
    """``tell("member", "list")``: with the data folder in the environment, as a script would have it."""
    monkeypatch.setenv("CHIMES_DATA_DIR", str(data))

    def tell(*arguments: object) -> Told:
        monkeypatch.setattr(sys, "argv", ["chimes-marketplace", *map(str, arguments)])
        status = 0
        try:
            call()
        except SystemExit as end:
            status = end.code if isinstance(end.code, int) else 0
        printed = capsys.readouterr()
        return Told(status, printed.out, printed.err)

    return tell
