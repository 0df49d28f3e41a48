"""Commands that are killed with SIGKILL at some moment: their processes end and their temporary folders are removed."""

from __future__ import annotations

import os
import signal
import socket
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from chimes.conformance.gate.mutants import Edit, strict_wheel
from chimes.processes import DEVNULL, Process, descendants
from chimes.processes.proc import has_exited, read_proc

CHIMES = str(Path(sys.executable).with_name("chimes"))
SLEEPER = "acme-sleeper"
HANG = (
    "import subprocess, sys, time; "
    f"subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)', '{SLEEPER}'], start_new_session=True); "
    "time.sleep(600)\n"
)
SIGNATURE = "    def describe(cls, config: StrictConfig) -> ModelInfo:\n"


@dataclass(frozen=True)
class Moment:
    """A command, and a word in the command line of a process below it once the moment has come."""

    arguments: tuple[str, ...]
    word: str = SLEEPER
    needs_index: bool = False
    """The command resolves requirements from the index of this environment; else no index ever answers."""


MOMENTS = {
    "check: the build": Moment(("check", "{project}")),
    "check: the build in a sandbox": Moment(("check", "{project}", "--sandbox")),
    "check: the requirements are resolved": Moment(("check", "{wheel}", "--sandbox"), "compile"),
    "check: a build's requirements are resolved": Moment(("check", "{requiring}", "--sandbox"), "compile"),
    "check: the entry module is imported": Moment(("check", "{import_hangs}")),
    "check: a session": Moment(("check", "{call_hangs}")),
    "check: the child starts": Moment(("check", "{wheel}"), "child"),
    "check: the entry module is imported in a sandbox": Moment(
        ("check", "{import_hangs}", "--sandbox"), needs_index=True
    ),
    "publish: the build": Moment(("publish", "{project}")),
}


def until(condition: Callable[[], bool], limit_s: float) -> None:
    """Wait until the condition holds; fail after ``limit_s``."""
    deadline = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline, "the condition did not hold in time"
        time.sleep(0.02)


@pytest.fixture
def silent_index() -> Iterator[str]:
    """The address of an index that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}/simple"


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A project whose build hangs, one whose build requires something, and wheels that hang at different moments."""
    folder = tmp_path_factory.mktemp("places")
    for name, requires in (("project", "[]"), ("requiring", '["rain-builder"]')):
        (folder / name).mkdir()
        (folder / name / "backend.py").write_text(
            "def build_wheel(out, settings=None, metadata=None):\n"
            + textwrap.indent(HANG, "    ")
            + "build_sdist = build_wheel\n"
        )
        (folder / name / "pyproject.toml").write_text(
            f'[build-system]\nrequires = {requires}\nbuild-backend = "backend"\nbackend-path = ["."]\n'
            '[project]\nname = "acme-rain"\nversion = "1.0"\n'
        )
    edits = {
        "wheel": (),
        "import_hangs": (Edit("plugin.py", "from __future__ import annotations\n", f"{HANG}\n"),),
        "call_hangs": (Edit("model.py", SIGNATURE, f"{SIGNATURE}        {HANG}"),),
    }
    wheels = {}
    for name, changed in edits.items():
        (folder / name).mkdir()
        wheels[name] = str(strict_wheel("model", folder / name, changed))
    return {**{name: str(folder / name) for name in ("project", "requiring")}, **wheels}


def start(arguments: list[str], folder: Path, index: str | None) -> Process:
    (folder / "tmp").mkdir()
    variables = {
        "TMPDIR": str(folder / "tmp"),
        "CHIMES_CACHE_DIR": str(folder / "cache"),
        "CHIMES_URL": "http://127.0.0.1:9",
        "CHIMES_TOKEN": "chimes-any",
    }
    if index is not None:
        variables |= {"UV_CACHE_DIR": str(folder / "uv"), "UV_DEFAULT_INDEX": index}
    return Process([CHIMES, *arguments], env={**os.environ, **variables}, cwd=folder, stdout=DEVNULL, stderr=DEVNULL)


def left(folder: Path) -> list[Path]:
    """The temporary folders of a command and the unfinished ones in its cache."""
    hidden = (path for path in (folder / "cache").rglob(".*") if not path.name.startswith(".lock"))
    return [*(folder / "tmp").iterdir(), *hidden]


def runs(word: str, process: Process) -> bool:
    return any(word.encode() in read_proc(f"{pid}/cmdline") for pid in descendants(process.pid))


@pytest.mark.parametrize("moment", MOMENTS.values(), ids=MOMENTS)
def test_a_killed_command_leaves_nothing(
    moment: Moment, places: dict[str, str], silent_index: str, tmp_path: Path
) -> None:
    arguments = [argument.format(**places) for argument in moment.arguments]
    process = start(arguments, tmp_path, None if moment.needs_index else silent_index)
    until(lambda: runs(moment.word, process) or process.poll() is not None, 120)
    assert process.poll() is None, "the command ended before the moment came"
    assert left(tmp_path)
    pids = descendants(process.pid)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    until(lambda: all(map(has_exited, pids)) and not left(tmp_path), 10)
