from __future__ import annotations

import os
import sys
import tomllib
from collections.abc import Callable
from http.server import ThreadingHTTPServer
from pathlib import Path

import pytest
from chimes.environments import Lock, base_environment, resolve, resolve_requirements, site_packages
from chimes.environments.lock import read_lock
from chimes.environments.uvtool import uv_environment
from chimes.errors import ConfigError, InfrastructureError, ResolutionError
from chimes.processes import run

Make = Callable[..., Path]
Serve = Callable[[], ThreadingHTTPServer]


def test_a_lock_names_the_sdk_and_what_the_plugin_requires_but_not_the_plugin(
    add_wheel: Make, plugin: Make, tmp_path: Path
) -> None:
    add_wheel("rain-tables", "2.0", requires=("rain-units>=1",))
    add_wheel("rain-units", "1.5")
    lock = resolve(plugin(requires=("rain-tables>=1", "chimes>=0.1")), out=tmp_path / "pylock.toml")
    names = [line.split()[0] for line in lock.lines]
    assert names == [
        "chimes",
        "click",
        "jsonschema",
        "packaging",
        "pluggy",
        "pyarrow",
        "pydantic",
        "rain-tables",
        "rain-units",
        "rich",
    ]
    assert next(line for line in lock.lines if line.startswith("rain-units")).startswith("rain-units 1.5 ")
    assert all(len(line.split()[2]) == 64 for line in lock.lines)


def test_resolving_twice_gives_the_same_lines_and_the_same_file(add_wheel: Make, plugin: Make, tmp_path: Path) -> None:
    wheel = plugin(requires=("chimes>=0.1",))
    first, second = (resolve(wheel, out=tmp_path / name) for name in ("pylock.a.toml", "pylock.b.toml"))
    assert first.lines == second.lines
    assert first.sha256 == second.sha256
    assert first.path.read_bytes() == second.path.read_bytes()


def test_the_file_does_not_contain_the_path_of_the_sdk(
    add_wheel: Make, plugin: Make, tmp_path: Path, caches: Path
) -> None:
    text = resolve(plugin(), out=tmp_path / "pylock.toml").path.read_text()
    assert str(caches) not in text
    assert tomllib.loads(text)["lock-version"] == "1.0"


def test_extra_requirements_are_resolved_too(add_wheel: Make, plugin: Make, tmp_path: Path) -> None:
    add_wheel("rain-units")
    lock = resolve(plugin(), extra=("rain-units",), out=tmp_path / "pylock.toml")
    assert any(line.startswith("rain-units 1.0 ") for line in lock.lines)


def test_requirements_of_extras_and_other_platforms_do_not_count(add_wheel: Make, plugin: Make, tmp_path: Path) -> None:
    requires = ("no-such-thing; extra == 'maps'", "no-such-thing; sys_platform == 'win32'")
    lock = resolve(plugin(requires=requires), out=tmp_path / "pylock.toml")
    assert not any("no-such-thing" in line for line in lock.lines)


def test_a_library_that_requires_the_plugin_back_does_not_lock_it(
    add_wheel: Make, plugin: Make, tmp_path: Path
) -> None:
    add_wheel("rain-tables", requires=("acme-rain",))
    add_wheel("acme-rain", "0.9")
    lock = resolve(plugin(requires=("rain-tables",)), out=tmp_path / "pylock.toml")
    assert [line.split()[0] for line in lock.lines if "rain" in line] == ["rain-tables"]


def test_an_unknown_package_is_named(add_wheel: Make, plugin: Make, tmp_path: Path) -> None:
    with pytest.raises(ResolutionError, match="no-such-thing was not found") as caught:
        resolve(plugin(requires=("no-such-thing",)), out=tmp_path / "pylock.toml")
    assert (caught.value.reason, caught.value.fault, caught.value.code) == ("unknown", "plugin", "resolution")
    assert "\n" not in caught.value.message


def test_a_version_that_does_not_exist_is_named(add_wheel: Make, plugin: Make, tmp_path: Path) -> None:
    with pytest.raises(ResolutionError, match="click"):
        resolve(plugin(requires=("click>=99",)), out=tmp_path / "pylock.toml")


def test_a_conflict_and_an_unknown_name_have_different_reasons(add_wheel: Make, plugin: Make, tmp_path: Path) -> None:
    with pytest.raises(ResolutionError, match=r"click>=8\.1") as caught:
        resolve(plugin(requires=("click>=8.1", "click<8")), out=tmp_path / "pylock.toml")
    assert caught.value.reason == "conflict"
    assert caught.value.hint is not None


def test_a_plugin_for_another_sdk_is_refused(add_wheel: Make, plugin: Make, tmp_path: Path) -> None:
    with pytest.raises(ResolutionError, match="chimes>=99"):
        resolve(plugin(requires=("chimes>=99",)), out=tmp_path / "pylock.toml")


