from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from chimes.sandbox import Limits

Inside = Callable[..., Any]
FILL = """
    import os, socket, time
    def fill(write):
        try:
            while True:
                write(bytes(1 << 16))
        except OSError:
            pass
    def pipes():
        while True:
            reader, writer = os.pipe()
            os.set_blocking(writer, False)
            fill(lambda data: os.write(writer, data))
            kept.append((reader, writer))
    def pairs():
        while True:
            both = socket.socketpair()
            keep(*both)
    def connections():
        server = socket.create_server(("127.0.0.1", 0))
        while True:
            keep(socket.create_connection(server.getsockname()), server.accept()[0])
    def keep(*both):
        for one in both:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 22)
            one.setblocking(False)
            fill(one.send)
        kept.extend(both)
    kept = []
    for _ in range(PROCESSES):
        if os.fork() == 0:
            try:
                HOW()
            except OSError:
                time.sleep(1000)
    time.sleep(1000)
"""
MIB = 1 << 20

FORK_BOMB = """
    import os
    while True:
        try:
            os.fork()
        except OSError:
            pass
"""
SLEEPING_BOMB = """
    import os, time
    while True:
        try:
            if os.fork() == 0:
                time.sleep(1000)
        except OSError:
            pass
"""


@pytest.mark.parametrize("trace", [True, False])
def test_code_that_fills_memory_is_ended_with_the_cause_memory(inside: Inside, trace: bool) -> None:
    code = """
        kept = []
        while True:
            kept.append(bytearray(1 << 20))
    """
    outcome = inside(code, limits=Limits(memory_bytes=200 * MIB), trace=trace)
    assert (outcome.status, outcome.cause) == (137, "memory")


def test_memory_is_that_of_the_whole_tree(inside: Inside) -> None:
    code = """
        import os, time
        for _ in range(4):
            if os.fork() == 0:
                break
        kept = b"x" * (80 << 20)
        time.sleep(1000)
    """
    assert inside(code, limits=Limits(memory_bytes=300 * MIB)).cause == "memory"


def test_memory_shared_by_many_processes_counts_once(inside: Inside) -> None:
    code = """
        import os, time
        kept = b"x" * (100 << 20)
        children = [os.fork() or (time.sleep(0.5), os._exit(0)) for _ in range(4)]
        for child in children:
            os.waitpid(child, 0)
        print("done")
    """
    outcome = inside(code, limits=Limits(memory_bytes=300 * MIB))
    assert (outcome.output, outcome.cause) == ("done\n", None)


def test_files_in_memory_count_as_memory(inside: Inside) -> None:
    code = """
        import time
        for name in ("/work/a", "/tmp/b", "/dev/shm/c"):
            open(name, "wb").write(bytes(60 << 20))
        time.sleep(1000)
    """
    limits = Limits(memory_bytes=150 * MIB, disk_bytes=100 * MIB)
    assert inside(code, limits=limits).cause == "memory"


@pytest.mark.parametrize(("how", "processes"), [("pairs", 10), ("connections", 2), ("pipes", 40)])
@pytest.mark.parametrize("trace", [True, False])
def test_memory_in_sockets_and_pipes_counts(inside: Inside, how: str, processes: int, trace: bool) -> None:
    code = FILL.replace("PROCESSES", str(processes)).replace("HOW", how)
    limits = Limits(memory_bytes=300 * MIB, processes=60, wall_s=60)
    assert inside(code, limits=limits, trace=trace).cause == "memory"


def test_many_sockets_and_pipes_in_normal_use_are_allowed(inside: Inside) -> None:
    code = """
        import asyncio, multiprocessing, socket
        from concurrent.futures import ThreadPoolExecutor
        if __name__ == "__main__":
            pairs = [socket.socketpair() for _ in range(30)]
            for one, other in pairs:
                one.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
                one.sendall(b"x" * 1000)
            with multiprocessing.get_context("fork").Pool(8) as pool, ThreadPoolExecutor(8) as threads:
                print(sum(pool.map(abs, range(100))), sum(threads.map(abs, range(100))))
            asyncio.run(asyncio.sleep(0.2))
    """
    outcome = inside(code, limits=Limits(memory_bytes=200 * MIB))
    assert (outcome.output, outcome.cause) == ("4950 4950\n", None)


