"""Every name that a module lists in ``__all__`` exists and is documented."""

from __future__ import annotations

import importlib
import inspect
import pkgutil

import chimes
import chimes_marketplace

# Templates are rendered, strict plugins copied; alembic runs its environment itself.
SKIPPED = (
    "chimes.templates",
    "chimes.conformance.gate.strict",
    "chimes_marketplace.migrations.env",
)
MODULES = sorted(
    info.name
    for package in (chimes, chimes_marketplace)
    for info in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
    if not info.name.startswith(SKIPPED) and not info.name.endswith("__main__")
)


def test_public_names_are_importable_and_documented() -> None:
    undocumented = []
    for name in ("chimes", "chimes_marketplace", *MODULES):
        module = importlib.import_module(name)
        undocumented += [] if module.__doc__ else [name]
        for public in getattr(module, "__all__", ()):
            value = getattr(module, public)
            is_own = (inspect.isclass(value) or inspect.isfunction(value)) and value.__module__.startswith("chimes")
            undocumented += [f"{name}.{public}"] if is_own and not value.__doc__ else []
    assert not undocumented


def test_the_typed_imports_of_chimes_are_its_public_names() -> None:
    homes = {name for names in chimes._HOMES.values() for name in names}
    assert sorted(homes) == sorted(chimes.__all__)
