"""Sessions in a child process: none of them can affect another one."""

from __future__ import annotations

import contextlib
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from chimes.rpc.bootstrap import GOODBYE
from chimes.rpc.frames import BrokenFrameError, ClosedError, TimedOutError
from chimes.rpc.process import Answer, ChildProcess, Place

PROGRAM = """
import ctypes, os, signal, socket, struct, sys, time

def prepare():
    global prepared
    prepared = True

def echo(connection, **arguments):
    connection.answer({"arguments": arguments, "pid": os.getpid()}, [b"blob"])

def answers(connection, count):
    connection.answer(0)
    for number in range(1, count):
        connection.receive()
        connection.answer(number)

def says(connection, code):
    exec(code, {**globals(), "connection": connection})
    connection.answer("done")

def raises(connection):
    connection.answer_with(lambda: int("x"))
"""
# A native fork, so that Python closes no socket in the new process.
FORK = "libc = ctypes.CDLL(None)\n"
EVERY_DESCRIPTOR = """
def shout(data):
    for fd in range(3, 64):
        try:
            os.write(fd, data)
        except OSError:
            pass
"""
FORGED = """
body = b'{"number": 1, "ok": true, "value": "forged"}'
shout(b"chm1" + struct.pack(">II", len(body), 0) + body)
"""


def soon(seconds: float = 60) -> float:
    return time.monotonic() + seconds


@pytest.fixture
def child(tmp_path: Path) -> Iterator[ChildProcess]:
    """A child without a sandbox that serves the program above."""
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    started = ChildProcess(Place(program=program), {})
    yield started
    started.kill()


def ask(child: ChildProcess, function: str, **arguments: Any) -> tuple[Answer, int | None]:
    """One session with one answer, and its exit status."""
    with contextlib.closing(child.fork(function, arguments, soon())) as session:
        answer = session.receive(soon())
        return answer, child.wait_for_session(soon())


def says(child: ChildProcess, *code: str) -> Answer:
    return ask(child, "says", code="\n".join(textwrap.dedent(part) for part in code))[0]


def test_each_session_is_a_process_of_its_own(child: ChildProcess) -> None:
    (one, status), (other, _) = (ask(child, "echo", text="编鐘", more=[1, None]) for _ in range(2))
    assert (one.ok, one.value["arguments"], one.blobs) == (True, {"text": "编鐘", "more": [1, None]}, (b"blob",))
    assert one.value["pid"] != other.value["pid"]
    assert status == GOODBYE


def test_a_session_answers_one_request_after_the_other(child: ChildProcess) -> None:
    with contextlib.closing(child.fork("answers", {"count": 3}, soon())) as session:
        found = [session.receive(soon()).value]
        for _ in range(2):
            session.send({}, [], soon())
            found.append(session.receive(soon()).value)
    assert found == [0, 1, 2]


def test_prepared_modules_are_available_in_every_session(child: ChildProcess) -> None:
    assert child.ask("prepare", soon()).ok
    assert says(child, "assert prepared").value == "done"


def test_an_exception_is_described(child: ChildProcess) -> None:
    answer, status = ask(child, "raises")
    assert (answer.ok, answer.error["type"], answer.error["code"]) == (False, "ValueError", None)
    assert "invalid literal" in answer.error["said"]
    assert status == GOODBYE


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("os._exit(3)", 3),
        ("os._exit(42)", GOODBYE),
        ("os.kill(os.getpid(), signal.SIGKILL)", -9),
        ("raise ValueError", 70),
        ("raise SystemExit(0)", 70),
    ],
)
def test_a_session_that_ends_without_an_answer_is_noticed_at_once(child: ChildProcess, code: str, status: int) -> None:
    with contextlib.closing(child.fork("says", {"code": code}, soon())) as session:
        with pytest.raises(ClosedError):
            session.receive(soon())
        assert child.wait_for_session(soon()) == status
    assert says(child, "").value == "done"


def test_the_end_of_a_session_is_noticed_although_a_process_of_it_holds_its_socket(child: ChildProcess) -> None:
    code = FORK + "time.sleep(1000) if libc.fork() == 0 else os._exit(3)"
    with (
        contextlib.closing(child.fork("says", {"code": code}, soon())) as session,
        pytest.raises(ClosedError),
    ):
        session.receive(soon())
    assert child.wait_for_session(soon()) == 3


