"""The checks of compute backends (B). Their jobs are programs of the suite that print digests of a secret token."""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import partial
from typing import Any

from chimes.conformance.subject import ComponentSubject
from chimes.conformance.suites.check import ComponentCheck, code_of_error
from chimes.conformance.suites.joblogs import alive_of, end_states, follow, read, read_log, running, until, write
from chimes.conformance.testdata import programs
from chimes.conformance.testdata.programs import digest_line, digest_lines, job
from chimes.evidence.finding import Finding
from chimes.evidence.record import Facts
from chimes.kinds.backend import JobHandle, JobSpec, JobState
from chimes.rpc.proxies import BackendProxy, expect

__all__ = ["B02", "B03", "B05", "B09", "B12", "B13"]

SETTLE_S = 0.5
ROUNDS, AT_ONCE = 2, 4
GONE_S = 3.0
ORDER = {state: number for number, state in enumerate(JobState)}


class BackendCheck(ComponentCheck):
    """A check of a backend."""

    kind = "backend"
    timeout_s = 40


class B02(BackendCheck):
    """Does a successful job become SUCCEEDED with exit code 0, without ever returning to an earlier state?

    The job waits for a file, and must not be final before the file is written. It prints values that cannot be
    predicted, and the log must contain exactly these. After the end the state must not change.
    """

    code = "B02"
    source = "PSI/J: the state model"

    def look(self, subject: ComponentSubject) -> Facts:
        token = subject.token("B02")
        with subject.backend(self.timeout_s) as backend:
            session = backend.session
            path = write(session, f"gate-{token}") + ".open"
            handle = backend.submit(job(programs.PRINT_MUCH, token, path, str(programs.LINES)), key=f"b02-{token}")
            before = [backend.status([handle])[0] for _ in range(3)]
            write(session, f"gate-{token}.open")
            seen = before + follow(backend, handle) + [backend.status([handle])[0] for _ in range(3)]
            log = read_log(backend, handle)
        ranks = [ORDER[status.state] for status in seen]
        return {
            "state": seen[-1].state.value,
            "exit_code": seen[-1].exit_code,
            "early": any(status.state.is_final for status in before),
            "forward": ranks == sorted(ranks),
            "log": log == digest_lines(token),
        }

    def conclude(self, facts: Facts) -> Iterable[Finding]:
        if facts["early"]:
            yield self.finding("a job is final while it still runs", "report a final state only after the job's end")
        if (facts["state"], facts["exit_code"]) != ("succeeded", 0):
            yield self.finding(
                "a job that exits 0 does not end as succeeded with exit code 0",
                "report SUCCEEDED and 0",
                said=f"{facts['state']}, exit code {facts['exit_code']}",
            )
        if not facts["forward"]:
            yield self.finding("a job's state moves backwards", "never report an earlier state after a later one")
        if not facts["log"]:
            yield self.finding("the log of a job is not what it printed", "keep its output byte for byte")


class B03(BackendCheck):
    """Does a job that exits with 3, or another number, become FAILED with this exit code and the fault user?"""

    code = "B03"
    source = "Kubernetes podFailurePolicy: the fault decides what follows"

    def look(self, subject: ComponentSubject) -> Facts:
        """The last status of a job that exits 3, and of one that exits with a random number."""
        # Numbers with a meaning in sysexits.h or in a shell are not used.
        codes = (3, subject.rng("B03").randrange(4, 64))
        with subject.backend(self.timeout_s) as backend:
            jobs = [job("import sys; sys.exit(int(sys.argv[1]))", str(code)) for code in codes]
            keys = [f"b03-{number}-{subject.token('B03')}" for number in range(len(codes))]
            handles = [backend.submit(spec, key=key) for spec, key in zip(jobs, keys, strict=True)]
            ends = [follow(backend, handle)[-1] for handle in handles]
        return {
            "codes": list(codes),
            "ends": [[end.state.value, end.exit_code, end.reason, end.fault] for end in ends],
        }

    def conclude(self, facts: Facts) -> Iterable[Finding]:
        for number, code, end in zip(("3", "with another number"), facts["codes"], facts["ends"], strict=True):
            if end != ["failed", code, "exit_code", "user"]:
                state, exit_code, reason, fault = end
                yield self.finding(
                    f"a job that exits {number} does not end as failed with that exit code, "
                    "reason exit_code, fault user",
                    "report FAILED, the exit code, exit_code, user",
                    said=f"{state}, exit code {exit_code}, not {code}, reason {reason}, fault {fault}",
                )
                return


