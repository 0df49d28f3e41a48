"""``chimes list`` where plugins misbehave: each is a row, and stdout has nothing else."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

import pytest
from chimes.processes import PIPE, Completed, Process, run

CHIMES = str(Path(sys.executable).with_name("chimes"))
HEAD = "from chimes import Registration, hookimpl\n\n\n"
HOOK = "@hookimpl\ndef chimes_models():\n    return [{}]\n"
GOOD = 'Registration(name="nowcast", summary="{summary}", target="a.b:C", api="chimes.model/1")'
GOOD_PLUGIN = HEAD + HOOK.format(GOOD.format(summary="Rain"))
EVIL_TEXT = "class Evil(Exception):\n    def __str__(self):\n        raise SystemExit(0)\n\n\nraise Evil\n"
SKIPPED = "Registration.__new__(Registration)"
DERIVED = "type('Derived', (Registration,), {}).__new__(type('Derived', (Registration,), {}))"
LISTED_DEVICES = GOOD.format(summary="Rain").replace(")", ', devices=["cpu"])')


def install(site: Path, source: str, name: str = "acme-bad") -> None:
    module = name.replace("-", "_")
    (site / f"{module}.py").write_text(source, "utf-8")
    info = site / f"{module}-1.2.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.2\n")
    (info / "entry_points.txt").write_text(f"[chimes]\nit = {module}\n")


EVERY_DESCRIPTOR = "import os\nfor each in range(3, 64):\n    try:\n        {}\n    except OSError:\n        pass\n"


def environment(site: Path, only: str = "acme-bad,acme-good") -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(site), "CHIMES_PLUGINS": only}


def listed(site: Path, *arguments: str) -> Completed:
    return run([CHIMES, "list", *arguments], env=environment(site))


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        (EVIL_TEXT, "importing acme_bad failed: Evil"),
        ("raise KeyboardInterrupt\n", "importing acme_bad failed: KeyboardInterrupt"),
        ("import os\nos._exit(0)\n", "importing it ended the process with status 0"),
        ("import os\nos.kill(os.getpid(), 15)\n", "importing it ended the process with signal SIGTERM"),
        ("raise ValueError('torn \\ud800')\n", r"ValueError: torn \ud800"),
        ("raise ValueError('a\\x1b[2J\\x1b[1;1Hfake')\n", r"ValueError: a\x1b[2J\x1b[1;1Hfake"),
        (HEAD + HOOK.format(SKIPPED), "missing 4 required keyword-only arguments"),
        (HEAD + HOOK.format(DERIVED), "returned a Derived, not a Registration"),
        (HEAD + HOOK.format(LISTED_DEVICES), "devices of a registration is a list, not a tuple of strings"),
        (
            HEAD + HOOK.format(LISTED_DEVICES.replace('["cpu"]', "(7,)")),
            "devices of a registration are not all strings",
        ),
    ],
)
def test_a_plugin_that_misbehaves_is_a_row_beside_the_others(tmp_path: Path, source: str, reason: str) -> None:
    install(tmp_path, source)
    install(tmp_path, GOOD_PLUGIN, "acme-good")
    rows = listed(tmp_path)
    assert rows.returncode == 0, rows.text
    bad, good = rows.stdout.decode().splitlines()
    assert bad.startswith("failed     acme-bad 1.2  plugin-load: ")
    assert reason in bad
    assert good.split() == ["model", "acme-good:nowcast", "1.2", "Rain"]
    plugins = json.loads(listed(tmp_path, "--json").stdout)["plugins"]
    assert reason in plugins[0]["failure"].replace("\x1b", r"\x1b")
    assert plugins[1]["components"][0]["address"] == "acme-good:nowcast"


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        (EVERY_DESCRIPTOR.replace("{}", "os.close(each)"), "importing it ended the process with status 1"),
        (EVERY_DESCRIPTOR.replace("{}", "os.write(each, b'{}\\n')"), "what it registers cannot be read: KeyError"),
        (
            EVERY_DESCRIPTOR.replace("{}", "os.write(each, b'\\xff\\n')"),
            "what it registers cannot be read: UnicodeDecodeError",
        ),
        (EVERY_DESCRIPTOR.replace("{}", "os.write(each, b'[' * 100000 + b'\\n')"), "what it registers cannot be read"),
        (EVERY_DESCRIPTOR.replace("{}", "os.write(each, b'x' * (2 << 20))"), "it registers more than 1048576 bytes"),
    ],
)
def test_a_plugin_that_writes_to_other_descriptors_is_a_row(tmp_path: Path, source: str, reason: str) -> None:
    install(tmp_path, source)
    install(tmp_path, GOOD_PLUGIN, "acme-good")
    rows = listed(tmp_path)
    bad, good = rows.stdout.decode().splitlines()
    assert reason in bad
    assert good.split() == ["model", "acme-good:nowcast", "1.2", "Rain"]


def test_a_summary_cannot_steer_the_terminal(tmp_path: Path) -> None:
    install(tmp_path, HEAD + HOOK.format(GOOD.format(summary="s\\ud800 \\x1b[2J 编\u3000钟")))
    assert listed(tmp_path).stdout.decode().endswith("s\\ud800 \\x1b[2J 编\u3000钟\n")
    (plugin,) = json.loads(listed(tmp_path, "--json").stdout)["plugins"]
    assert plugin["components"][0]["summary"] == "s\\ud800 \x1b[2J 编\u3000钟"


@pytest.mark.parametrize(
    "noise",
    [
        "print('{}')\n",
        "import os\nos.write(1, b'junk')\n",
        "import sys\nsys.__stdout__.write('held back')\n",
        "import sys\nprint('{}')\nsys.stdout.close()\nsys.__stdout__.close()\n",
        "import os\nos.close(1)\n",
    ],
)
def test_what_a_plugin_prints_is_not_in_the_answer(tmp_path: Path, noise: str) -> None:
    install(tmp_path, noise)
    install(tmp_path, GOOD_PLUGIN, "acme-good")
    done = listed(tmp_path, "--json")
    assert done.returncode == 0, done.text
    assert [plugin["failure"] for plugin in json.loads(done.stdout)["plugins"]] == [None, None]
    assert listed(tmp_path).stdout.decode().splitlines()[0] == "nothing    acme-bad 1.2  registers no component"


def test_a_plugins_own_interrupt_is_its_row_where_ctrl_c_is_ignored(tmp_path: Path) -> None:
    install(tmp_path, "raise KeyboardInterrupt\n")
    done = run(("env", "--ignore-signal=INT", CHIMES, "list"), env=environment(tmp_path))
    assert (done.returncode, b"failed: KeyboardInterrupt" in done.stdout) == (0, True), done.text


def test_ctrl_c_of_the_user_ends_the_command_and_the_plugin(tmp_path: Path) -> None:
    waiting = "import os, signal\nopen({!r}, 'w').write(str(os.getpid()))\n{}\n"
    swallowing = "while True:\n    try:\n        signal.pause()\n    except BaseException:\n        pass"
    for number, wait in enumerate(("signal.pause()", swallowing)):
        site = tmp_path / str(number)
        site.mkdir()
        os.mkfifo(site / "pid")
        install(site, waiting.format(str(site / "pid"), wait))
        # A shell lets its background jobs ignore this signal, and their children inherit that.
        argv = ("env", "--default-signal=INT", CHIMES, "list")
        process = Process(argv, stdout=PIPE, stderr=PIPE, env=environment(site))
        try:
            plugin = int((site / "pid").read_text())
            os.kill(process.pid, signal.SIGINT)
            assert process.wait(30) == 130
            assert process.stdout.read() == b""
            assert b"Aborted!" in process.stderr.read()
            assert not Path(f"/proc/{plugin}").exists()
        finally:
            process.kill()
            process.stdout.close()
            process.stderr.close()
