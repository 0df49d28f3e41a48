"""Checks of a plugin's side effects (S09, S22), by what the sandbox saw."""

from __future__ import annotations

import fnmatch
import socket
from collections.abc import Iterable

from chimes.checks.check import Facts, Finding
from chimes.conformance.check import ComponentCheck, EntryCheck
from chimes.conformance.subject import ComponentSubject, EntrySubject
from chimes.conformance.suites.plugins import HEAVY
from chimes.rpc.children import INSIDE_ROOT
from chimes.rpc.failure import StepFailedError
from chimes.rpc.proxies import ModelProxy, Proxy
from chimes.sandbox.events import place_of

__all__ = ["S09", "S22", "BuildStays", "LibraryStays"]

SHOWN = 10
FOLDERS = ("tmp", "cache", "artifacts")
BUILD_FOLDERS = ("/work", "/tmp")
WATCHED = ("write", "network", "signal", "memory", "disk", "system")
THREAD = ("process", "thread")
FILTERS = "the filters for warnings"
WHO_WATCHES = ("0", "1", "2", "-1")
"""Targets of a signal that mean the processes that run the plugin, or everybody."""
IPV6_PROBES = (
    {("network", "socket", "AF_INET6 SOCK_STREAM"), ("network", "bind", "[::1]:0")},
    {("network", "socket.__new__", repr(int(socket.AF_INET6))), ("network", "socket.bind", "('::1', 0)")},
)
"""How urllib3, and so requests, asks at import for IPv6, in the trace's words and in Python's: nothing is sent."""


class S09(EntryCheck):
    """Is importing the entry module free of side effects?

    No network, no file written, no process, no signal sent, no thread; environment, signal handlers, timers,
    limits, logging root, locale, built-in names, working directory and streams as before, and of an entry module
    the filters for warnings. In a sandbox the kernel's trace is the witness; for what only the process can
    know (threads, handlers), and without a sandbox, it is told from inside.
    """

    code = "S09"
    anchor = "napari pull request 4015: plugins that act when they are listed"

    def look(self, subject: EntrySubject) -> Facts:
        """Events and changes, and how the import failed if it did."""
        events = _without_probe(subject.events)
        changed = subject.entry.get("changed", [])
        is_heavy = any(name.partition(".")[0] in HEAVY for name in subject.entry.get("modules", []))
        if is_heavy or subject.what != EntrySubject.what:
            # What computes starts threads at import: a library may need it, and in a plugin it is S08's finding.
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
        for words, targets in _sorts(facts["events"]).items():
            yield self.finding(f"{importing} {words}", "do it when it is used, not at import", said=targets)
        for what in facts["changed"]:
            yield self.finding(f"{importing} changes {what}", f"leave {what} alone at import")

    def conclude_all_the_same(self, facts: Facts) -> Iterable[Finding]:
        """What was seen until it failed."""
        return self.conclude(facts)


class S22(ComponentCheck):
    """Does the component stay inside its folders and off the network?

    Over all sessions of the suite: nothing is written outside the context's tmp, cache and artifacts (and
    declared ``files``), no socket is opened unless ``network`` hosts are declared, no foreign process is
    signalled or limited, no disk filled, nothing asked of the system that only its administrator may do.
    A refused attempt, and one whose error was swallowed, count like any other.
    The same is asked of a project's build, where that runs in a sandbox.
    """

    code = "S22"
    anchor = "the sandbox's own rule"

    def look(self, subject: ComponentSubject) -> Facts:
        """Construct it once more, then everything that was seen of it so far."""
        failed: Facts = {}
        try:
            with subject.session(self.timeout_s) as session:
                proxy: Proxy = _PROXIES[subject.kind](session, subject.name, subject.case["config"])
                if isinstance(proxy, ModelProxy):
                    proxy.describe()
        except StepFailedError as failure:
            failed = {"failed": failure.to_json()}
        subject.children.stop()
        root = subject.children.root
        seen = ((event.kind, event.action, event.target) for event in subject.children.events)
        declared = subject.registration
        return {**trespasses(seen, root, declared["files"], has_network=bool(declared["network"])), **failed}

    def conclude(self, facts: Facts) -> Iterable[Finding]:
        """One finding for each sort of trespass."""
        for words, targets in _sorts(facts["events"]).items():
            yield self.finding(
                f"the component {words}",
                "write below context.tmp or context.cache, and declare hosts and files",
                said=targets,
            )

    def conclude_all_the_same(self, facts: Facts) -> Iterable[Finding]:
        """What was seen until it failed."""
        return self.conclude(facts)


