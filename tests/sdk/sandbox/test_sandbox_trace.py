from __future__ import annotations

import pytest
from chimes.processes.proc import NamespacePids
from chimes.sandbox.events import Event, EventLog
from chimes.sandbox.trace import Trace

START = (
    b'10 openat(AT_FDCWD, "/etc/early", O_WRONLY|O_CREAT, 0666) = 3\n'
    b"10 clone(child_stack=NULL, flags=SIGCHLD) = 2\n"
    b'12 execve("/usr/bin/setpriv", ["setpriv"], 0x1 /* 3 vars */) = 0\n'
    b'12 execve("/usr/bin/env", ["env"], 0x1 /* 3 vars */) = 0\n'
    b'12 execve("/env/bin/app", ["app"], 0x1 /* 3 vars */) = -1 ENOENT (No such file or directory)\n'
    b'12 execve("/usr/bin/app", ["app"], 0x1 /* 3 vars */) = 0\n'
)


IDENTITIES = {13: NamespacePids(13, 3, 3), 14: NamespacePids(12, 2, 4)}
"""Another process, and another thread of the command's own."""


def read(*lines: bytes) -> Trace:
    trace = Trace(IDENTITIES.get)
    trace.feed(START + b"".join(line + b"\n" for line in lines))
    trace.finish()
    return trace


def only(*lines: bytes) -> Event:
    (event,) = read(*lines).events.sorted()
    return event


def test_events_before_the_command_are_ignored() -> None:
    trace = Trace()
    trace.feed(START[:-2])
    assert not trace.started
    trace.feed(START[-2:])
    assert (trace.started, trace.main, trace.events.sorted()) == (True, 12, ())


def test_events_of_bubblewrap_are_ignored() -> None:
    assert read(b'10 openat(AT_FDCWD, "/etc/late", O_WRONLY) = 3').events.sorted() == ()


def test_pieces_may_end_anywhere() -> None:
    text = START + b'12 mkdir("/tmp/a", 0777) = 0\n'
    trace = Trace()
    for index in range(len(text)):
        trace.feed(text[index : index + 1])
    assert trace.events.sorted() == (Event("write", "mkdir", "/tmp/a", False),)


def test_a_line_without_an_end_is_not_kept() -> None:
    trace = Trace()
    trace.feed(START + b'12 mkdir("')
    for _ in range(100):
        trace.feed(b"x" * 10_000)
    trace.feed(b'", 0777) = 0\n12 rmdir("/tmp/a") = 0\n')
    assert trace.events.sorted() == (Event("write", "rmdir", "/tmp/a", False),)


@pytest.mark.parametrize(
    ("lines", "event"),
    [
        (
            [
                b'12 openat(AT_FDCWD</work>, "x", O_WRONLY <unfinished ...>',
                b"13 getpid() = 3",
                b"12 <... openat resumed>) = 3</work/y>",
            ],
            Event("write", "open", "/work/y", False),
        ),
        (
            [b"12 kill(-1, SIGKILL <unfinished ...>", b"12 +++ killed by SIGKILL +++"],
            Event("signal", "kill", "-1", False),
        ),
        (
            [b"12 kill(3, SIGTERM <unfinished ...>"],
            Event("signal", "kill", "other", False),
        ),
        (
            [b'12 openat2(AT_FDCWD, "rel", {flags=O_RDWR|O_CREAT, mode=0666, resolve=0}, 24) = -1 EACCES (x)'],
            Event("write", "open", "/work/rel", True),
        ),
        (
            [b'12 creat("/etc/x", 0666) = -1 EACCES (Permission denied)'],
            Event("write", "open", "/etc/x", True),
        ),
        (
            [b'12 rename("/a", "/b") = ? ERESTARTSYS (To be restarted)', b'12 rmdir("/b") = -1 EBUSY (x)'],
            Event("write", "rmdir", "/b", True),
        ),
        (
            [
                b"12 connect(3<socket:[7]>, {sa_family=AF_INET, sin_port=htons(80), "
                b'sin_addr=inet_addr("192.0.2.1")}, 16) = -1 EINPROGRESS (x)'
            ],
            Event("network", "connect", "192.0.2.1:80", False),
        ),
        (
            [b"12 connect(3, {sa_family=AF_VSOCK, svm_cid=2, svm_port=1}, 16) = -1 ENODEV (x)"],
            Event("network", "connect", "AF_VSOCK", True),
        ),
        (
            [b"12 pidfd_send_signal(9, SIGTERM, NULL, 0) = 0"],
            Event("signal", "kill", "other", False),
        ),
        (
            [b"12 ptrace(PTRACE_TRACEME) = -1 EPERM (x)"],
            Event("memory", "ptrace", "self", True),
        ),
        (
            [b'12 execveat(4</usr/bin>, "true", ["true"], NULL, 0) = 0'],
            Event("process", "execve", "/usr/bin/true", False),
        ),
        (
            [b"12 write(0x3, 0x1, 0x2) = -1 ENOSPC (No space left on device)"],
            Event("disk", "write", "ENOSPC", True),
        ),
    ],
)
def test_a_line_gives_an_event(lines: list[bytes], event: Event) -> None:
    assert only(*lines) == event


