"""Uploads of a file name that already exists."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
from chimes_marketplace.catalog.projects import get_project
from chimes_marketplace.catalog.releases import list_releases
from chimes_marketplace.web.state import Marketplace
from litestar.testing import TestClient
from market_factories import basic, make_sdist, make_wheel
from uploads import client_of, list_all_files, move, send


def other_bytes(folder: Path) -> Path:
    """Another file of the same name."""
    return make_wheel(folder / "other", files={"acme_tools/answer.py": "ANSWER = 42\n"})


@pytest.mark.parametrize("state", ["staged", "validating", "held", "listed", "rejected"])
def test_same_file_again_changes_nothing(
    client: TestClient[Any], market: Marketplace, token: str, tmp_path: Path, state: str
) -> None:
    wheel = make_wheel(tmp_path)
    first = send(client, token, wheel).json()
    move(market, first["submission"], state)
    again = send(client, token, wheel)
    assert again.status_code == 200
    assert (again.json()["submission"], again.json()["state"]) == (first["submission"], state)
    assert len(list_all_files(market)) == 1


@pytest.mark.parametrize("state", ["cancelled", "infra"])
def test_same_file_after_a_submission_without_verdict_is_judged_again(
    client: TestClient[Any], market: Marketplace, token: str, tmp_path: Path, state: str
) -> None:
    wheel = make_wheel(tmp_path)
    first = send(client, token, wheel).json()
    move(market, first["submission"], state)
    again = send(client, token, wheel).json()
    assert (again["submission"] != first["submission"], again["state"]) == (True, "staged")


def finding(code: str, where: str | None) -> dict[str, Any]:
    """An error as a decision stores it."""
    return {"code": code, "severity": "error", "blocks": "verified", "message": "m", "fix": "f", "where": where}


def test_a_file_rejected_because_of_another_file_is_judged_again_and_the_other_is_not(
    client: TestClient[Any], market: Marketplace, token: str, tmp_path: Path
) -> None:
    bad, good = make_wheel(tmp_path), make_sdist(tmp_path)
    first = send(client, token, bad).json()
    send(client, token, good)
    move(market, first["submission"], "rejected", findings=[finding("S21", f"{bad.name}: acme_tools")])
    assert send(client, token, bad).json()["submission"] == first["submission"]
    second = send(client, token, good).json()
    corrected = send(client, token, other_bytes(tmp_path)).json()
    assert second["submission"] == corrected["submission"] != first["submission"]


def test_an_sdist_that_was_rejected_without_a_wheel_is_accepted_with_one(
    client: TestClient[Any], market: Marketplace, token: str, tmp_path: Path
) -> None:
    sdist = make_sdist(tmp_path)
    first = send(client, token, sdist).json()
    move(market, first["submission"], "rejected", findings=[finding("A20", None)])
    second = send(client, token, make_wheel(tmp_path)).json()
    move(market, second["submission"], "listed")
    third = send(client, token, sdist).json()
    assert third["submission"] not in (first["submission"], second["submission"])


def test_a_plugin_and_a_library_cannot_be_wheels_of_one_release(
    client: TestClient[Any], market: Marketplace, token: str, tmp_path: Path
) -> None:
    first = send(client, token, make_wheel(tmp_path)).json()
    move(market, first["submission"], "listed")
    files = {"acme_tools/plugin.py": ""}
    other = make_wheel(tmp_path, tag="py3-none-linux_x86_64", files=files, entry_points={"x": "acme_tools.plugin"})
    answer = send(client, token, other)
    assert (answer.status_code, [each["code"] for each in answer.json()["findings"]][-1]) == (400, "A18")


def test_an_unlisted_file_changes_nothing_public_of_a_listed_release(
    client: TestClient[Any], market: Marketplace, token: str, tmp_path: Path
) -> None:
    first = send(client, token, make_wheel(tmp_path, metadata=["Keywords: public"])).json()
    move(market, first["submission"], "validating")
    other = make_wheel(tmp_path, tag="py3-none-linux_x86_64", metadata=["Keywords: secret"])
    second = send(client, token, other).json()
    move(market, first["submission"], "listed")
    move(market, second["submission"], "cancelled")
    with market.database.reading() as session:
        project = get_project(session, name="acme-tools")
        assert project.id is not None
        (release,) = list_releases(session, project_id=project.id)
        assert release.about["keywords"] == ["public"]


def test_the_release_shows_one_file_for_each_name(
    client: TestClient[Any], market: Marketplace, token: str, tmp_path: Path
) -> None:
    first = send(client, token, make_wheel(tmp_path)).json()
    move(market, first["submission"], "rejected")
    second = send(client, token, other_bytes(tmp_path)).json()
    address = "/api/v1/projects/acme-tools/releases/0.1.0"
    (file,) = client.get(address, headers=basic(token)).json()["files"]
    assert (file["sha256"], file["submission"]) == (second["sha256"], second["submission"])


@pytest.mark.parametrize("state", ["staged", "validating", "held"])
def test_other_bytes_of_a_file_being_validated_are_refused_with_a_fix(
    client: TestClient[Any], market: Marketplace, token: str, tmp_path: Path, state: str
) -> None:
    first = send(client, token, make_wheel(tmp_path)).json()
    move(market, first["submission"], state)
    answer = send(client, token, other_bytes(tmp_path))
    assert (answer.status_code, answer.json()["code"]) == (400, "file-exists")
    assert answer.json()["message"].startswith("File already exists")
    assert f"chimes cancel {first['submission']}" in answer.json()["fix"]
    assert "A14" in {each["code"] for each in answer.json()["findings"]}
    assert len(list_all_files(market)) == 1


def test_other_bytes_of_a_listed_file_are_always_refused(
    client: TestClient[Any], market: Marketplace, token: str, tmp_path: Path
) -> None:
    first = send(client, token, make_wheel(tmp_path)).json()
    move(market, first["submission"], "listed")
    answer = send(client, token, other_bytes(tmp_path), headers={"Accept": "text/plain"})
    assert answer.status_code == 400
    assert answer.text.startswith("File already exists")
    (file,) = list_all_files(market)
    assert file.sha256 == first["sha256"]


@pytest.mark.parametrize("state", ["rejected", "cancelled", "infra"])
def test_other_bytes_of_a_failed_file_open_a_new_submission(
    client: TestClient[Any], market: Marketplace, token: str, tmp_path: Path, state: str
) -> None:
    first = send(client, token, make_wheel(tmp_path)).json()
    move(market, first["submission"], state)
    second = send(client, token, other_bytes(tmp_path))
    assert second.status_code == 200, second.text
    assert second.json()["submission"] != first["submission"]
    assert second.json()["state"] == "staged"


def test_unchanged_file_of_a_failed_submission_joins_the_open_one(
    client: TestClient[Any], market: Marketplace, token: str, tmp_path: Path
) -> None:
    sdist = make_sdist(tmp_path)
    first = send(client, token, make_wheel(tmp_path)).json()
    send(client, token, sdist)
    move(market, first["submission"], "rejected")
    second = send(client, token, other_bytes(tmp_path)).json()
    joined = send(client, token, sdist).json()
    assert joined["submission"] == second["submission"] != first["submission"]
    assert len(list_all_files(market)) == 4


def test_earlier_bytes_of_a_replaced_file_count_as_other_bytes(
    client: TestClient[Any], market: Marketplace, token: str, tmp_path: Path
) -> None:
    wheel = make_wheel(tmp_path)
    first = send(client, token, wheel).json()
    move(market, first["submission"], "rejected")
    second = send(client, token, other_bytes(tmp_path)).json()
    assert send(client, token, wheel).json()["code"] == "file-exists"
    move(market, second["submission"], "rejected")
    third = send(client, token, wheel).json()
    assert third["submission"] not in (first["submission"], second["submission"])


def test_another_spelling_of_a_taken_name_is_taken(
    client: TestClient[Any], market: Marketplace, token: str, tmp_path: Path
) -> None:
    first = send(client, token, make_wheel(tmp_path)).json()
    move(market, first["submission"], "listed")
    longer = make_wheel(tmp_path, version="0.1")
    answer = send(client, token, longer)
    assert (answer.status_code, answer.json()["code"]) == (400, "file-exists")
    assert "as 'acme_tools-0.1.0-py3-none-any.whl'" in answer.json()["message"]


def test_file_for_another_platform_opens_a_submission_of_its_own(
    client: TestClient[Any], market: Marketplace, token: str, tmp_path: Path
) -> None:
    first = send(client, token, make_wheel(tmp_path)).json()
    move(market, first["submission"], "validating")
    second = send(client, token, make_wheel(tmp_path, tag="py3-none-linux_x86_64")).json()
    assert second["submission"] != first["submission"]


def test_sdist_keeps_its_own_metadata_beside_a_wheel(
    client: TestClient[Any], market: Marketplace, token: str, tmp_path: Path
) -> None:
    sdist = make_sdist(tmp_path)
    send(client, token, sdist)
    plugin = make_wheel(tmp_path, entry_points={"answer": "acme_tools"})
    taken = send(client, token, plugin)
    assert taken.status_code == 200, taken.text
    assert send(client, token, sdist).status_code == 200
    kinds = {file.form: file for file in list_all_files(market)}
    assert set(kinds) == {"wheel", "sdist"}
    assert kinds["wheel"].metadata_sha256
    assert kinds["sdist"].metadata_sha256 is None
    assert kinds["wheel"].requires_python == ">=3.11"


@pytest.mark.parametrize(("same", "statuses"), [(True, [200, 200]), (False, [200, 400])])
def test_two_uploads_at_once_give_one_row(
    market: Marketplace, token: str, tmp_path: Path, same: bool, statuses: list[int]
) -> None:
    wheels = [make_wheel(tmp_path), make_wheel(tmp_path) if same else other_bytes(tmp_path)]
    together = threading.Barrier(2)
    seen: list[int] = []

    def upload(wheel: Path) -> None:
        with client_of(market) as client:
            together.wait(30)
            seen.append(send(client, token, wheel).status_code)

    threads = [threading.Thread(target=upload, args=(wheel,)) for wheel in wheels]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(seen) == statuses
    assert len(list_all_files(market)) == 1
