"""Random and mutated files: no check raises or hangs, and an unreadable file is always a finding."""

from __future__ import annotations

import gzip
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from chimes.checks.catalogue import FILE_CHECKS
from chimes.checks.files.readme import ReadmeRenders
from chimes.checks.formats.fields import parse_headers
from chimes.checks.formats.points import parse_entry_points
from chimes.checks.run import run_file_checks
from chimes.checks.subject import open_subject
from chimes.evidence.finding import Finding
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

WHEEL, SDIST = "acme_model-1.0-py3-none-any.whl", "acme_model-1.0.tar.gz"
# Rendering starts a process; here a thousand files are read.
CHECKS = [check for check in FILE_CHECKS if check is not ReadmeRenders]
RELAXED = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


def errors_of(data: bytes, name: str, folder: Path) -> list[Finding]:
    path = folder / name
    path.write_bytes(data)
    with open_subject(path) as subject:
        results = {outcome.result.code: outcome.result for outcome in run_file_checks(subject, CHECKS)}
        unreadable = not subject.frame.readable
    assert not [result for result in results.values() if result.verdict == "infra"]
    assert results["A01"].findings or not unreadable
    return [finding for result in results.values() for finding in result.findings if finding.severity == "error"]


@pytest.fixture(scope="module")
def good_wheel(make_wheel: Callable[..., Path]) -> bytes:
    return make_wheel().read_bytes()


@pytest.fixture(scope="module")
def good_sdist(make_sdist: Callable[..., Path]) -> bytes:
    return make_sdist().read_bytes()


@RELAXED
@given(data=st.binary(max_size=3000), name=st.sampled_from([WHEEL, SDIST]))
def test_random_bytes_are_findings(data: bytes, name: str, tmp_path: Path) -> None:
    assert errors_of(data, name, tmp_path)


@RELAXED
@given(data=st.data())
def test_a_wheel_with_flipped_bytes_never_passes_unseen(data: st.DataObject, good_wheel: bytes, tmp_path: Path) -> None:
    mutated = bytearray(good_wheel)
    for place in data.draw(st.lists(st.integers(0, len(mutated) - 1), min_size=1, max_size=6)):
        mutated[place] ^= data.draw(st.integers(1, 255))
    if bytes(mutated) == good_wheel:
        return
    errors = errors_of(bytes(mutated), WHEEL, tmp_path)
    if not errors:
        # What may differ without a finding: versions and attributes that no installer reads.
        assert contents(tmp_path / WHEEL) == contents_of(good_wheel, tmp_path)


def contents(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def contents_of(data: bytes, folder: Path) -> dict[str, bytes]:
    path = folder / "good.whl"
    path.write_bytes(data)
    return contents(path)


@RELAXED
@given(data=st.data())
def test_an_sdist_with_flipped_bytes_is_never_a_crash(data: st.DataObject, good_sdist: bytes, tmp_path: Path) -> None:
    mutated = bytearray(good_sdist)
    for place in data.draw(st.lists(st.integers(0, len(mutated) - 1), min_size=1, max_size=6)):
        mutated[place] ^= data.draw(st.integers(1, 255))
    errors_of(bytes(mutated), SDIST, tmp_path)


@RELAXED
@given(data=st.data())
def test_a_tar_with_changed_headers_is_never_a_crash(data: st.DataObject, tmp_path: Path) -> None:
    content = bytearray()
    for name in ("acme_model-1.0/PKG-INFO", "acme_model-1.0/a.py"):
        info = tarfile.TarInfo(name)
        content += info.tobuf(format=tarfile.PAX_FORMAT)
    content += bytes(1024)
    field = data.draw(st.sampled_from([(0, 100), (124, 136), (156, 157), (157, 257), (257, 265), (345, 500)]))
    for place in range(*field)[:8]:
        content[place] = data.draw(st.integers(0, 255))
    content[148:156] = b" " * 8
    content[148:156] = b"%06o\0 " % sum(content[:512])
    errors_of(gzip.compress(bytes(content), mtime=0), SDIST, tmp_path)


@pytest.mark.parametrize("name", [WHEEL, SDIST])
def test_a_file_that_is_cut_off_anywhere_is_a_finding(
    name: str, good_wheel: bytes, good_sdist: bytes, tmp_path: Path
) -> None:
    good = good_wheel if name == WHEEL else good_sdist
    for length in {*range(0, len(good), 23), *range(len(good) - 30, len(good))}:
        assert errors_of(good[:length], name, tmp_path), length


@RELAXED
@given(
    files=st.dictionaries(
        st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=30),
        st.binary(max_size=60),
        max_size=6,
    ),
    metadata=st.text(max_size=300),
    points=st.text(max_size=200),
)
def test_any_names_and_texts_in_a_wheel_are_judged(
    files: dict[str, bytes], metadata: str, points: str, make_wheel: Callable[..., Path], tmp_path: Path
) -> None:
    start = "Metadata-Version: 2.4\nName: acme-model\nVersion: 1.0\n"
    info = "acme_model-1.0.dist-info"
    texts = {f"{info}/METADATA": (start + metadata).encode(), f"{info}/entry_points.txt": points.encode()}
    path = make_wheel({**files, **texts}, record=b"")
    assert errors_of(path.read_bytes(), WHEEL, tmp_path)


@settings(max_examples=300, deadline=None)
@given(data=st.binary(max_size=400) | st.text("ab:-\n\r\t [].=#;\x00\x85", max_size=200).map(str.encode))
def test_any_bytes_are_headers_and_entry_points_or_a_problem(data: bytes) -> None:
    headers = parse_headers(data)
    assert headers.fields or headers.defects or data[:1] in (b"", b"\r", b"\n")
    points = parse_entry_points(data)
    assert points.problem is None or points.points == ()
