"""``submission``: the list, and the decisions about held submissions."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from chimes_marketplace.catalog.projects import add_project
from chimes_marketplace.catalog.releases import add_release
from chimes_marketplace.submissions.states import close, decide, get_submission, open_submission, steps
from command_results import RunCommand
from market_factories import add_author, make_market


def hold(folder: Path, *, state: str = "held") -> int:
    """Add a submission in that state and return its number."""
    market = make_market(folder)
    add_author(market)
    with market.database.writing() as session:
        project = add_project(session, name="Acme-Tools", member_id=1)
        assert project.id is not None
        release = add_release(session, project_id=project.id, version="1.0", type="library", about={})
        assert release.id is not None
        id_ = open_submission(session, release_id=release.id, user_id=1, actor="alice").id
        assert id_ is not None
        if state != "staged":
            close(session, id=id_, actor="alice")
            decide(session, id=id_, state=state, findings=[], reason="looks like another", level="verified")
    return id_


def test_held_submissions_are_listed(run_command: RunCommand, tmp_path: Path) -> None:
    id_ = hold(tmp_path)
    [row] = json.loads(run_command("submission", "list", "--state", "held", "--json").out)
    assert (row["id"], row["project"], row["version"]) == (id_, "acme-tools", "1.0")
    assert "looks like another" in run_command("submission", "list").out
    assert run_command("submission", "list", "--state", "listed").out == "No submission is listed.\n"


@pytest.mark.parametrize(("verb", "state"), [("approve", "listed"), ("reject", "rejected")])
def test_a_held_submission_is_decided_once(run_command: RunCommand, tmp_path: Path, verb: str, state: str) -> None:
    id_ = hold(tmp_path)
    assert run_command("submission", verb, id_, "--reason", "seen by a person").out == f"submission {id_} is {state}\n"
    with make_market(tmp_path).database.reading() as session:
        assert get_submission(session, id=id_).state == state
        last = steps(session, id=id_)[-1]
        assert (last.actor, last.note) == ("operator", "seen by a person")
    result = run_command("submission", verb, id_, "--reason", "again")
    assert (result.status, "conflict" in result.err) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [(("approve", "1", "--reason", " "), "bad-request"), (("reject", "9", "--reason", "x"), "not-found")],
)
def test_an_impossible_decision_is_refused(
    run_command: RunCommand, tmp_path: Path, arguments: tuple[str, ...], code: str
) -> None:
    hold(tmp_path)
    result = run_command("submission", *arguments)
    assert (result.status, f": {code}: " in result.err) == (2, True)


def test_a_staged_submission_cannot_be_approved(run_command: RunCommand, tmp_path: Path) -> None:
    result = run_command("submission", "approve", hold(tmp_path, state="staged"), "--reason", "x")
    assert (result.status, "close it first" in result.err) == (2, True)
