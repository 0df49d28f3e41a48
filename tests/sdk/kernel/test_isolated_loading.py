"""Plugins are loaded in a child process: one that misbehaves at import does not hide the others."""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path

import pytest
from chimes.registry import Plugin, find_plugins
from chimes.registry.isolated import Budget, load_isolated

GOOD = """from chimes import Registration, hookimpl


@hookimpl
def chimes_models():
    return [Registration(name="nowcast", summary="Rain", target="a.b:C", api="chimes.model/1")]
"""
QUICK = Budget(plugin_s=1, total_s=30)
ENDING_LATER = "import os, threading\nthreading.Timer(0.2, os._exit, [7]).start()\n"


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delenv("CHIMES_PLUGINS", raising=False)
    return tmp_path


def install(site: Path, sources: dict[str, str]) -> None:
    """Installs plugins; modules have the name of the test's folder, so that none was imported before."""
    for name, source in sources.items():
        module = f"{site.name}_{name}".replace("-", "_")
        (site / f"{module}.py").write_text(source, "utf-8")
        info = site / f"{name.replace('-', '_')}-1.2.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.2\n")
        (info / "entry_points.txt").write_text(f"[chimes]\nit = {module}\n")


def load(site: Path, budget: Budget = QUICK) -> tuple[Plugin, ...]:
    return load_isolated(find_plugins([str(site)]), budget)


def is_good(plugin: Plugin) -> bool:
    return plugin.failure is None and [item.registration.name for item in plugin.components] == ["nowcast"]


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("import os\nos._exit(3)\n", "ended the process with status 3"),
        ("import os\nos.kill(os.getpid(), 9)\n", "ended the process with signal SIGKILL"),
        ("import os\nos.abort()\n", "ended the process with signal SIGABRT"),
        (
            "import signal\nsignal.setitimer(signal.ITIMER_REAL, 0.1)\nsignal.pause()\n",
            "ended the process with signal SIGALRM",
        ),
        ("import sys\nsys.exit(4)\n", "failed: SystemExit: 4"),
        ("raise KeyboardInterrupt\n", "failed: KeyboardInterrupt"),
        ("import signal\nwhile True:\n    signal.pause()\n", "took more than 1 s"),
        ("import os\nos.kill(os.getpid(), 19)\n", "took more than 1 s"),
        ("import os\nwhile True:\n    os.write(1, b'x' * 10000)\n", "took more than 1 s"),
        (GOOD.replace('"Rain"', '"x" * (2 << 20)'), "registers more than 1048576 bytes"),
        (GOOD.replace("]\n", "] * 5000\n"), "returned 5000 registrations, more than 1000"),
    ],
)
def test_a_plugin_that_ends_hangs_or_floods_the_process_is_a_row(site: Path, source: str, reason: str) -> None:
    install(site, {"c-good": GOOD, "m-bad": source, "n-good": GOOD})
    first, bad, last = load(site)
    assert reason in str(bad.failure)
    assert is_good(first)
    assert is_good(last)


@pytest.mark.parametrize("bad", ["a", "b", "c", "ab", "bc", "ac", "abc"])
def test_the_place_of_a_plugin_that_ends_the_process_does_not_matter(site: Path, bad: str) -> None:
    install(site, {name: "import os\nos._exit(3)\n" if name in bad else GOOD for name in "abc"})
    assert [not is_good(plugin) for plugin in load(site)] == [name in bad for name in "abc"]


def test_a_plugin_is_not_blamed_for_what_an_earlier_one_did_to_the_process(site: Path) -> None:
    slow = "import time\ntime.sleep(0.5)\n" + GOOD
    broken = "import chimes, json\nchimes.hookimpl = None\njson.dumps = None\n" + GOOD.replace("@hookimpl", "")
    install(site, {"a-timer": ENDING_LATER + GOOD, "b-slow": slow, "c-good": GOOD, "d-patch": broken, "e-good": GOOD})
    timer, slow_one, good, patching, last = load(site)
    assert all(map(is_good, (timer, slow_one, good, last)))
    assert patching.failure


def test_nothing_that_a_plugin_changes_reaches_this_process(site: Path, capfd: pytest.CaptureFixture[str]) -> None:
    changing = """import atexit, os, signal, sys, threading
os.environ["ACME_WAS_HERE"] = "1"
os.chdir("/")
os.umask(0)
sys.path.clear()
signal.signal(signal.SIGTERM, signal.SIG_IGN)
atexit.register(print, "goodbye")
threading.Thread(target=threading.Event().wait).start()
print("hello")
print("hello", file=sys.stderr)
os.write(1, b"hello")
"""
    install(site, {"a-changing": changing + GOOD, "b-good": GOOD})
    before = (dict(os.environ), Path.cwd(), list(sys.path), signal.getsignal(signal.SIGTERM), threading.active_count())
    assert all(map(is_good, load(site)))
    assert before == (
        dict(os.environ),
        Path.cwd(),
        list(sys.path),
        signal.getsignal(signal.SIGTERM),
        threading.active_count(),
    )
    assert not [name for name in sys.modules if name.startswith(site.name)]
    assert capfd.readouterr() == ("", "")


def test_loading_all_plugins_has_a_limit_too(site: Path) -> None:
    hanging = "import signal\nsignal.pause()\n"
    install(site, {"a-good": GOOD, **{f"b-hanging-{number}": hanging for number in range(4)}})
    rows = load(site, Budget(plugin_s=0.4, total_s=1))
    assert is_good(rows[0])
    assert len(rows) == 5
    assert "took more than 0.4 s" in str(rows[1].failure)
    assert "loading all plugins took more than 1 s" in str(rows[-1].failure)


def test_registrations_come_back_as_they_are(site: Path) -> None:
    everything = """from chimes import AcceleratorRequest, Registration, Resources, hookimpl


@hookimpl
def chimes_backends():
    return [
        Registration(
            name="all", summary="编 é \\ud800", target="a.b:C", api="chimes.backend/9", devices=("npu", "cpu"),
            resources=Resources(nodes=2, accelerators=(AcceleratorRequest(kinds=("npu",), count=3),), walltime_s=1.5),
            network=("a.example",), files=("/data/*",), environment=("DO_NOT_TRACK=1",), harness="a.c:H",
        )
    ]
"""
    install(site, {"acme-all": everything})
    (plugin,) = load(site)
    (listing,) = plugin.components
    namespace: dict[str, object] = {}
    exec(everything, namespace)
    assert [listing.registration] == namespace["chimes_backends"]()  # type: ignore[operator]
    assert (listing.kind, "supports chimes.backend/1" in str(listing.failure)) == ("backend", True)
