"""Turns the lines of strace into events, and into what they say about how a sandbox came to its end."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

from chimes.sandbox.calls import Call, Number, address, join, parse_call, parse_number, parse_path, unquote
from chimes.sandbox.command import ENV
from chimes.sandbox.events import EventLog
from chimes.sandbox.syscalls import ADDRESSES, CHANGES, FORKS, OPENS, RAW, SIGNALS

__all__ = ["Trace"]

MARK = "/chimes-mark/"
FIRST, MAIN = 1, 2
"""Process numbers inside: bubblewrap's own, and the one that the sandbox was made for."""

HARMLESS_SIGNALS = ("SIGCHLD", "SIGCONT", "SIGWINCH", "SIGURG")
OUT_OF_DISK = ("ENOSPC", "EFBIG", "EDQUOT")
PENDING = ("EINPROGRESS", "EALREADY", "EISCONN")
QUIET = re.compile(r"/dev/(?:null|zero|full|u?random|tty|ptmx|pts/\w+|std\w+|fd/[012])|/proc/[\w-]+/fd/[012]")
MEMORY = re.compile(r"/proc/([\w-]+)(?:/task/\d+)?/mem")
WRITING = re.compile(r"O_(?:WRONLY|RDWR|CREAT|TRUNC|TMPFILE)")
READING = re.compile(
    r'openat\((?:AT_FDCWD|\d+)(?:<([^<>]*)>)?, "(?!/chimes-mark/)[^"\\]*(?:\\.[^"\\]*)*"'
    r", O_RDONLY(?:\|O_(?:CLOEXEC|DIRECTORY|NOFOLLOW|NONBLOCK|LARGEFILE|NOCTTY|NOATIME|PATH))*\) "
)
LINE_LENGTH = 1 << 16


