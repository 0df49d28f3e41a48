"""Derives the events of a sandbox, and the causes of its end, from the lines of strace."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

from chimes.processes.proc import NamespacePids, read_namespace_pids
from chimes.sandbox.calls import Call, address, join, local_path, parse_call, parse_number, parse_path, unquote
from chimes.sandbox.command import ENV
from chimes.sandbox.events import OWN, EventLog
from chimes.sandbox.syscalls import ADDRESSES, CHANGES, CONTROLS, FORKS, OPENS, PRIVILEGED, RAW, SIGNALS

__all__ = ["Trace"]

FIRST, MAIN = 1, 2
"""Process numbers inside: bubblewrap, and the command of the sandbox."""

WATCHERS = ("0", "1", "2", "-1")
"""Targets of a signal that include these two processes: the group, each of them, all processes."""
HARMLESS_SIGNALS = ("SIGCHLD", "SIGCONT", "SIGWINCH", "SIGURG")
OUT_OF_DISK = ("ENOSPC", "EFBIG", "EDQUOT")
PENDING = ("EINPROGRESS", "EALREADY", "EISCONN")
QUIET = re.compile(
    r"/dev/(?:null|zero|full|u?random|tty|ptmx|pts/\w+|std\w+|fd/[012])|/proc/[\w-]+/fd/[012]"
    r"|/dev/shm/sem\.[\w.-]+"  # a named semaphore: a lock between processes; joblib makes one when it is imported
)
MEMORY = re.compile(r"/proc/([\w-]+)(?:/task/\d+)?/mem")
PROCESS = re.compile(r"/proc/(\d+)")
WRITING = re.compile(r"O_(?:WRONLY|RDWR|CREAT|TRUNC|TMPFILE)")
READING = re.compile(
    r'openat\((?:AT_FDCWD|\d+)(?:<([^<>]*)>)?, "[^"\\]*(?:\\.[^"\\]*)*"'
    r", O_RDONLY(?:\|O_(?:CLOEXEC|DIRECTORY|NOFOLLOW|NONBLOCK|LARGEFILE|NOCTTY|NOATIME|PATH))*\) "
)
FOREIGN_SOCKET = re.compile(r"--- SIGSYS \{.*si_code=SYS_SECCOMP,.* si_syscall=__NR_socket(?:pair)?,")
LINE_LENGTH = 1 << 16


class Trace:
    """Reads a trace piece by piece. Events before the execution of the command are ignored.

    ``started``: the command is executed. ``main``: its process, as seen from outside. ``seen``: causes of an end that
    the trace shows (``processes``, ``disk``, ``time``, ``killed``). ``exhausted_at``: when a new process was first
    refused because of the limit (``time.monotonic()``), else None. A relative path of a process whose folder is unknown
    is resolved in the command's folder.
    """

    def __init__(self, read_namespace_pids: Callable[[int], NamespacePids | None] = read_namespace_pids) -> None:
        self.events = EventLog()
        self.seen: set[str] = set()
        self.started = False
        self.main: int | None = None
        self.exhausted_at: float | None = None
        self._partial = b""
        self._overlong = False
        self._unfinished: dict[int, str] = {}
        self._folders: dict[int, str] = {}
        self._identify = read_namespace_pids
        self._identities: dict[int, NamespacePids | None] = {}
        self._descriptors: dict[int, int] = {}
        self._before: set[int] = set()
        self._has_foreign_limits = False
        self._handlers: dict[str, Callable[[int, Call], None]] = {
            **dict.fromkeys(CHANGES, self._change),
            **dict.fromkeys(OPENS, self._open),
            **dict.fromkeys(ADDRESSES, self._address),
            **dict.fromkeys(SIGNALS, self._signal),
            **dict.fromkeys(CONTROLS, self._control),
            **dict.fromkeys(FORKS, self._fork),
            **dict.fromkeys(("ptrace", "process_vm_writev"), self._reach),
            **dict.fromkeys(PRIVILEGED, self._ask),
            **dict.fromkeys(("execve", "execveat"), self._execute),
            **dict.fromkeys(("chdir", "fchdir"), self._enter),
            "socket": self._socket,
            "pidfd_open": self._describe,
        }

    def feed(self, data: bytes) -> None:
        """Read the next piece, which may end inside a line."""
        *lines, self._partial = (self._partial + data).split(b"\n")
        for line in lines:
            if not self._overlong:
                self._line(line.decode("latin-1"))
            self._overlong = False
        if len(self._partial) > LINE_LENGTH:
            self._partial, self._overlong = b"", True

    def finish(self) -> None:
        """Read the end: calls that never returned count as done."""
        for pid in list(self._unfinished):
            self._exit(pid)

    def _line(self, line: str) -> None:
        number, _, text = line.partition(" ")
        text = text.lstrip()
        if not number.isdigit() or not text:
            return
        pid = int(number)
        if self.started and pid not in self._identities:
            # Read now: the process may have ended when its identity is needed.
            self._identities[pid] = self._identify(pid)
        if text[0] == "<":
            text = self._unfinished.pop(pid, "") + text.partition(" resumed>")[2]
        elif text.endswith("<unfinished ...>"):
            self._unfinished[pid] = text[:-16].rstrip()
            return
        if text[0] == "+":
            self._exit(pid)
        elif text.startswith("--- SIG"):
            self._signalled(pid, text)
        else:
            self._returned(pid, text)

    def _signalled(self, pid: int, text: str) -> None:
        if FOREIGN_SOCKET.match(text) and self.started and pid not in self._before:
            self.events.add("network", "socket", "another family", refused=True)
        elif text.startswith("--- SIGXFSZ"):
            self.seen.add("disk")
        elif text.startswith("--- SIGXCPU") and "SI_KERNEL" in text and not self._has_foreign_limits:
            self.seen.add("time")

    def _exit(self, pid: int) -> None:
        if text := self._unfinished.pop(pid, None):
            self._returned(pid, text + ") = ?")
        self._folders.pop(pid, None)
        self._identities.pop(pid, None)

    def _returned(self, pid: int, text: str) -> None:
        if text.startswith(RAW):
            self._check_disk(text)
        elif reading := READING.match(text):
            self._folders[pid] = unquote(reading[1]) if reading[1] else self._folder(pid)
        elif (call := parse_call(text)) is None or "ERESTART" in text.rpartition(") = ? ")[2]:
            return
        elif self.started and pid not in self._before:
            self._handlers.get(call.name, _ignore)(pid, call)
        else:
            self._await(pid, call)

    def _await(self, pid: int, call: Call) -> None:
        if self.started:
            return
        self._before.add(pid)
        if call.name != "execve" or call.error:
            return
        if pid == self.main:
            self.started = True
            self._before.remove(pid)
            self._identities[pid] = NamespacePids(pid, MAIN, MAIN)
        elif parse_path(call.arg(0)) == ENV:
            self.main = pid

    def _check_disk(self, text: str) -> None:
        _, failed, error = text.rpartition(" = -1 ")
        if failed and error.startswith(OUT_OF_DISK):
            self._out_of_disk(error.split()[0])

    def _out_of_disk(self, error: str) -> None:
        if self.started:
            self.seen.add("disk")
            self.events.add("disk", "write", error, refused=True)

    def _folder(self, pid: int) -> str:
        return self._folders.get(pid) or self._folders.get(self.main or 0, "/work")

    def _path(self, pid: int, call: Call, folder: int | None, position: int) -> str | None:
        path = parse_path(call.arg(position))
        if path is None:
            return None
        described = None if folder is None else re.search(r"<([^<>]*)>", call.arg(folder))
        if described is None:
            return join(self._folder(pid), path)
        if call.arg(folder or 0).startswith("AT_FDCWD"):
            self._folders[pid] = unquote(described[1])
        return join(unquote(described[1]), path)

    def _open(self, pid: int, call: Call) -> None:
        folder, position, flags = OPENS[call.name]
        path = self._path(pid, call, folder, position)
        if path is None:
            return
        if flags is None or WRITING.search(call.arg(flags)):
            is_resolved = call.path and not path.startswith("/proc/self/")
            self._write(pid, "open", unquote(call.path or "") if is_resolved else path, call.error)

    def _change(self, pid: int, call: Call) -> None:
        verb, places = CHANGES[call.name]
        for folder, position in places:
            if path := self._path(pid, call, folder, position):
                self._write(pid, verb, path, call.error)

    def _write(self, pid: int, verb: str, path: str, error: str) -> None:
        # The file or address existed already, so the call would have changed nothing.
        if error in ("EEXIST", "EADDRINUSE") or not path.startswith("/") or QUIET.fullmatch(path):
            return
        if memory := MEMORY.fullmatch(path):
            self._memory(pid, verb, memory[1], path, error)
            return
        if error in OUT_OF_DISK:
            self._out_of_disk(error)
        if error == "EROFS" and path.startswith(OWN):
            # These folders are never read-only, so the path led through a link to another place.
            path = "/"
        self.events.add("write", verb, path, refused=bool(error))

    def _memory(self, pid: int, verb: str, whose: str, path: str, error: str) -> None:
        own = self._identities.get(pid)
        is_own = not whose.isdigit() or (own is not None and int(whose) == own.inside)
        if not is_own and int(whose) in (FIRST, MAIN):
            self.seen.add("killed")
        self.events.add("memory", verb, "/proc/self/mem" if is_own else path, refused=bool(error))

    def _socket(self, pid: int, call: Call) -> None:
        family, kind = call.arg(0), call.arg(1).partition("|")[0]
        if family not in ("AF_UNIX", "AF_LOCAL", "AF_NETLINK"):
            self.events.add("network", "socket", f"{family} {kind}", refused=bool(call.error))

    def _address(self, pid: int, call: Call) -> None:
        argument = call.arg(ADDRESSES[call.name])
        if call.name == "bind" and (path := local_path(argument)):
            self._write(pid, "bind", join(self._folder(pid), path), call.error)
        if where := address(argument):
            action = "send" if call.name.startswith("send") else call.name
            self.events.add("network", action, where, refused=bool(call.error) and call.error not in PENDING)

    def _fork(self, pid: int, call: Call) -> None:
        if call.error == "EAGAIN":
            self.seen.add("processes")
            self.exhausted_at = self.exhausted_at or time.monotonic()
        is_thread = any("CLONE_THREAD" in arg for arg in call.args)
        self.events.add("process", "thread" if is_thread else "fork", "", refused=bool(call.error))

    def _execute(self, pid: int, call: Call) -> None:
        path = self._path(pid, call, *((None, 0) if call.name == "execve" else (0, 1)))
        if path is not None:
            self.events.add("process", "execve", path, refused=bool(call.error))

    def _ask(self, pid: int, call: Call) -> None:
        # A permitted call, such as unsharing the descriptor table, changes nothing outside the process.
        if call.error == "EPERM":
            self.events.add("system", call.name, "", refused=True)

    def _enter(self, pid: int, call: Call) -> None:
        if call.error:
            return
        if call.name == "chdir" and (path := parse_path(call.arg(0))) is not None:
            self._folders[pid] = join(self._folder(pid), path)
        elif (descriptor := parse_number(call.arg(0))) and descriptor.path:
            self._folders[pid] = unquote(descriptor.path)

    def _describe(self, pid: int, call: Call) -> None:
        whom, descriptor = parse_number(call.arg(0)), parse_number(call.result)
        # Two processes may have a descriptor with the same number: the one that could be an attack is kept.
        if whom is not None and descriptor is not None and self._descriptors.get(descriptor.value) not in (FIRST, MAIN):
            self._descriptors[descriptor.value] = whom.value

    def _signal(self, pid: int, call: Call) -> None:
        signal = call.arg(SIGNALS[call.name])
        whom = parse_number(call.arg(0))
        number = None if whom is None else whom.value
        if number is not None and call.name == "pidfd_send_signal":
            folder = PROCESS.fullmatch(whom.path or "") if whom else None
            number = int(folder[1]) if folder else self._descriptors.get(number)
        if signal == "0":
            return
        target = self._name(pid, number)
        self.events.add("signal", "kill", target, refused=bool(call.error))
        if signal not in HARMLESS_SIGNALS and self._is_attack(pid, call.name, signal, target):
            self.seen.add("killed")

    def _is_attack(self, pid: int, name: str, signal: str, target: str) -> bool:
        own = self._identities.get(pid)
        is_main = own is not None and own.outside == self.main
        if name in ("tkill", "tgkill") and (target == "self" or (own is None and signal == "SIGABRT")):
            # abort() ends the calling process by these; so does one that ended before it was identified.
            return False
        # "All" never means the sender.
        return target in ("0", "1", "2") or (target == "self" and is_main) or (target == "-1" and not is_main)

    def _control(self, pid: int, call: Call) -> None:
        verb, position = CONTROLS[call.name]
        whom, sort = parse_number(call.arg(position)), call.arg(0)
        if whom is None or (verb == "limit" and call.arg(2) == "NULL"):
            return
        target = "-1" if sort.endswith("_USER") else self._name(pid, whom.value)
        if target not in WATCHERS or (target == "0" and not sort.endswith("_PGRP")):
            return
        if verb == "limit":
            # The attack is the cause of its end, not a limit, whichever is seen first.
            self._has_foreign_limits = True
            self.seen.discard("time")
        self.seen.add("killed")
        self.events.add("signal", verb, target, refused=bool(call.error))

    def _name(self, pid: int, number: int | None) -> str:
        own = self._identities.get(pid)
        if own is not None and number in (own.inside, own.thread):
            return "self"
        if number == -MAIN:
            return "2"
        return str(number) if number in (FIRST, MAIN, 0, -1) else "other"

    def _reach(self, pid: int, call: Call) -> None:
        whom = parse_number(call.arg(1 if call.name == "ptrace" else 0))
        target = "self" if call.arg(0) == "PTRACE_TRACEME" else self._name(pid, whom.value if whom else None)
        if target in ("1", "2"):
            self.seen.add("killed")
        self.events.add("memory", call.name, target, refused=bool(call.error))


def _ignore(pid: int, call: Call) -> None:
    """A call that is traced only for what it shows about other calls."""