@pytest.mark.parametrize("turn", range(5))
def test_a_fork_bomb_is_always_ended_with_the_cause_processes(inside: Inside, turn: int) -> None:
    outcome = inside(FORK_BOMB, limits=Limits(processes=40, memory_bytes=400 * MIB))
    assert (outcome.status, outcome.cause) == (137, "processes")
    assert ("fork", "", True) in outcome.of("process")


@pytest.mark.parametrize("trace", [True, False])
def test_a_fork_bomb_of_sleeping_processes_is_ended(inside: Inside, trace: bool) -> None:
    outcome = inside(SLEEPING_BOMB, limits=Limits(processes=30), trace=trace)
    assert (outcome.status, outcome.cause) == (137, "processes")


def test_threads_count_as_processes(inside: Inside) -> None:
    code = """
        import threading
        for _ in range(40):
            threading.Thread(target=threading.Event().wait).start()
    """
    assert inside(code, limits=Limits(processes=20)).cause == "processes"


def test_a_full_disk_is_the_cause_even_if_the_error_is_caught_and_the_file_removed(inside: Inside) -> None:
    code = """
        import os
        try:
            with open("/work/big", "wb") as file:
                while True:
                    file.write(bytes(1 << 20))
        except OSError:
            os.remove("/work/big")
    """
    outcome = inside(code, limits=Limits(disk_bytes=10 * MIB))
    assert (outcome.status, outcome.cause) == (0, "disk")
    assert outcome.of("disk") == {("write", "ENOSPC", True)}


def test_a_disk_that_stays_full_is_noticed_without_a_trace(inside: Inside) -> None:
    code = """
        import time
        file = open("/tmp/big", "wb", buffering=0)
        try:
            while True:
                file.write(bytes(1 << 20))
        except OSError:
            time.sleep(1000)
    """
    limits = Limits(disk_bytes=10 * MIB, wall_s=1)
    assert inside(code, limits=limits, trace=False).cause == "disk"


def test_a_file_that_grows_too_large_has_the_cause_disk(inside: Inside) -> None:
    code = "open('/work/big', 'wb').write(bytes(2 << 20))"
    assert inside(code, limits=Limits(file_bytes=MIB)).cause == "disk"


@pytest.mark.parametrize("make", ["open(f'/tmp/{number}', 'w').close()", "os.mkdir(f'/work/{number}')"])
@pytest.mark.parametrize("trace", [True, False])
def test_too_many_small_files_have_the_cause_disk(inside: Inside, make: str, trace: bool) -> None:
    outcome = inside(f"import os\nfor number in range(1 << 30): {make}", limits=Limits(disk_bytes=8 * MIB), trace=trace)
    assert (outcome.status, outcome.cause) == (137, "disk")
    assert outcome.of("disk") == ({("write", "ENOSPC", True)} if trace else set())


@pytest.mark.parametrize("trace", [True, False])
def test_an_endless_sleep_is_ended_with_the_cause_time(inside: Inside, trace: bool) -> None:
    outcome = inside("import time; time.sleep(1000)", limits=Limits(wall_s=0.3), trace=trace)
    assert (outcome.status, outcome.cause) == (137, "time")


def test_an_endless_computation_is_ended_with_the_cause_time(inside: Inside) -> None:
    assert inside("while True: pass", limits=Limits(cpu_s=1)).cause == "time"


def test_of_several_causes_the_first_in_precedence_is_reported(inside: Inside) -> None:
    code = """
        import time
        file = open("/tmp/big", "wb", buffering=0)
        try:
            while True:
                file.write(bytes(1 << 20))
        except OSError:
            time.sleep(1000)
    """
    limits = Limits(disk_bytes=10 * MIB, wall_s=1)
    assert inside(code, limits=limits).cause == "disk"


