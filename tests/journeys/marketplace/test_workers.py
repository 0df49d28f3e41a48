"""Workers as separate processes: the same journey as with ``serve`` alone, and a worker killed during a run."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from chimes_marketplace.database import Database
from chimes_marketplace.lanes.tables import Run
from chimes_marketplace.submissions.states import steps
from market_factories import Server, add_author, make_market, make_wheel, serve, work
from sqlmodel import select
from uploads import form_of

LIMIT_S = 240.0
SETTINGS = {"quiet_s": 1, "lease_s": 3, "slots": 2}
SLOW = "import time\nuntil = time.monotonic() + 10\nwhile time.monotonic() < until:\n    pass\n"
"""A library whose import takes long enough to kill the worker of its run."""


def upload(server: Server, token: str, wheel: Path) -> int:
    form = form_of(wheel)
    data = {name: [text for key, text in form if key == name] for name, _ in form}
    files = {"content": (wheel.name, wheel.read_bytes())}
    sent = httpx.post(f"{server.url}/legacy/", data=data, files=files, auth=("__token__", token), timeout=60)
    assert sent.status_code == 200, sent.text
    return int(sent.json()["submission"])


def wait_until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + LIMIT_S
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.1)


def state_of(server: Server, token: str, id: int) -> str:
    answer = httpx.get(f"{server.url}/api/v1/submissions/{id}", auth=("__token__", token), timeout=60)
    return str(answer.json()["state"])


@pytest.mark.parametrize("workers", [0, 2], ids=["serve alone", "serve and two workers"])
def test_an_upload_is_listed(tmp_path: Path, workers: int) -> None:
    market = make_market(tmp_path)
    token = add_author(market)
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(serve(tmp_path, worker=not workers, **SETTINGS))
        for _ in range(workers):
            stack.enter_context(work(server, **SETTINGS))
        ids = [upload(server, token, make_wheel(tmp_path, name)) for name in ("acme-a", "acme-b", "acme-c")]
        wait_until(lambda: {state_of(server, token, id) for id in ids} == {"listed"}, "they are not listed")
        index = httpx.get(f"{server.url}/simple/").text
        assert all(name in index for name in ("acme-a", "acme-b", "acme-c"))
    assert_judged_once(market.database, ids)


def test_the_run_of_a_killed_worker_is_finished_by_the_other_and_judged_once(tmp_path: Path) -> None:
    market = make_market(tmp_path)
    token = add_author(market)
    wheel = make_wheel(tmp_path, "acme-slow", files={"acme_slow/__init__.py": SLOW})
    with serve(tmp_path, worker=False, **SETTINGS) as server, contextlib.ExitStack() as stack:
        workers = [stack.enter_context(work(server, **SETTINGS)) for _ in range(2)]
        id = upload(server, token, wheel)
        wait_until(lambda: owner_of(market.database, id) is not None, "no worker has submitted its job")
        owner = owner_of(market.database, id)
        assert owner is not None
        victim = next(each for each in workers if f":{each.pid}:" in owner)
        os.kill(victim.pid, signal.SIGKILL)
        assert victim.wait(30) == -signal.SIGKILL
        wait_until(lambda: state_of(server, token, id) != "validating", "it is not decided")
        assert state_of(server, token, id) == "listed"
    assert_judged_once(market.database, [id])


def owner_of(database: Database, id: int) -> str | None:
    """The worker that holds the run of that submission, once its job is submitted."""
    with database.reading() as session:
        run = session.exec(select(Run).where(Run.submission_id == id)).first()
        return run.owner if run is not None and run.handle is not None else None


def assert_judged_once(database: Database, ids: list[int]) -> None:
    """One decision and one run for each, and one control run for all."""
    with database.reading() as session:
        for id in ids:
            assert [step.state for step in steps(session, id=id)] == ["staged", "validating", "listed"]
        runs = session.exec(select(Run)).all()
        assert sorted((run.submission_id or 0, run.outcome) for run in runs) == [
            (0, "clean"),
            *((id, "clean") for id in ids),
        ]
        assert len({run.handle.native_id for run in runs if run.handle is not None}) == len(runs)
