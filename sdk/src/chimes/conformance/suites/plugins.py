"""The checks of every kind of component (S): registration, entry points, imports, dependencies."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from functools import partial
from typing import Any

from chimes.checks.check import Check
from chimes.conformance.subject import ComponentSubject, EntrySubject
from chimes.conformance.suites.check import ComponentCheck, EntryCheck, code_of_error
from chimes.conformance.testdata.unknown_keys import with_unknown_key
from chimes.evidence.finding import Finding
from chimes.evidence.record import Facts
from chimes.registration import REGISTRATION_VERSION
from chimes.rpc.children import RemoteSession
from chimes.rpc.failure import StepFailedError

__all__ = ["HEAVY", "S01", "S02", "S05", "S08", "S21"]


class S01(EntryCheck):
    """Does the entry point resolve, and do its hooks return valid registrations?

    The entry module is imported in a fresh process. Every hook must return a list of Registration objects whose version
    and interface version this SDK supports. The plugin must register at least one component.
    """

    code = "S01"
    source = "ADBC driver manager: an unknown version is refused, not guessed"

    def look(self, subject: EntrySubject) -> Facts:
        if subject.failure is not None:
            raise subject.failure
        components = subject.entry.components
        return {
            "failure": subject.entry.failure,
            "count": len(components),
            "unusable": [[item.registration.name, item.failure] for item in components if item.failure],
        }

    def conclude(self, facts: Facts) -> Iterable[Finding]:
        if facts["failure"]:
            yield self.finding(
                "the plugin does not load: its entry module raises an error, or a hook does not return registrations",
                "import the entry module in a fresh interpreter and correct the error",
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

    An unknown key is added to a valid configuration: a random one, one that differs from a real one by letter case
    or an underscore, and one in each nested mapping whose keys are fixed. The component must not be constructed, and
    the error must be a ConfigError, so that a spelling mistake is always reported.
    """

    code = "S02"
    source = "llm: options forbid extra keys, after silent typos"

    def look(self, subject: ComponentSubject) -> Facts:
        """The error codes for configurations with an unknown key, by the sort of key."""
        codes: dict[str, list[str | None]] = {}
        with subject.session(self.timeout_s) as session:
            schema = _schema(session, subject)
            key = f"x_{subject.token('unknown key')}"
            for sort, config in with_unknown_key(subject.config, schema, key):
                codes.setdefault(sort, []).append(code_of_error(partial(subject.construct, session, config)))
        return {"accepted": [sort for sort, found in codes.items() if None in found], "codes": codes}

    def conclude(self, facts: Facts) -> Iterable[Finding]:
        for sort in facts["accepted"]:
            yield self.finding(
                f"a configuration with {sort} is accepted",
                'derive Config and its nested models from chimes.Config, which sets extra="forbid"',
            )
        for sort, codes in facts["codes"].items():
            if set(codes) - {None, "config"}:
                yield self.finding(
                    f"{sort} is refused with an error that is not a ConfigError",
                    "let the configuration class validate the keys",
                )


def _schema(session: RemoteSession, subject: ComponentSubject) -> Any:
    """The JSON Schema of the component's configuration; None if it cannot be made."""
    try:
        return session.do("schema", kind=subject.kind, name=subject.name)
    except StepFailedError as error:
        if error.failure.cause != "own":
            raise
        return None


