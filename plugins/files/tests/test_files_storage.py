"""Roots: paths, file:// and memory:// URLs, drivers with secrets, drivers that refuse access."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from chimes import ReadRequest
from chimes.errors import ConfigError, InfrastructureError, NotFoundError, PermissionDeniedError, UnsupportedError
from chimes.kinds.predicates import Compare
from chimes_files.connector import FilesConnector
from fsspec.implementations.memory import MemoryFileSystem

Connect = Callable[..., FilesConnector]
Read = Callable[..., pa.Table]


class VaultFileSystem(MemoryFileSystem):  # type: ignore[misc]
    """Files in memory behind a password."""

    protocol = "vault"
    store: ClassVar[dict[str, Any]] = {}
    cachable = False

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return str(super()._strip_protocol(path.removeprefix("vault:/")))

    def __init__(self, password: str = "", locked: str = "", **options: Any) -> None:
        super().__init__(**options)
        self.password, self.locked = password, locked

    def ls(self, path: str, detail: bool = True, **options: Any) -> Any:
        self.check()
        if path.rstrip("/") == self.locked:
            raise PermissionError("locked")
        return super().ls(path, detail=detail, **options)

    def _open(self, path: str, mode: str = "rb", **options: Any) -> Any:
        self.check()
        return super()._open(path, mode, **options)

    def check(self) -> None:
        if self.password == "worn out":
            raise OSError(5, "Input/output error")
        if self.password != "sesame":
            raise PermissionError("wrong password")


fsspec.register_implementation("vault", VaultFileSystem, clobber=True)


def content(tmp_path: Path) -> bytes:
    pq.write_table(pa.table({"x": range(100)}), tmp_path / "made.parquet", row_group_size=10)
    return (tmp_path / "made.parquet").read_bytes()


def test_files_in_memory_are_read_like_others(tmp_path: Path, connect: Connect, read: Read) -> None:
    memory = fsspec.filesystem("memory")
    root = f"/{tmp_path.name}"
    memory.pipe({f"{root}/t.parquet": content(tmp_path), f"{root}/d/c.csv": b"a\n1\n", f"{root}/.hidden.csv": b"a\n"})
    memory.pipe(f"{root}/j.jsonl", b'{"a": 1}\n')
    connector = connect(f"memory:/{root}")
    connector.ping()
    assert [info.name for info in connector.discover()] == ["d", "j", "t"]
    assert read(connector, "t", partitions=4, filters=(Compare(op="ge", column="x", value=97),)).num_rows == 3
    assert read(connector, "d").to_pydict() == read(connector, "j").to_pydict() == {"a": [1]}
    with pytest.raises(NotFoundError, match="nowhere"):
        connect(f"memory:/{root}/nowhere").ping()


def test_a_file_url_is_a_path(tmp_path: Path, connect: Connect, read: Read) -> None:
    (tmp_path / "a b").mkdir()
    (tmp_path / "a b" / "t.csv").write_text("a\n1\n")
    assert read(connect((tmp_path / "a b").as_uri()), "t").num_rows == 1


def test_a_relative_path_starts_at_the_working_folder(
    tmp_path: Path, connect: Connect, read: Read, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "t.csv").write_text("a\n1\n")
    monkeypatch.chdir(tmp_path)
    assert read(connect("."), "t").num_rows == 1


def test_secrets_are_references_and_are_not_in_plans(
    tmp_path: Path, connect: Connect, read: Read, monkeypatch: pytest.MonkeyPatch
) -> None:
    VaultFileSystem(password="sesame").pipe("/box/t.parquet", content(tmp_path))
    monkeypatch.setenv("VAULT_PASSWORD", "sesame")
    connector = connect("vault://box", secrets={"password": "env:VAULT_PASSWORD"})
    connector.ping()
    assert read(connector, "t").num_rows == 100
    plan = connector.plan(ReadRequest(stream="t", partitions=2))
    assert "sesame" not in plan.model_dump_json() + repr(connector.config) + repr(plan)


@pytest.mark.parametrize(("password", "error"), [("guess", PermissionDeniedError), ("worn out", InfrastructureError)])
def test_a_refusal_and_a_failure_give_different_errors(
    tmp_path: Path, connect: Connect, password: str, error: type[Exception]
) -> None:
    VaultFileSystem(password="sesame").pipe("/box/t.parquet", content(tmp_path))
    connector = connect("vault://box", storage={"password": password})
    with pytest.raises(error, match="vault://box") as caught:
        connector.ping()
    assert password not in str(caught.value)


def test_a_folder_that_may_not_be_listed_is_an_error(tmp_path: Path, connect: Connect) -> None:
    (tmp_path / "t.csv").write_text("a\n1\n")
    locked = tmp_path / "locked"
    locked.mkdir()
    (locked / "loop").symlink_to(locked / "loop")
    assert [info.name for info in connect(tmp_path).discover()] == ["t"]
    VaultFileSystem(password="sesame").pipe("/yard/inner/t.parquet", content(tmp_path))
    connector = connect("vault://yard", storage={"password": "sesame", "locked": "/yard/inner"})
    with pytest.raises(PermissionDeniedError, match="vault://yard"):
        list(connector.discover())


def test_a_missing_secret_is_named_by_its_reference(connect: Connect) -> None:
    with pytest.raises(NotFoundError, match="env:NOT_SET_ANYWHERE"):
        connect("vault://box", secrets={"password": "env:NOT_SET_ANYWHERE"}).ping()


def test_credentials_in_the_root_are_refused_without_repeating_them(connect: Connect) -> None:
    with pytest.raises(ConfigError, match="credentials") as caught:
        connect("ftp://user:hunter2@host/data")
    assert "hunter2" not in str(caught.value)


def test_a_missing_or_unknown_driver_is_named(connect: Connect) -> None:
    with pytest.raises(UnsupportedError, match="s3://bucket"):
        connect("s3://bucket/data").ping()
    with pytest.raises(ConfigError, match="carrier"):
        connect("carrier-pigeon://loft").ping()


def test_making_a_connector_opens_nothing(tmp_path: Path, connect: Connect) -> None:
    with connect(tmp_path / "later") as connector:
        pass
    connector.close()
    connect("s3://bucket/data").close()
