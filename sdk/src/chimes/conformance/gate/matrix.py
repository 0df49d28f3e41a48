"""The mutation gate: every check must fail its own mutant, and no strict plugin may fail.

``python -m chimes.conformance.gate.matrix [--json]`` prints the matrix; exit status 0 only if it is whole.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import click
from rich.console import Console

from chimes.conformance.catalogue import CHECKS
from chimes.conformance.gate.mutants import MUTANTS, Mutant, strict_wheel
from chimes.conformance.options import Options
from chimes.conformance.run import check_path
from chimes.kinds.descriptors import KINDS, Kind
from chimes.processes import scratch_folder

__all__ = ["Matrix", "Row", "run_matrix"]


@dataclass(frozen=True)
class Row:
    """The result of one mutant. ``unexpected``: checks that failed it and are not listed beside it."""

    check: str
    mutant: str
    killed: bool
    also_fails: tuple[str, ...]
    unexpected: tuple[str, ...]


@dataclass(frozen=True)
class Matrix:
    """All rows, and the checks that failed a strict plugin."""

    rows: tuple[Row, ...]
    strict_failures: tuple[str, ...]

    @property
    def false_failures(self) -> int:
        """Failures where nothing is wrong: of strict plugins, and of mutants by checks of other behaviours."""
        return len(self.strict_failures) + sum(len(row.unexpected) for row in self.rows)

    @property
    def is_whole(self) -> bool:
        """Whether every conformance check kills its mutant and nothing fails falsely."""
        killed = {row.check for row in self.rows if row.killed}
        return killed >= {check.code for check in CHECKS} and self.false_failures == 0

    def to_json(self) -> dict[str, object]:
        """What ``--json`` prints."""
        rows = [
            {"check": row.check, "mutant": row.mutant, "killed": row.killed, "also_fails": list(row.also_fails)}
            for row in self.rows
        ]
        killed = len({row.check for row in self.rows if row.killed})
        return {"checks": len(CHECKS), "killed": killed, "false_failures": self.false_failures, "rows": rows}


def run_matrix(mutants: Sequence[Mutant] = MUTANTS, kinds: Sequence[Kind] = tuple(KINDS)) -> Matrix:
    """Check the strict plugins and all mutants in the sandbox, two at a time."""
    with scratch_folder("chimes-gate-") as folder, ThreadPoolExecutor(2) as pool:
        strict = pool.map(lambda kind: _failed(_packed(folder / "strict" / kind, kind)), kinds)
        rows = pool.map(lambda mutant: _row(folder, mutant), mutants)
        failures = [f"{kind}: {code}" for kind, codes in zip(kinds, strict, strict=True) for code in sorted(codes)]
        return Matrix(tuple(rows), tuple(failures))


def _packed(folder: Path, kind: Kind, mutant: Mutant | None = None) -> Path:
    folder.mkdir(parents=True)
    return strict_wheel(kind, folder, mutant.edits, mutant.requires) if mutant else strict_wheel(kind, folder)


def _failed(wheel: Path) -> set[str]:
    report = check_path(wheel, Options(sandbox=True))
    return {result.code for result in report.results if result.verdict not in ("pass", "not_applicable")}


def _row(folder: Path, mutant: Mutant) -> Row:
    codes = _failed(_packed(folder / mutant.name, mutant.kind, mutant))
    others = codes - {mutant.check}
    unexpected = tuple(sorted(others - set(mutant.also_fails)))
    return Row(mutant.check, mutant.name, mutant.check in codes, tuple(sorted(others)), unexpected)


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--only", multiple=True, metavar="CODE", help="Only the mutants of these checks (the gate then fails).")
def main(as_json: bool, only: tuple[str, ...]) -> None:
    """Run every conformance check against a plugin that is broken on purpose."""
    if unknown := sorted(set(only) - {mutant.check for mutant in MUTANTS}):
        known = ", ".join(sorted({mutant.check for mutant in MUTANTS}))
        raise click.BadParameter(f"no check has the code {unknown[0]!r}; there are {known}", param_hint="--only")
    mutants = [mutant for mutant in MUTANTS if not only or mutant.check in only]
    kinds = tuple(dict.fromkeys(mutant.kind for mutant in mutants)) if only else tuple(KINDS)
    with Console(stderr=True).status(f"running {len(mutants)} mutants"):
        matrix = run_matrix(mutants, kinds)
    if as_json:
        click.echo(json.dumps(matrix.to_json(), indent=2))
    else:
        _show(matrix)
    sys.exit(0 if matrix.is_whole else 1)


def _show(matrix: Matrix) -> None:
    reasons = {mutant.name: mutant for mutant in MUTANTS}
    for row in sorted(matrix.rows, key=lambda row: row.check):
        mutant = reasons[row.mutant]
        click.echo(f"{row.check}  {'killed  ' if row.killed else 'SURVIVED'}  {row.mutant:<14}  {mutant.summary}")
        for code in row.also_fails:
            click.echo(f"     also fails {code}: {mutant.also_fails.get(code, 'UNEXPECTED')}")
    for failure in matrix.strict_failures:
        click.echo(f"FALSE FAILURE of the strict {failure}")
    summary = matrix.to_json()
    click.echo(
        f"{summary['killed']} of {summary['checks']} checks kill a mutant, {matrix.false_failures} false failures"
    )


if __name__ == "__main__":
    main()
