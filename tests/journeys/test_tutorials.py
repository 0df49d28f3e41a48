"""Every tutorial is executed: its shell blocks run in order in one folder, as a user would type them."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import sys
from pathlib import Path

import pytest
from chimes.environments.cache import cache_folder
from chimes.processes import run

TUTORIALS = sorted((Path(__file__).resolve().parents[2] / "docs" / "tutorials").glob("*.md"))
BLOCK = re.compile(
    r"^```(?P<language>bash|python|toml|csv)(?: (?P<name>\S+))?\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL
)


@pytest.mark.parametrize("tutorial", TUTORIALS, ids=lambda path: path.stem)
def test_a_tutorial_does_what_it_says(tutorial: Path, tmp_path: Path) -> None:
    tools = Path(sys.executable).parent
    # Otherwise the tutorial's marketplace would download everything again.
    uv_cache = run([str(tools / "uv"), "cache", "dir"]).stdout.decode().strip()
    caches = {"UV_CACHE_DIR": uv_cache, "CHIMES_CACHE_DIR": str(cache_folder())}
    env = {**os.environ, **caches, "PATH": f"{tools}:{os.environ['PATH']}"}
    blocks = list(BLOCK.finditer(tutorial.read_text("utf-8")))
    assert blocks
    try:
        for block in blocks:
            if block["name"]:
                (tmp_path / block["name"]).write_text(block["body"], "utf-8")
            elif block["language"] == "bash":
                done = run(["bash", "-euo", "pipefail", "-c", block["body"]], cwd=tmp_path, env=env, timeout_s=300)
                assert done.returncode == 0, f"{block['body']}\n{done.text}"
    finally:
        end_servers(tmp_path)


def end_servers(folder: Path) -> None:
    """End the servers of an aborted tutorial; it wrote their process ids to files."""
    for path in folder.glob("*.pid"):
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(path.read_text()), signal.SIGTERM)
