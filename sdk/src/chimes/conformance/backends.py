"""What is asked of compute backends (B). Jobs are programs of the suite that compute a word from the nonce."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterable
from typing import Any, ClassVar

from chimes.checks.check import Facts, Finding
from chimes.conformance.conformancecheck import ComponentCheck
from chimes.conformance.failure import StepFailedError
from chimes.conformance.proxies import BackendProxy, expect, expect_all
from chimes.conformance.remote import RemoteSession
from chimes.conformance.subject import ComponentSubject
from chimes.kinds.backend import JobHandle, JobSpec, JobState, JobStatus

__all__ = ["B02", "B03", "B05", "B09", "B12", "B13"]

PYTHON = "/usr/bin/python3"
ENV = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}
WAIT_S = 30.0

PRINT = "import hashlib,sys; print(hashlib.sha256(sys.argv[1].encode()).hexdigest())"
COUNT = "import sys; open(sys.argv[1],'a').write('once\\n')"
WAIT_FOR_FILE = (
    "import hashlib,os,sys,time\n"
    "end=time.time()+60\n"
    "while not os.path.exists(sys.argv[2]) and time.time()<end: time.sleep(0.02)\n"
    "print(hashlib.sha256(sys.argv[1].encode()).hexdigest())"
)
STUBBORN = (
    "import os,signal,sys,time\n"
    "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    "open(sys.argv[1],'w').write(str(os.getpid()))\n"
    "time.sleep(120)"
)
TREE = (
    "import json,os,signal,sys,time\n"
    "pids=[os.getpid()]; r,w=os.pipe()\n"
    "if os.fork()==0:\n"
    "    os.setsid()\n"
    "    if os.fork()==0:\n"
    "        signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    "        os.write(w,str(os.getpid()).encode()); time.sleep(120); os._exit(0)\n"
    "    os._exit(0)\n"
    "os.wait(); pids.append(int(os.read(r,20)))\n"
    "open(sys.argv[1]+'.part','w').write(json.dumps(pids)); os.rename(sys.argv[1]+'.part',sys.argv[1])\n"
    "time.sleep(120)"
)

ORDER = {state: number for number, state in enumerate(JobState)}


class BackendCheck(ComponentCheck):
    """A check of a backend."""

    kind = "backend"
    timeout_s: ClassVar[float] = 40


def job(program: str, *arguments: str) -> JobSpec:
    """A job that runs one of the suite's programs."""
    return JobSpec(command=(PYTHON, "-I", "-S", "-c", program, *arguments), env=ENV)


def word(token: str) -> str:
    """What the suite's program prints for a token."""
    return hashlib.sha256(token.encode()).hexdigest() + "\n"


def write(session: RemoteSession, name: str) -> str:
    """An empty file in the context's folder; its path."""
    return expect("write", session.do("write", name=name, data=""), str)


def read(session: RemoteSession, name: str) -> str:
    """The text of a file in the context's folder, empty where there is none."""
    return expect("read", session.do("read", name=name) or "", str)


def follow(backend: BackendProxy, handle: JobHandle) -> list[JobStatus]:
    """Every status until the job is final, at most for half a minute."""
    seen: list[JobStatus] = []

    def look() -> bool:
        seen.extend(backend.status([handle]))
        return seen[-1].state.is_final

    until(look)
    return seen


def until(condition: Callable[[], Any]) -> bool:
    """Ask again and again until it is so; False if it never is."""
    deadline = time.monotonic() + WAIT_S
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.03)
    return False


class B02(BackendCheck):
    """Does a job that succeeds become SUCCEEDED with exit code 0, its states only moving forward?

    The job prints a word that only running it gives; the log must hold exactly that. After the end the
    state must stay.
    """

    code = "B02"
    anchor = "PSI/J: the state model"

    def look(self, subject: ComponentSubject) -> Facts:
        """The states seen, exit code and log."""
        token = subject.token("B02")
        with subject.backend(self.timeout_s) as backend:
            handle = backend.submit(job(PRINT, token), key=f"b02-{token}")
            seen = follow(backend, handle) + [backend.status([handle])[0] for _ in range(3)]
            log = backend.logs(handle).data.decode("utf-8", "replace")
        ranks = [ORDER[status.state] for status in seen]
        return {
            "state": seen[-1].state.value,
            "exit_code": seen[-1].exit_code,
            "forward": ranks == sorted(ranks),
            "log": log == word(token),
        }

    def conclude(self, facts: Facts) -> Iterable[Finding]:
        """The end, the way there, and the log."""
        if (facts["state"], facts["exit_code"]) != ("succeeded", 0):
            yield self.finding(
                f"a job that exits 0 ends as {facts['state']} with exit code {facts['exit_code']}",
                "report SUCCEEDED and 0",
            )
        if not facts["forward"]:
            yield self.finding("a job's state moves backwards", "never report an earlier state after a later one")
        if not facts["log"]:
            yield self.finding("the log of a job is not what it printed", "keep its output byte for byte")


