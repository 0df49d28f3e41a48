"""Finding projects, releases and files in any spelling, and making files public."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from chimes_marketplace.accounts.members import add_member, add_user
from chimes_marketplace.catalog.components import ListedComponent
from chimes_marketplace.catalog.files import list_files, list_named, publish_files
from chimes_marketplace.catalog.projects import (
    add_project,
    find_lookalikes,
    find_project,
    get_project,
    is_listed,
    list_all,
    list_listed,
)
from chimes_marketplace.catalog.releases import add_release, find_release, get_project_of, list_releases
from chimes_marketplace.catalog.tables import File
from chimes_marketplace.database import Session, now
from chimes_marketplace.errors import MarketplaceError
from chimes_marketplace.submissions.states import open_submission
from market_factories import make_market


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    market = make_market(tmp_path)
    with market.database.writing() as made:
        for slug in ("acme", "umbra"):
            add_member(made, slug=slug, name=slug, type="industry")
        add_user(made, name="alice", member="acme")
        yield made
    market.database.close()


def add_files(session: Session, version: str, *filenames: str, name: str = "acme-tools") -> int:
    """A staged submission with these files; its number."""
    project = find_project(session, name=name) or add_project(session, name=name, member_id=1)
    assert project.id is not None
    release = find_release(session, project_id=project.id, version=version) or add_release(
        session, project_id=project.id, version=version, type="plugin", about={}
    )
    assert release.id is not None
    submission = open_submission(session, release_id=release.id, user_id=1, actor="alice")
    assert submission.id is not None
    for filename in filenames:
        session.add(
            File(
                release_id=release.id,
                submission_id=submission.id,
                filename=filename,
                form="wheel",
                sha256="0" * 64,
                size_bytes=1,
            )
        )
    session.flush()
    return submission.id


def test_project_and_version_are_found_in_any_spelling(session: Session) -> None:
    add_files(session, "1.0", name="Acme.Tools")
    project = get_project(session, name="ACME__tools")
    assert (project.name, project.display_name) == ("acme-tools", "Acme.Tools")
    assert project.id is not None
    found = find_release(session, project_id=project.id, version="v1.0.0")
    assert found is not None
    assert found.id is not None
    assert get_project_of(session, release_id=found.id) is project
    assert find_release(session, project_id=project.id, version="1.0.1") is None
    assert find_release(session, project_id=project.id, version="one") is None
    with pytest.raises(MarketplaceError, match="'absent'"):
        get_project(session, name="absent")


def test_releases_come_newest_version_first(session: Session) -> None:
    for version in ("1.9", "1.10", "1.10rc1", "2!0.1"):
        add_files(session, version)
    project = get_project(session, name="acme-tools")
    assert project.id is not None
    found = [release.version for release in list_releases(session, project_id=project.id)]
    assert found == ["2!0.1", "1.10", "1.10rc1", "1.9"]


def test_only_lookalikes_of_other_members_are_found(session: Session) -> None:
    for name in ("torch-vision", "t0rchv1sion", "torchvision"):
        add_project(session, name=name, member_id=2 if name == "t0rchv1sion" else 1)
    assert [each.name for each in find_lookalikes(session, name="torchvision", member_id=1)] == ["t0rchv1sion"]
    near = find_lookalikes(session, name="TorchVision", member_id=2)
    assert [each.name for each in near] == ["torch-vision"]


def test_publishing_makes_all_files_public_at_once_and_keeps_their_time(session: Session) -> None:
    first = add_files(session, "1.0", "a-1.0.whl", "b-1.0.whl")
    add_files(session, "2.0", "a-2.0.whl", name="other")
    project = get_project(session, name="acme-tools")
    assert project.id is not None
    assert not is_listed(session, project_id=project.id)
    assert list_listed(session) == []
    at, model = now(), ListedComponent(kind="model", name="a", level="verified")
    publish_files(session, submission_id=first, at=at, components=[model], level="verified")
    publish_files(session, submission_id=first, at=at + timedelta(days=1), components=[], level="certified")
    assert [each.name for each in list_listed(session)] == ["acme-tools"]
    assert [each.name for each in list_all(session)] == ["acme-tools", "other"]
    assert {file.listed_at for file in list_files(session, project_id=project.id)} == {at}
    assert len(list_files(session, listed=True)) == 2
    assert len(list_files(session, listed=False)) == 1
    assert len(list_named(session, filename="a-1.0.whl", sha256="0" * 64)) == 1
    (release,) = list_releases(session, project_id=project.id)
    assert (release.level, release.components) == ("verified", (model,))