class S05(ComponentCheck):
    """Do the registration's target and harness resolve to the right objects?

    The target must be a class of the registered kind, with every required method and the interface version that the
    registration declares. A harness must have the method ``cases``.
    """

    code = "S05"
    source = "npe2 validate: a manifest that drifted from the code"

    def look(self, subject: ComponentSubject) -> Facts:
        with subject.session(self.timeout_s) as session:
            found = session.do("inspect", step="importing the target", kind=subject.kind, name=subject.name)
        return {**found, "kind": subject.kind, "declared": subject.registration.api}

    def conclude(self, facts: Facts) -> Iterable[Finding]:
        kind = facts["kind"]
        if not facts["is_component"]:
            yield self.finding(f"the target is not a {kind} class", f"derive the target from the {kind} interface")
            return
        if facts["missing"]:
            names = ", ".join(facts["missing"])
            yield self.finding("the target lacks required methods", "add them", said=names)
        if facts["api"] != facts["declared"]:
            yield self.finding(
                f"the registration declares {facts['declared']}, and the class another interface version",
                "declare the same version in both",
            )
        if facts["harness"] is False:
            yield self.finding(
                "the harness has no cases method", "add a method cases(context) that returns a list of Case"
            )


HEAVY = frozenset(
    {
        *("cv2", "dask", "duckdb", "fsspec", "grpc", "jax", "keras", "matplotlib", "mindspore", "numba", "numpy"),
        *("onnx", "onnxruntime", "pandas", "polars", "pyarrow", "pydantic", "ray", "requests", "scipy", "sklearn"),
        *("tensorflow", "torch", "torch_npu", "transformers"),
    }
)
LIGHT = frozenset({"chimes", "pluggy", "click", "packaging", "typing_extensions", "importlib_metadata"})


class S08(EntryCheck):
    """Is the entry module free of heavy imports?

    Every command that lists plugins imports every entry module. It may import ``chimes`` and its own light modules;
    numpy, pyarrow, pydantic, torch and similar packages must be imported in the target's module. The modules are listed
    inside the process.
    """

    code = "S08"
    source = "simonw/llm issue 732: one plugin made --help take seconds"

    def look(self, subject: EntrySubject) -> Facts:
        """The top-level modules that were imported with the entry module."""
        if subject.failure is not None:
            raise subject.failure
        tops = {name.partition(".")[0] for name in subject.entry.modules}
        foreign = tops - set(sys.stdlib_module_names) - LIGHT - set(subject.top_levels)
        return {"heavy": sorted(foreign & HEAVY), "foreign": sorted(t for t in foreign - HEAVY if t.isidentifier())}

    def conclude(self, facts: Facts) -> Iterable[Finding]:
        for name in facts["heavy"]:
            yield self.finding(
                f"importing the entry module imports {name}",
                f"import {name} in the target's module instead",
                where=name,
            )
        others = [name for name in facts["foreign"] if not name.startswith("_")]
        if others:
            yield self.finding(
                "importing the entry module imports other packages",
                "import them in the target's module instead",
                said=", ".join(others)[:2000],
            )


class S21(Check[Facts]):
    """Do the declared dependencies resolve to compatible wheels in a clean environment, and are they sufficient?

    The check is only run in a sandbox, whose environment contains only the declared dependencies. The facts are the
    answers of the resolver and of the installed metadata, and for a library the modules that cannot be imported.
    """

    code = "S21"
    source = "galaxy-importer; pip check"

    def observe(self, subject: Facts) -> Facts:
        """The facts, which were collected when the environment was made."""
        return subject

    def judge(self, facts: Facts) -> list[Finding]:
        """Findings for an environment that cannot be made or is inconsistent, and for modules that fail."""
        if facts["refused"]:
            return [
                self.finding(
                    "no environment can be made from the declared dependencies",
                    "declare dependencies that are compatible and available as wheels for this Python",
                    said=facts["refused"],
                )
            ]
        unfit = "the declared dependencies are not compatible with each other"
        found = [self.finding(unfit, "correct the declared versions", said=said) for said in facts["problems"][:1]]
        for module, is_missing, said in facts.get("unimportable", ()):
            why = "it needs a module that no declared dependency contains" if is_missing else "it raises an error"
            fix = "declare what it imports" if is_missing else "correct it: importing must work on any machine"
            message = f"{module} cannot be imported with only the declared dependencies: {why}"
            found.append(self.finding(message, fix, where=module, said=said))
        return found