class Trace:
    """Understands a trace, piece by piece. Nothing is kept from before the command itself is executed.

    ``started``: it is executed. ``main``: its process, seen from outside. ``seen``: causes of an end that
    the trace shows (``processes``, ``disk``, ``time``, ``killed``). ``exhausted_at``: when the first process was
    refused for their number (``time.monotonic()``), else None. A path relative to a folder that nobody saw
    being entered is told as relative to the command's own.
    """

    def __init__(self) -> None:
        self.events = EventLog()
        self.seen: set[str] = set()
        self.started = False
        self.main: int | None = None
        self.exhausted_at: float | None = None
        self._partial = b""
        self._overlong = False
        self._unfinished: dict[int, str] = {}
        self._folders: dict[int, str] = {}
        self._inside: dict[int, int] = {}
        self._leaders: dict[int, int] = {}
        self._descriptors: dict[int, Number] = {}
        self._before: set[int] = set()
        self._handlers: dict[str, Callable[[int, Call], None]] = {
            **dict.fromkeys(CHANGES, self._change),
            **dict.fromkeys(OPENS, self._open),
            **dict.fromkeys(ADDRESSES, self._address),
            **dict.fromkeys(SIGNALS, self._signal),
            **dict.fromkeys(FORKS, self._fork),
            **dict.fromkeys(("ptrace", "process_vm_writev"), self._reach),
            **dict.fromkeys(("execve", "execveat"), self._execute),
            **dict.fromkeys(("chdir", "fchdir"), self._enter),
            "socket": self._socket,
            "pidfd_open": self._describe,
        }

    def feed(self, data: bytes) -> None:
        """Take the next piece, which may end anywhere."""
        *lines, self._partial = (self._partial + data).split(b"\n")
        for line in lines:
            if not self._overlong:
                self._line(line.decode("latin-1"))
            self._overlong = False
        if len(self._partial) > LINE_LENGTH:
            self._partial, self._overlong = b"", True

    def finish(self) -> None:
        """Take the end: what never returned is told as done."""
        for pid in list(self._unfinished):
            self._exit(pid)

    def _line(self, line: str) -> None:
        number, _, text = line.partition(" ")
        text = text.lstrip()
        if not number.isdigit() or not text:
            return
        pid = int(number)
        if text[0] == "<":
            text = self._unfinished.pop(pid, "") + text.partition(" resumed>")[2]
        elif text.endswith("<unfinished ...>"):
            self._unfinished[pid] = text[:-16].rstrip()
            return
        if text[0] == "+":
            self._exit(pid)
        elif text.startswith("--- SIGX"):
            self.seen.add("time" if text.startswith("--- SIGXCPU") else "disk")
        else:
            self._returned(pid, text)

    def _exit(self, pid: int) -> None:
        if text := self._unfinished.pop(pid, None):
            self._returned(pid, text + ") = ?")
        self._folders.pop(pid, None)
        self._inside.pop(pid, None)
        self._leaders.pop(pid, None)

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
        if call.name in FORKS:
            self._born(call)
        elif not self.started and call.name == "execve" and not call.error:
            self.started = self.main == pid
            self.main = pid if parse_path(call.arg(0)) == ENV else self.main
            self._before -= {pid}
            return
        if not self.started:
            self._before.add(pid)

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
        if path.startswith(MARK):
            self.events.mark(path[len(MARK) :][:80])
        elif flags is None or WRITING.search(call.arg(flags)):
            self._write(pid, "open", unquote(call.path) if call.path else path, call.error)

    def _change(self, pid: int, call: Call) -> None:
        verb, places = CHANGES[call.name]
        for folder, position in places:
            if path := self._path(pid, call, folder, position):
                self._write(pid, verb, path, call.error)

    def _write(self, pid: int, verb: str, path: str, error: str) -> None:
        # What it wanted to make was there already: nothing would have changed anywhere.
        if error == "EEXIST" or not path.startswith("/") or QUIET.fullmatch(path):
            return
        if memory := MEMORY.fullmatch(path):
            self._memory(pid, verb, memory[1], path, error)
            return
        if error in OUT_OF_DISK:
            self._out_of_disk(error)
        self.events.add("write", verb, path, refused=bool(error))

    def _memory(self, pid: int, verb: str, whose: str, path: str, error: str) -> None:
        is_own = not whose.isdigit() or int(whose) == self._number_inside(pid)
        if not is_own and int(whose) in (FIRST, MAIN):
            self.seen.add("killed")
        self.events.add("memory", verb, "/proc/self/mem" if is_own else path, refused=bool(error))

    def _number_inside(self, pid: int) -> int | None:
        leader = self._leaders.get(pid, pid)
        return MAIN if leader == self.main else self._inside.get(leader)

    def _socket(self, pid: int, call: Call) -> None:
        family, kind = call.arg(0), call.arg(1).partition("|")[0]
        if family not in ("AF_UNIX", "AF_LOCAL", "AF_NETLINK"):
            self.events.add("network", "socket", f"{family} {kind}", refused=bool(call.error))

    def _address(self, pid: int, call: Call) -> None:
        if where := address(call.arg(ADDRESSES[call.name])):
            action = "send" if call.name.startswith("send") else call.name
            self.events.add("network", action, where, refused=bool(call.error) and call.error not in PENDING)

    def _fork(self, pid: int, call: Call) -> None:
        if call.error == "EAGAIN":
            self.seen.add("processes")
            self.exhausted_at = self.exhausted_at or time.monotonic()
        child = self._born(call)
        if not any("CLONE_THREAD" in arg for arg in call.args):
            self.events.add("process", "fork", "", refused=bool(call.error))
        elif child is not None:
            self._leaders[child] = self._leaders.get(pid, pid)

    def _born(self, call: Call) -> int | None:
        child = parse_number(call.result)
        if child is None or child.outside is None:
            return None
        self._inside[child.outside] = child.inside
        return child.outside

    def _execute(self, pid: int, call: Call) -> None:
        path = self._path(pid, call, *((None, 0) if call.name == "execve" else (0, 1)))
        if path is not None:
            self.events.add("process", "execve", path, refused=bool(call.error))

    def _enter(self, pid: int, call: Call) -> None:
        if call.error:
            return
        if call.name == "chdir" and (path := parse_path(call.arg(0))) is not None:
            self._folders[pid] = join(self._folder(pid), path)
        elif (descriptor := parse_number(call.arg(0))) and descriptor.path:
            self._folders[pid] = unquote(descriptor.path)

    def _describe(self, pid: int, call: Call) -> None:
        whom, descriptor = parse_number(call.arg(0)), parse_number(call.result)
        if whom is not None and descriptor is not None:
            self._descriptors[descriptor.inside] = whom

    def _signal(self, pid: int, call: Call) -> None:
        signal = call.arg(SIGNALS[call.name])
        if signal == "0":
            return
        target = self._target(pid, call)
        self.events.add("signal", "kill", target, refused=bool(call.error))
        if signal not in HARMLESS_SIGNALS and self._is_attack(pid, call.name, target):
            self.seen.add("killed")

    def _target(self, pid: int, call: Call) -> str:
        whom = parse_number(call.arg(0))
        if whom is not None and call.name == "pidfd_send_signal":
            whom = self._descriptors.get(whom.inside)
        thread = parse_number(call.arg(1)) if call.name == "tgkill" else None
        is_own_thread = thread is not None and thread.outside == pid
        return "other" if whom is None else "self" if is_own_thread else self._name(pid, whom)

    def _is_attack(self, pid: int, name: str, target: str) -> bool:
        is_main = self._leaders.get(pid, pid) == self.main
        if target == "self":
            # By these two a process ends itself with abort().
            return is_main and name not in ("tkill", "tgkill")
        # "All" never means the sender.
        return target in ("0", "1", "2") or (target == "-1" and not is_main)

    def _name(self, pid: int, whom: Number) -> str:
        if whom.inside > 0 and (whom.outside == pid or whom.inside == self._number_inside(pid)):
            return "self"
        if whom.inside == -MAIN:
            return "2"
        return str(whom.inside) if whom.inside in (FIRST, MAIN, 0, -1) else "other"

    def _reach(self, pid: int, call: Call) -> None:
        whom = parse_number(call.arg(1 if call.name == "ptrace" else 0))
        is_own = call.arg(0) == "PTRACE_TRACEME" or whom is None
        target = "self" if is_own or whom is None else self._name(pid, whom)
        if target in ("1", "2"):
            self.seen.add("killed")
        self.events.add("memory", call.name, target, refused=bool(call.error))


def _ignore(pid: int, call: Call) -> None:
    """A call that is traced only for what it says about others."""