class B05(BackendCheck):
    """Does a job outlive its client, and can it be found again by its handle?

    The client is killed with SIGKILL as soon as ``submit`` has returned. A new process must observe that the job runs
    and ends, and must be able to read its output.
    """

    code = "B05"
    source = "submitit issues 1679 and 1720; PSI/J issue 401"

    def look(self, subject: ComponentSubject) -> Facts:
        """The end and the log, as a new process sees them."""
        token = subject.token("B05")
        with subject.session(self.timeout_s) as session:
            backend = BackendProxy(session, subject.name, subject.config)
            gate = write(session, f"gate-{token}") + ".open"
            handle = backend.submit(job(programs.WAIT_FOR_FILE, token, gate), key=f"b05-{token}")
            session.kill()
        with subject.backend(self.timeout_s) as backend:
            before = backend.status([handle])[0]
            write(backend.session, f"gate-{token}.open")
            last = follow(backend, handle)[-1]
            log = read_log(backend, handle).decode("utf-8", "replace")
        return {"before": before.state.is_final, "state": last.state.value, "log": log == digest_line(token)}

    def conclude(self, facts: Facts) -> Iterable[Finding]:
        if facts["before"] or facts["state"] != "succeeded":
            yield self.finding(
                "a new process does not see that a job runs and succeeds after its client was killed",
                "detach the job before submit returns, and keep its record where any process can find it",
                said=f"final at once: {facts['before']}; in the end: {facts['state']}",
            )
        elif not facts["log"]:
            yield self.finding("a new process cannot read the job's output", "keep the log under control_url")


class B09(BackendCheck):
    """Is a job that is submitted twice under one key run once?

    A second submission with the same specification must return the same handle and must not start the job again, also
    if several processes submit at once. Another command or environment must cause a ConflictError.
    """

    code = "B09"
    source = "Ray: submission_id"

    def look(self, subject: ComponentSubject) -> Facts:
        token = subject.token("B09")
        rounds = range(1, ROUNDS + 1)
        with subject.backend(self.timeout_s) as backend:
            jobs = [job(programs.COUNT, write(backend.session, f"count-{n}-{token}")) for n in range(ROUNDS + 1)]
            groups = [[backend.submit(jobs[0], key=f"b09-{token}") for _ in range(2)]]
            others = (job("pass"), jobs[0].model_copy(update={"env": {**programs.ENV, "OTHER": token}}))
            conflicts = [code_of_error(partial(backend.submit, other, key=f"b09-{token}")) for other in others]
            groups += [self.at_once(backend, subject, jobs[n], f"b09-{n}-{token}") for n in rounds]
            for handle in [handle for group in groups for handle in group if isinstance(handle, JobHandle)]:
                follow(backend, handle)

            def counts() -> list[int]:
                return [read(backend.session, f"count-{n}-{token}").count("once") for n in range(ROUNDS + 1)]

            # A second execution may start with a delay.
            until(lambda: max(counts()) > 1, SETTLE_S)
            found = counts()
        wanted = [spec.sha256() for spec in jobs]
        return {
            "same": [_is_one(group, digest) for group, digest in zip(groups, wanted, strict=True)],
            "counts": found,
            "conflicts": conflicts,
        }

    def at_once(self, backend: BackendProxy, subject: ComponentSubject, spec: JobSpec, key: str) -> list[Any]:
        """The handles of several processes that submit the same job at the same moment."""
        make = {"kind": "backend", "name": subject.name, "config": subject.config, "label": "own"}
        send = {"label": "own", "method": "submit", "args": [spec], "kwargs": {"key": key}}
        calls = [{"op": "construct", "args": make}, {"op": "call", "args": send}]
        return expect("submit", backend.session.do("parallel", step="submit", count=AT_ONCE, calls=calls), list)

    def conclude(self, facts: Facts) -> Iterable[Finding]:
        said = f"executions: {facts['counts']}"
        if not facts["same"][0] or facts["counts"][0] != 1:
            yield self.finding(
                "the same job submitted twice under one key is not one job",
                "record the key before the job is started",
                said=said,
            )
        if any(code != "conflict" for code in facts["conflicts"]):
            yield self.finding("another job under a known key is not refused with ConflictError", "compare spec_sha256")
        if not all(facts["same"][1:]) or any(count != 1 for count in facts["counts"][1:]):
            yield self.finding(
                "one job that several processes submit at once is not one job",
                "record the key exclusively (O_EXCL, mkdir) before the job is started",
                said=said,
            )


def _is_one(handles: list[Any], spec_sha256: str) -> bool:
    found = [handle for handle in handles if isinstance(handle, JobHandle)]
    names = {(handle.backend, handle.native_id, handle.key, handle.control_url) for handle in found}
    return len(found) == len(handles) and len(names) == 1 and found[0].spec_sha256 == spec_sha256


