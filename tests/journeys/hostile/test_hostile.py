"""Hostile plugins change nothing on the host and nothing in a verdict."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from chimes.conformance.gate.mutants import strict_wheel
from chimes.environments.wheelfile import write_wheel
from chimes.kinds.descriptors import KINDS
from chimes.processes import Completed, run
from journeys.hostile.hostile_host import RULES, wait_until_gone
from journeys.hostile.hostile_libraries import HOSTILE_LIBRARIES, HostileLibrary, pack_library
from journeys.hostile.hostile_plugins import PRELUDE, SECRET, Hostile, pack, repack, start_files
from journeys.hostile.hostile_table import HOSTILES, NETWORK

CHIMES = Path(sys.executable).parent / "chimes"
NONCE = "5a" * 32


@dataclass(frozen=True)
class CheckRun:
    """One run of ``chimes check``: its output and its report folder."""

    done: Completed
    out: Path

    @property
    def verdict(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads((self.out / "verdict.json").read_bytes())
        return document

    @property
    def results(self) -> dict[str, dict[str, Any]]:
        found = [*self.verdict["checks"], *(r for c in self.verdict["components"] for r in c["checks"])]
        return {result["code"]: result for result in found}

    @property
    def messages(self) -> list[str]:
        return [finding["message"] for result in self.results.values() for finding in result["findings"]]

    @property
    def files(self) -> bytes:
        return b"".join(path.read_bytes() for path in sorted(self.out.rglob("*")) if path.is_file())


@pytest.fixture
def host(tmp_path: Path) -> Path:
    """A folder of the host that every user may write to, if it can be reached."""
    folder = tmp_path / "host"
    folder.mkdir()
    for path in (tmp_path, folder):
        path.chmod(0o777)
    return folder


def check(path: Path, host: Path, *arguments: str, nonce: str = NONCE, **env: str) -> CheckRun:
    """``chimes check --sandbox`` in a separate process; all its files are in a separate folder."""
    place = host.parent / f"run-{secrets.token_hex(8)}"
    scratch, out = place / "tmp", place / "out"
    scratch.mkdir(parents=True)
    (place / "rules.toml").write_text(RULES)
    (place / "nonce").write_text(nonce)
    done = run(
        [
            *(str(CHIMES), "check", str(path), "--sandbox", "--out", str(out)),
            *("--rules", str(place / "rules.toml"), "--nonce-file", str(place / "nonce"), *arguments),
        ],
        env={**os.environ, "TMPDIR": str(scratch), "HOST_SECRET": SECRET, **env},
        timeout_s=400,
    )
    wait_until_gone(place.name)
    return CheckRun(done, out)


def twice(path: Path, host: Path, **env: str) -> tuple[CheckRun, CheckRun]:
    with ThreadPoolExecutor(2) as pool:
        one, other = pool.map(lambda _: check(path, host, **env), range(2))
    return one, other


def assert_whole(result: CheckRun) -> None:
    """Check that the suite ran to its end: all planned checks were executed, and none ended infra."""
    plan = json.loads((result.out / "plan.json").read_bytes())
    assert plan["checks"] == [each["code"] for each in result.verdict["checks"]]
    executed = [[each["code"] for each in component["checks"]] for component in result.verdict["components"]]
    assert [component["checks"] for component in plan["components"]] == executed
    assert {each["verdict"] for each in result.results.values()} <= {
        "pass",
        "fail",
        "warn",
        "not_applicable",
        "not_run",
    }


def assert_unharmed(host: Path, result: CheckRun) -> None:
    assert list(host.iterdir()) == []
    assert SECRET.encode() not in result.files + result.done.stdout + result.done.stderr
    assert b"Traceback" not in result.done.stdout + result.done.stderr
    assert b"\x1b[1A" not in result.done.stdout


@pytest.mark.parametrize("hostile", HOSTILES, ids=repr)
def test_a_hostile_plugin_is_reported_and_changes_nothing(hostile: Hostile, host: Path, tmp_path: Path) -> None:
    wheel = pack(hostile, tmp_path / "wheels", host / "marker")
    one, other = twice(wheel, host)
    assert one.done.returncode == 1, one.done.text
    failed = {code: result["cause"] for code, result in one.results.items() if result["verdict"] == "fail"}
    assert set(hostile.fails) <= set(failed), failed
    assert {failed[code] for code in hostile.fails if code[0] != "A"} == {hostile.cause}, failed
    assert any(hostile.phrase in message for message in one.messages), one.messages
    for result in (one, other):
        assert_whole(result)
        assert_unharmed(host, result)
    assert (one.out / "verdict.json").read_bytes() == (other.out / "verdict.json").read_bytes()


@pytest.mark.parametrize("hostile", HOSTILE_LIBRARIES, ids=repr)
def test_a_hostile_library_is_reported_and_changes_nothing(hostile: HostileLibrary, host: Path, tmp_path: Path) -> None:
    one, other = twice(pack_library(hostile, tmp_path / "wheels", host / "marker"), host)
    assert one.done.returncode == 1, one.done.text
    failed = {code: result["cause"] for code, result in one.results.items() if result["verdict"] == "fail"}
    assert failed == dict.fromkeys(hostile.fails, hostile.cause)
    assert one.results["A10"]["verdict"] == ("warn" if hostile.at_start else "pass")
    assert hostile.message in one.messages
    for result in (one, other):
        assert_whole(result)
        assert_unharmed(host, result)
    assert (one.out / "verdict.json").read_bytes() == (other.out / "verdict.json").read_bytes()


def test_a_library_may_start_threads_when_it_is_imported(host: Path, tmp_path: Path) -> None:
    code = b"import threading\nthread = threading.Thread(target=int)\nthread.start()\nthread.join()\n"
    result = check(write_wheel(tmp_path, name="threads", version="1.0", files={"threads.py": code}), host)
    assert {result.results[code]["verdict"] for code in ("S09", "S21", "S22")} == {"pass"}


@pytest.mark.parametrize("kind", KINDS)
def test_another_nonce_gives_other_inputs_and_the_same_one_the_same_bytes(kind: Any, host: Path) -> None:
    wheel = strict_wheel(kind, host.parent / "wheels")
    one, other = twice(wheel, host)
    assert one.done.returncode == 0, one.done.text
    assert (one.out / "verdict.json").read_bytes() == (other.out / "verdict.json").read_bytes()
    locked = check(wheel, host, "--lock", str(one.out / "pylock.toml"))
    assert (locked.out / "verdict.json").read_bytes() == (one.out / "verdict.json").read_bytes()
    foreign = check(wheel, host, nonce="a5" * 32)
    assert {code: result["verdict"] for code, result in foreign.results.items()} == {
        code: result["verdict"] for code, result in one.results.items()
    }
    assert_other_inputs(one, foreign)


def assert_other_inputs(one: CheckRun, foreign: CheckRun) -> None:
    assert one.verdict["nonce_sha256"] != foreign.verdict["nonce_sha256"]
    for code, result in one.results.items():
        assert not set(result["inputs"]) & set(foreign.results[code]["inputs"]), code
        assert len(result["inputs"]) == len(foreign.results[code]["inputs"])
    if one.verdict["components"][0]["kind"] != "backend":
        assert any(result["inputs"] for result in one.results.values())


def test_the_rendered_template_gets_other_inputs_from_another_nonce(host: Path) -> None:
    project = host.parent / "rain-model"
    assert run([str(CHIMES), "new", "model", str(project), "--no-input"]).returncode == 0
    one, foreign = check(project, host), check(project, host, nonce="a5" * 32)
    assert (one.done.returncode, foreign.done.returncode) == (0, 0), one.done.text
    assert one.verdict["sha256"] == foreign.verdict["sha256"]
    assert_other_inputs(one, foreign)


def test_a_hostile_library_runs_only_in_the_sandbox(host: Path, tmp_path: Path) -> None:
    code = PRELUDE.format(marker=str(host / "marker")) + "import socket\nsocket.socket().close()\n"
    files = {**start_files("hostile_library.pth", code), "hostile_library/__init__.py": b""}
    links = tmp_path / "links"
    write_wheel(links, name="hostile-library", version="1.0", files=files)
    wheel = repack(strict_wheel("model", tmp_path / "plain"), tmp_path / "wheels", {}, ("hostile-library==1.0",))
    one, other = twice(wheel, host, UV_FIND_LINKS=str(links))
    assert {"S09", "S22"} <= {code for code, result in one.results.items() if result["verdict"] == "fail"}
    assert "importing the entry module opens a network socket" in one.messages
    for result in (one, other):
        assert_whole(result)
        assert_unharmed(host, result)
    assert (one.out / "verdict.json").read_bytes() == (other.out / "verdict.json").read_bytes()


def test_a_plugin_cannot_hide_behind_a_well_behaved_one_that_it_requires(host: Path, tmp_path: Path) -> None:
    links = tmp_path / "links"
    good = strict_wheel("connector", links)
    wheel = pack(NETWORK[1], tmp_path / "plain", host / "marker")
    requirement = f"chimes-strict-connector=={good.name.split('-')[1]}"
    result = check(repack(wheel, tmp_path / "wheels", {}, (requirement,)), host, UV_FIND_LINKS=str(links))
    assert [component["kind"] for component in result.verdict["components"]] == ["model"]
    assert "the component opens a network socket" in result.messages


def test_without_bubblewrap_nothing_is_run(host: Path, tmp_path: Path) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("strace", "setpriv"):
        (tools / name).symlink_to(shutil.which(name) or name)
    result = check(strict_wheel("model", tmp_path / "wheels"), host, PATH=str(tools))
    assert result.done.returncode == 2
    assert b"bwrap" in result.done.stderr
    assert b"apt-get install bubblewrap" in result.done.stderr
    assert not (result.out / "verdict.json").exists()