@pytest.mark.parametrize(
    "attack",
    [
        "os.kill(os.getppid(), signal.SIGKILL)",
        "os.killpg(2, signal.SIGTERM)",
        "os.kill(-1, signal.SIGKILL)",
        "os.kill(0, signal.SIGKILL)",
        "signal.pidfd_send_signal(os.pidfd_open(2), signal.SIGKILL)",
        "open('/proc/2/mem', 'r+b')",
        "resource.prlimit(2, resource.RLIMIT_CPU, (0, 0))",
        "resource.prlimit(2, resource.RLIMIT_CPU, (0, 9))",
        "resource.prlimit(2, resource.RLIMIT_NOFILE, (0, 0))",
        "os.sched_setaffinity(2, {0})",
        "os.setpriority(os.PRIO_PROCESS, 2, 19)",
        "os.setpriority(os.PRIO_USER, 0, 19)",
    ],
)
def test_an_attack_on_the_parent_has_the_cause_killed(inside: Inside, attack: str) -> None:
    outcome = inside(f"""
        import os, resource, signal
        if os.fork() == 0:
            try:
                {attack}
            finally:
                os._exit(0)
        os.wait()
    """)
    assert outcome.cause == "killed"


def test_an_attack_on_the_first_process_has_the_cause_killed(inside: Inside) -> None:
    outcome = inside("import os; os.kill(1, 9)")
    assert outcome.cause == "killed"
    assert {target for _, target, _ in outcome.of("signal")} == {"1"}


def test_a_process_may_end_its_own_children(inside: Inside) -> None:
    outcome = inside("""
        import os, signal, subprocess
        child = subprocess.Popen(["/usr/bin/sleep", "1000"])
        child.terminate()
        child.wait()
        os.kill(os.getpid(), 0)
    """)
    assert (outcome.status, outcome.cause) == (0, None)
    assert outcome.of("signal") >= {("kill", "other", False)}


def test_a_process_may_limit_and_schedule_itself_and_its_children(inside: Inside) -> None:
    outcome = inside("""
        import os, resource, subprocess, threading
        child = subprocess.Popen(["/usr/bin/sleep", "1000"])
        for pid in (0, os.getpid(), child.pid):
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (100, 100))
            os.setpriority(os.PRIO_PROCESS, pid, 5)
            os.sched_setaffinity(pid, os.sched_getaffinity(pid))
        os.sched_setaffinity(threading.get_native_id(), os.sched_getaffinity(0))
        child.kill()
        child.wait()
    """)
    assert (outcome.status, outcome.cause) == (0, None)
    assert outcome.of("signal") == {("kill", "other", False)}


@pytest.mark.parametrize(
    "owner",
    [
        "fcntl.fcntl(reader, fcntl.F_SETOWN, os.getppid())",
        "fcntl.fcntl(reader, 15, bytes(4) + os.getppid().to_bytes(4, 'little'))",
        "fcntl.ioctl(reader, 0x8901, os.getppid().to_bytes(4, 'little'))",
    ],
)
def test_a_descriptor_cannot_send_signals_to_another_process(inside: Inside, owner: str) -> None:
    outcome = inside(f"""
        import fcntl, os
        reader, writer = os.pipe()
        if os.fork() == 0:
            try:
                {owner}
            except PermissionError:
                fcntl.fcntl(reader, 10, 9)
                fcntl.fcntl(reader, fcntl.F_SETFL, os.O_NONBLOCK | 0o20000)
                os.write(writer, b"x")
                print("refused", flush=True)
            os._exit(0)
        os.wait()
    """)
    assert (outcome.output, outcome.status, outcome.cause) == ("refused\n", 0, None)


def test_a_thread_that_aborts_is_not_an_attack(inside: Inside) -> None:
    outcome = inside("import os, threading; threading.Thread(target=os.abort).start()")
    assert (outcome.status, outcome.cause) == (134, None)


def test_a_process_that_ends_itself_by_a_signal_has_the_cause_killed(inside: Inside) -> None:
    outcome = inside("import os; os.kill(os.getpid(), 9)")
    assert (outcome.status, outcome.cause) == (137, "killed")
    assert outcome.of("signal") == {("kill", "self", False)}


def test_a_process_named_by_its_folder_is_the_one_that_is_attacked(inside: Inside) -> None:
    outcome = inside("""
        import os, signal
        if os.fork() == 0:
            signal.pidfd_send_signal(os.open("/proc/2", os.O_RDONLY | os.O_DIRECTORY), signal.SIGKILL)
        os.wait()
    """)
    assert outcome.cause == "killed"
