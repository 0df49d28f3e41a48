from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from chimes.errors import InfrastructureError
from chimes.sandbox import Limits, Mount, Sandbox

Inside = Callable[..., Any]
IS_ROOT = os.geteuid() == 0


def test_code_inside_has_another_user_and_no_capability(inside: Inside) -> None:
    outcome = inside("""
        import os
        status = dict(line.split(":\\t", 1) for line in open("/proc/self/status").read().splitlines())
        print(os.getuid() == os.getgid(), os.getuid(), status["CapEff"], status["CapBnd"], status["NoNewPrivs"])
        print(os.getgroups() in ([], [os.getgid()], [65534]))
    """)
    same, uid, effective, bounding, new = outcome.output.split()[:5]
    assert (int(effective, 16), int(bounding, 16), new) == (0, 0, "1")
    if IS_ROOT:
        assert same == "True"
        assert 61_001 <= int(uid) <= 62_000
        assert outcome.output.split()[5] == "True"
    else:
        assert int(uid) == os.getuid()


def test_only_three_folders_can_be_written(inside: Inside, tmp_path: Path) -> None:
    outcome = inside(
        """
        import os
        for root, folders, files in os.walk("/"):
            folders[:] = [] if root.count("/") > 1 else [name for name in folders if name != "proc"]
            try:
                open(os.path.join(root, "written"), "w").close()
                print(root)
            except OSError:
                pass
        """,
        mounts=[Mount(tmp_path, "/env")],
    )
    assert set(outcome.output.split()) == {"/work", "/work/tmp", "/tmp", "/dev/shm"}


def test_there_is_no_network(inside: Inside) -> None:
    outcome = inside("""
        import errno, socket
        print([name for _, name in socket.if_nameindex()])
        with socket.socket() as client:
            print(errno.errorcode[client.connect_ex(("192.0.2.1", 80))])
    """)
    assert outcome.output.split() == ["['lo']", "ENETUNREACH"]


