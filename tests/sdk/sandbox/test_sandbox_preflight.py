from __future__ import annotations

import os
import resource
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import chimes
import pytest
from chimes.errors import InfrastructureError
from chimes.processes import run
from chimes.sandbox import Limits, Sandbox, preflight
from chimes.sandbox.command import bubblewrap
from chimes.sandbox.users import FIRST_UID, take_user

TOOLS = ("bwrap", "strace", "setpriv", "prlimit")


def test_a_machine_with_all_tools_passes() -> None:
    preflight()


@pytest.mark.parametrize("missing", ["bwrap", "strace", "setpriv"])
def test_a_missing_tool_is_named_with_the_fix(missing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for tool in TOOLS:
        found = shutil.which(tool)
        if found and tool != missing:
            (tmp_path / tool).symlink_to(found)
    monkeypatch.setenv("PATH", str(tmp_path))
    for start in (preflight, lambda: Sandbox(["/usr/bin/true"])):
        with pytest.raises(InfrastructureError, match=missing) as caught:
            start()
        assert caught.value.hint == "apt-get install bubblewrap strace util-linux"


@pytest.mark.parametrize(
    ("tool", "message", "hint"),
    [
        ("strace", "strace: ptrace(PTRACE_TRACEME, ...): Operation not permitted", "SYS_PTRACE"),
        ("bwrap", "bwrap: No permissions to create new namespace", "user namespaces"),
        ("bwrap", "bwrap: something unheard of", "correct the reported problem"),
    ],
)
def test_a_tool_that_is_refused_is_quoted_with_the_fix(
    tool: str, message: str, hint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / tool).write_text(f"#!/usr/bin/sh\necho '{message}' >&2\nexit 1\n")
    (tmp_path / tool).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(InfrastructureError) as caught:
        preflight()
    assert message in str(caught.value)
    assert hint in (caught.value.hint or "")


def test_a_user_is_used_by_one_sandbox_at_a_time(tmp_path: Path) -> None:
    one, other = take_user(tmp_path), take_user(tmp_path)
    assert (one.uid, other.uid) == (FIRST_UID, FIRST_UID + 1)
    one.release()
    one.release()
    again = take_user(tmp_path)
    assert again.uid == FIRST_UID
    with pytest.raises(InfrastructureError, match="all 2 users"):
        take_user(tmp_path, users=2)
    again.release()
    other.release()


def test_a_folder_of_locks_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InfrastructureError, match="cannot lock a user"):
        take_user(tmp_path / "file" / "locks")


def test_without_root_everything_happens_in_a_user_namespace() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    limits = Limits(open_files=1 << 40, address_bytes=None)
    command = bubblewrap("bwrap", ["app"], mounts=[], env={}, limits=limits, uid=None, status_fd=8, filter_fd=9)
    assert "--unshare-user" in command
    assert "--disable-userns" in command
    assert not {"--cap-add", "/usr/bin/setpriv"} & set(command)
    assert f"--nofile={hard if hard != resource.RLIM_INFINITY else 1 << 40}" in command
    assert not [word for word in command if word.startswith("--as=")]
    assert command[-1] == "app"


@pytest.fixture
def public_sources() -> Iterator[Path]:
    """The modules that a sandbox needs, in a folder that every user can read."""
    folder = Path(tempfile.mkdtemp(prefix="chimes-test-"))
    package = Path(chimes.__file__).parent
    (folder / "chimes").mkdir()
    for name in ("__init__.py", "errors.py", "files.py"):
        shutil.copy(package / name, folder / "chimes" / name)
    for name in ("processes", "sandbox"):
        shutil.copytree(package / name, folder / "chimes" / name, ignore=shutil.ignore_patterns("__pycache__"))
    run(["/usr/bin/chmod", "-R", "a+rX", str(folder)])
    yield folder
    shutil.rmtree(folder)


UNPRIVILEGED = """
import os, sys
sys.path.insert(0, sys.argv[1])
from chimes.sandbox import Limits, Sandbox, preflight
preflight()
def end(code, **limits):
    with Sandbox(["/usr/bin/python3", "-I", "-c", code], limits=Limits(**limits)) as sandbox:
        sandbox.wait(60)
        return sandbox.cause(), sandbox.stdout.read(1000).decode(), [event.target for event in sandbox.events()]
print(end("import os; print(os.getuid())"))
print(end("open('/etc/passwd', 'w')"))
print(end("import os\\nwhile True:\\n try: os.fork()\\n except OSError: pass", processes=30)[0])
print(end("kept = []\\nwhile True: kept.append(bytearray(1 << 20))", memory_bytes=100 << 20)[0])
print(end("import time; open('/tmp/a', 'wb').write(bytes(60 << 20)); time.sleep(99)", memory_bytes=50 << 20)[0])
print(end("import socket\\nkept = [socket.socketpair() for _ in range(400)]\\ninput()", memory_bytes=99 << 20)[0])
print(end("import os; os.kill(1, 9)")[0])
print(end("import time; time.sleep(99)", wall_s=0.2)[0])
"""


def test_a_sandbox_can_be_made_without_root(public_sources: Path) -> None:
    python = ["/usr/bin/python3", "-I", "-c", UNPRIVILEGED, str(public_sources)]
    drop = ["setpriv", "--reuid=12345", "--regid=12345", "--clear-groups"] if os.geteuid() == 0 else []
    ended = run([*drop, *python], cwd="/", timeout_s=120)
    uid = 12345 if drop else os.getuid()
    assert ended.text.splitlines() == [
        f"(None, '{uid}\\n', [])",
        "(None, '', ['/etc/passwd'])",
        "processes",
        "memory",
        "memory",
        "memory",
        "killed",
        "time",
    ]