@pytest.mark.parametrize(
    "line",
    [
        b'12 openat(AT_FDCWD</work>, "/etc/a", O_RDONLY|O_CLOEXEC) = 3</etc/a>',
        b'12 openat(AT_FDCWD</work>, "/dev/null", O_RDWR) = 3</dev/null>',
        b'12 openat(AT_FDCWD</work>, "/dev/shm/sem.D6nnLh", O_RDWR|O_CREAT|O_EXCL, 0600) = 3</dev/shm/sem.D6nnLh>',
        b'12 link("/dev/shm/sem.D6nnLh", "/dev/shm/sem.joblib-1-or5ih1zn") = 0',
        b'12 openat(AT_FDCWD</work>, "/proc/self/fd/2", O_WRONLY) = 3<pipe:[7]>',
        b"12 openat(AT_FDCWD</work>, 0x7f, O_RDWR) = -1 EFAULT (Bad address)",
        b'12 mkdir("/tmp", 0777) = -1 EEXIST (File exists)',
        b"12 kill(2, 0) = 0",
        b"12 write(0x1, 0x1, 0x2) = -1 EPIPE (Broken pipe)",
        b'12 connect(3, {sa_family=AF_UNIX, sun_path="/x"}, 5) = -1 ENOENT (x)',
        b'12 sendto(3, "{sa_family=AF_INET", 4, 0, NULL, 0) = 4',
        b"12 fchdir(3</etc>) = -1 EACCES (x)",
        b"12 --- SIGCHLD {si_signo=SIGCHLD} ---",
        b"12 <... openat resumed>) = 3",
        b"12 restart_syscall(<... resuming interrupted read ...>) = 0",
        b"strace: something else",
        b"12 ",
    ],
)
def test_a_line_gives_no_event(line: bytes) -> None:
    trace = read(line)
    assert (trace.events.sorted(), trace.seen) == ((), set())


def test_the_name_of_a_folder_cannot_imitate_a_read() -> None:
    line = b'12 openat(AT_FDCWD</work/", O_RDONLY) = 3>, "x", O_WRONLY|O_CREAT, 0666) = -1 EACCES (x)'
    assert only(line) == Event("write", "open", '/work/", O_RDONLY) = 3/x', True)


def test_relative_paths_follow_the_folder_of_their_process() -> None:
    trace = read(
        b'12 chdir("deep") = 0',
        b'12 mkdir("one", 0777) = 0',
        b'13 openat(AT_FDCWD</tmp/else>, "read", O_RDONLY) = 3',
        b'13 mkdir("../two", 0777) = 0',
        b"13 fchdir(3</dev/shm>) = 0",
        b'13 mkdir("three", 0777) = 0',
        b"13 +++ exited with 0 +++",
        b'13 mkdir("four", 0777) = 0',
    )
    targets = [event.target for event in trace.events.sorted()]
    assert targets == ["/dev/shm/three", "/tmp/two", "/work/deep/four", "/work/deep/one"]


