"""The hostile plugins: their code, the checks that must fail, and the message that the report must contain."""

from __future__ import annotations

from chimes.conformance.gate.mutants import Edit
from journeys.hostile.hostile_exhaustion import EXHAUSTION
from journeys.hostile.hostile_plugins import IMPORT, PREDICT, Hostile, at_import, in_predict, swallowed

FORGED = """
import struct
body = b'{"ok": true, "value": null, "ended": 42, "clean": true}'
frame = b"chm1" + struct.pack(">II", len(body), 0) + body
for fd in range(21):
    try:
        _os.write(fd, frame)
    except OSError:
        pass
"""

NETWORK = (
    at_import(
        "opens a socket at import",
        "import socket\nsocket.socket().close()",
        "S09",
        cause="own",
        phrase="importing the entry module opens a network socket",
    ),
    swallowed(
        "opens a socket in predict",
        "socket.create_connection(('192.0.2.1', 80), 1)",
        cause="own",
        phrase="the component opens a network socket",
    ),
    swallowed(
        "asks the kernel for a socket by number",
        "ctypes.CDLL(None).syscall({'x86_64': 41, 'aarch64': 198}[os.uname().machine], 2, 1, 0)",
        cause="own",
        phrase="the component opens a network socket",
    ),
    swallowed(
        "asks for a socket that reaches the machine, and hides the signal",
        "(signal.signal(signal.SIGSYS, lambda *_: None), socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM).detach())",
        cause="own",
        phrase="the component opens a network socket",
    ),
)
FILES = (
    at_import(
        "writes to /etc at import",
        "try:\n    open('/etc/x', 'w')\nexcept OSError:\n    pass",
        "S09",
        cause="own",
        phrase="importing the entry module writes in /etc",
    ),
    swallowed("writes to /etc in predict", "open('/etc/x', 'w')", cause="own", phrase="writes in /etc"),
    swallowed("writes beside its modules", "open(__file__ + '.x', 'w')", cause="own", phrase="writes in /env"),
    swallowed("writes beside its folders", "open('/work/elsewhere', 'w')", cause="own", phrase="writes in /work"),
    swallowed(
        "leaves a socket beside its folders",
        "socket.socket(socket.AF_UNIX).bind('/tmp/' + os.urandom(4).hex())",
        cause="own",
        phrase="the component writes in /tmp",
    ),
    swallowed(
        "writes to the system through a link in its own folder",
        "(os.symlink('/etc', self.context.tmp / os.urandom(4).hex()),"
        " open(next(p for p in self.context.tmp.iterdir() if p.is_symlink()) / 'x', 'w'))",
        cause="own",
        phrase="the component writes in /",
    ),
    in_predict(
        "writes files with random names",
        """
        for folder in [f"/tmp/{_os.urandom(6).hex()}" for _ in range(60)] + [f"/{_os.urandom(6).hex()}"] * 60:
            try:
                _os.mkdir(folder)
                open(folder + "/" + _os.urandom(6).hex(), "w").close()
            except OSError:
                pass
        """,
        "S22",
        cause="own",
        phrase="the component writes in /tmp",
    ),
)
ATTACKS = (
    in_predict(
        "kills its parent", "_os.kill(_os.getppid(), 9)\nimport time\ntime.sleep(1e6)", *PREDICT, "S22", cause="killed"
    ),
    in_predict(
        "attacks the first process, is refused, and sleeps forever",
        """
        import time
        try:
            _os.kill(1, 9)
        except OSError:
            pass
        time.sleep(1e6)
        """,
        *PREDICT,
        "S22",
        cause="killed",
    ),
    in_predict("kills all processes", "_os.kill(-1, 9)\nimport time\ntime.sleep(1e6)", cause="killed"),
    swallowed("kills the first process", "os.kill(1, 9)", cause="killed", phrase="sends a signal to a process"),
    at_import(
        "starts a thread that has ended after the import",
        "import threading\n_thread = threading.Thread(target=int)\n_thread.start()\n_thread.join()",
        "S09",
        cause="own",
        phrase="importing the entry module starts a thread",
    ),
    at_import(
        "kills its parent at import",
        "try:\n    _os.kill(_os.getppid(), 9)\nexcept OSError:\n    pass",
        cause="killed",
        phrase="importing the entry module sends a signal",
    ),
    in_predict(
        "rewrites its parent's memory",
        """
        parent = _os.getppid()
        with open(f"/proc/{parent}/mem", "r+b", buffering=0) as memory:
            for line in open(f"/proc/{parent}/maps"):
                if "rw" in line and ("[stack]" in line or "[heap]" in line):
                    start, end = (int(word, 16) for word in line.split()[0].split("-"))
                    memory.seek(start)
                    memory.write(bytes(end - start))
        """,
        cause="killed",
    ),
    swallowed(
        "opens its parent's memory",
        "open('/proc/2/mem', 'r+b')",
        cause="killed",
        phrase="reaches into another process's memory",
    ),
    swallowed(
        "traces its parent",
        "ctypes.CDLL(None).ptrace(16, os.getppid(), None, None)",
        cause="killed",
        phrase="reaches into another process's memory",
    ),
    in_predict(
        "limits the CPU time of the process that watches it",
        "import resource\nresource.prlimit(_os.getppid(), resource.RLIMIT_CPU, (0, 0))",
        *PREDICT,
        "S22",
        cause="killed",
    ),
    swallowed(
        "slows the process that watches it down",
        "os.setpriority(os.PRIO_PROCESS, os.getppid(), 19)",
        cause="killed",
        phrase="the component sets limits or priorities of a process that it did not start",
    ),
    in_predict(
        "lets a pipe end the process that watches it",
        """
        import fcntl
        fcntl.fcntl(_os.pipe()[0], fcntl.F_SETOWN, _os.getppid())
        """,
        cause="own",
        phrase="predict raised PermissionError where it had to succeed",
    ),
    swallowed(
        "mounts a folder over its own",
        "ctypes.CDLL(None).mount(b'none', b'/work', b'tmpfs', 0, None)",
        cause="own",
        phrase="the component makes a system call that is for administrators only",
    ),
    in_predict("exits in predict", "_os._exit(0)", cause="crashed"),
    in_predict("exits with the status of a normal end", "_os._exit(42)", cause="crashed"),
    in_predict("reads an invalid address", "import ctypes\nctypes.string_at(0)", cause="crashed"),
    in_predict(
        "exits in a thread",
        "import threading, time\nthreading.Thread(target=lambda: _os._exit(3)).start()\ntime.sleep(1e6)",
        cause="crashed",
    ),
    at_import("exits at import", "_os._exit(0)", cause="crashed"),
)
FORGERIES = (
    in_predict(
        "prints a verdict and fails",
        """
        for text in ('{"ok": true, "clean": true}', "clean: 28 checks in 1.0 s"):
            print(text, flush=True)
            print(text, file=_sys.stderr, flush=True)
        raise ValueError("\\x1b[2K\\x1b[1Aclean: 28 checks in 1.0 s")
        """,
        cause="own",
        phrase="predict raised ValueError where it had to succeed",
    ),
    in_predict(
        "writes answers to every descriptor and fails",
        FORGED + "raise KeyError('x')",
        cause="own",
        phrase="predict wrote to the socket on which this process receives its requests",
    ),
    at_import(
        "writes answers to every descriptor at import",
        FORGED,
        cause="own",
        phrase="importing the entry module wrote to the socket on which this process receives its requests",
    ),
    in_predict(
        "floods every descriptor",
        """
        for fd in range(3, 21):
            try:
                for _ in range(1 << 10):
                    _os.write(fd, bytes(1 << 20))
            except OSError:
                pass
        """,
        cause="own",
        phrase="predict wrote to the socket on which this process receives its requests",
    ),
    in_predict(
        "leaves a process that writes garbage later",
        """
        import ctypes, time
        ready, done = _os.pipe()
        if ctypes.CDLL(None).fork() == 0:
            _os.setsid()
            while True:
                for fd in (fd for fd in range(3, 21) if fd not in (ready, done)):
                    try:
                        _os.write(fd, b"garbage")
                    except OSError:
                        pass
                _os.write(done, b"x")
                time.sleep(0.01)
        _os.read(ready, 1)
        """,
        cause="own",
        phrase="predict wrote to the socket on which this process receives its requests",
    ),
    in_predict(
        "replaces the suite's own functions",
        """
        frames = _sys.modules["__main__"].frames
        answer = {"ok": True, "value": {"$value": "LoadReport", "json": {"device": "cpu:0"}}}
        real = frames.write_frame
        frames.write_frame = lambda socket, header, blobs=(): real(socket, {**answer, "number": header["number"]})
        """,
        cause="own",
        phrase="predict returned a value that the interface does not allow",
    ),
    Hostile(
        name="describes parameters that are too deep",
        where="describe",
        code="""
        deep = {}
        for _ in range(200):
            deep = {"a": deep}
        return ModelInfo(signature=Signature(inputs=INPUTS, outputs=OUTPUTS, params=deep))
        """,
        fails=("M02", "M04", *PREDICT, "S22"),
        cause="own",
        phrase="describe returned a value that the interface does not allow",
    ),
    Hostile(
        name="describes parameters with NaN",
        where="describe",
        code="return ModelInfo(signature=Signature(inputs=INPUTS, outputs=OUTPUTS, params={'x': float('nan')}))",
        fails=("M02", "M04", *PREDICT, "S22"),
        cause="own",
        phrase="describe raised ValueError where it had to succeed",
    ),
    Hostile(
        name="describes inputs that are too large to generate",
        where="describe",
        code="""
        huge = pa.schema([pa.field("x", pa.list_(pa.float64(), 1 << 30), nullable=False)])
        return ModelInfo(signature=Signature(inputs=huge, outputs=OUTPUTS))
        """,
        fails=PREDICT[:2],
        cause="own",
        phrase="the component declares something that the suite cannot use",
    ),
)
RANDOM = (
    in_predict(
        "raises an error with a random name",
        "raise type('E' + _os.urandom(4).hex(), (Exception,), {})(_os.urandom(8).hex())",
        cause="own",
        phrase="predict raised an exception of its own where it had to succeed",
    ),
    in_predict(
        "raises an error whose text cannot be read",
        "raise type('E', (Exception,), {'__str__': lambda self: 1 / 0})()",
        cause="own",
        phrase="predict raised an exception of its own where it had to succeed",
    ),
    Hostile(
        name="registers a random name",
        where="import",
        code="NAME = 'm' + _os.urandom(4).hex()",
        edits=(Edit("plugin.py", 'name="strict"', "name=NAME"),),
        fails=IMPORT,
        cause="own",
        phrase="importing the entry module returned another result the second time",
    ),
    Hostile(
        name="has cases with random names",
        where="harness",
        code="return [Case(name=_os.urandom(4).hex(), config={'weight': 3.0})]",
        fails=("S02", "M02", "M04", *PREDICT),
        cause="own",
        phrase="the harness's cases returned another result the second time",
    ),
    Hostile(
        name="sleeps in its harness",
        where="harness",
        code="import time\ntime.sleep(1e6)",
        fails=("S02", "M02", "M04", *PREDICT),
        cause="time",
        phrase="the harness's cases did not come to an end",
    ),
)
PLACES = (
    Hostile(
        name="exits in its constructor",
        where="construct",
        code="_os._exit(1)",
        fails=("M02", "M04", *PREDICT, "S22"),
        cause="crashed",
        phrase="construct ended the process it runs in",
    ),
    Hostile(
        name="opens a socket while it loads",
        where="load",
        code="import socket\nsocket.socket().close()",
        fails=("S22",),
        cause="own",
        phrase="the component opens a network socket",
    ),
    Hostile(
        name="runs code by a .pth file",
        where="start",
        start_file="hostile.pth",
        code="import socket\nsocket.socket().close()",
        fails=("A09", "S09", "S22"),
        cause="own",
        phrase="importing the entry module opens a network socket",
    ),
    Hostile(
        name="runs code by sitecustomize",
        where="start",
        start_file="sitecustomize.py",
        code="import socket\nsocket.socket().close()",
        fails=("A09", "S09", "S22"),
        cause="own",
        phrase="importing the entry module opens a network socket",
    ),
)
HOSTILES = (*EXHAUSTION, *NETWORK, *FILES, *ATTACKS, *FORGERIES, *RANDOM, *PLACES)
