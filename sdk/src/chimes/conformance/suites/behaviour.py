"""The checks of side effects (S09, S22), judged by the events that were observed from outside the process."""

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
from chimes.rpc.failure import StepFailedError
from chimes.rpc.proxies import ModelProxy, Proxy
from chimes.sandbox.events import place_of

__all__ = ["BUILD", "S09", "S22"]

SHOWN = 10
FOLDERS = ("tmp", "cache", "artifacts")
BUILD_FOLDERS = ("/work", "/tmp")
WATCHED = ("write", "network", "signal", "memory", "disk", "system")
THREAD = ("process", "thread")
FILTERS = "the filters for warnings"
SUPERVISORS = ("0", "1", "2", "-1")
"""Targets of a signal that mean the processes that run the plugin, or all processes."""
BUILD = "building the project"
FIXES = {
    "the component": "write below context.tmp or context.cache, and declare hosts and files",
    "the library": "do it in the functions that are called, not at import",
    BUILD: "let the build backend only make the wheel",
}
Observed = tuple[str, str, str]
"""Kind, action and target of an event."""
IPV6_PROBES = (
    {("network", "socket", "AF_INET6 SOCK_STREAM"), ("network", "bind", "[::1]:0")},
    {("network", "socket.__new__", repr(int(socket.AF_INET6))), ("network", "socket.bind", "('::1', 0)")},
)
"""How urllib3 tests at import whether IPv6 works, in the terms of the trace and of Python: nothing is sent."""


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
        """Events and changes, and how the import failed if it did."""
        events = _without_probe(subject.events)
        changed = list(subject.entry.changed)
        is_heavy = any(name.partition(".")[0] in HEAVY for name in subject.entry.modules)
        if is_heavy or subject.what != EntrySubject.what:
            # Numeric libraries start threads at import. A library may need one, and in a plugin S08 reports it.
            events = [event for event in events if event[:2] != THREAD]
            changed = [what for what in changed if what != FILTERS]
        facts = {
            "what": subject.what,
            "events": [list(event) for event in events],
            "changed": changed,
            **_cause(events),
        }
        return facts if subject.failure is None else {**facts, "failed": subject.failure.to_json()}

    def conclude(self, facts: Facts) -> Iterable[Finding]:
        """One finding for each sort of side effect."""
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
        """What was observed; a component is constructed once more first."""
        if isinstance(subject, ComponentSubject):
            return _observe_component(subject, self.timeout_s)
        folders = BUILD_FOLDERS if subject.what == BUILD else ()
        facts = _violations(subject.events, INSIDE_ROOT, folders, has_network=False)
        failed = {} if subject.failure is None else {"failed": subject.failure.to_json()}
        return {"what": subject.what, **facts, **failed}

    def conclude(self, facts: Facts) -> Iterable[Finding]:
        """One finding for each sort of violation."""
        for action, targets in _by_action(facts["events"]).items():
            yield self.finding(f"{facts['what']} {action}", FIXES[facts["what"]], said=targets)


def _observe_component(subject: ComponentSubject, timeout_s: float) -> Facts:
    failed: Facts = {}
    try:
        with subject.session(timeout_s) as session:
            proxy: Proxy = _PROXIES[subject.kind](session, subject.name, subject.config)
            if isinstance(proxy, ModelProxy):
                proxy.describe()
    except StepFailedError as failure:
        failed = {"failed": failure.to_json()}
    subject.children.stop()
    seen = ((event.kind, event.action, event.target) for event in subject.children.events)
    declared = subject.registration
    facts = _violations(seen, subject.children.root, declared.files, has_network=bool(declared.network))
    return {"what": "the component", **facts, **failed}


def _violations(seen: Iterable[Observed], root: str, files: Iterable[str], *, has_network: bool) -> Facts:
    """The events that are not allowed, sorted, and the cause of the process's end if they show it."""
    allowed = [*(f"{root}/{name}" for name in FOLDERS), *files]
    kept = sorted(
        (kind, action, target)
        for kind, action, target in _without_probe(seen)
        if kind in WATCHED and target != root and not _is_allowed(kind, target, allowed, has_network)
    )
    return {"events": [list(event) for event in kept], **_cause(kept)}


class _Constructed(Proxy):
    """A component that is only constructed."""


def _proxy(name: str) -> type[Proxy]:
    return type(f"_{name}", (_Constructed,), {"kind": name})


_PROXIES: dict[str, type[Proxy]] = {
    "model": ModelProxy,
    "connector": _proxy("connector"),
    "backend": _proxy("backend"),
}


def _without_probe(seen: Iterable[Observed]) -> list[Observed]:
    events = list(seen)
    network = {event for event in events if event[0] == "network"}
    return [event for event in events if event not in network] if network in IPV6_PROBES else events


def _is_allowed(kind: str, target: str, folders: list[str], has_network: bool) -> bool:
    if kind == "network":
        return has_network
    if kind == "signal":
        return target not in SUPERVISORS
    if kind != "write":
        return False
    return any(
        target == folder or target.startswith(f"{folder}/") or fnmatch.fnmatchcase(target, folder) for folder in folders
    )


def _cause(events: Iterable[Observed]) -> Facts:
    """The fact ``cause`` where the events show what ends the process; otherwise nothing."""
    seen = list(events)
    if any(kind == "disk" for kind, _, _ in seen):
        return {"cause": "disk"}
    attacks = (target in SUPERVISORS for kind, _, target in seen if kind == "signal")
    reaches = ("/self/" not in target and target != "self" for kind, _, target in seen if kind == "memory")
    return {"cause": "killed"} if any(attacks) or any(reaches) else {}


def _by_action(events: Iterable[Iterable[str]]) -> dict[str, str]:
    """What was done, described the same in every run, with some of the targets, which may vary."""
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
            return "starts a thread" if action == THREAD[1] else "starts a process"
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
