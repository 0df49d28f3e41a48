from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from chimes.sandbox import Event, Mount, Sandbox
from chimes.sandbox.events import place_of

Inside = Callable[..., Any]


def test_a_program_that_only_computes_leaves_no_event(inside: Inside) -> None:
    outcome = inside("""
        import hashlib, json
        open("/dev/null", "w").write("nothing")
        open("/usr/bin/python3", "rb").read(10)
        print(json.dumps(hashlib.sha256(b"x").hexdigest()))
    """)
    assert outcome.events == ()


def test_a_socket_is_observed_although_its_creation_succeeds(inside: Inside) -> None:
    outcome = inside("import socket; socket.socket().close(); print('fine')")
    assert outcome.output == "fine\n"
    assert outcome.events == (Event("network", "socket", "AF_INET SOCK_STREAM", False),)


def test_a_socket_pair_is_not_a_network_event(inside: Inside) -> None:
    outcome = inside("""
        import socket
        one, other = socket.socketpair()
        socket.socket(socket.AF_UNIX).bind("/work/here")
    """)
    assert outcome.of("network") == set()


def test_addresses_are_reported(inside: Inside) -> None:
    outcome = inside("""
        import socket
        def attempt(step):
            try:
                step()
            except OSError:
                pass
        stream = socket.socket()
        attempt(lambda: stream.connect(("192.0.2.1", 443)))
        datagram = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        attempt(lambda: datagram.sendto(b'{sa_family=AF_X, "', ("2001:db8::1", 53)))
        attempt(lambda: datagram.sendmsg([b"x"], [], 0, ("2001:db8::2", 53)))
        server = socket.create_server(("127.0.0.1", 0))
        socket.create_connection(server.getsockname())
    """)
    assert outcome.of("network") == {
        ("socket", "AF_INET SOCK_STREAM", False),
        ("connect", "192.0.2.1:443", True),
        ("socket", "AF_INET6 SOCK_DGRAM", False),
        ("send", "[2001:db8::1]:53", True),
        ("send", "[2001:db8::2]:53", True),
        ("bind", "127.0.0.1:0", False),
        ("connect", "127.0.0.1:*", False),
    }


def test_a_refused_write_is_observed_although_its_error_is_caught(inside: Inside) -> None:
    outcome = inside("""
        try:
            open("/etc/passwd", "w")
        except OSError:
            pass
    """)
    assert (outcome.status, outcome.complained) == (0, "")
    assert outcome.events == (Event("write", "open", "/etc/passwd", True),)


def test_every_change_of_the_file_system_is_seen(inside: Inside) -> None:
    outcome = inside("""
        import os
        os.chdir("/tmp")
        os.mkdir("folder")
        os.makedirs("folder", exist_ok=True)
        open("folder/file", "x").close()
        os.chdir("folder")
        os.rename("file", "../renamed")
        os.symlink("/tmp/renamed", "link")
        open("link", "a").close()
        os.link("../renamed", "hard")
        os.chmod("hard", 0o600)
        os.truncate("hard", 10)
        os.unlink("hard")
        here = os.open("/tmp", os.O_RDONLY)
        os.mkdir("by-number", dir_fd=here)
        os.rmdir("/tmp/by-number")
        os.fchdir(here)
        os.mkfifo("pipe")
    """)
    assert (outcome.status, outcome.complained) == (0, "")
    assert {(action, target) for action, target, _ in outcome.of("write")} == {
        ("mkdir", "/tmp/folder"),
        ("open", "/tmp/folder/file"),
        ("rename", "/tmp/folder/file"),
        ("rename", "/tmp/renamed"),
        ("symlink", "/tmp/folder/link"),
        ("open", "/tmp/renamed"),
        ("link", "/tmp/folder/hard"),
        ("chmod", "/tmp/folder/hard"),
        ("truncate", "/tmp/folder/hard"),
        ("unlink", "/tmp/folder/hard"),
        ("mkdir", "/tmp/by-number"),
        ("rmdir", "/tmp/by-number"),
        ("mknod", "/tmp/pipe"),
    }