def test_the_environment_of_the_host_is_not_visible(inside: Inside, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOST_SECRET", "hunter2")
    code = "import os; print(sorted(os.environ.items()))"
    assert inside(code, env={"TMPDIR": "/work/tmp", "PATH": "/usr/bin"}).output == (
        "[('HOME', '/work'), ('LANG', 'C.UTF-8'), ('PATH', '/usr/bin'), "
        "('PYTHONDONTWRITEBYTECODE', '1'), ('TMPDIR', '/work/tmp')]\n"
    )


@pytest.mark.parametrize("trace", [True, False])
def test_only_the_three_standard_streams_are_open_inside(inside: Inside, trace: bool) -> None:
    with open(os.devnull, "rb") as file:
        os.set_inheritable(file.fileno(), True)
        code = "import os; print([fd for fd in range(1024) if os.path.exists(f'/proc/self/fd/{fd}')])"
        assert inside(code, trace=trace).output == "[0, 1, 2]\n"


def test_processes_of_the_host_are_not_visible(inside: Inside) -> None:
    outcome = inside("import os; print(sorted(int(name) for name in os.listdir('/proc') if name.isdigit()))")
    assert outcome.output == "[1, 2]\n"


@pytest.mark.parametrize(
    ("call", "refusal"),
    [
        ("os.memfd_create('unseen') < 0", "ENOSYS"),
        ("libc.syscall(425, 8, bytes(256)) and complain()", "ENOSYS"),
        ("libc.unshare(0x10000000) and complain()", "EPERM"),
        ("libc.unshare(0x00020000) and complain()", "EPERM"),
        ("libc.shmget(0, 4096, 0o1600) < 0 and complain()", "ENOSYS"),
        ("libc.semget(0, 32000, 0o1600) < 0 and complain()", "ENOSYS"),
        ("libc.vmsplice(1, None, 0, 0) and complain()", "ENOSYS"),
        ("fcntl.fcntl(1, fcntl.F_SETPIPE_SZ, 1 << 20)", "EPERM"),
    ],
)
def test_calls_that_bypass_the_limits_or_the_trace_are_absent(inside: Inside, call: str, refusal: str) -> None:
    outcome = inside(f"""
        import ctypes, errno, fcntl, os
        libc = ctypes.CDLL(None, use_errno=True)
        def complain():
            raise OSError(ctypes.get_errno(), "refused")
        try:
            print({call})
        except OSError as error:
            print(errno.errorcode[error.errno])
    """)
    assert outcome.output.strip() == refusal


def test_a_socket_that_asks_for_a_larger_buffer_keeps_its_own(inside: Inside) -> None:
    outcome = inside("""
        import socket
        client = socket.socketpair()[0]
        before = client.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8 * before)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 * before)
        print(before == client.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF))
    """)
    assert outcome.output == "True\n"


def test_two_sandboxes_at_a_time_have_different_users() -> None:
    command = ["/usr/bin/python3", "-I", "-c", "import os; print(os.getuid(), flush=True); input()"]
    with Sandbox(command) as one, Sandbox(command) as other:
        uids = {int(sandbox.stdout.read(100)) for sandbox in (one, other)}
    assert len(uids) == 2 if IS_ROOT else uids == {os.getuid()}


def test_a_mount_can_be_read_but_not_written(inside: Inside, tmp_path: Path) -> None:
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    (private / "data").mkdir()
    (private / "data" / "table.txt").write_text("rows")
    (private / "data" / "table.txt").chmod(0o666)
    outcome = inside(
        """
        print(open("/in/put/table.txt").read())
        open("/in/put/table.txt", "a")
        """,
        mounts=[Mount(private / "data", "/in/put")],
    )
    assert outcome.output == "rows\n"
    assert "Read-only file system: '/in/put/table.txt'" in outcome.complained


def test_programs_from_a_mount_do_not_run_before_the_user_is_dropped(inside: Inside, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    for name in ("setpriv", "prlimit", "env", "bwrap"):
        (tmp_path / "bin" / name).write_text("#!/usr/bin/sh\necho taken over >&2\n")
        (tmp_path / "bin" / name).chmod(0o755)
    outcome = inside("print('mine')", mounts=[Mount(tmp_path, "/env")], env={"LD_PRELOAD": "/env/none.so"})
    assert (outcome.output, outcome.status) == ("mine\n", 0)
    assert "taken over" not in outcome.complained
    # The loader prints one warning, because only the command itself has the variable.
    assert outcome.complained.count("/env/none.so") == 1


@pytest.mark.parametrize(
    ("mount", "message"),
    [
        (Mount(Path("/nowhere/at/all"), "/data"), "'/nowhere/at/all' in the sandbox: it does not exist"),
        (Mount(Path("/usr"), "data"), "'data' in the sandbox: not an absolute path"),
        (Mount(Path("/usr"), "/data/../etc"), "'/data/../etc' in the sandbox"),
        (Mount(Path("/usr"), "/usr/absent/place"), "did not start: bwrap: Can't mkdir"),
    ],
)
def test_a_mount_that_cannot_be_made_is_named(mount: Mount, message: str) -> None:
    with pytest.raises(InfrastructureError, match="sandbox") as caught:
        Sandbox(["/usr/bin/true"], mounts=[mount])
    assert message in str(caught.value)
    assert caught.value.hint


def test_a_command_that_does_not_exist_is_named() -> None:
    with pytest.raises(InfrastructureError, match="/usr/bin/absent"):
        Sandbox(["/usr/bin/absent"])


def test_limits_hold_inside(inside: Inside) -> None:
    limits = Limits(processes=20, file_bytes=1 << 20, open_files=64, cpu_s=7, address_bytes=1 << 30, disk_bytes=1 << 21)
    code = """
        import os, resource as r
        print([r.getrlimit(n)[0] for n in (r.RLIMIT_NPROC, r.RLIMIT_FSIZE, r.RLIMIT_NOFILE, r.RLIMIT_CPU, r.RLIMIT_AS)])
        print({os.statvfs(p).f_blocks * os.statvfs(p).f_frsize for p in ("/work", "/tmp", "/dev/shm")})
    """
    assert inside(code, limits=limits).output == "[20, 1048576, 64, 7, 1073741824]\n{2097152}\n"


def test_a_sandbox_leaves_no_process_and_no_folder_on_the_host(inside: Inside) -> None:
    inside("pass")
    before = (set(os.listdir("/proc/self/fd")), threading.active_count())
    for _ in range(3):
        inside("import subprocess; subprocess.Popen(['/usr/bin/sleep', '1000'])")
    with pytest.raises(InfrastructureError):
        Sandbox(["/usr/bin/absent"])
    with pytest.raises(InfrastructureError):
        Sandbox(["/usr/bin/true"], mounts=[Mount(Path("/nowhere"), "/data")])
    assert (set(os.listdir("/proc/self/fd")), threading.active_count()) == before
    with open(f"/proc/self/task/{os.getpid()}/children") as children:
        assert children.read() == ""
