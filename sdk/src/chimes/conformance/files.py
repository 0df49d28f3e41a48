"""Writes what a run leaves in a folder: plan, verdict document, run record, logs."""

from __future__ import annotations

import json
from pathlib import Path

import rfc8785

from chimes.conformance.report import Report

__all__ = ["write_report"]


def write_report(report: Report, folder: Path) -> None:
    """``plan.json``, ``verdict.json`` (canonical JSON, RFC 8785), ``run.json`` and ``logs/`` below ``folder``."""
    (folder / "logs").mkdir(parents=True, exist_ok=True)
    (folder / "plan.json").write_bytes(rfc8785.dumps(report.plan_json()))
    (folder / "verdict.json").write_bytes(rfc8785.dumps(report.verdict_json()))
    (folder / "run.json").write_text(json.dumps(report.run_json(), indent=2, default=str), "utf-8")
    for number, log in enumerate(report.logs):
        (folder / "logs" / f"{number:03}.log").write_text(log, "utf-8", errors="replace")