def test_paths_are_reported_with_printable_characters(inside: Inside) -> None:
    outcome = inside("""
        for name in ("sp ace", "q\\"uote", "new\\nline", "d\\u00fcnn", ") = -1 EROFS (x)", "<unfinished ...>"):
            open(f"/tmp/{name}", "w").close()
            try:
                open(f"/etc/{name}", "w")
            except OSError:
                pass
    """)
    names = ("sp ace", 'q"uote', "new\\nline", "dünn", ") = -1 EROFS (x)", "<unfinished ...>")
    assert outcome.of("write") == {
        ("open", f"{folder}/{name}", folder == "/etc") for name in names for folder in ("/tmp", "/etc")
    }


def test_processes_and_threads_are_seen(inside: Inside) -> None:
    outcome = inside("""
        import subprocess, threading
        thread = threading.Thread(target=print)
        thread.start()
        thread.join()
        subprocess.run(["/usr/bin/true"])
        try:
            subprocess.run(["/usr/bin/absent"])
        except OSError:
            pass
    """)
    assert outcome.of("process") == {
        ("fork", "", False),
        ("thread", "", False),
        ("execve", "/usr/bin/true", False),
        ("execve", "/usr/bin/absent", True),
    }


def test_reaching_into_the_memory_of_another_process_is_seen(inside: Inside) -> None:
    outcome = inside("""
        import ctypes, os
        libc = ctypes.CDLL(None)
        os.symlink("/proc/self/mem", "/tmp/innocent")
        open("/tmp/innocent", "r+b")
        open("/proc/self/maps", "rb")
        if os.fork() == 0:
            os.chdir("/proc/2")
            open("mem", "r+b")
            libc.ptrace(16, 2, None, None)
            libc.process_vm_writev(2, None, 0, None, 0, 0)
            os._exit(0)
        os.wait()
    """)
    assert outcome.of("memory") == {
        ("open", "/proc/self/mem", False),
        ("open", "/proc/2/mem", False),
        ("ptrace", "2", True),
        ("process_vm_writev", "2", False),
    }
    assert outcome.cause == "killed"


def test_events_before_an_answer_are_available_with_the_answer() -> None:
    code = "import os; os.mkdir('/tmp/before'); print('answer', flush=True); input()"
    with Sandbox(["/usr/bin/python3", "-I", "-c", code]) as sandbox:
        assert sandbox.stdout.read(100) == b"answer\n"
        assert [event.target for event in sandbox.events()] == ["/tmp/before"]


def test_a_flood_of_events_hides_nothing_that_was_refused(inside: Inside) -> None:
    outcome = inside("""
        import os
        for number in range(9000):
            os.mkdir(f"/tmp/{number}")
        for number in range(3000):
            try:
                os.mkdir(f"/etc/{number}")
            except OSError:
                pass
        try:
            os.unlink("/zzz")
        except OSError:
            pass
        os.kill(os.getpid(), 18)
    """)
    assert len(outcome.events) < 4200
    assert ("mkdir", "/etc/0", True) in outcome.of("write")
    assert outcome.of("signal") == {("kill", "self", False)}


def test_two_runs_have_the_same_events(inside: Inside, tmp_path: Path) -> None:
    code = """
        import os, socket, subprocess, threading
        def work(number):
            subprocess.run(["/usr/bin/true"])
            open(f"/tmp/{number}", "w").close()
            socket.socket()
        for number in range(8):
            threading.Thread(target=work, args=(number,)).start()
    """
    one, other = (inside(code, mounts=[Mount(tmp_path, "/env")]) for _ in range(2))
    assert one.events == other.events
    assert list(one.events) == sorted(set(one.events))
    assert len(one.events) == 12


@pytest.mark.parametrize("call", ["os.setxattr('/usr/bin', 'user.a', b'')", "os.chown('/usr', 1, 1)"])
def test_system_calls_for_administrators_are_observed(inside: Inside, call: str) -> None:
    outcome = inside(f"import os; {call}")
    assert [refused for _, _, refused in outcome.of("write")] == [True]


def test_a_refused_write_through_a_link_is_not_reported_in_an_own_folder(inside: Inside) -> None:
    outcome = inside("""
        import os
        os.symlink("/etc", "/work/link")
        for attempt in (lambda: open("/work/link/x", "w"), lambda: os.mkdir("/work/link/y")):
            try:
                attempt()
            except OSError:
                pass
    """)
    assert outcome.of("write") == {("symlink", "/work/link", False), ("open", "/", True), ("mkdir", "/", True)}