@pytest.mark.parametrize(
    ("metadata", "reason", "message"),
    [
        ("Requires-Dist: x @ https://example.org/x.whl", "declaration", "address"),
        ("Requires-Dist: click<<8", "declaration", "click<<8"),
        ("Requires-Python: >=3.99", "python", "requires Python >=3.99"),
        ("Requires-Python: banana", "declaration", "banana"),
    ],
)
def test_an_unusable_requirement_is_refused_without_uv(
    add_wheel: Make, plugin: Make, tmp_path: Path, metadata: str, reason: str, message: str
) -> None:
    wheel = plugin(metadata=f"Metadata-Version: 2.1\nName: acme-rain\nVersion: 1.0\n{metadata}\n")
    with pytest.raises(ResolutionError, match=message) as caught:
        resolve(wheel, out=tmp_path / "pylock.toml")
    assert caught.value.reason == reason


def test_a_file_that_is_not_a_wheel_is_refused(add_wheel: Make, tmp_path: Path) -> None:
    (tmp_path / "acme-1.0-py3-none-any.whl").write_bytes(b"nonsense")
    with pytest.raises(ResolutionError, match="not a wheel"):
        resolve(tmp_path / "acme-1.0-py3-none-any.whl", out=tmp_path / "pylock.toml")


def test_a_given_lock_is_used_unchanged(add_wheel: Make, plugin: Make, tmp_path: Path) -> None:
    add_wheel("rain-units", "1.0")
    wheel = plugin(requires=("rain-units",))
    first = resolve(wheel, out=tmp_path / "pylock.toml")
    add_wheel("rain-units", "2.0")
    repeat = resolve(wheel, lock=first.path, out=tmp_path / "pylock.repeat.toml")
    assert repeat.lines == first.lines
    assert repeat.path.read_bytes() == first.path.read_bytes()


def test_a_lock_that_another_sdk_made_is_refused(add_wheel: Make, plugin: Make, tmp_path: Path) -> None:
    lock = resolve(plugin(), out=tmp_path / "pylock.toml")
    digest = next(line.split()[2] for line in lock.lines if line.startswith("chimes "))
    lock.path.write_text(lock.path.read_text().replace(digest, "0" * 64))
    with pytest.raises(ConfigError, match="not made with this SDK"):
        resolve(plugin(), lock=lock.path, out=tmp_path / "pylock.b.toml")


def test_a_lock_that_cannot_be_read_is_refused(add_wheel: Make, plugin: Make, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        resolve(plugin(), lock=tmp_path / "absent.toml", out=tmp_path / "pylock.toml")


HEAD = 'lock-version = "1.0"\ncreated-by = "acme"\n'
SOURCE = 'archive = { path = "rain-1.0-py3-none-any.whl", hashes = { sha256 = "00" } }'


@pytest.mark.parametrize(
    "text",
    [
        "nonsense",
        "packages = []",
        f"{HEAD}packages = 3",
        f"{HEAD}[[packages]]\nversion = '1'",
        f"{HEAD}[[packages]]\nname = 3",
        f"{HEAD}[[packages]]\nname = 'rain'",
        f"{HEAD}[[packages]]\nname = 'Rain'\n{SOURCE}",
        f"{HEAD}[[packages]]\nname = 'rain'\nmarker = 'extra == 1'\n{SOURCE}",
        f"{HEAD}[[packages]]\nname = 'rain'\nwheels = [{{ path = 'rain.whl', hashes = {{ sha256 = '0' }} }}]",
        'lock-version = "9.0"\ncreated-by = "acme"\npackages = []',
    ],
)
def test_an_invalid_lock_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"not a pylock\.toml"):
        read_lock(text)


@pytest.mark.parametrize(
    "text",
    [
        f"{HEAD}requires-python = '>=3.99'\npackages = []",
        f"{HEAD}environments = [\"sys_platform == 'win32'\"]\npackages = []",
        f"{HEAD}[[packages]]\nname = 'rain'\nrequires-python = '<3'\n{SOURCE}",
        f"{HEAD}" + f"[[packages]]\nname = 'rain'\n{SOURCE}\n" * 2,
    ],
)
def test_a_lock_for_another_machine_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="does not fit this Python"):
        read_lock(text)


def test_the_best_wheel_for_this_python_is_selected() -> None:
    digests = {"py3-none-any": "a" * 64, "cp311-abi3-linux_x86_64": "b" * 64, "cp27-none-win32": "c" * 64}
    wheels = ", ".join(
        f'{{ url = "https://example.org/x%20y/rain-1.0-{tag}.whl", hashes = {{ sha256 = "{digest}" }} }}'
        for tag, digest in digests.items()
    )
    lines = read_lock(f'{HEAD}[[packages]]\nname = "rain"\nwheels = [{wheels}]\n')
    assert lines in ((f"rain 1.0 {'b' * 64}",), (f"rain 1.0 {'a' * 64}",))
    assert "c" * 64 not in lines[0]


