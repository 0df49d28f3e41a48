from __future__ import annotations

import base64
import hashlib
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from chimes.evidence.verdict import CheckResult

Ask = Callable[..., CheckResult]
Messages = Callable[[CheckResult], str]
MakeFile = Callable[..., Path]
INFO = "acme_model-1.0.dist-info"
PLUGIN = b"ANSWER = 42\n" * 20


def true_record(path: Path) -> str:
    with zipfile.ZipFile(path) as archive:
        return archive.read(f"{INFO}/RECORD").decode()


def digest(algorithm: str, data: bytes) -> str:
    return f"{algorithm}=" + base64.urlsafe_b64encode(hashlib.new(algorithm, data).digest()).decode().rstrip("=")


def test_a_true_record_passes_with_stronger_hashes_and_signatures(make_wheel: MakeFile, ask: Ask) -> None:
    record = true_record(make_wheel())
    stronger = record.replace(digest("sha256", PLUGIN), digest("sha512", PLUGIN))
    assert stronger != record
    assert ask("A02", make_wheel(record=stronger.encode())).verdict == "pass"
    signed = make_wheel({f"{INFO}/RECORD.jws": "{}", f"{INFO}/RECORD.p7s": "x"}, record=record.encode())
    assert ask("A02", signed).verdict == "pass"
    folders = make_wheel({"acme_model/data/": b""}, record=(record + "acme_model/data/,,\n").encode())
    assert ask("A02", folders).verdict == "pass"


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("acme_model/plugin.py,", "acme_model/absent.py,", "RECORD lists 'acme_model/absent.py', which is not in"),
        ("acme_model/plugin.py,", "acme_model/absent.py,", "'acme_model/plugin.py' is in the wheel and not in RECORD"),
        (digest("sha256", PLUGIN), digest("sha256", b"other"), "does not have the hash"),
        (digest("sha256", PLUGIN), digest("sha256", PLUGIN) + "=", "does not have the hash"),
        (digest("sha256", PLUGIN), digest("sha512", b"other"), "does not have the hash"),
        (digest("sha256", PLUGIN), digest("md5", PLUGIN), "hashes 'acme_model/plugin.py' with 'md5'"),
        (digest("sha256", PLUGIN), digest("sha1", PLUGIN), "sha256 or better is needed"),
        (digest("sha256", PLUGIN), "sha999=abc", "is not path, hash and size"),
        (digest("sha256", PLUGIN), "", "no hash or no size"),
        (",240\n", ",\n", "no hash or no size"),
        (",240\n", ",241\n", "240, not 241"),
        (",240\n", ",many\n", "is not path, hash and size"),
        (",240\n", ",240,more\n", "not a UTF-8 table"),
        ("RECORD,,", "RECORD,,7", "a hash or a size for itself"),
    ],
)
def test_a_record_that_is_not_exact_fails(
    old: str, new: str, words: str, make_wheel: MakeFile, ask: Ask, messages: Messages
) -> None:
    record = true_record(make_wheel())
    assert old in record
    result = ask("A02", make_wheel(record=record.replace(old, new).encode()))
    assert result.verdict == "fail"
    assert words in messages(result)
    assert all(finding.blocks == "upload" and finding.where for finding in result.findings)


def test_a_path_that_is_listed_twice_fails(make_wheel: MakeFile, ask: Ask, messages: Messages) -> None:
    record = true_record(make_wheel())
    again = record + record.splitlines()[0] + "\n"
    assert "lists 'acme_model/__init__.py' twice" in messages(ask("A02", make_wheel(record=again.encode())))


@pytest.mark.parametrize("record", [b"\xff\xfe", b'"' + b"x" * 200_000 + b'",,\n'])
def test_a_record_that_cannot_be_read_fails(record: bytes, make_wheel: MakeFile, ask: Ask, messages: Messages) -> None:
    assert "not a UTF-8 table" in messages(ask("A02", make_wheel(record=record)))


def test_a_wheel_without_a_record_fails(make_wheel: MakeFile, ask: Ask, messages: Messages) -> None:
    assert "no readable RECORD" in messages(ask("A02", make_wheel({f"{INFO}/RECORD": None})))
    nowhere = make_wheel({f"other-1.dist-info/{name}": b"" for name in ("METADATA", "RECORD")})
    assert "no readable RECORD" in messages(ask("A02", nowhere))


def test_hundreds_of_wrong_lines_are_counted(make_wheel: MakeFile, ask: Ask, messages: Messages) -> None:
    record = true_record(make_wheel()) + "".join(f"absent/{number},,\n" for number in range(300))
    result = ask("A02", make_wheel(record=record.encode()))
    assert len(result.findings) == 51
    assert "250 more lines" in messages(result)
