from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

import chimes
import pytest
from chimes.environments import (
    Lock,
    base_environment,
    base_python,
    dependency_problems,
    install,
    python_mounts,
    resolve,
    resolve_requirements,
    site_packages,
)
from chimes.environments.wheelfile import write_wheel
from chimes.errors import InfrastructureError, InstallError
from chimes.processes import run
from chimes.sandbox import Mount, Sandbox

Make = Callable[..., Path]


@pytest.fixture
def base(add_wheel: Make, plugin: Make, tmp_path: Path) -> Path:
    """A compiled environment with the SDK and stand-ins for its requirements."""
    return base_environment(resolve(plugin(), out=tmp_path / "pylock.toml"))


@pytest.fixture
def strict_umask() -> Iterator[None]:
    before = os.umask(0o077)
    yield
    os.umask(before)


def test_a_base_environment_is_made_once_and_then_found(base: Path, plugin: Make, tmp_path: Path) -> None:
    made = (base / "pyvenv.cfg").stat()
    again = base_environment(resolve(plugin(), out=tmp_path / "pylock.toml"))
    assert again == base
    assert (again / "pyvenv.cfg").stat().st_ino == made.st_ino


def test_an_environment_is_compiled_and_runs_in_a_sandbox(base: Path) -> None:
    script = "import click, sys; print(click.__version__, click.__cached__, sys.prefix)"
    with Sandbox(["/env/bin/python", "-c", script], mounts=[Mount(base, "/env"), *python_mounts()]) as sandbox:
        output = sandbox.stdout.read(4096).decode()
        assert sandbox.wait(60) == 0, sandbox.stderr_tail()
    version, cached, prefix = output.split()
    assert (version, prefix) == ("8.9", "/env")
    assert (base / Path(cached).relative_to("/env")).is_file()


def test_every_user_can_read_an_environment_with_any_umask(fresh_caches: Path, strict_umask: None, base: Path) -> None:
    closed = [path for path in base.rglob("*") if not path.is_symlink() and not path.stat().st_mode & 0o004]
    assert closed == []


def test_concurrent_callers_get_the_same_whole_environment(fresh_caches: Path, add_wheel: Make, tmp_path: Path) -> None:
    add_wheel("rain-units")
    lock = resolve_requirements(["rain-units"], tmp_path / "pylock.toml")
    with ThreadPoolExecutor(4) as pool:
        found = set(pool.map(base_environment, [lock] * 4))
    assert len(found) == 1
    assert (site_packages(found.pop()) / "rain_units" / "__init__.py").is_file()


def test_start_up_code_of_a_library_never_runs_outside_a_sandbox(add_wheel: Make, plugin: Make, tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    line = (
        f"import os; os.path.isdir({str(tmp_path)!r}) and open({str(marker)!r}, 'w').close(); os.environ['DARK'] = '1'"
    )
    add_wheel("dark-rain", files={"dark.pth": f"{line}\n".encode(), "sitecustomize.py": f"{line}\n".encode()})
    wheel = plugin(requires=("dark-rain",), files={"acme_rain.py": b"", "acme.pth": f"{line}\n".encode()})
    environment = tmp_path / "environment"
    install(base_environment(resolve(wheel, out=tmp_path / "pylock.toml")), wheel, environment)
    assert not marker.exists()

    argv = ["/env/bin/python", "-c", "import os; print(os.environ['DARK'])"]
    with Sandbox(argv, mounts=[Mount(environment, "/env"), *python_mounts()]) as sandbox:
        assert sandbox.stdout.read(16) == b"1\n", sandbox.stderr_tail()
    assert not marker.exists()

    run([str(environment / "bin" / "python"), "-c", ""])
    assert marker.exists(), "the trap would not have shown a start outside"


def test_the_plugin_is_added_to_hard_links(base: Path, plugin: Make, tmp_path: Path) -> None:
    install(base, plugin(entry_points={"console_scripts": {"rain": "acme_rain:rain"}}), tmp_path / "environment")
    shared = site_packages(base) / "click" / "__init__.py"
    assert (site_packages(tmp_path / "environment") / "click" / "__init__.py").stat().st_ino == shared.stat().st_ino
    assert (site_packages(tmp_path / "environment") / "acme_rain" / "__init__.py").is_file()
    assert list((site_packages(tmp_path / "environment") / "acme_rain" / "__pycache__").glob("*.pyc"))
    assert (tmp_path / "environment" / "bin" / "rain").is_file()
    assert not (site_packages(base) / "acme_rain").exists()
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".environment")] == []


