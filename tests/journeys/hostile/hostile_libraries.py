"""Libraries that do harm whenever Python starts, or when they are imported, with the expected messages."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from chimes.environments.wheelfile import write_wheel
from journeys.hostile.hostile_plugins import PHRASES, PRELUDE, start_files

__all__ = ["HOSTILE_LIBRARIES", "HostileLibrary", "pack_library"]


@dataclass(frozen=True, kw_only=True)
class HostileLibrary:
    """``code`` runs at the start of Python or when the library is imported; ``fails`` must fail with this cause."""

    name: str
    code: str
    cause: str
    phrase: str = ""
    at_start: bool = True
    fails: tuple[str, ...] = ("S09", "S22")

    @property
    def message(self) -> str:
        """A part of the message that a finding must have."""
        return self.phrase or f"importing the library {PHRASES[self.cause]}"

    def __repr__(self) -> str:
        return self.name


def pack_library(hostile: HostileLibrary, folder: Path, marker: Path) -> Path:
    """The library as a wheel; it also tries to write the file ``marker``."""
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
HOSTILE_LIBRARIES = (
    HostileLibrary(
        name="opens a socket when Python starts",
        code="import socket\nsocket.socket().close()",
        cause="own",
        phrase="the library opens a network socket",
    ),
    HostileLibrary(
        name="writes when Python starts",
        code="try:\n    open('/etc/x', 'w')\nexcept OSError:\n    pass",
        cause="own",
        phrase="the library writes in /etc",
    ),
    HostileLibrary(
        name="kills its parent when Python starts",
        code="_os.kill(_os.getppid(), 9)\nimport time\ntime.sleep(1e6)",
        cause="killed",
    ),
    HostileLibrary(
        name="kills all processes when Python starts",
        code="try:\n    _os.kill(-1, 9)\nexcept OSError:\n    pass",
        cause="killed",
        phrase="the library sends a signal to a process that it did not start",
    ),
    HostileLibrary(
        name="prints a verdict when Python starts",
        code=FORGED,
        cause="own",
        phrase="importing the library wrote to the socket on which this process receives its requests",
    ),
    HostileLibrary(
        name="prints a verdict when Python starts, and exits",
        code=FORGED + "_os._exit(0)",
        cause="crashed",
    ),
    HostileLibrary(
        name="sleeps for ever when Python starts",
        code="import time\ntime.sleep(1e6)",
        cause="time",
    ),
    HostileLibrary(
        name="fills memory when Python starts",
        code="eaten = [bytearray(1 << 24) for _ in range(1 << 20)]",
        cause="memory",
    ),
    HostileLibrary(
        name="starts processes without end when Python starts",
        code="import time\nwhile True:\n    try:\n        _os.fork()\n    except OSError:\n        time.sleep(0.1)",
        cause="processes",
    ),
    HostileLibrary(
        name="leaves a process behind when it is imported",
        code="import time\nif _os.fork() == 0:\n    _os.setsid()\n    time.sleep(1e6)",
        cause="own",
        phrase="importing the library starts a process",
        at_start=False,
    ),
    HostileLibrary(
        name="forges an answer when it is imported",
        code="""
import struct
for fd in range(3, 21):
    try:
        body = b'{"ok": true, "value": {"failures": [], "changed": []}}'
        _os.write(fd, b"chm1" + struct.pack(">II", len(body), 0) + body)
    except OSError:
        pass
""",
        cause="own",
        phrase="importing the library wrote to the socket on which this process receives its requests",
        at_start=False,
    ),
)
