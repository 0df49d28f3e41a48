from __future__ import annotations

import io
import os
import textwrap
import time
import zipfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from chimes.conformance.build import build_in_sandbox
from chimes.conformance.child import build
from chimes.conformance.options import Options
from chimes.conformance.rules import Rules, RunLimits
from chimes.conformance.run import check_path
from chimes.errors import BuildError
from chimes.evidence.verdict import CheckResult
from chimes.rpc.process import Answer, ChildProcess, Place
from chimes.sandbox import Limits

Project = Callable[..., Path]

GOOD = """\
import zipfile

def build_wheel(out, settings=None, metadata=None):
    name = "acme_rain-1.0-py3-none-any.whl"
    with zipfile.ZipFile(out + "/" + name, "w") as archive:
        archive.write("acme_rain.py")
    return name
"""


@pytest.fixture
def project(caches: Path, tmp_path: Path) -> Project:
    """Write a project that contains its own build backend."""

    def make(backend: str, *, requires: str = "[]", before: str = "") -> Path:
        folder = tmp_path / "acme"
        folder.mkdir()
        (folder / "acme_rain.py").write_text("rain = True\n")
        (folder / "backend.py").write_text(textwrap.dedent(before) + textwrap.dedent(backend))
        (folder / "pyproject.toml").write_text(
            f'[build-system]\nrequires = {requires}\nbuild-backend = "backend"\nbackend-path = ["."]\n'
        )
        return folder

    return make


def hostile(body: str) -> str:
    return "import os, sys, time\n\ndef build_wheel(out, settings=None, metadata=None):\n" + textwrap.indent(
        body, "    "
    )


def child(folder: Path, work: Path, *, staged: bool) -> Answer:
    """The answer of a build process without a sandbox."""
    arguments = {"source": str(folder), "work": str(work), "backend": "backend", "backend_path": ["."]}
    process = ChildProcess(Place(program=Path(build.__file__)), {})
    deadline = time.monotonic() + 60
    try:
        with closing(process.run("build", {**arguments, "staged": staged}, deadline)) as session:
            return session.receive(deadline)
    finally:
        process.kill()


def test_a_build_process_first_requests_requirements_and_then_answers(project: Project, tmp_path: Path) -> None:
    asking = "def get_requires_for_build_wheel(settings=None):\n    return ('rain-maps',)\n"
    folder = project(GOOD, before=asking)
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    assert child(folder, tmp_path / "a", staged=False) == Answer(True, {"requires": ["rain-maps"]})
    answer = child(folder, tmp_path / "b", staged=True)
    assert answer.value == {"wheel": "acme_rain-1.0-py3-none-any.whl"}
    assert zipfile.ZipFile(io.BytesIO(answer.blobs[0])).namelist() == ["acme_rain.py"]


def test_a_wheel_is_built_in_the_sandbox(project: Project, tmp_path: Path) -> None:
    folder = project(GOOD)
    before = sorted(path.name for path in folder.iterdir())
    wheel = build_in_sandbox(folder, tmp_path / "out").wheel
    assert zipfile.ZipFile(wheel).read("acme_rain.py") == b"rain = True\n"
    assert sorted(path.name for path in folder.iterdir()) == before