class B03(BackendCheck):
    """Is a job that exits 3 FAILED with exit code 3, by the user's fault?"""

    code = "B03"
    anchor = "Kubernetes podFailurePolicy: whose fault decides what follows"

    def look(self, subject: ComponentSubject) -> Facts:
        """The last status."""
        with subject.backend(self.timeout_s) as backend:
            handle = backend.submit(job("import sys; sys.exit(3)"), key=f"b03-{subject.token('B03')}")
            last = follow(backend, handle)[-1]
        return {"state": last.state.value, "exit_code": last.exit_code, "fault": last.fault, "reason": last.reason}

    def conclude(self, facts: Facts) -> Iterable[Finding]:
        """Anything else than failed, 3, exit_code, user."""
        got = (facts["state"], facts["exit_code"], facts["reason"], facts["fault"])
        if got != ("failed", 3, "exit_code", "user"):
            state, code, reason, fault = got
            yield self.finding(
                f"a job that exits 3 ends as {state} with exit code {code}, reason {reason}, fault {fault}",
                "report FAILED, 3, exit_code, user",
            )


class B05(BackendCheck):
    """Does a job outlive its client, and can it be found again by its handle?

    The client is killed with SIGKILL as soon as ``submit`` returned; a new process must see the job run,
    end, and read what it printed.
    """

    code = "B05"
    anchor = "submitit issues 1679 and 1720; PSI/J issue 401"

    def look(self, subject: ComponentSubject) -> Facts:
        """The end and the log, as a new process sees them."""
        token = subject.token("B05")
        with subject.session(self.timeout_s) as session:
            backend = BackendProxy(session, subject.name, subject.case["config"])
            gate = write(session, f"gate-{token}") + ".open"
            handle = backend.submit(job(WAIT_FOR_FILE, token, gate), key=f"b05-{token}")
            session.kill()
        with subject.backend(self.timeout_s) as backend:
            before = backend.status([handle])[0]
            write(backend.session, f"gate-{token}.open")
            last = follow(backend, handle)[-1]
            log = backend.logs(handle).data.decode("utf-8", "replace")
        return {"before": before.state.is_final, "state": last.state.value, "log": log == word(token)}

    def conclude(self, facts: Facts) -> Iterable[Finding]:
        """Gone with the client, or not readable."""
        if facts["before"] or facts["state"] != "succeeded":
            yield self.finding(
                f"after its client was killed a job is {facts['state']} to a new process",
                "detach the job before submit returns, and keep its record where any process finds it",
            )
        elif not facts["log"]:
            yield self.finding("a new process cannot read the job's output", "keep the log under control_url")


class B09(BackendCheck):
    """Is a job submitted twice under one key one job?

    Again with the same specification: the same handle, one execution; also when two processes submit at
    once. With another specification: ConflictError.
    """

    code = "B09"
    anchor = "Ray: submission_id"

    def look(self, subject: ComponentSubject) -> Facts:
        """Handles, executions, and the error."""
        token = subject.token("B09")
        with subject.backend(self.timeout_s) as backend:
            paths = [write(backend.session, f"count-{n}-{token}") for n in (1, 2)]
            first = backend.submit(job(COUNT, paths[0]), key=f"b09-{token}")
            second = backend.submit(job(COUNT, paths[0]), key=f"b09-{token}")
            conflict = self.conflict(backend, f"b09-{token}")
            both = self.at_once(backend, subject, job(COUNT, paths[1]), f"b09-both-{token}")
            handles = [first, second, *(handle for handle in both if isinstance(handle, JobHandle))]
            for handle in handles:
                follow(backend, handle)
            counts = [read(backend.session, f"count-{n}-{token}").count("once") for n in (1, 2)]
        ids = [{handle.native_id for handle in group} for group in ((first, second), handles[2:])]
        return {
            "same": [len(group) == 1 for group in ids],
            "both": len(handles) - 2,
            "counts": counts,
            "conflict": conflict,
        }

    def conflict(self, backend: BackendProxy, key: str) -> str | None:
        """The code of the error for another specification under a known key."""
        try:
            backend.submit(job("pass"), key=key)
        except StepFailedError as failure:
            if failure.cause != "own":
                raise
            return failure.code or "other"
        return None

    def at_once(self, backend: BackendProxy, subject: ComponentSubject, spec: JobSpec, key: str) -> list[Any]:
        """What two processes get that submit the same at the same moment."""
        make = {"kind": "backend", "name": subject.name, "config": subject.case["config"], "label": "own"}
        send = {"label": "own", "method": "submit", "args": [spec], "kwargs": {"key": key}}
        calls = [{"op": "construct", "args": make}, {"op": "call", "args": send}]
        return expect("submit", backend.session.do("parallel", step="submit", count=2, calls=calls), list)

    def conclude(self, facts: Facts) -> Iterable[Finding]:
        """Two jobs, or no conflict."""
        if not facts["same"][0] or facts["counts"][0] != 1:
            yield self.finding(
                f"the same job submitted twice under one key runs {facts['counts'][0]} times", "record the key first"
            )
        if facts["conflict"] != "conflict":
            yield self.finding("another job under a known key is not refused with ConflictError", "compare spec_sha256")
        if facts["both"] != 2 or not facts["same"][1] or facts["counts"][1] != 1:
            yield self.finding(
                f"two processes that submit one job at once make it run {facts['counts'][1]} times",
                "record the key exclusively (O_EXCL, mkdir) before the job is started",
            )


