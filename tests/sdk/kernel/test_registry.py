from __future__ import annotations

import itertools
import os
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from chimes.errors import NotFoundError, PluginLoadError
from chimes.registry import Registry, import_target, scan

NUMBERS = itertools.count()
HEAD = "from chimes import Registration, hookimpl\n\n\n"
HOOK = """@hookimpl
def chimes_models():
    return [{}]
"""
GOOD = 'Registration(name="nowcast", summary="Rain", target="{package}.model:Nowcast", api="chimes.model/1")'


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delenv("CHIMES_PLUGINS", raising=False)
    return tmp_path


def install(site: Path, source: str, name: str = "acme-weather", entry_points: str | None = None) -> str:
    package = f"acme_{next(NUMBERS)}"
    (site / package).mkdir()
    (site / package / "__init__.py").write_text("")
    (site / package / "plugin.py").write_text(source.replace("{package}", package))
    info = site / f"{name.replace('-', '_')}-1.2.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.2\n")
    (info / "entry_points.txt").write_text(entry_points or f"[chimes]\nacme = {package}.plugin\n")
    return package


def test_a_plugin_is_found_and_its_component_class_imported_on_demand(site: Path) -> None:
    package = install(site, HEAD + HOOK.format(GOOD))
    registry = Registry.discover([str(site)])
    listing = registry.get_listing("model", "acme-weather:nowcast")
    assert (listing.address, listing.version, listing.failure) == ("acme-weather:nowcast", "1.2", None)
    (site / package / "model.py").write_text("class Nowcast: ...\n")
    assert registry.get_class("model", "Acme.Weather:nowcast").__name__ == "Nowcast"


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("import no_such_module_anywhere\n", "ModuleNotFoundError"),
        ("raise SystemExit(3)\n", "SystemExit"),
        ("raise KeyboardInterrupt\n", "failed: KeyboardInterrupt"),
        (HEAD + "@hookimpl\ndef chimes_models():\n    raise KeyboardInterrupt\n", "failed: KeyboardInterrupt"),
        ("raise ValueError('one\\n  two')\n", "ValueError: one two"),
        ("class Mute(Exception):\n    def __str__(self):\n        return 7\n\n\nraise Mute\n", "failed: Mute"),
        ("def broken(:\n", "SyntaxError"),
        (HEAD + HOOK.format("{'name': 'x'}"), "not a Registration"),
        (HEAD + "@hookimpl\ndef chimes_models():\n    return 7\n", "not a list"),
        (HEAD + "@hookimpl\ndef chimes_models():\n    raise RuntimeError('no')\n", "RuntimeError"),
        (HEAD + "@hookimpl\ndef chimes_typos():\n    return []\n", "chimes_typos"),
        (HEAD + HOOK.format(f"{GOOD}, {GOOD}"), "registered twice"),
    ],
)
def test_a_plugin_that_fails_is_a_row_with_its_reason(site: Path, source: str, reason: str) -> None:
    install(site, source)
    install(site, HEAD + HOOK.format(GOOD), name="good-one")
    bad, good = Registry.discover([str(site)]).plugins
    assert bad.failure is not None
    assert reason in bad.failure
    assert good.failure is None


@pytest.mark.parametrize(
    "reaction", ["raise", "raise SystemExit(3)", "raise ValueError('no')", "pass"], ids=lambda text: text.split("(")[0]
)
def test_ctrl_c_ends_loading_even_where_the_plugin_catches_it(site: Path, reaction: str) -> None:
    # Sent to this thread: a signal of the process may be taken by another one.
    pressed = "import signal\n\ntry:\n    signal.raise_signal(signal.SIGINT)\n    [None for _ in range(1000)]\n"
    install(site, f"{pressed}except BaseException:\n    {reaction}\n")
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            Registry.discover([str(site)])
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_plugin_is_loaded_in_another_thread_too(site: Path) -> None:
    install(site, "raise KeyboardInterrupt\n")
    with ThreadPoolExecutor() as pool:
        (plugin,) = pool.submit(Registry.discover, [str(site)]).result().plugins
    assert "failed: KeyboardInterrupt" in str(plugin.failure)


def test_asking_for_a_failed_plugin_says_why(site: Path) -> None:
    install(site, "raise ValueError('why')\n")
    with pytest.raises(PluginLoadError, match="why"):
        Registry.discover([str(site)]).get_listing("model", "acme-weather:nowcast")


def test_an_incompatible_component_is_listed_and_refused(site: Path) -> None:
    install(site, HEAD + HOOK.format(GOOD.replace("model/1", "model/9")))
    registry = Registry.discover([str(site)])
    assert "chimes.model/9" in str(registry.listings[0].failure)
    with pytest.raises(PluginLoadError, match="cannot be used here"):
        registry.get_class("model", "acme-weather:nowcast")


def test_an_unknown_component_is_named_with_the_installed_ones(site: Path) -> None:
    install(site, HEAD + HOOK.format(GOOD))
    with pytest.raises(NotFoundError) as caught:
        Registry.discover([str(site)]).get_listing("model", "acme-weather:forecast")
    assert "acme-weather:nowcast" in str(caught.value.hint)


def test_the_rescue_switch_restricts_what_is_loaded(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(site, "raise ValueError('never imported')\n", name="evil-one")
    install(site, HEAD + HOOK.format(GOOD))
    monkeypatch.setenv("CHIMES_PLUGINS", "acme_weather")
    assert [plugin.distribution for plugin in Registry.discover([str(site)]).plugins] == ["acme-weather"]
    monkeypatch.setenv("CHIMES_PLUGINS", "")
    assert Registry.discover([str(site)]).plugins == ()


def test_the_first_distribution_of_a_name_on_the_path_wins(site: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    for folder in (first, second):
        folder.mkdir()
        install(folder, HEAD + HOOK.format(GOOD))
    found = list(scan([str(first), str(second), str(tmp_path / "absent")]))
    assert [distribution.folder.parent for distribution in found] == [first]


def test_a_broken_entry_points_file_is_a_row(site: Path) -> None:
    install(site, "", entry_points="[chimes]\n[chimes\nx")
    (plugin,) = Registry.discover([str(site)]).plugins
    assert plugin.failure


def test_variables_that_a_component_asks_for_are_set_before_it_is_imported(
    site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DO_NOT_TRACK", "0")
    monkeypatch.setenv("ACME_DISABLE_TELEMETRY", "")
    monkeypatch.delenv("ACME_DISABLE_TELEMETRY")
    asking = GOOD.replace(")", ', environment=("DO_NOT_TRACK=1", "ACME_DISABLE_TELEMETRY=1"))')
    package = install(site, HEAD + HOOK.format(asking))
    (site / package / "model.py").write_text(
        "import os\n\n\nclass Nowcast:\n"
        "    seen = (os.environ['DO_NOT_TRACK'], os.environ.get('ACME_DISABLE_TELEMETRY'))\n"
    )
    registry = Registry.discover([str(site)])
    assert "ACME_DISABLE_TELEMETRY" not in os.environ
    assert registry.get_class("model", "acme-weather:nowcast").seen == ("0", "1")


def test_a_missing_target_is_a_load_error() -> None:
    with pytest.raises(PluginLoadError, match="NoSuch"):
        import_target("chimes.errors:NoSuch")