def test_files_that_a_plugin_overwrites_do_not_change_in_the_base(base: Path, plugin: Make, tmp_path: Path) -> None:
    shared = site_packages(base) / "click" / "__init__.py"
    before = {path: path.read_bytes() for path in base.rglob("*") if path.is_file()}
    files = {"acme_rain.py": b"", "click/__init__.py": b"__version__ = 'mine'\n"}
    scripts = {"acme_rain-1.0.data/scripts/chimes": b"#!python\nmine\n"}
    install(base, plugin(files={**files, **scripts}), tmp_path / "environment")
    changed = site_packages(tmp_path / "environment") / "click" / "__init__.py"
    assert changed.read_bytes() == b"__version__ = 'mine'\n"
    assert b"mine" not in shared.read_bytes()
    assert {path: path.read_bytes() for path in base.rglob("*") if path.is_file()} == before


def test_another_file_system_gets_copies(base: Path, plugin: Make) -> None:
    with TemporaryDirectory(dir="/dev/shm") as folder:
        install(base, plugin(), Path(folder) / "environment")
        copied = site_packages(Path(folder) / "environment") / "click" / "__init__.py"
        assert copied.read_bytes() == (site_packages(base) / "click" / "__init__.py").read_bytes()
        assert copied.stat().st_dev != base.stat().st_dev


@pytest.mark.parametrize("member", ["pyvenv.cfg", "bin/python3/x", "bin/python3.11"])
def test_a_plugin_cannot_bring_its_own_interpreter(base: Path, plugin: Make, tmp_path: Path, member: str) -> None:
    wheel = plugin(files={"acme_rain.py": b"", f"acme_rain-1.0.data/data/{member}": b"mine"})
    with pytest.raises(InstallError, match=r"belongs to the environment|reserved name") as caught:
        install(base, wheel, tmp_path / "environment")
    assert caught.value.fault == "plugin"
    assert base_python().read_bytes()[:4] == b"\x7fELF"


def test_a_wheel_that_cannot_be_unpacked_is_an_error_with_its_reason(base: Path, tmp_path: Path) -> None:
    wheel = write_wheel(tmp_path, name="acme-rain", version="1.0", files={"acme_rain-1.0.dist-info/WHEEL": b"nonsense"})
    with pytest.raises(InstallError, match=r"cannot be unpacked: .*acme"):
        install(base, wheel, tmp_path / "environment")


def test_a_library_cannot_bring_its_own_interpreter(fresh_caches: Path, add_wheel: Make, tmp_path: Path) -> None:
    add_wheel("dark-rain", files={"dark_rain.py": b"", "dark_rain-1.0.data/data/pyvenv.cfg": b"mine"})
    with pytest.raises(InstallError, match=r"its own pyvenv\.cfg"):
        base_environment(resolve_requirements(["dark-rain"], tmp_path / "pylock.toml"))
    assert [path for path in (fresh_caches / "chimes" / "environments").iterdir() if path.is_dir()] == []


def test_source_that_does_not_compile_is_kept(add_wheel: Make, tmp_path: Path) -> None:
    add_wheel(
        "dark-rain", files={"dark_rain/__init__.py": b"import\n", "dark_rain/good.py": b"", "deep.py": b"(" * 100_000}
    )
    environment = base_environment(resolve_requirements(["dark-rain"], tmp_path / "pylock.toml"))
    assert len(list((site_packages(environment) / "dark_rain" / "__pycache__").iterdir())) == 1


def test_a_wheel_with_another_digest_than_in_the_lock_is_refused(add_wheel: Make, tmp_path: Path) -> None:
    add_wheel("rain-units")
    with pytest.raises(InfrastructureError, match="rain-units"):
        base_environment(Lock(tmp_path / "pylock.toml", (f"rain-units 1.0 {'0' * 64}",)))


def test_wheels_that_cannot_be_fetched_are_an_infrastructure_error(
    caches: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UV_DEFAULT_INDEX", "http://127.0.0.1:9/simple/")
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    with pytest.raises(InfrastructureError, match="cannot be fetched"):
        base_environment(Lock(tmp_path / "pylock.toml", (f"rain-units 1.0 {'0' * 64}",)))


def test_the_base_python_is_outside_virtual_environments() -> None:
    done = run([str(base_python()), "-I", "-c", "import sys; print(sys.prefix == sys.base_prefix)"])
    assert done.text == "True"
    assert not base_python().is_symlink()


def test_the_sdk_itself_runs_in_a_sandbox(
    caches: Path, plugin: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("UV_CACHE_DIR")
    wheel = plugin(requires=("chimes",))
    environment = tmp_path / "environment"
    install(base_environment(resolve(wheel, out=tmp_path / "pylock.toml")), wheel, environment)
    assert dependency_problems(environment) == []

    script = "import chimes, pyarrow, pydantic, acme_rain; print(chimes.__version__, chimes.__file__)"
    with Sandbox(["/env/bin/python", "-c", script], mounts=[Mount(environment, "/env"), *python_mounts()]) as sandbox:
        version, file = sandbox.stdout.read(4096).decode().split()
    assert version == chimes.__version__
    assert file.startswith("/env/lib/")
