"""What is asked of every kind of component (S): registration, entry points, import hygiene, tidiness."""

from __future__ import annotations

import fnmatch
import sys
from collections.abc import Iterable
from typing import ClassVar

from chimes.checks.check import Check, Facts, Finding
from chimes.conformance.conformancecheck import ComponentCheck, EntryCheck, Tier
from chimes.conformance.proxies import ModelProxy, Proxy
from chimes.conformance.remote import StepFailedError
from chimes.conformance.subject import ComponentSubject, EntrySubject
from chimes.registration import REGISTRATION_VERSION

__all__ = ["S01", "S02", "S05", "S08", "S09", "S21", "S22"]


class S01(EntryCheck):
    """Does the entry point resolve, and do its hooks return valid registrations?

    The entry module is imported in a fresh process. Every hook must return a list of Registration, each
    with a version and an interface version that this SDK carries, and at least one component in all.
    """

    code = "S01"
    anchor = "ADBC driver manager: an unknown version is refused, not guessed"

    def look(self, subject: EntrySubject) -> Facts:
        """The first import's failures."""
        if subject.failure is not None:
            raise subject.failure
        components = subject.entry["components"]
        return {
            "failure": subject.entry["failure"],
            "count": len(components),
            "unusable": [[item["registration"]["name"], item["failure"]] for item in components if item["failure"]],
        }

    def conclude(self, facts: Facts) -> Iterable[Finding]:
        """One finding for a plugin that does not load, one for each unusable registration."""
        if facts["failure"]:
            yield self.finding(
                "the plugin does not load: its entry module fails, or a hook returns something else than registrations",
                "import the entry module in a fresh interpreter and mend what is said",
                said=facts["failure"],
            )
        elif not facts["count"]:
            yield self.finding("no hook registers a component", "return at least one Registration from a hook")
        for name, failure in facts["unusable"]:
            yield self.finding(
                f"registration {name!r} cannot be used by this SDK (registration version {REGISTRATION_VERSION})",
                "declare only versions and capabilities that exist",
                where=name,
                said=failure,
            )


class S02(ComponentCheck):
    """Is an unknown configuration key rejected?

    A key that nobody could have foreseen is added to a valid configuration: the component must not be
    constructed, and the error must be a ConfigError. A typing mistake must never pass in silence.
    """

    code = "S02"
    tier: ClassVar[Tier] = "static"
    anchor = "llm: options forbid extra keys, after silent typos"

    def look(self, subject: ComponentSubject) -> Facts:
        """What becomes of a configuration with a foreign key."""
        config = {**subject.case["config"], f"x_{subject.token('unknown key')}": 1}
        with subject.session(self.timeout_s) as session:
            try:
                session.do("construct", kind=subject.kind, name=subject.name, config=config, label="component")
            except StepFailedError as failure:
                if failure.cause != "own":
                    raise
                return {"accepted": False, "code": failure.code}
        return {"accepted": True, "code": None}

    def conclude(self, facts: Facts) -> Iterable[Finding]:
        """Accepted, or refused with another error."""
        if facts["accepted"]:
            yield self.finding(
                "a configuration with an unknown key is accepted",
                'derive Config from chimes.Config, which sets extra="forbid"',
            )
        elif facts["code"] != "config":
            yield self.finding(
                "an unknown key is refused with something else than a ConfigError",
                "let the configuration class do the refusing",
            )


class S05(ComponentCheck):
    """Do the registration's target and harness resolve to what they claim to be?

    The target must be a class of the kind it is registered as, with every required method, and speak
    the interface version that the registration names. A harness must have ``cases``.
    """

    code = "S05"
    tier: ClassVar[Tier] = "static"
    anchor = "npe2 validate: a manifest that drifted from the code"

    def look(self, subject: ComponentSubject) -> Facts:
        """What the targets are."""
        with subject.session(self.timeout_s) as session:
            found = session.do("inspect", step="importing the target", kind=subject.kind, name=subject.name)
        return {**found, "kind": subject.kind, "declared": subject.registration["api"]}

    def conclude(self, facts: Facts) -> Iterable[Finding]:
        """One finding for each claim that is not true."""
        kind = facts["kind"]
        if not facts["is_component"]:
            yield self.finding(f"the target is no {kind} class", f"derive the target from the {kind} interface")
            return
        if facts["missing"]:
            names = ", ".join(facts["missing"])
            yield self.finding(f"the target lacks required methods: {names}", "write them")
        if facts["api"] != facts["declared"]:
            yield self.finding(
                f"the registration says {facts['declared']}, the class speaks another interface version",
                "make both say the same",
            )
        if facts["harness"] is False:
            yield self.finding("the harness has no cases method", "write cases(context) -> list of Case")


HEAVY = frozenset(
    {
        "cv2",
        "dask",
        "duckdb",
        "fsspec",
        "grpc",
        "jax",
        "keras",
        "matplotlib",
        "mindspore",
        "numba",
        "numpy",
        "onnx",
        "onnxruntime",
        "pandas",
        "polars",
        "pyarrow",
        "pydantic",
        "ray",
        "requests",
        "scipy",
        "sklearn",
        "tensorflow",
        "torch",
        "torch_npu",
        "transformers",
    }
)
LIGHT = frozenset({"chimes", "pluggy", "click", "packaging", "typing_extensions", "importlib_metadata"})


