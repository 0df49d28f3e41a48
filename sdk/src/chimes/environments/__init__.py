"""Builds wheels, resolves and locks requirements, and makes environment folders that a sandbox mounts."""

from chimes.environments.installed import dependency_problems, read_description
from chimes.environments.interpreter import base_python, python_mounts, site_packages
from chimes.environments.lock import Lock, resolve, resolve_requirements
from chimes.environments.prefix import base_environment, install
from chimes.environments.sdkwheel import sdk_wheel

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
