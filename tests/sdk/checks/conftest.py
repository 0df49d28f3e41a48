"""Wheels and sdists as real files: good ones by default, broken in one place by argument."""

from __future__ import annotations

import base64
import csv
import gzip
import hashlib
import io
import json
import tarfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from chimes.checks.catalogue import FILE_CHECKS
from chimes.checks.engine import judge_facts
from chimes.checks.rules import DEFAULT_RULES, FileRules
from chimes.checks.run import run_file_checks
from chimes.checks.subject import open_subject
from chimes.evidence.finding import Finding
from chimes.evidence.verdict import CheckResult

INFO = "acme_model-1.0.dist-info"
METADATA = """\
Metadata-Version: 2.4
Name: acme-model
Version: 1.0
Summary: Answers.
License-Expression: Apache-2.0
License-File: LICENSE
Classifier: Programming Language :: Python :: 3
Project-URL: Source, https://example.org/source
Requires-Python: >=3.11
Requires-Dist: chimes<2,>=1
Provides-Extra: gpu
Description-Content-Type: text/markdown

# Acme model

It answers.
"""
WHEEL = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
FILES: dict[str, bytes] = {
    "acme_model/__init__.py": b"",
    "acme_model/plugin.py": b"ANSWER = 42\n" * 20,
    "acme_model/CHANGELOG.md": b"# Changes\n\n## 1.0\n\n- It answers.\n",
    f"{INFO}/licenses/LICENSE": b"Do as you like.\n",
    f"{INFO}/METADATA": METADATA.encode(),
    f"{INFO}/WHEEL": WHEEL.encode(),
    f"{INFO}/entry_points.txt": b"[chimes]\nacme = acme_model.plugin\n",
}


def record_of(files: Mapping[str, bytes], name: str = f"{INFO}/RECORD") -> bytes:
    """A true RECORD of ``files``."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    for path, data in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")
        writer.writerow([path, f"sha256={digest}", len(data)])
    writer.writerow([name, "", ""])
    return text.getvalue().encode()


MakeFile = Callable[..., Path]


@pytest.fixture(scope="session")
def make_wheel(tmp_path_factory: pytest.TempPathFactory) -> MakeFile:
    """``make_wheel(files, record=..., name=...)``: the given files are added; a file given as None is left out."""

    def make(
        files: Mapping[str, bytes | str | None] | None = None,
        *,
        record: bytes | None = None,
        name: str = "acme_model-1.0-py3-none-any.whl",
        metadata: str | None = None,
        wheel: str | None = None,
    ) -> Path:
        given = dict(files or {})
        if metadata is not None:
            given[f"{INFO}/METADATA"] = metadata
        if wheel is not None:
            given[f"{INFO}/WHEEL"] = wheel
        merged = {**FILES, **{key: v.encode() if isinstance(v, str) else v for key, v in given.items()}}
        kept = {key: value for key, value in merged.items() if value is not None}
        record_name = next((key for key in kept if key.endswith("/RECORD")), f"{INFO}/RECORD")
        if record_name not in kept and merged.get(record_name, b"") is not None:
            kept[record_name] = record if record is not None else record_of(kept)
        path = tmp_path_factory.mktemp("wheel") / name
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for key, value in kept.items():
                archive.writestr(key, value)
        return path

    return make


@pytest.fixture(scope="session")
def make_sdist(tmp_path_factory: pytest.TempPathFactory) -> MakeFile:
    """``make_sdist(files, members=..., name=...)``: an sdist of ``files`` and of ready tar headers."""

    def make(
        files: Mapping[str, bytes | None] | None = None,
        *,
        members: tuple[tarfile.TarInfo, ...] = (),
        name: str = "acme_model-1.0.tar.gz",
        behind: bytes = b"",
    ) -> Path:
        top = "acme_model-1.0"
        merged = {f"{top}/PKG-INFO": METADATA.encode(), f"{top}/LICENSE": b"Do as you like.\n", f"{top}/a.py": b""}
        kept = {key: value for key, value in {**merged, **(files or {})}.items() if value is not None}
        content = io.BytesIO()
        with tarfile.open(fileobj=content, mode="w", format=tarfile.PAX_FORMAT) as archive:
            for key, value in kept.items():
                info = tarfile.TarInfo(key)
                info.size = len(value)
                archive.addfile(info, io.BytesIO(value))
            for info in members:
                archive.addfile(info, io.BytesIO(b"\0" * info.size))
        path = tmp_path_factory.mktemp("sdist") / name
        path.write_bytes(gzip.compress(content.getvalue() + behind, mtime=0))
        return path

    return make


Ask = Callable[..., CheckResult]


@pytest.fixture(scope="session")
def ask() -> Ask:
    """``ask(code, path, rules=...)``: one check's result; the facts read back from JSON give the same findings."""

    def ask(code: str, path: Path, rules: FileRules = DEFAULT_RULES) -> CheckResult:
        (check,) = (check for check in FILE_CHECKS if check.code == code)
        with open_subject(path, limits=rules.limits) as subject:
            (outcome,) = run_file_checks(subject, [check], rules)
        result = outcome.result
        if result.verdict not in ("not_applicable", "not_run"):
            kept = json.loads(outcome.record.model_dump_json())["facts"]
            assert judge_facts(check(rules), kept).result == result
        assert all(finding.code == code and finding.message and finding.fix for finding in result.findings)
        return result

    return ask


@pytest.fixture(scope="session")
def messages() -> Callable[[CheckResult], str]:
    """The messages of a result, a line each."""

    def messages(result: CheckResult) -> str:
        return "\n".join(_line(finding) for finding in result.findings)

    return messages


def _line(finding: Finding) -> str:
    return f"{finding.severity}: {finding.message} -> {finding.fix}"