class B12(BackendCheck):
    """Can a job be cancelled whenever: waiting, running and ignoring SIGTERM, ended, twice?"""

    code = "B12"
    anchor = "PSI/J cancel"

    def look(self, subject: ComponentSubject) -> Facts:
        """The states after each cancel."""
        token = subject.token("B12")
        with subject.backend(self.timeout_s) as backend:
            done = backend.submit(job(PRINT, token), key=f"b12-done-{token}")
            follow(backend, done)
            backend.cancel(done, 0.2)
            finished = [backend.status([done])[0] for _ in range(2)][-1].state.value
            path = write(backend.session, f"stubborn-{token}")
            running = backend.submit(job(STUBBORN, path), key=f"b12-running-{token}")
            until(lambda: read(backend.session, f"stubborn-{token}"))
            waiting = [backend.submit(job(STUBBORN, path + str(n)), key=f"b12-{n}-{token}") for n in range(3)]
            for handle in (waiting[-1], *waiting, running, running):
                backend.cancel(handle, 0.2)
            ends = [follow(backend, handle)[-1].state.value for handle in (running, *waiting)]
        return {"finished": finished, "running": ends[0], "waiting": sorted(set(ends[1:]))}

    def conclude(self, facts: Facts) -> Iterable[Finding]:
        """Every state that is not what it has to be."""
        if facts["finished"] != "succeeded":
            yield self.finding(f"cancelling an ended job makes it {facts['finished']}", "leave what is final alone")
        if facts["running"] != "cancelled":
            yield self.finding(
                f"a running job that ignores SIGTERM is {facts['running']} after a cancel with 0.2 s grace",
                "send SIGKILL when the grace is over",
            )
        if facts["waiting"] != ["cancelled"]:
            yield self.finding(
                f"jobs cancelled right after submit are {', '.join(facts['waiting'])}", "cancel waiting jobs too"
            )


class B13(BackendCheck):
    """Is the whole process tree of a cancelled job gone, with a grandchild in a session of its own?"""

    code = "B13"
    anchor = "leaked processes hold devices and memory"

    def look(self, subject: ComponentSubject) -> Facts:
        """Which processes of the job outlive its cancellation."""
        token = subject.token("B13")
        with subject.backend(self.timeout_s) as backend:
            session = backend.session
            path = write(session, f"tree-{token}") + ".pids"
            handle = backend.submit(job(TREE, path), key=f"b13-{token}")
            found = until(lambda: read(session, f"tree-{token}.pids"))
            pids = _pids(read(session, f"tree-{token}.pids")) if found else []
            backend.cancel(handle, 0.2)
            state = follow(backend, handle)[-1].state.value
            alive = expect_all("alive", session.do("alive", pids=pids), int)
        return {"started": len(pids), "alive": len(alive), "state": state}

    def conclude(self, facts: Facts) -> Iterable[Finding]:
        """Survivors."""
        if facts["started"] < 2:
            yield self.finding("a job that starts processes did not run", "run the command as it is given")
        elif facts["alive"]:
            yield self.finding(
                f"{facts['alive']} of {facts['started']} processes outlive their cancelled job",
                "end the whole tree, also what left the session: a subreaper or a cgroup finds it",
            )


def _pids(text: str) -> list[int]:
    try:
        return [int(pid) for pid in json.loads(text)]
    except (ValueError, TypeError):
        return []