def test_a_project_is_built_with_hatchling(caches: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("UV_CACHE_DIR")
    folder = tmp_path / "acme"
    (folder / "src/acme_rain").mkdir(parents=True)
    (folder / "src/acme_rain/__init__.py").write_text("")
    (folder / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n'
        '[project]\nname = "acme-rain"\nversion = "1.0"\nrequires-python = ">=3.11"\n'
    )
    wheel = build_in_sandbox(folder, tmp_path / "out").wheel
    assert wheel.name == "acme_rain-1.0-py3-none-any.whl"
    assert "acme_rain/__init__.py" in zipfile.ZipFile(wheel).namelist()


def test_the_output_of_the_backend_is_not_part_of_the_answer(project: Project, tmp_path: Path) -> None:
    noise = "import os, sys\nprint('chm1' * 1000)\nos.write(1, b'chm1')\nos.system('echo chm1')\n"
    assert build_in_sandbox(project(GOOD, before=noise), tmp_path / "out").wheel.is_file()


def test_requirements_of_the_backend_are_installed(
    add_wheel: Callable[..., Path], project: Project, tmp_path: Path
) -> None:
    add_wheel("rain-units", "1.0")
    add_wheel("rain-maps", "3.0")
    asking = """
    def get_requires_for_build_wheel(settings=None):
        import rain_units
        return ["rain-maps>=2"]
    """
    needing = GOOD.replace("    name =", "    import rain_maps, rain_units\n    name =")
    folder = project(needing, requires='["rain-units"]', before=asking)
    assert build_in_sandbox(folder, tmp_path / "out").wheel.is_file()


@pytest.mark.parametrize("answer", ['["x @ https://example.org/x.whl"]', '["--index-url=x"]', '["a"] * 1000', "[1]"])
def test_invalid_requirements_of_the_backend_are_refused(project: Project, tmp_path: Path, answer: str) -> None:
    before = f"def get_requires_for_build_wheel(settings=None):\n    return {answer}\n"
    with pytest.raises(BuildError):
        build_in_sandbox(project(GOOD, before=before), tmp_path / "out")


def test_start_up_code_of_a_build_requirement_does_not_run_outside(
    add_wheel: Callable[..., Path], project: Project, tmp_path: Path
) -> None:
    marker = tmp_path / "ran"
    line = f"import os; os.path.isdir({str(tmp_path)!r}) and open({str(marker)!r}, 'w').close()\n"
    add_wheel("dark-rain", files={"dark.pth": line.encode(), "dark_rain.py": b""})
    assert build_in_sandbox(project(GOOD, requires='["dark-rain"]'), tmp_path / "out").wheel.is_file()
    assert not marker.exists()


def test_build_requirements_that_do_not_exist_are_named(
    add_wheel: Callable[..., Path], project: Project, tmp_path: Path
) -> None:
    with pytest.raises(BuildError, match="no-such-thing"):
        build_in_sandbox(project(GOOD, requires='["no-such-thing"]'), tmp_path / "out")


def test_a_backend_that_writes_outside_changes_nothing(project: Project, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("whole")
    body = f"""\
for path in ({str(victim)!r}, "/etc/passwd", "/usr/bin/rain", "/source/acme_rain.py", "/env/rain"):
    try:
        open(path, "w").close()
    except OSError as error:
        sys.stderr.write(str(error))
    else:
        sys.stderr.write("WRITTEN")
raise SystemExit("done with " + ",".join(os.environ))
"""
    secret = "CHIMES_TEST_SECRET"
    os.environ[secret] = "1"
    try:
        with pytest.raises(BuildError) as caught:
            build_in_sandbox(project(hostile(body)), tmp_path / "out")
    finally:
        del os.environ[secret]
    assert victim.read_text() == "whole"
    assert "done with" in caught.value.message
    assert "WRITTEN" not in caught.value.message
    assert secret not in caught.value.message
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("body", "limits", "cause"),
    [
        ("time.sleep(600)", Limits(wall_s=2), "did not finish in 2 s"),
        ("while True: os.fork()", Limits(processes=30), "more than 30 processes"),
        ("b'x' * (900 << 20); time.sleep(600)", Limits(memory_bytes=200 << 20), "more than 200 MiB of memory"),
        ("raise ValueError('no rain')", Limits(), "ValueError: no rain"),
        ("os._exit(0)", Limits(), "it printed nothing"),
        ("import no_such_module", Limits(), "no_such_module"),
        ("[os.write(fd, b'garbage' * 100) for fd in (3, 4, 5)]", Limits(), "OSError|no wheel|Bad file"),
    ],
)
def test_a_hostile_backend_is_ended_and_its_cause_is_reported(
    project: Project, tmp_path: Path, body: str, limits: Limits, cause: str
) -> None:
    with pytest.raises(BuildError, match=cause):
        build_in_sandbox(project(hostile(body + "\n")), tmp_path / "out", limits=limits)
    assert not (tmp_path / "out").exists()


BESIDES = """\
import os, socket

def attempt(what, *args):
    try:
        what(*args)
    except OSError:
        pass

attempt(socket.create_connection, ("192.0.2.1", 80), 1)
attempt(open, "/etc/rain", "w")
attempt(open, "/proc/1/mem", "r+b")
attempt(os.kill, 1, 9)
attempt(open, "/tmp/rain", "w")
"""


def judged(folder: Path) -> CheckResult:
    """The findings of a folder's report about its build."""
    return next(result for result in check_path(folder, Options(sandbox=True)).checks if result.code == "S22")


def test_side_effects_of_a_build_are_named(project: Project) -> None:
    result = judged(project(GOOD, before=BESIDES))
    assert (result.verdict, result.cause) == ("fail", "killed")
    assert {finding.blocks for finding in result.findings} == {"verified"}
    assert [finding.message.removeprefix("building the project ") for finding in result.findings] == [
        "opens a network socket",
        "reaches into another process's memory",
        "sends a signal to a process that it did not start",
        "writes in /etc",
    ]


def test_a_build_that_only_builds_passes(project: Project) -> None:
    assert judged(project(GOOD)).verdict == "pass"


def test_the_limits_of_the_rules_apply_to_a_build(project: Project) -> None:
    folder = project(hostile("time.sleep(600)\n"))
    with pytest.raises(BuildError, match="did not finish in 2 s"):
        check_path(folder, Options(sandbox=True, rules=Rules(limits=RunLimits(wall_s=2))))


@pytest.mark.parametrize(
    "name",
    ["../../escape-1.0-py3-none-any.whl", "a-1.0-py3-none-any/../../b.whl", "acme.txt", "a-1.0-py3-none-any\n.whl"],
)
def test_a_wheel_name_with_a_path_is_refused(project: Project, tmp_path: Path, name: str) -> None:
    body = f"""\
import json, struct, glob
body = json.dumps({{"number": 1, "ok": True, "value": {{"wheel": {name!r}}}}}).encode()
frame = b"chm1" + struct.pack(">II", len(body), 1) + struct.pack(">Q", 1) + body + b"x"
for fd in map(int, os.listdir("/proc/self/fd")):
    try:
        os.write(fd, frame) if fd > 2 else None
    except OSError:
        pass
os._exit(0)
"""
    with pytest.raises(BuildError, match="did not give a wheel"):
        build_in_sandbox(project(hostile(body)), tmp_path / "out")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["acme"]


def test_links_are_not_followed_and_environments_are_left_out(project: Project, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    looking = 'archive.writestr("seen", " ".join(sorted(os.listdir())) + str(os.path.exists("link")))'
    folder = project(GOOD.replace('archive.write("acme_rain.py")', looking), before="import os\n")
    (folder / "link").symlink_to(tmp_path / "secret")
    (folder / "venv").mkdir()
    (folder / "venv/pyvenv.cfg").write_text("")
    (folder / ".tox").mkdir()
    seen = zipfile.ZipFile(build_in_sandbox(folder, tmp_path / "out").wheel).read("seen").decode()
    assert "link" in seen
    assert seen.endswith("False")
    assert ".tox" not in seen
    assert "venv" not in seen


def test_a_pipe_in_the_project_is_refused(project: Project, tmp_path: Path) -> None:
    folder = project(GOOD)
    os.mkfifo(folder / "pipe")
    with pytest.raises(BuildError, match="neither a file nor a folder"):
        build_in_sandbox(folder, tmp_path / "out")


def test_a_project_that_is_too_large_is_refused(project: Project, tmp_path: Path) -> None:
    folder = project(GOOD)
    with (folder / "data").open("wb") as stream:
        stream.truncate(40 << 20)
    with pytest.raises(BuildError, match="larger than 32 MiB"):
        build_in_sandbox(folder, tmp_path / "out", limits=Limits(disk_bytes=32 << 20))