class LibraryStays(EntryCheck):
    """Does a library stay inside the temporary folder and off the network when its modules are imported?

    What S22 asks of a component in use, asked of a library that is only imported: that includes whatever it
    runs when Python starts (a `.pth` file).
    """

    code = "S22"
    anchor = S22.anchor

    def look(self, subject: EntrySubject) -> Facts:
        """What was seen, and how the import failed if it did."""
        facts = trespasses(subject.events, INSIDE_ROOT, (), has_network=False)
        return facts if subject.failure is None else {**facts, "failed": subject.failure.to_json()}

    def conclude(self, facts: Facts) -> Iterable[Finding]:
        """One finding for each sort of trespass."""
        for words, targets in _sorts(facts["events"]).items():
            yield self.finding(f"the library {words}", "leave that to the functions that are called", said=targets)

    def conclude_all_the_same(self, facts: Facts) -> Iterable[Finding]:
        """What was seen until it failed."""
        return self.conclude(facts)


class BuildStays(EntryCheck):
    """Does the build of a project stay inside its own folders and off the network?

    What S22 asks of a component in use, asked of the build backend that makes the wheel.
    """

    code = "S22"
    anchor = S22.anchor

    def look(self, subject: EntrySubject) -> Facts:
        """What was seen of it."""
        return trespasses(subject.events, INSIDE_ROOT, BUILD_FOLDERS, has_network=False)

    def conclude(self, facts: Facts) -> Iterable[Finding]:
        """One finding for each sort of trespass."""
        for words, targets in _sorts(facts["events"]).items():
            yield self.finding(
                f"building the project {words}", "let the build backend only make the wheel", said=targets
            )


def trespasses(seen: Iterable[tuple[str, str, str]], root: str, files: Iterable[str], *, has_network: bool) -> Facts:
    """Of what was seen the events that nobody allowed, sorted, and the end that they lead to if they lead to one."""
    allowed = [*(f"{root}/{name}" for name in FOLDERS), *files]
    kept = sorted(
        (kind, action, target)
        for kind, action, target in _without_probe(seen)
        if kind in WATCHED and target != root and not _is_allowed(kind, target, allowed, has_network)
    )
    return {"events": [list(event) for event in kept], **_cause(kept)}


class _Constructed(Proxy):
    """A component of which only the construction is looked at."""


def _proxy(name: str) -> type[Proxy]:
    return type(f"_{name}", (_Constructed,), {"kind": name})


_PROXIES: dict[str, type[Proxy]] = {
    "model": ModelProxy,
    "connector": _proxy("connector"),
    "backend": _proxy("backend"),
}


def _without_probe(seen: Iterable[tuple[str, str, str]]) -> list[tuple[str, str, str]]:
    events = list(seen)
    network = {event for event in events if event[0] == "network"}
    return [event for event in events if event not in network] if network in IPV6_PROBES else events


def _is_allowed(kind: str, target: str, folders: list[str], has_network: bool) -> bool:
    if kind == "network":
        return has_network
    if kind == "signal":
        return target not in WHO_WATCHES
    if kind != "write":
        return False
    return any(
        target == folder or target.startswith(f"{folder}/") or fnmatch.fnmatchcase(target, folder) for folder in folders
    )


def _cause(events: Iterable[tuple[str, str, str]]) -> Facts:
    """What the events say of the end that they lead to, as a fact ``cause``; nothing where they lead to none."""
    seen = list(events)
    if any(kind == "disk" for kind, _, _ in seen):
        return {"cause": "disk"}
    attacks = (target in WHO_WATCHES for kind, _, target in seen if kind == "signal")
    reaches = ("/self/" not in target and target != "self" for kind, _, target in seen if kind == "memory")
    return {"cause": "killed"} if any(attacks) or any(reaches) else {}


def _sorts(events: Iterable[Iterable[str]]) -> dict[str, str]:
    """What was done, in words that are the same in every run, with some of the targets, which may be chance."""
    found: dict[str, list[str]] = {}
    for kind, action, target in events:
        found.setdefault(_words(kind, action, target), []).append(f"{action} {target}")
    return {words: ", ".join(found[words][:SHOWN]) for words in sorted(found)}


def _words(kind: str, action: str, target: str) -> str:
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
            return "asks the system for what only its administrator may do"
    return f"does something that the sandbox watches ({action})"
