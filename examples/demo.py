"""The main job on real data, step by step: write a plugin, check it, run a pipeline. This is what ``make demo`` runs.

Exit status 0 only if every step succeeded and the held-out ROC AUC, computed from the pipeline's output
file, is at least 0.99. Not for clinical use.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import shutil
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from chimes.errors import ChimesError
from chimes.process import Completed, run
from rich.console import Console
from rich.markup import escape

EXAMPLES = Path(__file__).resolve().parent
ROOT = EXAMPLES.parent
SCRATCH = ROOT / ".demo"
BIN = Path(sys.executable).parent
PLUGIN = "my-model"
LABEL, SCORE = "malignant", "p_malignant"
EXPECTED_AUC = 0.99
EXPECTED_FINDINGS = 3
TIMEOUT_S = 300
MARGIN = "    "


class DemoError(Exception):
    """A step did not do what it should; the message is the sentence for the person who watches."""


class Demo:
    """The steps, what they print, and the folder they work in."""

    def __init__(self, console: Console, model: Path | None) -> None:
        self.console = console
        self.model = model

    def play(self) -> bool:
        """All steps in order; True if the classifier is as good as expected. Raises DemoError, ChimesError."""
        if self.model is not None and not self.model.is_file():
            raise DemoError(f"there is no model file {str(self.model)!r}: give --model an ONNX file that exists")
        shutil.rmtree(SCRATCH, ignore_errors=True)
        SCRATCH.mkdir()
        self.write_a_plugin()
        self.check_a_bad_plugin()
        auc = self.run_a_pipeline()
        good = auc >= EXPECTED_AUC
        self.console.print("\nThe model and its output are a demonstration: not for clinical use.")
        if not good:
            self.console.print(
                f"[red]✗[/] the classifier ranks held-out rows too badly: AUC {auc:.4f}", highlight=False
            )
        # Printed as it is: other programs read this line.
        self.console.file.write(f"RESULT auc={auc:.4f} expected>={EXPECTED_AUC}\n")
        return good

    def write_a_plugin(self) -> None:
        """Scaffold, install, list and check a model plugin."""
        self.title("1/3", "Write a plugin and check it")
        plugin, site = SCRATCH / PLUGIN, SCRATCH / "site"
        self.expect_done("chimes", "new", "model", plugin, "--no-input", what="scaffolding a plugin")
        options = ("--quiet", "--no-deps", "--no-build-isolation", "--python", sys.executable, "--target", site)
        self.expect_done("uv", "pip", "install", *options, plugin, what="installing the new plugin")
        listed = self.expect_done("chimes", "list", "--json", what="listing plugins", env={"PYTHONPATH": str(site)})
        rows = [row for row in as_json(listed)["plugins"] if row["distribution"] == PLUGIN]
        for component in [item for row in rows for item in row["components"]]:
            self.say(f"installed: {component['kind']} {component['address']}: {component['summary']}")
        if not any(row["components"] and not row["failure"] for row in rows):
            raise DemoError(f"chimes list does not show {PLUGIN} with a component after its installation")
        checked = self.expect_done("chimes", "check", plugin, what="checking the new plugin")
        self.quote(checked)

    def check_a_bad_plugin(self) -> None:
        """Check a plugin that is wrong in several ways; each error is shown with its fix."""
        self.title("2/3", "Check a plugin that is wrong in several ways")
        done = self.command("chimes", "check", EXAMPLES / "bad-plugin", "--json")
        if done.returncode != 1:
            self.quote(done)
            raise DemoError(f"checking a bad plugin should end with status 1, it ended with {done.returncode}")
        findings = [finding for finding in as_json(done)["findings"] if finding["severity"] == "error"]
        for finding in findings:
            self.say(f"[red]✗ {finding['code']}[/] {escape(finding['message'])}")
            self.say(f"  [green]fix:[/] {escape(finding['fix'])}")
        if len(findings) < EXPECTED_FINDINGS:
            raise DemoError(f"a bad plugin got {len(findings)} errors, at least {EXPECTED_FINDINGS} were expected")
        self.say(f"{len(findings)} errors found in one run, each with its fix")

    def run_a_pipeline(self) -> float:
        """Train a classifier, score the held-out rows through the pipeline, return the AUC of its output file."""
        self.title("3/3", "Run a pipeline on real data: breast-cancer data, 569 rows, 30 columns")
        folder = SCRATCH / "wdbc"
        trained = self.expect_done(sys.executable, EXAMPLES / "train_wdbc.py", folder, what="training the classifier")
        self.quote(trained)
        if self.model is not None:
            shutil.copyfile(self.model, folder / "wdbc.onnx")
            self.say(f"its model file is replaced by {escape(str(self.model))}")
        pipeline = Path(shutil.copy(EXAMPLES / "wdbc.toml", folder))
        self.quote(self.expect_done("chimes", "run", pipeline, what="running the pipeline"))
        return held_out_auc(folder / "risk.parquet")

    def expect_done(self, *argv: str | Path, what: str, env: Mapping[str, str] | None = None) -> Completed:
        """Run a command that must end with status 0; raises DemoError after showing what it said."""
        done = self.command(*argv, env=env)
        if done.timed_out:
            raise DemoError(f"{what} took longer than {TIMEOUT_S} s")
        if done.returncode != 0:
            self.quote(done)
            raise DemoError(f"{what} failed with status {done.returncode}")
        return done

    def command(self, *argv: str | Path, env: Mapping[str, str] | None = None) -> Completed:
        """Run a command of this environment, and show it with the time that it took."""
        words = [str(word) for word in argv]
        shown = " ".join([Path(words[0]).name, *map(shorten, words[1:])])
        words[0] = str(BIN / words[0])
        started = time.monotonic()
        with self.console.status(f"  $ {escape(shown)}"):
            done = run(words, timeout_s=TIMEOUT_S, cwd=ROOT, env=environment(env or {}, self.console.width))
        took = f"[dim]{time.monotonic() - started:.1f} s[/]"
        self.console.print(f"  [bold]$ {escape(shown)}[/]  {took}", highlight=False, soft_wrap=True)
        return done

    def title(self, number: str, text: str) -> None:
        """The heading of a step."""
        self.console.print(f"\n[bold cyan]{number}[/] [bold]{text}[/]", highlight=False)

    def say(self, text: str) -> None:
        """A line below a command; may hold markup."""
        self.console.print(f"{MARGIN}{text}", highlight=False, soft_wrap=True)

    def quote(self, done: Completed) -> None:
        """What a command said, below it."""
        for line in done.text.splitlines():
            self.say(f"[dim]{escape(line)}[/]")


def as_json(done: Completed) -> Any:
    """What a command printed with --json; raises DemoError if that is something else."""
    try:
        return json.loads(done.stdout)
    except ValueError as error:
        raise DemoError(f"{Path(done.argv[0]).name} --json printed no JSON: {done.text[-400:]}") from error


def environment(extra: Mapping[str, str], width: int) -> dict[str, str]:
    """This process's environment without what would hide installed plugins; tables fit beside the margin."""
    kept = {name: value for name, value in os.environ.items() if name != "CHIMES_PLUGINS"}
    return {**kept, "COLUMNS": str(max(width, 80) - len(MARGIN)), **extra}


def shorten(word: str) -> str:
    """A word of a command as a person would type it in the repository's root."""
    return word.removeprefix(f"{ROOT}{os.sep}")


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


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description="The main job on real data, step by step.")
    parser.add_argument("--model", type=Path, metavar="FILE", help="an ONNX file in place of the trained one")
    parser.add_argument("--exit", action="store_true", help="end after the last step, as this demo always does")
    options = parser.parse_args()
    console = Console()
    try:
        return 0 if Demo(console, options.model).play() else 1
    except ChimesError as error:
        console.print(f"[red]✗[/] {error.code}: {escape(str(error))}", highlight=False, soft_wrap=True)
    except DemoError as error:
        console.print(f"[red]✗[/] {escape(str(error))}", highlight=False, soft_wrap=True)
    return 1


if __name__ == "__main__":
    sys.exit(main())
