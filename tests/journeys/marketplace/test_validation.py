"""Submissions are judged by real runs in the sandbox, on the real lane, with an empty index."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from chimes.cli.scaffolding.render import collect_answers, get_template, render
from chimes.conformance.gate.mutants import Edit, strict_wheel
from chimes.environments.build import build_wheel
from chimes.kinds.backend import JobHandle, JobState
from chimes_marketplace.lanes.documents import read_lock, read_log, read_record, read_verdict
from chimes_marketplace.lanes.lane import Lane
from chimes_marketplace.lanes.runs import list_runs, list_tasks
from chimes_marketplace.submissions.states import cancel
from journeys.hostile.hostile_plugins import Hostile, pack
from journeys.hostile.hostile_table import HOSTILES, NETWORK
from market_factories import make_wheel
from validation_factories import Bench

LIMIT_S = 300
IMPORT = "from chimes import Registration, hookimpl\n"


class Nothing(http.server.BaseHTTPRequestHandler):
    """An index without a project."""

    def do_GET(self) -> None:
        self.send_response(404)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def index_url() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Nothing) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/simple/"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def bench(tmp_path: Path, cache: Path) -> Bench:
    # Like an operator's home folder: other users may not read it.
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    return Bench(closed, cache=cache)


def scaffolded(folder: Path) -> Path:
    template = get_template("model")
    render(template, collect_answers(template, {"name": "acme-rain"}), folder / "project")
    (folder / "dist").mkdir()
    return build_wheel(folder / "project", folder / "dist")


def test_the_scaffolded_plugin_is_listed_with_all_its_documents(bench: Bench, tmp_path: Path, index_url: str) -> None:
    id = bench.submit(scaffolded(tmp_path))
    seen = bench.settle(bench.reconciler(index_url=index_url), id, limit_s=LIMIT_S)
    assert (seen.state, seen.reason, seen.level) == ("listed", None, "verified")
    assert [(each.kind, each.name, each.level) for each in seen.components] == [("model", "acme-rain", "verified")]
    blobs = bench.market.blobs
    with bench.market.database.reading() as session:
        (run,) = list_runs(session, submission_id=id)
        verdict, record = read_verdict(blobs, run), read_record(blobs, run)
        assert verdict is not None
        assert verdict.sandboxed is True
        assert record is not None
        assert record.run_s is not None
        assert record.run_s > 0
        assert "pyarrow" in (read_lock(blobs, run) or "")
        assert "clean: " in read_log(blobs, run)
    assert list((bench.market.settings.data / "runs").iterdir()) == []


@pytest.mark.parametrize("hostile", [NETWORK[0], next(each for each in HOSTILES if each.where == "start")], ids=str)
def test_a_hostile_plugin_is_rejected_by_code_and_cause(
    bench: Bench, tmp_path: Path, index_url: str, hostile: Hostile
) -> None:
    marker = tmp_path / "marker"
    id = bench.submit(pack(hostile, tmp_path, marker))
    seen = bench.settle(bench.reconciler(index_url=index_url), id, limit_s=LIMIT_S)
    assert seen.state == "rejected", seen.reason
    assert set(hostile.fails) <= set(seen.codes)
    with bench.market.database.reading() as session:
        verdict = read_verdict(bench.market.blobs, list_runs(session, submission_id=id)[-1])
    assert verdict is not None
    assert {each.cause for each in verdict.results if each.code in hostile.fails} == {hostile.cause}
    assert not marker.exists()


def test_a_plugin_that_imports_numpy_at_its_entry_is_rejected_for_s08(
    bench: Bench, tmp_path: Path, index_url: str
) -> None:
    heavy = strict_wheel("model", tmp_path, (Edit("plugin.py", IMPORT, f"import numpy\n\n{IMPORT}"),), ("numpy",))
    seen = bench.settle(bench.reconciler(index_url=index_url), bench.submit(heavy), limit_s=LIMIT_S)
    assert (seen.state, seen.codes) == ("rejected", ["S08"])


def test_a_library_is_listed_without_components(bench: Bench, tmp_path: Path, index_url: str) -> None:
    id = bench.submit(make_wheel(tmp_path, "acme-tools"), type="library")
    seen = bench.settle(bench.reconciler(index_url=index_url), id, limit_s=LIMIT_S)
    assert (seen.state, seen.reason, seen.components, seen.level) == ("listed", None, (), "verified")


def test_a_run_continues_without_its_reconciler_and_is_collected_by_the_next(
    bench: Bench, tmp_path: Path, index_url: str
) -> None:
    id = bench.submit(strict_wheel("model", tmp_path))
    first = bench.reconciler(index_url=index_url)
    bench.until(first, lambda: is_submitted(bench, id), limit_s=LIMIT_S)
    first.stop()
    second = bench.reconciler(index_url=index_url)
    seen = bench.settle(second, id, limit_s=LIMIT_S)
    assert (seen.state, len(seen.runs)) == ("listed", 1)


def test_cancelling_ends_the_jobs_processes(bench: Bench, tmp_path: Path, index_url: str) -> None:
    code = "from chimes import Registration, hookimpl\nimport time\ntime.sleep(50)\n"
    id = bench.submit(strict_wheel("model", tmp_path, (Edit("plugin.py", IMPORT, code),)))
    reconciler = bench.reconciler(index_url=index_url)
    bench.until(reconciler, lambda: is_submitted(bench, id), limit_s=LIMIT_S)
    (handle,) = [JobHandle.model_validate(run["handle"]) for run in bench.see(id).runs]
    lane = Lane(bench.market.settings, index_url=index_url)
    bench.until(reconciler, lambda: lane.status([handle])[0].state == JobState.RUNNING)
    with bench.market.database.writing() as session:
        cancel(session, id=id, actor="alice")
    bench.until(reconciler, lambda: bench.see(id).runs[0]["state"] == "done")
    assert bench.see(id).runs[0]["outcome"] == "cancelled"
    assert lane.status([handle])[0].state == JobState.CANCELLED
    root = str(bench.market.settings.data).encode()
    assert [path for path in Path("/proc").glob("[0-9]*/cmdline") if root in said(path)] == []


def test_a_lane_without_an_index_is_reported_by_name(bench: Bench, tmp_path: Path) -> None:
    (bench.market.settings.data / "cache").unlink()
    reconciler = bench.reconciler(
        lane=Lane(
            bench.market.settings,
            index_url="http://127.0.0.1:9/simple/",
            environ={"UV_DEFAULT_INDEX": "http://127.0.0.1:9/simple/", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
        )
    )
    seen = bench.settle(reconciler, bench.submit(strict_wheel("model", tmp_path)), limit_s=LIMIT_S)
    assert seen.state == "infra"
    assert (seen.reason or "").find("the lane cpu-local failed its control run: infrastructure: ") > 0
    assert "http://127.0.0.1:9/simple/" in (seen.reason or "")


def is_submitted(bench: Bench, id: int) -> bool:
    with bench.market.database.reading() as session:
        tasks = list_tasks(session, lane="cpu-local", state="admitted")
    return any(task.submission_id == id and task.handle is not None for task in tasks)


def said(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""
