"""Hostile plugins that use up what there is: time, processes, memory, disk."""

from __future__ import annotations

from journeys.hostile.hostile_plugins import PREDICT, Hostile, at_import, in_predict

IMPORT = ("S01", "S08", "S09")
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
    at_import(
        "sleeps for ever at import",
        "import time\ntime.sleep(1e6)",
        *IMPORT,
        cause="time",
        phrase="importing the entry module did not come to an end in the time allowed",
    ),
    in_predict(
        "sleeps for ever in predict",
        "import time\ntime.sleep(1e6)",
        *PREDICT,
        cause="time",
        phrase="predict did not come to an end",
    ),
    in_predict(
        "stops itself in predict",
        "import signal\n_os.kill(_os.getpid(), signal.SIGSTOP)",
        *PREDICT,
        cause="time",
        phrase="predict did not come to an end",
    ),
    Hostile(
        name="reads without end",
        where="read",
        kind="connector",
        code='while True:\n    yield pa.RecordBatch.from_pydict({"c0": [1]})',
        fails=("D04", "D05", "D09", "D12"),
        cause="own",
        phrase="read gave more than the suite can ask for",
    ),
)
PROCESSES = (
    at_import("forks without end at import", FORK_BOMB, *IMPORT, cause="processes", phrase="started more processes"),
    in_predict("forks without end in predict", FORK_BOMB, *PREDICT, cause="processes", phrase="started more processes"),
    in_predict(
        "leaves sleeping children until no more can be had, and answers",
        """
        import time
        try:
            while True:
                if _os.fork() == 0:
                    time.sleep(1e6)
        except OSError:
            pass
        """,
        *PREDICT,
        cause="processes",
        phrase="predict started more processes than allowed",
    ),
)
MEMORY = (
    in_predict(
        "fills memory",
        "kept = []\nwhile True:\n    kept.append(bytearray(1 << 22))",
        *PREDICT,
        cause="memory",
        phrase="predict used more memory than allowed",
    ),
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
        *PREDICT,
        cause="memory",
        phrase="predict used more memory than allowed",
    ),
    in_predict(
        "fills the kernel's memory with what it sends to itself",
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
        *PREDICT,
        cause="memory",
        phrase="predict used more memory than allowed",
    ),
    in_predict(
        "asks for more memory than there is",
        "bytearray(1 << 40)",
        *PREDICT,
        cause="memory",
        phrase="predict used more memory than allowed",
    ),
    in_predict(
        "answers with a gigabyte",
        "column = pa.Array.from_buffers(pa.int8(), 1 << 30, [None, pa.py_buffer(bytes(1 << 30))])\n"
        "return pa.RecordBatch.from_arrays([column], names=['score'])",
        *PREDICT,
        cause="memory",
        phrase="predict used more memory than allowed",
    ),
    in_predict(
        "answers with columns that are small on the wire and huge in memory",
        "return pa.RecordBatch.from_arrays([pa.nulls(1 << 30)], names=['score'])",
        *PREDICT,
        cause="own",
        phrase="predict gave something else than the interface says",
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
        *PREDICT,
        cause="disk",
        phrase="predict wrote more than allowed",
    ),
    in_predict(
        "fills the temporary folder and removes the traces",
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
        phrase="predict wrote more than allowed",
    ),
    at_import(
        "fills the disk at import and removes the traces",
        FILL.format(path="/dev/shm/big"),
        "S09",
        cause="disk",
        phrase="importing the entry module fills the disk",
    ),
)

EXHAUSTION = (*ENDLESS, *PROCESSES, *MEMORY, *DISK)