@pytest.mark.parametrize("code", [EVERY_DESCRIPTOR + FORGED, EVERY_DESCRIPTOR + "shout(bytes(1 << 20))"])
def test_a_session_that_writes_to_its_own_socket_is_noticed_and_does_not_affect_the_next(
    child: ChildProcess, code: str
) -> None:
    with (
        contextlib.closing(child.fork("says", {"code": code.replace('"number": 1', '"number": 7')}, soon())) as session,
        pytest.raises(BrokenFrameError),
    ):
        session.receive(soon())
    child.wait_for_session(soon())
    assert says(child, "").value == "done"


def test_processes_of_an_earlier_session_reach_no_other_session(child: ChildProcess) -> None:
    left = """
        parent = os.getpid()
        if libc.fork() == 0:
            # Before the end of the session the number would belong to the session's own socket.
            while os.getppid() == parent:
                time.sleep(0.001)
            while True:
                shout(b"garbage")
                shout(forged)
        """
    assert says(child, FORK, EVERY_DESCRIPTOR, FORGED.replace("shout(", "forged = ("), left).value == "done"
    for _ in range(20):
        answer, status = ask(child, "echo", text="mine")
        assert (answer.value["arguments"], status) == ({"text": "mine"}, GOODBYE)


def test_a_session_has_neither_the_control_socket_nor_the_socket_of_another_session(child: ChildProcess) -> None:
    listing = """
        links = []
        for fd in os.listdir("/proc/self/fd"):
            try:
                links.append(os.readlink(f"/proc/self/fd/{fd}"))
            except OSError:
                pass
        assert sum(link.startswith("socket:") for link in links) == 1, links
        assert os.readlink("/proc/self/fd/0") == "/dev/null"
        """
    for _ in range(2):
        assert says(child, listing).value == "done"


def test_a_process_that_python_forks_has_no_session_socket(child: ChildProcess) -> None:
    code = """
        pid = os.fork()
        if pid == 0:
            open_sockets = [fd for fd in range(3, 64) if os.path.exists(f"/proc/self/fd/{fd}")
                            and os.readlink(f"/proc/self/fd/{fd}").startswith("socket:")]
            os._exit(len(open_sockets))
        assert os.waitpid(pid, 0)[1] == 0
        """
    assert says(child, code).value == "done"


def test_a_fork_that_returns_to_the_suite_answers_nothing(child: ChildProcess) -> None:
    with contextlib.closing(child.fork("says", {"code": "os.fork()"}, soon())) as session:
        assert session.receive(soon()).value == "done"
        assert child.wait_for_session(soon()) == GOODBYE
        with pytest.raises(ClosedError):
            session.receive(soon())


def test_a_session_that_never_answers_times_out(child: ChildProcess) -> None:
    with (
        contextlib.closing(child.fork("says", {"code": "time.sleep(1000)"}, soon())) as session,
        pytest.raises(TimedOutError),
    ):
        session.receive(soon(0.2))


def test_the_only_session_of_a_first_process_is_served_there(child: ChildProcess) -> None:
    with contextlib.closing(child.run("says", {"code": "assert 'prepared' not in globals()"}, soon())) as session:
        assert session.receive(soon()).value == "done"
        assert not child.has_message()
    with pytest.raises((ClosedError, TimedOutError)):
        child.ask("prepare", soon(1))


def test_standard_output_is_kept_for_a_person_and_reaches_no_socket(child: ChildProcess) -> None:
    assert says(child, "os.write(1, b'clean: 28 checks'); os.write(2, b'more')").value == "done"
    child.kill()
    assert child.stderr_tail() == "clean: 28 checksmore"


STARTED = """
import gc, socket
# Code that runs at the start of Python has the control socket.
for item in gc.get_objects():
    if isinstance(item, socket.socket):
        item.send({line!r})
"""


@pytest.mark.parametrize("line", [b"{", b"7", b'{"number": 99, "ok": true, "value": 42}'])
def test_a_message_that_answers_no_request_is_refused(tmp_path: Path, line: bytes) -> None:
    program = tmp_path / "program.py"
    program.write_text(STARTED.format(line=line))
    started = ChildProcess(Place(program=program), {})
    try:
        with pytest.raises(BrokenFrameError):
            started.ask("prepare", soon())
    finally:
        started.kill()
