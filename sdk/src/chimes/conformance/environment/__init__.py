"""Turns a wheel and the judge's SDK into a folder that a sandbox mounts, starting no interpreter of that folder."""

from chimes.conformance.environment.installed import dependency_problems, read_description
from chimes.conformance.environment.interpreter import base_python, python_mounts, site_packages
from chimes.conformance.environment.lock import Lock, resolve, resolve_requirements
from chimes.conformance.environment.prefix import base_environment, install
from chimes.conformance.environment.sdkwheel import sdk_wheel

__all__ = [
    "Lock",
    "base_environment",
    "base_python",
    "dependency_problems",
    "install",
    "python_mounts",
    "read_description",
    "resolve",
    "resolve_requirements",
    "sdk_wheel",
    "site_packages",
]
