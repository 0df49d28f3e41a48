"""Secrets that configurations name: in the worker's environment, and in no file or message."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from chimes.pipelines import worker
from chimes.pipelines.composition import Composition
from chimes.pipelines.launcher import RunReport
from chimes.pipelines.result import PrivateVariables, RunFolder, write_value

Ran = Callable[..., RunReport]
Compose = Callable[..., Composition]


def test_a_secret_reaches_the_worker_but_not_the_specification(
    ran: Ran, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ARCHIVE_KEY", "open sesame")
    spec = tmp_path / "spec.json"
    report = ran(source_config={"secret": "env:ARCHIVE_KEY"}, backend_config={"specs": str(spec)})
    assert report.result is not None
    assert "the secret has 11 letters" in report.log.read_text("utf-8")
    kept = [spec, *(path for path in report.folder.rglob("*") if path.is_file())]
    assert not [path for path in kept if b"open sesame" in path.read_bytes()]


def test_a_secret_that_is_a_default_reaches_the_worker_as_one_that_is_given(
    ran: Ran, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VAULT_KEY", "open sesame")
    spec = tmp_path / "spec.json"
    report = ran(source_config={"opens_vaults": True}, backend_config={"specs": str(spec)})
    assert report.failure is None
    assert "the vault's key has 11 letters" in report.log.read_text("utf-8")
    kept = [spec, *(path for path in report.folder.rglob("*") if path.is_file())]
    assert not [path for path in kept if b"open sesame" in path.read_bytes()]


def test_the_file_of_secrets_can_be_read_by_its_owner_only(composed: Compose, tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "here")
    folder.path.mkdir()
    write_value(folder.plan, composed())
    write_value(folder.private, PrivateVariables(variables={"ARCHIVE_HINT": "near"}))
    assert folder.private.stat().st_mode & 0o777 == 0o600
    assert worker.execute(folder) is None
    assert os.environ.pop("ARCHIVE_HINT") == "near"
    assert not folder.private.exists()
