from __future__ import annotations

from pathlib import Path

import pytest
from chimes import Context
from chimes.context import ArtifactRef, CancelToken, SecretResolver
from chimes.errors import ArtifactError, CancelledError, ConfigError, NotFoundError
from chimes.resources import Device


def test_the_first_reason_for_a_cancel_stays() -> None:
    token = CancelToken()
    token.raise_if_cancelled()
    token.cancel("preempt")
    token.cancel("user")
    assert token.reason == "preempt"
    with pytest.raises(CancelledError, match="preempt"):
        token.raise_if_cancelled()


def test_secrets_are_resolved_by_reference(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_TOKEN", "s3cret")
    (tmp_path / "token").write_text("from file\n")
    secrets = SecretResolver()
    assert secrets.resolve("env:LAB_TOKEN") == "s3cret"
    assert secrets.resolve(f"file:{tmp_path}/token") == "from file"
    assert "s3cret" not in repr(secrets)


@pytest.mark.parametrize(
    ("reference", "error"),
    [("env:NOT_SET_ANYWHERE", NotFoundError), ("file:/no/such/file", NotFoundError), ("vault:x", ConfigError)],
)
def test_a_secret_that_cannot_be_resolved_says_what_to_do(reference: str, error: type[Exception]) -> None:
    with pytest.raises(error) as caught:
        SecretResolver().resolve(reference)
    assert caught.value.hint  # type: ignore[attr-defined]


def test_artifacts_are_kept_once_and_verified_when_they_leave(tmp_path: Path) -> None:
    context = Context.under(tmp_path / "run")
    source = tmp_path / "weights.bin"
    source.write_bytes(b"weights")
    ref = context.artifacts.put(source)
    assert context.artifacts.put(source) == ref
    path = context.artifacts.get(ref)
    assert path.read_bytes() == b"weights"
    path.write_bytes(b"tampered")
    with pytest.raises(ArtifactError, match="not the declared"):
        context.artifacts.get(ref)


def test_an_absent_artifact_is_named(tmp_path: Path) -> None:
    context = Context.under(tmp_path)
    with pytest.raises(ArtifactError, match=r"weights\.bin"):
        context.artifacts.get(ArtifactRef(uri="weights.bin", sha256="0" * 64, size_bytes=1))


@pytest.mark.parametrize(("text", "device"), [("cpu", Device("cpu")), ("npu:3", Device("npu", 3))])
def test_a_device_is_read_from_text(text: str, device: Device) -> None:
    assert Device.parse(text) == device


@pytest.mark.parametrize("text", ["", "CPU", "cuda:", "cuda:x", "cuda 1"])
def test_an_invalid_device_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="is not a device"):
        Device.parse(text)
