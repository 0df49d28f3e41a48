"""The SDK as a user installs it: built to a wheel, installed with the extra `author` into an environment of its own."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import pytest
from chimes.processes import Completed, run
from chimes.registry import normalize
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
UV = str(Path(sys.executable).with_name("uv"))


@dataclass(frozen=True)
class Environment:
    """A virtual environment and a home without any settings."""

    folder: Path
    home: Path

    def run(self, *argv: str, cwd: Path) -> str:
        """The output of a command that must succeed; only commands of this environment and of the system are found."""
        path = f"{self.folder / 'bin'}:/usr/sbin:/usr/bin:/sbin:/bin"
        env = {"PATH": path, "HOME": str(self.home), "LANG": "C.UTF-8", "VIRTUAL_ENV": str(self.folder)}
        return done(run(argv, cwd=cwd, env=env, timeout_s=300))


def done(completed: Completed) -> str:
    assert completed.returncode == 0, f"{' '.join(completed.argv)}\n{completed.text}"
    return completed.text


@pytest.fixture(scope="session")
def sdk_wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("sdk-wheel")
    done(run([sys.executable, "-m", "build", "--no-isolation", "--wheel", "--outdir", str(out), str(ROOT / "sdk")]))
    return next(out.glob("*.whl"))


@pytest.fixture(scope="session")
def author_environment(sdk_wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    folder = tmp_path_factory.mktemp("author")
    lock = folder / "pylock.toml"
    lock.write_text(locked(closure(["chimes[author]", "mypy", "pytest", "ruff"]) - {"chimes"}), "utf-8")
    target = folder / "environment"
    install = [UV, "pip", "install", "-q", "--python", str(target / "bin" / "python")]
    env = {key: value for key, value in os.environ.items() if key != "VIRTUAL_ENV"}
    done(run([UV, "venv", "-q", "--no-project", "--python", sys.executable, str(target)], env=env))
    done(run([*install, "-r", str(lock)], env=env))
    # An installer may compile what it installs: the template's own modules get bytecode beside them.
    done(run([*install, "--offline", "--no-deps", "--compile-bytecode", str(sdk_wheel)], env=env))
    (folder / "home").mkdir()
    return Environment(target, folder / "home")


def closure(roots: Iterable[str]) -> set[str]:
    """The names of all distributions that these requirements need, as they are installed beside the tests."""
    queue, seen = [Requirement(root) for root in roots], set[tuple[str, str]]()
    while queue:
        wanted = queue.pop()
        for extra in ("", *wanted.extras):
            if (normalize(wanted.name), extra) in seen:
                continue
            seen.add((normalize(wanted.name), extra))
            below = [Requirement(line) for line in metadata.requires(wanted.name) or []]
            queue += [item for item in below if item.marker is None or item.marker.evaluate({"extra": extra})]
    return {name for name, _ in seen}


def locked(names: set[str]) -> str:
    """The part of the workspace's lock that concerns these distributions, as a pylock.toml."""
    argv = [UV, "export", "-q", "--frozen", "--all-packages", "--all-groups", "--all-extras", "--no-emit-workspace"]
    text = done(run([*argv, "--format", "pylock.toml"], cwd=ROOT))
    head, *blocks = text.split("\n[[packages]]\n")
    kept = [block for block in blocks if (found := re.match(r'name = "([^"]+)"', block)) and found[1] in names]
    return "\n[[packages]]\n".join([head, *kept]) + "\n"