def test_many_random_names_do_not_hide_the_places_of_writes(inside: Inside) -> None:
    outcome = inside("""
        import contextlib, os
        for name in [f"/{os.urandom(8).hex()}/x" for _ in range(500)] + ["/usr/zzz/x", "/etc/zzz"]:
            with contextlib.suppress(OSError):
                os.mkdir(name)
    """)
    places = {place_of(target) for _, target, _ in outcome.of("write")}
    assert places == {"/", "/usr", "/etc"}


def test_a_filter_that_would_let_calls_past_the_trace_cannot_be_made(inside: Inside) -> None:
    outcome = inside("""
        import ctypes, errno, os, struct
        libc = ctypes.CDLL(None, use_errno=True)
        number = {"x86_64": 317, "aarch64": 277}[os.uname().machine]
        allow = ctypes.create_string_buffer(struct.pack("<HBBI", 6, 0, 0, 0x7FFF0000))
        program = ctypes.create_string_buffer(struct.pack("<HxxxxxxQ", 1, ctypes.addressof(allow)))
        print(libc.syscall(number, 1, 8, program), errno.errorcode[ctypes.get_errno()])
    """)
    assert outcome.output == "-1 ENOSYS\n"


def test_a_process_that_the_trace_cannot_follow_cannot_make_traced_calls(inside: Inside) -> None:
    outcome = inside("""
        import ctypes, errno, os
        libc = ctypes.CDLL(None, use_errno=True)
        clone, open_at = {"x86_64": (56, 257), "aarch64": (220, 56)}[os.uname().machine]
        if (pid := libc.syscall(clone, 0x00800000 | 17, 0, 0, 0, 0)) == 0:
            failed = libc.syscall(open_at, -100, b"/tmp/unseen", 0o101, 0o600) < 0
            os._exit(ctypes.get_errno() if failed else 0)
        print(errno.errorcode[os.waitpid(pid, 0)[1] >> 8], os.path.exists("/tmp/unseen"))
    """)
    assert outcome.output == "ENOSYS False\n"


@pytest.mark.parametrize("make", ["socket(AF_VSOCK, SOCK_STREAM)", "socket(38, SOCK_SEQPACKET)", "socketpair(30)"])
def test_a_socket_that_would_reach_the_machine_is_observed_and_ends_the_process(inside: Inside, make: str) -> None:
    outcome = inside(f"""
        from socket import *
        try:
            {make}
        except OSError:
            pass
    """)
    assert (outcome.status, outcome.cause) == (159, None)
    assert outcome.events == (Event("network", "socket", "another family", True),)


def test_a_socket_that_would_reach_the_machine_is_not_made_if_the_signal_is_handled(inside: Inside) -> None:
    outcome = inside("""
        import os, signal, socket
        signal.signal(signal.SIGSYS, lambda *_: None)
        made = socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM).detach()
        print(os.path.exists(f"/proc/self/fd/{made}"))
    """)
    assert outcome.output == "False\n"
    assert outcome.of("network") == {("socket", "another family", True)}


def test_a_socket_with_a_path_is_a_file_that_was_written(inside: Inside) -> None:
    outcome = inside("""
        import contextlib, os, socket
        os.chdir("/tmp")
        for path in ("/work/whole", "part", "/tmp/part", b"\\0without a file", "/etc/refused"):
            with contextlib.suppress(OSError):
                socket.socket(socket.AF_UNIX).bind(path)
    """)
    assert outcome.events == (
        Event("write", "bind", "/etc/refused", True),
        Event("write", "bind", "/tmp/part", False),
        Event("write", "bind", "/work/whole", False),
    )


def test_refused_calls_for_administrators_are_observed(inside: Inside) -> None:
    outcome = inside("""
        import ctypes, os
        libc = ctypes.CDLL(None)
        libc.unshare(0x400)
        libc.unshare(0x40000000)
        libc.mount(b"none", b"/work", b"tmpfs", 0, None)
        libc.syscall({"x86_64": 321, "aarch64": 280}[os.uname().machine], 5, bytes(128), 128)
        try:
            os.chroot("/work")
        except PermissionError:
            pass
    """)
    assert outcome.of("system") == {(name, "", True) for name in ("unshare", "mount", "bpf", "chroot")}
