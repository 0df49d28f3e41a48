"""Hostile plugins that use up time, processes, memory or disk."""

from __future__ import annotations

from journeys.hostile.hostile_plugins import PREDICT, Hostile, at_import, in_predict

FORK_BOMB = """
while True:
    try:
        _os.fork()
    except OSError:
        pass
"""
FILL = """
file = open({path!r}, "wb", buffering=0)
try:
    while True:
        file.write(bytes(1 << 20))
except OSError:
    pass
file.close()
_os.remove({path!r})
"""

ENDLESS = (
    at_import("sleeps forever at import", "import time\ntime.sleep(1e6)", cause="time"),
    in_predict("sleeps forever in predict", "import time\ntime.sleep(1e6)", cause="time"),
    in_predict("stops itself in predict", "import signal\n_os.kill(_os.getpid(), signal.SIGSTOP)", cause="time"),
    Hostile(
        name="reads without end",
        where="read",
        kind="connector",
        code='while True:\n    yield pa.RecordBatch.from_pydict({"c0": [1]})',
        fails=("D04", "D05", "D09", "D12"),
        cause="own",
        phrase="read returned more than the suite accepts",
    ),
)
PROCESSES = (
    at_import("forks without end at import", FORK_BOMB, cause="processes"),
    in_predict("forks without end in predict", FORK_BOMB, *PREDICT, cause="processes", phrase="started more processes"),
    in_predict(
        "starts sleeping children until no more are allowed, and answers",
        """
        import time
        try:
            while True:
                if _os.fork() == 0:
                    time.sleep(1e6)
        except OSError:
            pass
        """,
        cause="processes",
    ),
)
MEMORY = (
    in_predict("fills memory", "kept = []\nwhile True:\n    kept.append(bytearray(1 << 22))", cause="memory"),
    in_predict(
        "fills memory with many processes",
        """
        import time
        for _ in range(12):
            if _os.fork() == 0:
                kept = bytearray(100 << 20)
                time.sleep(1e6)
        time.sleep(1e6)
        """,
        cause="memory",
    ),
    in_predict(
        "fills the kernel's memory with unread data in sockets",
        """
        import socket, time
        for _ in range(10):
            if _os.fork() == 0:
                kept = []
                try:
                    while True:
                        kept.append(socket.socketpair())
                        for end in kept[-1]:
                            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 22)
                            end.setblocking(False)
                            try:
                                while True:
                                    end.send(bytes(1 << 16))
                            except BlockingIOError:
                                pass
                except OSError:
                    time.sleep(1e6)
        time.sleep(1e6)
        """,
        cause="memory",
    ),
    in_predict("asks for more memory than the machine has", "bytearray(1 << 40)", cause="memory"),
    in_predict(
        "answers with a gigabyte",
        "column = pa.Array.from_buffers(pa.int8(), 1 << 30, [None, pa.py_buffer(bytes(1 << 30))])\n"
        "return pa.RecordBatch.from_arrays([column], names=['score'])",
        cause="memory",
    ),
    in_predict(
        "answers with columns that are small on the wire and huge in memory",
        "return pa.RecordBatch.from_arrays([pa.nulls(1 << 30)], names=['score'])",
        cause="own",
        phrase="predict returned a value that the interface does not allow",
    ),
)
DISK = (
    in_predict(
        "fills the working folder",
        """
        with open("/work/big", "wb", buffering=0) as file:
            while True:
                file.write(bytes(1 << 20))
        """,
        cause="disk",
    ),
    in_predict(
        "fills the temporary folder and removes the file",
        FILL.format(path="/tmp/big"),
        "S22",
        cause="disk",
        phrase="the component fills the disk",
    ),
    in_predict(
        "makes empty files without end",
        """
        number = 0
        while True:
            _os.close(_os.open(f"/tmp/{number}", _os.O_CREAT | _os.O_WRONLY))
            number += 1
        """,
        *PREDICT,
        "S22",
        cause="disk",
    ),
    at_import(
        "fills the disk at import and removes the file",
        FILL.format(path="/dev/shm/big"),
        "S09",
        cause="disk",
        phrase="importing the entry module fills the disk",
    ),
)

EXHAUSTION = (*ENDLESS, *PROCESSES, *MEMORY, *DISK)
