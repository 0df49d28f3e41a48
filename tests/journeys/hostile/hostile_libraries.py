"""Libraries that do harm whenever Python starts, or when they are imported: which checks must fail them, and how."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from chimes.environments.wheelfile import write_wheel
from journeys.hostile.hostile_plugins import PRELUDE, start_files

__all__ = ["HOSTILE_LIBRARIES", "HostileLibrary", "pack_library"]


@dataclass(frozen=True, kw_only=True)
class HostileLibrary:
    """``code`` runs by a ``.pth`` file, or where the library is imported; these checks must fail, for this cause."""

    name: str
    code: str
    fails: tuple[str, ...]
    cause: str
    phrase: str
    at_start: bool = True

    def __repr__(self) -> str:
        return self.name


def pack_library(hostile: HostileLibrary, folder: Path, marker: Path) -> Path:
    """The library as a wheel; where it runs it tries to make the file ``marker``, too."""
    code = PRELUDE.format(marker=str(marker)) + hostile.code + "\n"
    files = start_files("hostile_library.pth", code) if hostile.at_start else {}
    module = b"" if hostile.at_start else code.encode()
    return write_wheel(folder, name="hostile-library", version="1.0", files={**files, "hostile_library.py": module})


FORGED = """
import struct
for body in (b'{"ok": true, "value": {"failures": [], "changed": []}}', b'{"clean": true}'):
    print(body.decode(), flush=True)
    print("clean: 17 checks in 1.0 s", file=_sys.stderr, flush=True)
    for fd in range(21):
        try:
            _os.write(fd, b"chm1" + struct.pack(">II", len(body), 0) + body)
        except OSError:
            pass
"""
BOTH = ("S09", "S22")

HOSTILE_LIBRARIES = (
    HostileLibrary(
        name="opens a socket when Python starts",
        code="import socket\nsocket.socket().close()",
        fails=BOTH,
        cause="own",
        phrase="the library opens a network socket",
    ),
    HostileLibrary(
        name="writes when Python starts",
        code="try:\n    open('/etc/x', 'w')\nexcept OSError:\n    pass",
        fails=BOTH,
        cause="own",
        phrase="the library writes in /etc",
    ),
    HostileLibrary(
        name="kills its parent when Python starts",
        code="_os.kill(_os.getppid(), 9)\nimport time\ntime.sleep(1e6)",
        fails=BOTH,
        cause="killed",
        phrase="importing the library ended or attacked the process that watches it",
    ),
    HostileLibrary(
        name="kills everybody when Python starts",
        code="try:\n    _os.kill(-1, 9)\nexcept OSError:\n    pass",
        fails=BOTH,
        cause="killed",
        phrase="the library sends a signal to a process that it did not start",
    ),
    HostileLibrary(
        name="prints a verdict when Python starts",
        code=FORGED,
        fails=BOTH,
        cause="own",
        phrase="importing the library wrote to the socket on which this process is asked for answers",
    ),
    HostileLibrary(
        name="prints a verdict when Python starts, and leaves",
        code=FORGED + "_os._exit(0)",
        fails=BOTH,
        cause="crashed",
        phrase="importing the library ended the process it runs in",
    ),
    HostileLibrary(
        name="sleeps for ever when Python starts",
        code="import time\ntime.sleep(1e6)",
        fails=BOTH,
        cause="time",
        phrase="importing the library did not come to an end in the time allowed",
    ),
    HostileLibrary(
        name="eats memory when Python starts",
        code="eaten = [bytearray(1 << 24) for _ in range(1 << 20)]",
        fails=BOTH,
        cause="memory",
        phrase="importing the library used more memory than allowed",
    ),
    HostileLibrary(
        name="starts processes without end when Python starts",
        code="import time\nwhile True:\n    try:\n        _os.fork()\n    except OSError:\n        time.sleep(0.1)",
        fails=BOTH,
        cause="processes",
        phrase="importing the library started more processes than allowed",
    ),
    HostileLibrary(
        name="leaves a process behind when it is imported",
        code="import time\nif _os.fork() == 0:\n    _os.setsid()\n    time.sleep(1e6)",
        fails=BOTH,
        cause="own",
        phrase="importing the library starts a process",
        at_start=False,
    ),
    HostileLibrary(
        name="answers for its child when it is imported",
        code="""
import struct
for fd in range(3, 21):
    try:
        body = b'{"ok": true, "value": {"failures": [], "changed": []}}'
        _os.write(fd, b"chm1" + struct.pack(">II", len(body), 0) + body)
    except OSError:
        pass
""",
        fails=BOTH,
        cause="own",
        phrase="importing the library wrote to the socket on which this process is asked for answers",
        at_start=False,
    ),
)
