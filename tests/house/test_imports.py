"""Imports run one way: within each distribution in the written order, and never from the SDK to others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from house_tree import ROOT, find_cycle, imported_modules, late_imports, source_files


@dataclass(frozen=True, kw_only=True)
class Distribution:
    """One import package, its parts in the allowed order of imports, and the parts that may import each library."""

    source: Path
    package: str
    order: Sequence[str]
    only_in: dict[str, set[str]]
    left_out: tuple[str, ...] = ()
    separate: frozenset[str] = field(default_factory=frozenset)
    """Parts that do not import each other, whatever their order."""

    @property
    def files(self) -> list[Path]:
        found = source_files(self.source / self.package)
        return [path for path in found if not set(self.left_out) & set(path.parts)]

    def module(self, path: Path) -> str:
        names = path.relative_to(self.source).with_suffix("").parts
        return ".".join(name for name in names if name != "__init__")

    def part(self, module: str) -> str | None:
        """The part of the package that a module belongs to; None for the package itself and for other packages."""
        names = module.split(".")
        return names[1] if len(names) > 1 and names[0] == self.package and names[1] in self.order else None


SDK = Distribution(
    source=ROOT / "sdk" / "src",
    package="chimes",
    order=(
        "errors",
        "text",
        "files",
        "processes",
        "sandbox",
        "resources",
        "context",
        "kinds",
        "registration",
        "hooks",
        "registry",
        "hardware",
        "evidence",
        "rpc",
        "host",
        "jobs",
        "pipelines",
        "checks",
        "environments",
        "conformance",
        "testing",
        "cli",
    ),
    only_in={"subprocess": {"processes"}, "pluggy": {"hooks", "registry"}},
    left_out=("templates", "strict"),
)
MARKETPLACE = Distribution(
    source=ROOT / "marketplace" / "src",
    package="chimes_marketplace",
    order=(
        "errors",
        "settings",
        "database",
        "storage",
        "accounts",
        "catalog",
        "submissions",
        "lanes",
        "validation",
        "tables",
        "migrations",
        "web",
        "index",
        "api",
        "pages",
        "app",
        "worker",
        "commands",
    ),
    only_in={
        "litestar": {"web", "index", "api", "pages", "app", "commands"},
        "granian": {"commands"},
        "sqlmodel": {"database", "tables", "accounts", "catalog", "submissions", "lanes", "validation"},
        "alembic": {"migrations"},
        "subprocess": set(),
        "multiprocessing": set(),
        "importlib": set(),
        "runpy": set(),
    },
    separate=frozenset({"index", "api", "pages"}),
)
DISTRIBUTIONS = pytest.mark.parametrize("distribution", [SDK, MARKETPLACE], ids=["sdk", "marketplace"])


@DISTRIBUTIONS
def test_a_module_imports_only_what_stands_before_it(distribution: Distribution) -> None:
    order, wrong = distribution.order, []
    for path in distribution.files:
        own = distribution.part(distribution.module(path))
        for imported in imported_modules(path):
            other = distribution.part(imported)
            if own is None or other is None or own == other:
                continue
            if order.index(other) > order.index(own) or {own, other} <= distribution.separate:
                wrong.append(f"{distribution.module(path)} imports {imported}")
    assert not wrong


@DISTRIBUTIONS
def test_the_written_order_names_every_part(distribution: Distribution) -> None:
    folder = distribution.source / distribution.package
    parts = {path.stem for path in folder.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    assert parts - {"__init__"} <= set(distribution.order)


@DISTRIBUTIONS
def test_a_library_is_imported_only_in_its_place(distribution: Distribution) -> None:
    wrong = []
    for path in distribution.files:
        own = distribution.part(distribution.module(path))
        libraries = {module.partition(".")[0] for module in imported_modules(path)} & set(distribution.only_in)
        wrong += [f"{path} imports {library}" for library in libraries if own not in distribution.only_in[library]]
    assert not wrong


@DISTRIBUTIONS
def test_there_is_no_import_cycle_late_imports_included(distribution: Distribution) -> None:
    graph: dict[str, set[str]] = {}
    modules = {distribution.module(path) for path in distribution.files}
    for path in distribution.files:
        # The package itself lists its public names for type checkers, and imports them on first use.
        graph[distribution.module(path)] = set(imported_modules(path) & modules - {distribution.package})
    assert not find_cycle(graph)


@DISTRIBUTIONS
def test_an_import_inside_a_function_says_why(distribution: Distribution) -> None:
    silent = []
    for path in distribution.files:
        lines = path.read_text("utf-8").splitlines()
        for node in late_imports(path):
            near = lines[node.lineno - 1].partition("#")[2] or lines[node.lineno - 2].strip().startswith("# ")
            if not near:
                silent.append(f"{path}:{node.lineno}")
    assert not silent


@DISTRIBUTIONS
def test_no_distribution_imports_a_plugin(distribution: Distribution) -> None:
    wrong = [
        f"{path} imports {module}"
        for path in distribution.files
        for module in imported_modules(path)
        if module.startswith("chimes_") and not module.startswith("chimes_marketplace")
    ]
    assert not wrong


def test_the_sdk_does_not_import_the_marketplace() -> None:
    wrong = [path for path in SDK.files if any(m.startswith("chimes_marketplace") for m in imported_modules(path))]
    assert not wrong


def test_plugins_import_the_sdk_and_no_other_plugin() -> None:
    wrong = []
    for folder in sorted((ROOT / "plugins").iterdir()):
        for path in source_files(folder / "src"):
            tops = {module.split(".")[0] for module in imported_modules(path)}
            foreign = {top for top in tops if top.startswith("chimes_")} - {f"chimes_{folder.name}"}
            wrong += [f"{path} imports {top}" for top in foreign | (tops & {"subprocess"})]
    assert not wrong