class B12(BackendCheck):
    """Can a job be cancelled in every state: waiting, running and ignoring SIGTERM, ended, and twice?

    A job must first receive SIGTERM. After a job is cancelled, none of its processes may run or start.
    """

    code = "B12"
    source = "PSI/J cancel"

    def look(self, subject: ComponentSubject) -> Facts:
        """The states after each cancel, and the processes that are left."""
        token = subject.token("B12")
        with subject.backend(self.timeout_s) as backend:
            done = backend.submit(job(programs.PRINT, token), key=f"b12-done-{token}")
            follow(backend, done)
            backend.cancel(done, 0.2)
            finished = [backend.status([done])[0] for _ in range(2)][-1].state.value
            asked = self.cancel_with_handler(backend, token)
            ends, names = self.cancel_stubborn(backend, token)
            # A job that was cancelled while it waited may still start.
            until(lambda: False, SETTLE_S)
            until(lambda: not alive_of(backend.session, names), GONE_S)
            alive = len(alive_of(backend.session, names))
        return {
            "finished": finished,
            "asked": asked,
            "running": ends[0],
            "waiting": sorted(set(ends[1:])),
            "alive": alive,
        }

    def cancel_with_handler(self, backend: BackendProxy, token: str) -> bool:
        """Whether a job with a handler for SIGTERM received the signal."""
        session, name = backend.session, f"polite-{token}"
        path = write(session, name)
        polite = backend.submit(job(programs.POLITE, path), key=f"b12-polite-{token}")
        until(lambda: read(session, name))
        backend.cancel(polite, 20)
        follow(backend, polite)
        return "asked" in read(session, name)

    def cancel_stubborn(self, backend: BackendProxy, token: str) -> tuple[list[str], list[str]]:
        """The last states of a running job and of waiting ones, and the files that contain their process numbers."""
        session, name = backend.session, f"stubborn-{token}"
        path = write(session, name)
        first = backend.submit(job(programs.STUBBORN, path), key=f"b12-running-{token}")
        until(lambda: read(session, name))
        waiting = [backend.submit(job(programs.STUBBORN, path + str(n)), key=f"b12-{n}-{token}") for n in range(3)]
        for handle in (waiting[-1], *waiting, first, first):
            backend.cancel(handle, 0.2)
        ends = end_states(backend, (first, *waiting))
        return ends, [name, *(f"{name}{n}" for n in range(3))]

    def conclude(self, facts: Facts) -> Iterable[Finding]:
        if facts["finished"] != "succeeded":
            yield self.finding(
                "cancelling an ended job changes its state", "do not change a final state", said=facts["finished"]
            )
        if not facts["asked"]:
            yield self.finding(
                "a cancelled job does not receive SIGTERM", "send SIGTERM first, and SIGKILL when the grace is over"
            )
        if facts["running"] != "cancelled":
            yield self.finding(
                "a running job that ignores SIGTERM is not cancelled by a cancel with 0.2 s grace",
                "send SIGKILL when the grace is over",
                said=facts["running"],
            )
        if facts["waiting"] != ["cancelled"]:
            yield self.finding(
                "jobs cancelled right after submit are not cancelled",
                "also cancel jobs that wait",
                said=", ".join(facts["waiting"]),
            )
        if facts["alive"]:
            yield self.finding("a cancelled job keeps running, or starts later", "end it, and remove it from the queue")


class B13(BackendCheck):
    """Does the whole process tree of a cancelled job end, including a grandchild in another session?"""

    code = "B13"
    source = "leaked processes hold devices and memory"

    def look(self, subject: ComponentSubject) -> Facts:
        """The number of processes that outlive the cancellation of their job."""
        token = subject.token("B13")
        with subject.backend(self.timeout_s) as backend:
            session = backend.session
            path = write(session, f"tree-{token}") + ".pids"
            handle = backend.submit(job(programs.TREE, path), key=f"b13-{token}")
            found = until(lambda: read(session, f"tree-{token}.pids"))
            pids = _pids(read(session, f"tree-{token}.pids")) if found else []
            backend.cancel(handle, 0.2)
            state = follow(backend, handle)[-1].state.value
            until(lambda: not running(session, pids), GONE_S)
            alive = running(session, pids)
        return {"started": len(pids), "alive": len(alive), "state": state}

    def conclude(self, facts: Facts) -> Iterable[Finding]:
        if facts["started"] < 2:
            yield self.finding("a job that starts processes did not run", "run the command as it is given")
        elif facts["alive"]:
            yield self.finding(
                "processes outlive their cancelled job",
                "end the whole tree, including processes in other sessions: find them with a subreaper or a cgroup",
                said=f"{facts['alive']} of {facts['started']}",
            )


def _pids(text: str) -> list[int]:
    try:
        return [int(pid) for pid in json.loads(text)]
    except (ValueError, TypeError):
        return []