@pytest.mark.parametrize(
    ("line", "cause"),
    [
        (b"13 clone(child_stack=NULL, flags=SIGCHLD) = -1 EAGAIN (Resource temporarily unavailable)", "processes"),
        (b"12 clone(flags=CLONE_VM|CLONE_THREAD) = -1 EAGAIN (Resource temporarily unavailable)", "processes"),
        (b"12 --- SIGXCPU {si_signo=SIGXCPU, si_code=SI_KERNEL} ---", "time"),
        (b"12 --- SIGXFSZ {si_signo=SIGXFSZ, si_code=SI_USER} ---", "disk"),
        (b'12 mkdir("/tmp/x", 0777) = -1 ENOSPC (No space left on device)', "disk"),
        (b"13 rt_sigqueueinfo(2, SIGUSR1, {}) = 0", "killed"),
        (b"13 tkill(2, SIGKILL) = 0", "killed"),
        (b"13 tgkill(2, 2, SIGABRT) = 0", "killed"),
        (b"13 kill(2, SIGKILL <unfinished ...>", "killed"),
        (b"99 kill(2, SIGKILL) = 0", "killed"),
        (b"14 kill(2, SIGKILL) = 0", "killed"),
        (b'13 openat(AT_FDCWD</work>, "/proc/2/mem", O_RDWR) = 3</proc/2/mem>', "killed"),
        (b"13 prlimit64(2, RLIMIT_CPU, {rlim_cur=0, rlim_max=0}, NULL) = 0", "killed"),
        (b"13 prlimit64(1, RLIMIT_CPU, {rlim_cur=0, rlim_max=0}, NULL) = -1 EPERM (x)", "killed"),
        (b"13 setpriority(PRIO_PROCESS, 2, 19) = 0", "killed"),
        (b"13 setpriority(PRIO_PGRP, 0, 19) = -1 EPERM (x)", "killed"),
        (b"13 ioprio_set(IOPRIO_WHO_USER, 0, IOPRIO_PRIO_VALUE(IOPRIO_CLASS_IDLE, 0)) = 0", "killed"),
        (b"13 sched_setaffinity(2, 8, [0]) = 0", "killed"),
    ],
)
def test_a_line_shows_a_cause(line: bytes, cause: str) -> None:
    assert read(line).seen == {cause}


@pytest.mark.parametrize(
    "line",
    [
        b"12 tgkill(2, 2, SIGABRT) = 0",
        b"14 tgkill(2, 4, SIGABRT) = 0",
        b"14 tkill(4, SIGABRT) = 0",
        b"99 tgkill(2, 4, SIGABRT) = 0",
        b"13 kill(3, SIGKILL) = 0",
        b"12 kill(-1, SIGKILL) = 0",
        b"13 kill(2, SIGCHLD) = 0",
        b'13 openat(AT_FDCWD</work>, "/proc/self/mem", O_RDWR) = 3</proc/3/mem>',
        b"13 prlimit64(0, RLIMIT_CPU, {rlim_cur=9, rlim_max=9}, NULL) = 0",
        b"13 prlimit64(3, RLIMIT_CPU, {rlim_cur=9, rlim_max=9}, NULL) = 0",
        b"13 prlimit64(2, RLIMIT_CPU, NULL, {rlim_cur=9, rlim_max=9}) = 0",
        b"12 sched_setaffinity(2, 8, [0]) = 0",
        b"12 sched_setaffinity(4, 8, [0]) = 0",
        b"13 setpriority(PRIO_PROCESS, 0, 19) = 0",
        b"13 --- SIGXCPU {si_signo=SIGXCPU, si_code=SI_USER, si_pid=3} ---",
        b'13 openat(AT_FDCWD</work>, "/tmp/link", O_RDWR) = 3</proc/3/mem>',
    ],
)
def test_a_line_shows_no_cause(line: bytes) -> None:
    assert read(line).seen == set()


@pytest.mark.parametrize("is_first", [True, False])
def test_a_limit_that_an_attacker_set_is_not_the_cause(is_first: bool) -> None:
    attack = b"13 prlimit64(2, RLIMIT_CPU, {rlim_cur=0, rlim_max=9}, NULL) = 0"
    end = b"12 --- SIGXCPU {si_signo=SIGXCPU, si_code=SI_KERNEL} ---"
    assert read(*((attack, end) if is_first else (end, attack))).seen == {"killed"}


def test_very_many_events_do_not_hide_other_kinds() -> None:
    log = EventLog()
    for number in range(50_000):
        log.add("process", "execve", f"/tmp/{number}", refused=False)
        log.add("process", "execve", f"/x/{number}", refused=False)
    log.add("network", "connect", "192.0.2.1:80", refused=True)
    assert Event("network", "connect", "192.0.2.1:80", True) in log.sorted()
    assert len(log.sorted()) < 4200