class S08(EntryCheck):
    """Does importing the entry module import nothing heavy?

    Everything that lists plugins imports every entry module. It may import ``chimes`` and its own light
    modules; numpy, pyarrow, pydantic, torch and their like belong to the target's module. Told from inside.
    """

    code = "S08"
    anchor = "simonw/llm issue 732: one plugin made --help take seconds"

    def look(self, subject: EntrySubject) -> Facts:
        """The top-level modules that came in with the entry module."""
        if subject.failure is not None:
            raise subject.failure
        tops = {name.partition(".")[0] for name in subject.entry["modules"]}
        foreign = tops - set(sys.stdlib_module_names) - LIGHT - set(subject.top_levels)
        return {"heavy": sorted(foreign & HEAVY), "foreign": sorted(t for t in foreign - HEAVY if t.isidentifier())}

    def conclude(self, facts: Facts) -> Iterable[Finding]:
        """One finding for each heavy module, one for other packages."""
        for name in facts["heavy"]:
            yield self.finding(
                f"importing the entry module imports {name}",
                f"import {name} in the target's module instead",
                where=name,
            )
        others = [name for name in facts["foreign"] if not name.startswith("_")]
        if others:
            yield self.finding(
                f"importing the entry module imports other packages: {', '.join(others[:5])}",
                "import them in the target's module instead",
            )


class S09(EntryCheck):
    """Is importing the entry module free of side effects?

    No network, no file written, no process, no signal sent, no thread; environment, signal handlers, logging
    root, working directory and streams as before. In a sandbox the kernel's trace is the witness; for
    what only the process can know (threads, handlers), and without a sandbox, it is told from inside.
    """

    code = "S09"
    anchor = "napari pull request 4015: plugins that act when they are listed"

    def look(self, subject: EntrySubject) -> Facts:
        """Events and changes."""
        return {"events": [list(event) for event in subject.events], "changed": subject.entry.get("changed", [])}

    def conclude(self, facts: Facts) -> Iterable[Finding]:
        """One finding for each sort of side effect."""
        for words in sorted({event_words(*event) for event in facts["events"]}):
            yield self.finding(f"importing the entry module {words}", "do it when the component is used, not at import")
        for what in facts["changed"]:
            yield self.finding(f"importing the entry module changes {what}", f"leave {what} alone at import")


class S21(Check[Facts]):
    """Do the declared dependencies resolve to wheels that fit together in a clean environment?

    Asked in the sandboxed run, where the environment is made from the declaration alone. The facts are what
    resolver and installed metadata say.
    """

    code = "S21"
    anchor = "galaxy-importer; pip check"

    def observe(self, subject: Facts) -> Facts:
        """The facts are made with the environment."""
        return subject

    def judge(self, facts: Facts) -> list[Finding]:
        """No environment, or one that does not fit together."""
        if facts["refused"]:
            return [
                self.finding(
                    "no environment can be made from the declared dependencies",
                    "declare dependencies that exist, together, as wheels for this Python",
                    said=facts["refused"],
                )
            ]
        return [
            self.finding(
                "installed together, the dependencies do not fit", "correct the declared versions", said=problem
            )
            for problem in facts["problems"][:1]
        ]


class S22(ComponentCheck):
    """Does the component stay inside its folders and off the network?

    Over all sessions of the suite: nothing is written outside the context's tmp, cache and artifacts (and
    declared ``files``), no socket is opened unless ``network`` hosts are declared, no foreign process is
    signalled. A refused attempt, and one whose error was swallowed, count like any other.
    """

    code = "S22"
    anchor = "the sandbox's own rule"

    def look(self, subject: ComponentSubject) -> Facts:
        """Construct it once more, then everything that was seen of it so far."""
        with subject.session(self.timeout_s) as session:
            proxy: Proxy = _PROXIES[subject.kind](session, subject.name, subject.case["config"])
            if isinstance(proxy, ModelProxy):
                proxy.describe()
        subject.children.stop()
        allowed = [subject.children.root, *subject.registration["files"]]
        events = (e for e in subject.children.events if e.kind in ("write", "network", "signal", "memory"))
        kept = [
            [event.kind, event.action, event.target]
            for event in events
            if not _is_allowed(event.kind, event.target, allowed, bool(subject.registration["network"]))
        ]
        return {"events": sorted(kept)}

    def conclude(self, facts: Facts) -> Iterable[Finding]:
        """One finding for each sort of trespass."""
        for words in sorted({event_words(*event) for event in facts["events"]}):
            yield self.finding(
                f"the component {words}", "write below context.tmp or context.cache, and declare hosts and files"
            )


class _Constructed(Proxy):
    """A component of which only the construction is looked at."""


def _proxy(name: str) -> type[Proxy]:
    return type(f"_{name}", (_Constructed,), {"kind": name})


_PROXIES: dict[str, type[Proxy]] = {
    "model": ModelProxy,
    "connector": _proxy("connector"),
    "backend": _proxy("backend"),
}


def _is_allowed(kind: str, target: str, folders: list[str], has_network: bool) -> bool:
    if kind == "network":
        return has_network
    if kind == "signal":
        return target not in ("0", "1", "2", "-1")
    if kind != "write":
        return False
    return any(
        target == folder or target.startswith(f"{folder}/") or fnmatch.fnmatch(target, folder) for folder in folders
    )


def event_words(kind: str, action: str, target: str) -> str:
    """An event in words that are the same in every run: a path's folder, not its perhaps random name."""
    match kind:
        case "network":
            return "opens a network socket"
        case "write":
            folder = target.rpartition("/")[0] or "/"
            return f"writes in {folder if folder.count('/') < 4 else '/'.join(folder.split('/')[:4])}"
        case "process":
            return "starts a process"
        case "signal":
            return "sends a signal to a process that it did not start"
        case "memory":
            return "reaches into another process's memory"
        case "disk":
            return "fills the disk"
    return f"does something that the sandbox watches ({action})"
