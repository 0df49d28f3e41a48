"""No sequence of operations makes a submission stuck, or listed without a verdict."""

from __future__ import annotations

import itertools
import json
import tempfile
from pathlib import Path

import pytest
from chimes.evidence.finding import Finding
from chimes_marketplace.catalog.components import ListedComponent
from chimes_marketplace.catalog.files import list_files
from chimes_marketplace.errors import MarketplaceError
from chimes_marketplace.submissions import states
from chimes_marketplace.submissions.states import MOVES
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from hypothesis.strategies import sampled_from
from market_factories import make_wheel
from sqlalchemy import text
from validation_factories import Bench

FIXES = {
    "staged": "/close",
    "validating": "chimes cancel 1",
    "held": "submission approve|reject 1",
    "cancelled": "chimes retry 1",
    "infra": "chimes retry 1",
    "listed": "upload a new version",
    "rejected": "upload again",
}


class Submissions(RuleBasedStateMachine):
    """Applies every operation to one submission in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.bench = Bench(Path(self.folder.name))
        self.state = "staged"
        self.verdict = False
        self.attempts = 1

    @initialize()
    def upload(self) -> None:
        self.id = self.bench.stage(make_wheel(Path(self.folder.name)))

    @rule()
    def close(self) -> None:
        self.move("validating", lambda s: states.close(s, id=self.id, actor="alice"), ("staged",))

    @rule()
    def cancel(self) -> None:
        self.move("cancelled", lambda s: states.cancel(s, id=self.id, actor="alice"), states.OPEN)

    @rule()
    def retry(self) -> None:
        self.move("validating", lambda s: states.retry(s, id=self.id, actor="alice"), ("cancelled", "infra"))

    @rule(approved=sampled_from(["listed", "rejected"]))
    def person(self, approved: str) -> None:
        act = states.approve if approved == "listed" else states.reject
        self.move(approved, lambda s: act(s, id=self.id, actor="root", reason="looked at"), ("held",))

    @rule(state=sampled_from(["listed", "rejected", "held", "infra"]))
    def decide(self, state: str) -> None:
        level = "verified" if state in ("listed", "held") else None
        before = self.state
        self.move(
            state,
            lambda s: states.decide(s, id=self.id, state=state, findings=(), reason="because", level=level),
            ("validating",),
        )
        self.verdict = self.verdict or (before == "validating" and level is not None)

    def move(self, state: str, act: object, sources: tuple[str, ...]) -> None:
        assert callable(act)
        if self.state in sources:
            with self.bench.market.database.writing() as session:
                act(session)
            self.attempts += self.state in ("cancelled", "infra")
            self.state = state
            return
        with self.bench.market.database.writing() as session, pytest.raises(MarketplaceError) as caught:
            act(session)
        assert caught.value.code == "conflict"
        assert FIXES[self.state] in caught.value.fix

    @invariant()
    def the_database_agrees(self) -> None:
        if not hasattr(self, "id"):
            return
        with self.bench.market.database.reading() as session:
            found = states.get_submission(session, id=self.id)
            steps = [step.state for step in states.steps(session, id=self.id)]
            listed = list_files(session, submission_id=self.id, listed=True)
            assert found.state == self.state == steps[-1]
            assert all(after in MOVES[before] for before, after in itertools.pairwise(steps))
            assert bool(listed) == (self.state == "listed")
            assert self.verdict or not listed
            assert found.attempt == self.attempts
            assert (found.decided_at is None) == (self.state in ("staged", "validating"))
            assert (found.nonce is not None) == ("validating" in steps)
            assert states.release_state(session, release_id=found.release_id) == self.state

    def teardown(self) -> None:
        self.bench.market.database.close()
        self.folder.cleanup()


TestSubmissions = Submissions.TestCase
TestSubmissions.settings = settings(max_examples=15, stateful_step_count=12, deadline=None)


def test_every_state_that_is_not_final_can_be_left() -> None:
    ends = {state for state, after in MOVES.items() if not after}
    assert ends == {"listed", "rejected"}
    for state in MOVES:
        reached, fresh = {state}, {state}
        while fresh:
            fresh = {after for each in fresh for after in MOVES[each]} - reached
            reached |= fresh
        assert reached & ends


def test_a_retry_after_the_file_was_uploaded_again_is_refused(tmp_path: Path) -> None:
    bench, wheel = Bench(tmp_path), make_wheel(tmp_path)
    old = bench.submit(wheel)
    with bench.market.database.writing() as session:
        states.cancel(session, id=old, actor="alice")
    new = bench.stage(wheel)
    assert new != old
    with (
        bench.market.database.writing() as session,
        pytest.raises(MarketplaceError, match=r"submission 1 cannot be retried: acme_tools-.* was uploaded again"),
    ):
        states.retry(session, id=old, actor="alice")


def test_a_decision_about_a_held_submission_needs_a_reason(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    id = bench.submit(make_wheel(tmp_path))
    with bench.market.database.writing() as session:
        states.decide(session, id=id, state="held", findings=(), reason="look", level="verified")
        with pytest.raises(MarketplaceError, match="the reason is empty") as caught:
            states.approve(session, id=id, actor="root", reason=" ")
    assert caught.value.code == "bad-request"


def test_findings_and_components_are_stored_as_json_and_read_as_the_same_values(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    id = bench.submit(make_wheel(tmp_path))
    finding = {"code": "A07", "severity": "warning", "blocks": None, "message": "m", "fix": "f", "where": None}
    component = {"kind": "model", "name": "rain", "level": "verified", "seeded": False}
    findings, components = (Finding.model_validate(finding),), (ListedComponent.model_validate(component),)
    with bench.market.database.writing() as session:
        states.decide(
            session, id=id, state="held", findings=findings, reason="look", components=components, level="verified"
        )
    with bench.market.database.changing() as connection:
        stored = connection.execute(text("SELECT findings, components FROM submission")).one()
    assert [json.loads(each) for each in stored] == [[finding], [component]]
    with bench.market.database.reading() as session:
        found = states.get_submission(session, id=id)
    assert (found.findings, found.components) == (findings, components)


def test_an_unknown_submission_is_not_found(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    with bench.market.database.writing() as session:
        for act in (states.close, states.cancel, states.retry):
            with pytest.raises(MarketplaceError, match="there is no submission 7") as caught:
                act(session, id=7, actor="alice")
            assert caught.value.status == 404
        with pytest.raises(MarketplaceError, match="no such stage"):
            states.get_by_secret(session, secret="x")
        with pytest.raises(MarketplaceError, match="no submission"):
            states.release_state(session, release_id=1)


def test_the_secret_finds_the_submission(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    id = bench.stage(make_wheel(tmp_path))
    with bench.market.database.reading() as session:
        secret = states.get_submission(session, id=id).secret
        assert states.get_by_secret(session, secret=secret).id == id
