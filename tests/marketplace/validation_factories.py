"""Factories for tests of the validation: submissions made without an upload, and passes until they end."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from chimes_marketplace.accounts.members import list_users
from chimes_marketplace.catalog.components import ListedComponent
from chimes_marketplace.catalog.projects import add_project, find_project
from chimes_marketplace.catalog.releases import add_release, find_release
from chimes_marketplace.catalog.tables import File
from chimes_marketplace.database import now
from chimes_marketplace.lanes.lane import Lane
from chimes_marketplace.lanes.leases import Worker
from chimes_marketplace.lanes.runs import list_runs
from chimes_marketplace.submissions.states import close, find_staged, get_submission, open_submission
from chimes_marketplace.validation.reconciler import Reconciler
from chimes_marketplace.web.state import Marketplace
from market_factories import add_author, make_market
from packaging.utils import parse_sdist_filename, parse_wheel_filename

__all__ = ["Bench", "Clock", "Seen"]

STEP_S = 0.01


class Clock:
    """A clock that a test advances."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def __call__(self) -> datetime:
        return now() + self.ahead


@dataclass(frozen=True)
class Seen:
    """The values of a submission at one moment."""

    state: str
    reason: str | None
    attempt: int
    codes: list[str]
    components: tuple[ListedComponent, ...]
    level: str | None
    runs: list[dict[str, Any]]


class Bench:
    """A marketplace without a server, with an author."""

    def __init__(self, folder: Path, *, cache: Path | None = None, lease_s: float = 0.2, **settings: Any) -> None:
        self.market: Marketplace = make_market(folder, lease_s=lease_s, **settings)
        if cache is not None:
            (self.market.settings.data / "cache").symlink_to(cache)
        add_author(self.market)

    def reconciler(
        self,
        *,
        index_url: str = "http://127.0.0.1:9/simple/",
        lane: Lane | None = None,
        clock: Callable[[], datetime] = now,
        **more: Any,
    ) -> Reconciler:
        """A new reconciler on the same data: another worker, or the same one after a restart."""
        settings = self.market.settings
        return Reconciler(
            settings=settings,
            database=self.market.database,
            blobs=self.market.blobs,
            lane=lane or Lane(settings, index_url=index_url),
            worker=Worker(lease_s=settings.lease_s, clock=clock),
            **more,
        )

    def stage(self, *paths: Path, type: str = "plugin", user: str = "alice") -> int:
        """A staged submission of these files."""
        name, version = _named(paths[0])
        with self.market.database.writing() as session:
            owner = next(row for row, _ in list_users(session) if row.name == user)
            assert owner.id is not None
            project = find_project(session, name=name) or add_project(session, name=name, member_id=owner.member_id)
            assert project.id is not None
            release = find_release(session, project_id=project.id, version=version) or add_release(
                session, project_id=project.id, version=version, type=type, about={}
            )
            assert release.id is not None
            submission = find_staged(session, release_id=release.id) or open_submission(
                session, release_id=release.id, user_id=owner.id, actor=user
            )
            assert submission.id is not None
            for path in paths:
                data = path.read_bytes()
                file = File(
                    release_id=release.id,
                    submission_id=submission.id,
                    filename=path.name,
                    form="wheel" if path.suffix == ".whl" else "sdist",
                    sha256=hashlib.sha256(data).hexdigest(),
                    size_bytes=len(data),
                )
                self.market.blobs.put(data)
                session.add(file)
            return submission.id

    def submit(self, *paths: Path, **more: Any) -> int:
        """A closed submission of these files."""
        id = self.stage(*paths, **more)
        with self.market.database.writing() as session:
            close(session, id=id, actor="alice")
        return id

    def see(self, id: int) -> Seen:
        """The values of a submission now."""
        with self.market.database.reading() as session:
            found = get_submission(session, id=id)
            return Seen(
                state=found.state,
                reason=found.reason,
                attempt=found.attempt,
                codes=[finding.code for finding in found.findings],
                components=found.components,
                level=found.level,
                runs=[run.model_dump() for run in list_runs(session, submission_id=id)],
            )

    def settle(self, reconciler: Reconciler, id: int, *, limit_s: float = 30) -> Seen:
        """Make passes until the submission is decided; fails after ``limit_s``."""
        self.until(reconciler, lambda: self.see(id).state not in ("staged", "validating"), limit_s=limit_s)
        return self.see(id)

    def until(self, reconciler: Reconciler, condition: Callable[[], bool], *, limit_s: float = 30) -> None:
        """Make passes until the condition holds; fails after ``limit_s``."""
        deadline = time.monotonic() + limit_s
        while not condition():
            assert time.monotonic() < deadline, f"it does not hold after {limit_s} s"
            reconciler.step()
            time.sleep(STEP_S)


def _named(path: Path) -> tuple[str, str]:
    found = parse_wheel_filename(path.name) if path.suffix == ".whl" else parse_sdist_filename(path.name)
    return str(found[0]), str(found[1])