@pytest.mark.parametrize(
    "entry",
    [
        'wheels = [{ path = "rain-1.0-cp27-none-win32.whl", hashes = { sha256 = "00" } }]',
        'sdist = { path = "rain-1.0.tar.gz", hashes = { sha256 = "00" } }',
        'archive = { path = "rain-1.0.tar.gz", hashes = { sha256 = "00" } }',
        'wheels = [{ path = "rain-1.0-py3-none-any.whl", hashes = { md5 = "00" } }]',
        'directory = { path = "." }',
        'wheels = [{ path = "rain-1.0-py3-none-any.whl", hashes = { sha256 = "--no-deps" } }]',
    ],
)
def test_a_lock_without_a_usable_wheel_names_the_package(entry: str) -> None:
    with pytest.raises(ConfigError, match=r"rain|SHA-256"):
        read_lock(f'{HEAD}[[packages]]\nname = "rain"\n{entry}\n')


def test_packages_for_other_platforms_are_left_out_of_the_lines() -> None:
    assert read_lock(f'{HEAD}[[packages]]\nname = "rain"\nmarker = "sys_platform == \'win32\'"\n{SOURCE}\n') == ()


def test_no_requirements_give_an_empty_lock(tmp_path: Path) -> None:
    assert resolve_requirements([], tmp_path / "pylock.toml") == Lock(tmp_path / "pylock.toml", ())


def test_an_index_that_does_not_answer_is_an_infrastructure_error(
    caches: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UV_DEFAULT_INDEX", "http://127.0.0.1:9/simple/")
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    with pytest.raises(InfrastructureError, match=r"127\.0\.0\.1:9"):
        resolve_requirements(["rain-units"], tmp_path / "pylock.toml")


def test_the_cache_is_used_if_the_index_does_not_answer(
    add_wheel: Make, serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_wheel("rain-units")
    server = serve()
    point_at(server, monkeypatch)
    first = resolve_requirements(["rain-units"], tmp_path / "pylock.toml")
    server.shutdown()
    server.server_close()
    assert resolve_requirements(["rain-units"], tmp_path / "pylock.b.toml").lines == first.lines


def test_the_index_of_pip_is_used_if_uv_has_none(
    add_wheel: Make, serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_wheel("rain-units")
    point_at(serve(), monkeypatch, variable="PIP_INDEX_URL")
    assert resolve_requirements(["rain-units"], tmp_path / "pylock.toml").lines[0].startswith("rain-units 1.0 ")


def test_a_lock_is_installed_from_an_index_with_another_address(
    add_wheel: Make, plugin: Make, serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_wheel("rain-units")
    wheel = plugin(requires=("rain-units",))
    old = serve()
    point_at(old, monkeypatch)
    lock = resolve(wheel, out=tmp_path / "pylock.toml")
    old.shutdown()
    old.server_close()
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "another cache"))
    point_at(serve(), monkeypatch)
    repeat = resolve(wheel, lock=lock.path, out=tmp_path / "pylock.b.toml")
    assert (site_packages(base_environment(repeat)) / "rain_units").is_dir()


def test_without_uv_the_fix_is_one_command() -> None:
    script = """
import sys
sys.modules["uv"] = None
from chimes.environments.uvtool import find_uv
from chimes.errors import InfrastructureError
try:
    find_uv()
except InfrastructureError as error:
    print(error, error.hint, sep=": ")
"""
    done = run([sys.executable, "-c", script], env={**os.environ, "PATH": "/nowhere"})
    assert done.text == "uv is not installed: pip install 'chimes[check]'"


def test_uv_gets_the_index_settings_and_nothing_that_starts_interpreters() -> None:
    caller = {
        "UV_COMPILE_BYTECODE": "1",
        "UV_CONFIG_FILE": "/etc/uv.toml",
        "UV_INDEX_RAIN_PASSWORD": "secret",
        "UV_DEFAULT_INDEX": "https://rain.example/simple/",
        "PIP_INDEX_URL": "https://other.example/simple/",
        "https_proxy": "http://proxy.example",
        "AWS_SECRET_ACCESS_KEY": "secret",
    }
    seen = uv_environment(caller)
    assert {"UV_COMPILE_BYTECODE", "UV_CONFIG_FILE", "AWS_SECRET_ACCESS_KEY", "PIP_INDEX_URL"}.isdisjoint(seen)
    assert seen["UV_DEFAULT_INDEX"] == "https://rain.example/simple/"
    assert seen["UV_INDEX_RAIN_PASSWORD"] == "secret"
    assert seen["https_proxy"] == "http://proxy.example"
    assert seen["UV_NO_CONFIG"] == "1"


def point_at(server: ThreadingHTTPServer, monkeypatch: pytest.MonkeyPatch, variable: str = "UV_DEFAULT_INDEX") -> None:
    monkeypatch.delenv("UV_FIND_LINKS", raising=False)
    monkeypatch.delenv("UV_NO_INDEX", raising=False)
    monkeypatch.setenv(variable, f"http://127.0.0.1:{server.server_port}/simple/")
