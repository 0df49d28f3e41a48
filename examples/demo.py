"""The whole workflow on real data: a marketplace, and plugins that are published, validated, installed and run.

This is what ``make demo`` runs. Exit status 0 only if every step succeeded and the held-out ROC AUC, computed
from the pipeline's output file, is at least 0.99. Not for clinical use.
"""

from __future__ import annotations

import argparse
import math
import os
import shutil
import signal
import sys
import time
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from chimes.errors import ChimesError
from demo_commands import EXAMPLES, ROOT, CommandRunner, DemoError, as_json, shorten
from demo_marketplace import Marketplace, open_marketplace
from packaging.utils import parse_wheel_filename
from rich.console import Console
from rich.markup import escape
from wheels import third_parties

PLUGIN = "my-model"
PARTS = ("sdk", "plugins/files", "plugins/onnx", "plugins/local")
LABEL, SCORE = "malignant", "p_malignant"
EXPECTED_AUC = 0.99
EXPECTED_FINDINGS = 3
VALIDATION_S = 240.0
STEPS = 7


class Demo:
    """The steps of the demo, and the values that one step passes to the next."""

    def __init__(self, console: Console, market: Marketplace, folder: Path, *, model: Path | None, stays: bool) -> None:
        self.commands = CommandRunner(console, {"CHIMES_URL": market.url})
        self.console = console
        self.market = market
        self.folder = folder
        self.model = model
        self.stays = stays
        self.wheels: list[Path] = []
        self.levels: dict[str, str] = {}

    def play(self) -> bool:
        """All steps in order; True if the classifier is as good as expected. Raises DemoError, ChimesError."""
        self.join()
        self.publish_the_parts()
        self.publish_a_new_plugin()
        self.watch_the_verdicts()
        auc = self.run_a_pipeline(self.install())
        good = auc >= EXPECTED_AUC
        self.summary(auc)
        if good and self.stays:
            self.commands.say(f"the marketplace stays open at [bold]{self.market.url}[/] until Ctrl-C")
        self.console.print("\nThe model and its output are a demonstration: not for clinical use.")
        if not good:
            self.console.print(
                f"[red]✗[/] the classifier ranks held-out rows too badly: AUC {auc:.4f}", highlight=False
            )
        # Printed without markup: other programs read this line.
        self.console.file.write(f"RESULT auc={auc:.4f} expected>={EXPECTED_AUC}\n")
        self.console.file.flush()
        return good

    def step(self, number: int, text: str) -> None:
        """The heading of a step."""
        self.commands.title(f"{number}/{STEPS}", text)

    def join(self) -> None:
        """A member, a user who may publish under reserved names, and the user's token."""
        self.step(1, "A marketplace on this machine: SQLite, local files, local processes")
        self.commands.say(f"it runs at {self.market.url}")
        self.step(2, "A member, a user, and a token to upload with")
        data = ("--data", self.market.data)
        operator = "chimes-marketplace"
        member = ("member", "add", "wuhan", "--name", "Wuhan Computing Centre", "--type", "research")
        self.commands.run_or_fail(operator, *member, *data, what="adding a member")
        user = ("user", "add", "lin", "--member", "wuhan", "--role", "admin")
        self.commands.run_or_fail(operator, *user, *data, what="adding a user")
        made = self.commands.run_or_fail(operator, "token", "create", "--user", "lin", *data, what="making a token")
        self.market.token = made.stdout.decode().strip()
        self.commands.env |= {"CHIMES_TOKEN": self.market.token}

    def publish_the_parts(self) -> None:
        """The SDK as a library, and the plugins of the pipeline, with plain twine."""
        self.step(3, "Publish the SDK and three plugins with twine")
        dist = self.folder / "dist"
        for part in PARTS:
            build = ("build", "--wheel", "--no-build-isolation", "--quiet", "--python", sys.executable)
            self.commands.run_or_fail("uv", *build, "--out-dir", dist, part, what=f"building {part}")
        self.wheels = sorted(dist.glob("*.whl"))
        where = ("--repository-url", f"{self.market.url}/legacy/")
        twine = {"TWINE_USERNAME": "__token__", "TWINE_PASSWORD": self.market.token}
        upload = ("twine", "upload", "--non-interactive", "--disable-progress-bar", *where)
        self.commands.run_or_fail(*upload, *self.wheels, env=twine, what="uploading with twine")
        self.commands.say("uploaded; each is validated when its upload ends")

    def publish_a_new_plugin(self) -> None:
        """Scaffold a model plugin, check it, publish it, and wait for its verdict."""
        self.step(4, "Write a plugin, check it, publish it")
        plugin = self.folder / PLUGIN
        self.commands.run_or_fail("chimes", "new", "model", plugin, "--no-input", what="scaffolding a plugin")
        self.commands.quote(self.commands.run_or_fail("chimes", "check", plugin, what="checking the new plugin"))
        build = ("build", "--wheel", "--no-build-isolation", "--quiet", "--python", sys.executable)
        self.commands.run_or_fail("uv", *build, "--out-dir", plugin / "dist", plugin, what="building the plugin")
        wheel = next((plugin / "dist").glob("*.whl"))
        self.commands.quote(self.commands.run_or_fail("chimes", "publish", wheel, what="publishing the plugin"))
        self.wheels.append(wheel)

    def watch_the_verdicts(self) -> None:
        """Show the verdict on each wheel, and on a plugin with several faults."""
        self.step(5, "The verdicts: each was installed and run in a sandbox")
        for wheel in self.wheels:
            name, version, _, _ = parse_wheel_filename(wheel.name)
            with self.console.status(f"  waiting for {name}"):
                found = self.market.wait(name, str(version), timeout_s=VALIDATION_S)
            if found["state"] != "listed":
                self.show_findings(found["findings"])
                raise DemoError(f"{name} {version} was not listed: {found['state']}, see {found['report_url']}")
            self.levels[str(name)] = found["level"]
            components = ", ".join(f"{item['kind']} {item['name']}" for item in found["components"])
            self.commands.say(f"[green]✓[/] {name} {version}  {found['type']}, {found['level']}  [dim]{components}[/]")
        self.refuse_a_bad_plugin()

    def refuse_a_bad_plugin(self) -> None:
        """Publish a plugin with several faults: show every finding with its fix; the plugin is not listed."""
        bad = ("chimes", "publish", EXAMPLES / "bad-plugin", "--skip-checks", "--json")
        done = self.commands.run(*bad)
        if done.returncode != 1:
            self.commands.quote(done)
            raise DemoError(f"publishing a bad plugin should end with status 1, it ended with {done.returncode}")
        findings = [finding for finding in as_json(done)["findings"] if finding["severity"] == "error"]
        self.show_findings(findings)
        if len(findings) < EXPECTED_FINDINGS:
            raise DemoError(f"a bad plugin got {len(findings)} errors, at least {EXPECTED_FINDINGS} were expected")
        self.commands.say(f"refused: {len(findings)} errors found at once, each with its fix")

    def show_findings(self, findings: list[dict[str, Any]]) -> None:
        """Each finding, then its fix."""
        for finding in findings:
            self.commands.say(f"[red]✗ {finding['code']}[/] {escape(finding['message'])}")
            self.commands.say(f"  [green]fix:[/] {escape(finding['fix'])}")

    def install(self) -> Path:
        """Install the listed plugins into a new environment without this checkout. Returns the folder of its tools."""
        self.step(6, "Install what is listed into a fresh environment")
        venv = self.folder / "venv"
        self.commands.run_or_fail(sys.executable, "-m", "venv", venv, what="making an environment")
        python = venv / "bin" / "python"
        third = sorted(third_parties(self.wheels))
        into = ("pip", "install", "--quiet", "--python", python)
        self.commands.run_or_fail("uv", *into, *third, what="installing third-party packages")
        index = ("--no-deps", "--index-url", f"{self.market.url}/simple/")
        names = [str(parse_wheel_filename(wheel.name)[0]) for wheel in self.wheels]
        # The machine's settings may add other indexes: then this would prove nothing.
        cleared = {name: None for name in os.environ if name.startswith("PIP_")} | {"PIP_CONFIG_FILE": os.devnull}
        pip = (python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
        self.commands.run_or_fail(*pip, *index, *names, env=cleared, what="installing the listed plugins")
        return python.parent

    def run_a_pipeline(self, tools: Path) -> float:
        """Train a classifier, score the held-out rows with the installed plugins, return the AUC of the output file."""
        self.step(7, "Run a pipeline on real data: breast-cancer data, 569 rows, 30 columns")
        folder = self.folder / "wdbc"
        trained = self.commands.run_or_fail(
            sys.executable, EXAMPLES / "train_wdbc.py", folder, what="training the classifier"
        )
        self.commands.quote(trained)
        if self.model is not None:
            shutil.copyfile(self.model, folder / "wdbc.onnx")
            self.commands.say(f"its model file is replaced by {escape(str(self.model))}")
        pipeline = Path(shutil.copy(EXAMPLES / "wdbc.toml", folder))
        chimes = tools / "chimes"
        self.commands.quote(self.commands.run_or_fail(chimes, "list", what="listing what is installed"))
        self.commands.quote(self.commands.run_or_fail(chimes, "run", pipeline, what="running the pipeline"))
        return held_out_auc(folder / "risk.parquet")

    def summary(self, auc: float) -> None:
        """Print a summary."""
        self.commands.title("Done", "")
        self.commands.say(f"{len(self.levels)} distributions published, validated and listed: {', '.join(self.levels)}")
        self.commands.say("1 bad plugin refused")
        self.commands.say(f"installed from {self.market.url}/simple/ and run: held-out AUC {auc:.4f}")


def held_out_auc(output: Path) -> float:
    """The ROC AUC of the pipeline's output file; raises DemoError if it lacks rows, columns or numbers."""
    from sklearn.metrics import roc_auc_score  # noqa: PLC0415 - seconds, and needed only at the end

    if not output.is_file():
        raise DemoError(f"the pipeline left no {shorten(str(output))}")
    table = pq.read_table(output)
    for name in (LABEL, SCORE):
        if name not in table.column_names:
            raise DemoError(f"the pipeline's output has no column {name!r}, only {', '.join(table.column_names)}")
    labels: list[Any] = table[LABEL].to_pylist()
    scores: list[Any] = table[SCORE].to_pylist()
    if set(labels) != {0, 1} or not all(score is not None and math.isfinite(score) for score in scores):
        raise DemoError("the pipeline's output needs rows with both labels, each with a finite score")
    return float(roc_auc_score(labels, scores))


def stay_open(console: Console) -> None:
    """Keep the marketplace running until the user ends the demo."""
    try:
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        console.print("closed")


def show(console: Console, options: argparse.Namespace) -> bool:
    """The demo from the first step to the last. Raises DemoError, ChimesError."""
    if options.model is not None and not options.model.is_file():
        raise DemoError(f"there is no model file {str(options.model)!r}: give --model an ONNX file that exists")
    folder: Path = options.folder.absolute()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with open_marketplace(CommandRunner(console), folder / "market") as market:
        good = Demo(console, market, folder, model=options.model, stays=not options.exit).play()
        if good and not options.exit:
            stay_open(console)
    return good


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description="The whole workflow on real data, step by step.")
    parser.add_argument("--model", type=Path, metavar="FILE", help="an ONNX file to use instead of the trained one")
    parser.add_argument(
        "--exit", action="store_true", help="end after the last step; without it the marketplace keeps running"
    )
    folder = ROOT / ".demo"
    parser.add_argument(
        "--folder",
        type=Path,
        default=folder,
        metavar="DIR",
        help="the folder for all output; its old content is removed",
    )
    options = parser.parse_args()
    console = Console()
    # A signal ends the demo like an exception, so that the marketplace is ended too.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return 0 if show(console, options) else 1
    except ChimesError as error:
        console.print(f"[red]✗[/] {error.code}: {escape(str(error))}", highlight=False, soft_wrap=True)
    except DemoError as error:
        console.print(f"[red]✗[/] {escape(str(error))}", highlight=False, soft_wrap=True)
    except KeyboardInterrupt:
        console.print("[red]✗[/] interrupted before the last step", highlight=False)
    return 1


if __name__ == "__main__":
    sys.exit(main())
