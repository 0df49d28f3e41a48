"""Checks the answers to a template's questions: names can be installed and imported, text fits on one line."""

from __future__ import annotations

import keyword
import re
import sys
import unicodedata
from collections.abc import Sequence
from importlib import metadata

from packaging.requirements import Requirement

from chimes.checks.rules import RESERVED_NAMES
from chimes.errors import ConfigError
from chimes.hooks import ENTRY_POINT_GROUP
from chimes.registration import Registration
from chimes.registry import normalize

__all__ = ["check_answer", "check_component", "check_name", "check_text"]

NAME = re.compile(r"[a-z][a-z0-9]*(?:[-_.][a-z0-9]+)*")
LONGEST_NAME = 40
LONGEST_TEXT = 200
UNPRINTABLE = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}

# Tools that every project needs for its development, and folder names that many projects have.
TAKEN = frozenset(
    {"bin", "build", "data", "dist", "doc", "docs", "example", "examples", "lib", "scripts", "src", "test", "tests"}
    | {"mypy", "pytest", "ruff"}
)
# Well-known packages: a plugin of the same name would hide them, even if they are not installed here.
KNOWN = frozenset(
    {
        "jax",
        "numpy",
        "onnx",
        "onnxruntime",
        "pandas",
        "pip",
        "polars",
        "requests",
        "scikit_learn",
        "scipy",
        "setuptools",
    }
    | {"sklearn", "tensorflow", "torch", "torch_npu", "transformers", "uv", "wheel", "xarray"}
)


def check_answer(key: str, answer: str, choices: Sequence[str] = ()) -> str:
    """The answer as it will be used, without surrounding spaces; raises ConfigError with one fix."""
    text = check_text(key, answer)
    if choices and text not in choices:
        raise ConfigError(f"{text!r} is not an answer to {key!r}", hint=f"answer one of: {', '.join(choices)}")
    if key == "name":
        check_name(text)
    if key == "component":
        check_component(text)
    return text


def check_text(key: str, answer: str) -> str:
    """One line of printable text in any script, stripped; raises ConfigError."""
    text = answer.strip()
    if not text:
        raise ConfigError(f"the answer to {key!r} is empty", hint="write at least one word")
    if len(text) > LONGEST_TEXT:
        raise ConfigError(f"the answer to {key!r} has {len(text)} characters", hint=f"use at most {LONGEST_TEXT}")
    for character in text:
        if unicodedata.category(character) in UNPRINTABLE:
            raise ConfigError(
                f"the answer to {key!r} holds the unprintable character U+{ord(character):04X}", hint="take it out"
            )
    return text


def check_name(name: str) -> None:
    """Raise ConfigError unless a distribution of this name, and the package named after it, can be installed."""
    if not NAME.fullmatch(name) or len(name) > LONGEST_NAME:
        raise ConfigError(
            f"{name!r} is not a name for a plugin",
            hint=f"use at most {LONGEST_NAME} lower-case letters and digits in words joined by -, _ or ., "
            f"the first a letter: {_suggest(name)}",
        )
    package = re.sub(r"[-.]", "_", name)
    for taken, why in (
        (keyword.iskeyword(package), "a keyword of Python"),
        (package in sys.stdlib_module_names, "a module of Python's standard library"),
        (normalize(name) in _required(), "a package that every plugin needs"),
        (normalize(name) in RESERVED_NAMES, "a reserved name"),
        (package in TAKEN, "a name that other projects use for a folder or tool"),
        (package in KNOWN or package in _installed(), "a package that others import"),
    ):
        if taken:
            raise ConfigError(
                f"a plugin cannot be called {name!r}, which is {why}", hint=f"put your own name before it: acme-{name}"
            )


def check_component(name: str) -> None:
    """Raise ConfigError unless a component can be registered under this name."""
    Registration(name=name, summary="-", target="a:B", api="chimes.model/1")
    if len(name) > LONGEST_NAME:
        raise ConfigError(f"{name!r} has {len(name)} characters", hint=f"use at most {LONGEST_NAME}")


def _suggest(name: str) -> str:
    words = re.findall(r"[a-z0-9]+", name.lower())
    if not words:
        return "my-model"
    joined = "-".join(words)
    return (joined if joined[0].isalpha() else f"model-{joined}")[:LONGEST_NAME].strip("-")


def _required() -> set[str]:
    requirements = metadata.requires("chimes") or []
    return {"chimes", *(normalize(Requirement(line).name) for line in requirements)}


def _installed() -> set[str]:
    """The distributions and packages that are installed here, as package names; plugins may be scaffolded again."""
    found = {
        normalize(distribution.name): distribution for distribution in metadata.distributions() if distribution.name
    }
    plugins = {name for name, each in found.items() if each.entry_points.select(group=ENTRY_POINT_GROUP)}
    packages = metadata.packages_distributions().items()
    others = {package for package, owners in packages if not {normalize(str(owner)) for owner in owners} <= plugins}
    return others | {name.replace("-", "_") for name in found.keys() - plugins}
