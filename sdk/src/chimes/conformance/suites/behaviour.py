"""The checks of side effects (S09, S22): they judge the events that were observed from outside the process."""

from __future__ import annotations

import fnmatch
import socket
from collections.abc import Iterable

from chimes.conformance.subject import ComponentSubject, EntrySubject
from chimes.conformance.suites.check import ConformanceCheck, EntryCheck
from chimes.conformance.suites.plugins import HEAVY
from chimes.evidence.finding import Finding
from chimes.evidence.record import Facts
from chimes.rpc.children import INSIDE_ROOT
from chimes.rpc.failure import StepFailedError, failure_facts
from chimes.sandbox import Event
from chimes.sandbox.events import place_of

__all__ = ["BUILD", "S09", "S22"]

SHOWN = 10
FOLDERS = ("tmp", "cache", "artifacts")
BUILD_FOLDERS = ("/work", "/tmp")
WATCHED = ("write", "network", "signal", "memory", "disk", "system")
FILTERS = "the filters for warnings"
SUPERVISORS = ("0", "1", "2", "-1")
"""Targets of a signal that mean the processes that run the plugin, or all processes."""
BUILD = "building the project"
FIXES = {
    "the component": "write below context.tmp or context.cache, and declare hosts and files",
    "the library": "do it in the functions that are called, not at import",
    BUILD: "let the build backend only make the wheel",
}
IPV6_PROBES = (
    {("network", "socket", "AF_INET6 SOCK_STREAM"), ("network", "bind", "[::1]:0")},
    {("network", "socket.__new__", repr(int(socket.AF_INET6))), ("network", "socket.bind", "('::1', 0)")},
)
"""The events of urllib3's test for IPv6 at import, as the trace and as Python report them: nothing is sent."""


class S09(EntryCheck):
    """Is importing the entry module free of side effects?

    No network, no file written, no process, no signal sent, no thread; the environment, signal handlers, timers,
    limits, root logger, locale, built-in names, working directory and standard streams stay as before, and for an
    entry module the warning filters too. In a sandbox the system calls are traced; what only the process itself can
    report (threads, handlers), and everything without a sandbox, is observed from inside the process.
    """

    code = "S09"
    source = "napari pull request 4015: plugins that act when they are listed"

    def look(self, subject: EntrySubject) -> Facts:
        events = _without_probe(subject.events)
        changed = list(subject.entry.changed)
        is_heavy = any(name.partition(".")[0] in HEAVY for name in subject.entry.modules)
        if is_heavy or subject.what != EntrySubject.what:
            # Numeric libraries start threads at import. A library may need one, and in a plugin S08 reports it.
            events = [event for event in events if (event.kind, event.action) != ("process", "thread")]
            changed = [name for name in changed if name != FILTERS]
        return {"what": subject.what, "changed": changed, **_event_facts(events), **failure_facts(subject.failure)}

    def conclude(self, facts: Facts) -> Iterable[Finding]:
        importing = f"importing {facts['what']}"
        for action, targets in _by_action(facts["events"]).items():
            yield self.finding(f"{importing} {action}", "do it when it is used, not at import", said=targets)
        for what in facts["changed"]:
            yield self.finding(f"{importing} changes {what}", f"leave {what} unchanged at import")


class S22(ConformanceCheck):
    """Does the component stay inside its folders and off the network?

    Over all sessions of the suite: nothing is written outside the context's tmp, cache and artifacts folders (and
    declared ``files``), no socket is opened unless ``network`` hosts are declared, no process of others is signalled
    or limited, no disk is filled, and no administrator's system call is made. A refused attempt counts, and so does
    one whose error was caught. In a sandbox the check also applies to the build of a project, and to a library whose
    modules are imported.
    """

    code = "S22"
    source = "the sandbox's own rule"

    def look(self, subject: ComponentSubject | EntrySubject) -> Facts:
        if isinstance(subject, ComponentSubject):
            return _observe_component(subject, self.timeout_s)
        folders = BUILD_FOLDERS if subject.what == BUILD else ()
        events = _violations(subject.events, INSIDE_ROOT, folders, has_network=False)
        return {"what": subject.what, **_event_facts(events), **failure_facts(subject.failure)}

    def conclude(self, facts: Facts) -> Iterable[Finding]:
        for action, targets in _by_action(facts["events"]).items():
            yield self.finding(f"{facts['what']} {action}", FIXES[facts["what"]], said=targets)


def _observe_component(subject: ComponentSubject, timeout_s: float) -> Facts:
    """The component's events in all sessions; it is constructed (a model also described) once more before."""
    failure = None
    try:
        if subject.kind == "model":
            with subject.model(timeout_s):
                pass
        else:
            with subject.session(timeout_s) as session:
                subject.construct(session)
    except StepFailedError as error:
        failure = error
    if subject.children.place.sandboxed:
        # The events of a sandbox are complete when it has ended.
        subject.children.stop()
    declared, children = subject.registration, subject.children
    events = _violations(children.events, children.root, declared.files, has_network=bool(declared.network))
    return {"what": "the component", **_event_facts(events), **failure_facts(failure)}


def _violations(events: Iterable[Event], root: str, files: Iterable[str], *, has_network: bool) -> list[Event]:
    """The events that are not allowed."""
    folders = [*(f"{root}/{name}" for name in FOLDERS), *files]
    return [
        event
        for event in _without_probe(events)
        if event.kind in WATCHED and event.target != root and not _is_allowed(event, folders, has_network)
    ]


def _without_probe(events: Iterable[Event]) -> list[Event]:
    found = list(events)
    network = {(event.kind, event.action, event.target) for event in found if event.kind == "network"}
    return [event for event in found if event.kind != "network"] if network in IPV6_PROBES else found


def _is_allowed(event: Event, folders: list[str], has_network: bool) -> bool:
    match event.kind:
        case "network":
            return has_network
        case "signal":
            return event.target not in SUPERVISORS
        case "write":
            path = event.target
            return any(path == f or path.startswith(f"{f}/") or fnmatch.fnmatchcase(path, f) for f in folders)
    return False


def _event_facts(events: list[Event]) -> Facts:
    """The events as facts, and the cause of the end of the process if they show it."""
    facts: Facts = {"events": [list(each) for each in sorted({(e.kind, e.action, e.target) for e in events})]}
    attacks = (e.target in SUPERVISORS for e in events if e.kind == "signal")
    intrusions = ("/self/" not in e.target and e.target != "self" for e in events if e.kind == "memory")
    if any(event.kind == "disk" for event in events):
        return {**facts, "cause": "disk"}
    return {**facts, "cause": "killed"} if any(attacks) or any(intrusions) else facts


def _by_action(events: Iterable[Iterable[str]]) -> dict[str, str]:
    """For each sort of event a description, the same in every run, and some targets, which may vary."""
    found: dict[str, list[str]] = {}
    for kind, action, target in events:
        found.setdefault(_action(kind, action, target), []).append(f"{action} {target}")
    return {action: ", ".join(found[action][:SHOWN]) for action in sorted(found)}


def _action(kind: str, action: str, target: str) -> str:
    match kind:
        case "network":
            return "opens a network socket"
        case "write":
            return f"writes in {place_of(target)}"
        case "process":
            return "starts a thread" if action == "thread" else "starts a process"
        case "signal" if action in ("limit", "schedule"):
            return "sets limits or priorities of a process that it did not start"
        case "signal":
            return "sends a signal to a process that it did not start"
        case "memory":
            return "reaches into another process's memory"
        case "disk":
            return "fills the disk"
        case "system":
            return "makes a system call that is for administrators only"
    return f"does something that the sandbox watches ({action})"
