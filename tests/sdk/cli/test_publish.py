"""``chimes publish``, ``cancel`` and ``retry`` against a server on loopback that answers like a marketplace."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from chimes.conformance.gate.mutants import strict_wheel
from chimes.processes import PIPE, Completed, Process, run
from market_stand_in import TOKEN, Answer, Asked, accepted, serving, submission

CHIMES = str(Path(sys.executable).with_name("chimes"))
FINDING = {
    "code": "M07",
    "severity": "error",
    "blocks": "verified",
    "message": "the second\x1b[2K answer differs",
    "fix": "seed it",
    "where": None,
}


def environment(url: str, token: str = TOKEN) -> dict[str, str]:
    return {**os.environ, "COLUMNS": "120", "CHIMES_URL": url, "CHIMES_TOKEN": token}


def chimes(url: str, *arguments: str | Path, token: str = TOKEN) -> Completed:
    return run([CHIMES, *map(str, arguments)], env=environment(url, token))


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return strict_wheel("model", tmp_path_factory.mktemp("wheel"))


def ending(state: str, **more: Any) -> Any:
    """Takes every file, is closed, validates for one question, then is in ``state``."""
    states = ["validating", state]

    def answer(asked: Asked) -> Answer:
        if asked.path == "/legacy/":
            return 200, accepted(asked)
        if asked.method == "POST":
            return 200, submission("validating")
        now = states.pop(0) if len(states) > 1 else states[0]
        return 200, submission(now, **(more if now == state else {}))

    return answer


def test_a_release_is_uploaded_closed_and_polled_until_it_is_listed(wheel: Path) -> None:
    with serving(ending("listed")) as stall:
        done = chimes(stall.url, "publish", wheel)
    assert done.returncode == 0, done.text
    assert stall.paths() == [
        "POST /legacy/",
        "POST /api/v1/submissions/7/close",
        "GET /api/v1/submissions/7",
        "GET /api/v1/submissions/7",
    ]
    upload = stall.asked[0]
    assert (upload.filename, upload.form[":action"], upload.accept) == (wheel.name, "file_upload", "application/json")
    out = done.stdout.decode()
    assert "acme-rain 1.0 (submission 7) listed" in out
    assert "report: http://market/reports/7/" in out
    assert "stage: http://market/stage/s/simple/" in out


@pytest.mark.parametrize(
    ("state", "status", "word"),
    [
        ("rejected", 1, "the version number is still free"),
        ("held", 1, "an admin of the marketplace must approve it first"),
        ("cancelled", 1, "chimes retry 7"),
        ("infra", 2, "which is not your fault: chimes retry 7"),
    ],
)
def test_the_exit_status_follows_from_the_state(wheel: Path, state: str, status: int, word: str) -> None:
    with serving(ending(state, findings=[FINDING], reason="because")) as stall:
        done = chimes(stall.url, "publish", wheel)
    out = done.stdout.decode()
    assert done.returncode == status, done.text
    assert word in out
    assert "reason: because" in out
    assert "fix: seed it" in out
    assert "\x1b[2K" not in out


def test_json_is_one_object_on_standard_output(wheel: Path) -> None:
    with serving(ending("rejected", findings=[FINDING])) as stall:
        done = chimes(stall.url, "publish", wheel, "--json")
    answer = json.loads(done.stdout)
    assert done.returncode == 1
    assert (answer["submission"], answer["state"], answer["findings"][0]["code"]) == (7, "rejected", "M07")


def test_without_waiting_it_ends_when_the_validation_begins(wheel: Path) -> None:
    with serving(ending("listed")) as stall:
        done = chimes(stall.url, "publish", wheel, "--no-wait")
    assert done.returncode == 0, done.text
    assert stall.paths() == ["POST /legacy/", "POST /api/v1/submissions/7/close"]
    assert "validating" in done.stdout.decode()


def test_a_listed_release_is_not_closed_again(wheel: Path) -> None:
    def answer(asked: Asked) -> Answer:
        return 200, accepted(asked, "listed") if asked.path == "/legacy/" else submission("listed")

    with serving(answer) as stall:
        done = chimes(stall.url, "publish", wheel)
    assert done.returncode == 0, done.text
    assert not [path for path in stall.paths() if path.endswith("/close")]


def test_a_close_that_comes_too_late_changes_nothing(wheel: Path) -> None:
    follow = ending("listed")

    def answer(asked: Asked) -> Answer:
        if asked.path.endswith("/close"):
            return 409, {"code": "conflict", "message": "it is validating", "fix": "wait", "findings": []}
        return follow(asked)  # type: ignore[no-any-return]

    with serving(answer) as stall:
        assert chimes(stall.url, "publish", wheel).returncode == 0


def test_findings_of_the_file_stop_the_upload(tmp_path: Path) -> None:
    (tmp_path / "acme-1.0-py3-none-any.whl").write_bytes(b"not a wheel")
    with serving(ending("listed")) as stall:
        done = chimes(stall.url, "publish", tmp_path)
        answer = json.loads(chimes(stall.url, "publish", tmp_path, "--json").stdout)
    assert done.returncode == 1
    assert "not uploaded" in done.stdout.decode()
    assert "A01" in done.stdout.decode()
    assert (answer["state"], answer["submission"]) == ("refused", None)
    assert stall.asked == []


def test_checks_can_be_left_to_the_marketplace(wheel: Path, tmp_path: Path) -> None:
    reserved = tmp_path / "python-1.0-py3-none-any.whl"
    reserved.write_bytes(wheel.read_bytes())
    with serving(ending("listed")) as stall:
        assert chimes(stall.url, "publish", reserved).returncode == 1
        assert chimes(stall.url, "publish", reserved, "--skip-checks").returncode == 0
    assert stall.asked[0].filename == reserved.name


def test_a_file_that_twine_cannot_read_exits_2(tmp_path: Path) -> None:
    (tmp_path / "acme-1.0-py3-none-any.whl").write_bytes(b"not a wheel")
    with serving(ending("listed")) as stall:
        done = chimes(stall.url, "publish", tmp_path, "--skip-checks")
    assert done.returncode == 2, done.text
    assert "cannot be uploaded" in done.text
    assert "Traceback" not in done.text


def refusing(second_only: bool = False) -> Any:
    def answer(asked: Asked) -> Answer:
        if asked.path != "/legacy/":
            return 200, submission("cancelled")
        if second_only and asked.filename is not None and asked.filename.endswith(".whl"):
            return 200, accepted(asked)
        answer = {"code": "immutable", "message": "other bytes are listed", "fix": "raise the version", "findings": []}
        return 400, answer

    return answer


def test_a_refused_upload_shows_the_answer_of_the_marketplace(wheel: Path) -> None:
    with serving(refusing()) as stall:
        done = chimes(stall.url, "publish", wheel)
        answer = json.loads(chimes(stall.url, "publish", wheel, "--json").stdout)
    assert done.returncode == 1, done.text
    assert "other bytes are listed" in done.stdout.decode()
    assert "fix: raise the version" in done.stdout.decode()
    assert answer["findings"][0]["code"] == "immutable"


def test_one_refused_file_cancels_the_others(tmp_path: Path) -> None:
    project = tmp_path / "rain-model"
    assert run([CHIMES, "new", "model", str(project), "--no-input"]).returncode == 0
    with serving(refusing(second_only=True)) as stall:
        done = chimes(stall.url, "publish", project, "--skip-checks")
    assert done.returncode == 1, done.text
    assert stall.paths() == ["POST /legacy/", "POST /legacy/", "POST /api/v1/submissions/7/cancel"]
    assert [asked.filename for asked in stall.asked[:2]] == [
        "rain_model-0.1.0-py3-none-any.whl",
        "rain_model-0.1.0.tar.gz",
    ]
    assert "submission 7 with the other files was cancelled" in " ".join(done.stdout.decode().split())


def test_a_project_folder_is_built_and_is_clean(tmp_path: Path) -> None:
    project = tmp_path / "rain-model"
    assert run([CHIMES, "new", "model", str(project), "--no-input"]).returncode == 0
    with serving(ending("listed")) as stall:
        done = chimes(stall.url, "publish", project)
    assert done.returncode == 0, done.text
    assert stall.paths().count("POST /legacy/") == 2


def test_a_request_is_repeated_after_a_server_error(wheel: Path) -> None:
    follow, seen = ending("listed"), set[str]()

    def answer(asked: Asked) -> Answer:
        first = f"{asked.method} {asked.path}"
        if first not in seen:
            seen.add(first)
            return 503, "starting"
        return follow(asked)  # type: ignore[no-any-return]

    with serving(answer) as stall:
        done = chimes(stall.url, "publish", wheel)
    assert done.returncode == 0, done.text


@pytest.mark.parametrize(
    ("status", "answer", "phrase"),
    [
        (
            401,
            {"code": "credentials-required", "message": "say who you are", "fix": "a token"},
            "auth: say who you are",
        ),
        (404, "<html>nothing</html>", "does not answer like a Chimes marketplace"),
        (200, "<html>hello</html>", "does not answer like a Chimes marketplace"),
        (200, {"hello": 1}, "does not answer like a Chimes marketplace"),
        (302, "", "does not answer like a Chimes marketplace"),
    ],
)
def test_an_answer_that_is_not_about_the_file_exits_2(wheel: Path, status: int, answer: Any, phrase: str) -> None:
    with serving(lambda _: (status, answer)) as stall:
        done = chimes(stall.url, "publish", wheel)
    assert done.returncode == 2, done.text
    assert phrase in done.stderr.decode()
    assert "fix:" in done.stderr.decode()
    assert "Traceback" not in done.text


def test_a_refused_token_exits_2_and_is_not_shown(wheel: Path) -> None:
    with serving(ending("listed")) as stall:
        done = chimes(stall.url, "publish", wheel, token="chimes-other")
    assert done.returncode == 2
    assert "permission-denied: this token is not valid" in done.text
    assert "chimes-other" not in done.text


@pytest.mark.parametrize(
    ("arguments", "url", "token", "phrase"),
    [
        (["{wheel}"], "", TOKEN, "CHIMES_URL"),
        (["{wheel}"], "market.example.org", TOKEN, "is not the address"),
        (["{wheel}"], "http://127.0.0.1:1", "", "CHIMES_TOKEN"),
        (["{wheel}"], "http://127.0.0.1:1", "to\nken", "copy it again"),
        (["/no/such/file"], "http://127.0.0.1:1", TOKEN, "/no/such/file"),
        (["{empty}"], "http://127.0.0.1:1", TOKEN, "neither distributions nor a pyproject.toml"),
        (["{text}"], "http://127.0.0.1:1", TOKEN, "neither a wheel nor an sdist"),
        (["{wheel}", "{other}"], "http://127.0.0.1:1", TOKEN, "several releases"),
        ([], "http://127.0.0.1:1", TOKEN, "Missing argument"),
    ],
)
def test_input_that_cannot_be_published_exits_2(
    wheel: Path, tmp_path: Path, arguments: list[str], url: str, token: str, phrase: str
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "note.txt").write_text("hello")
    places = {"empty": tmp_path / "empty", "text": tmp_path / "note.txt", "wheel": wheel}
    if "{other}" in arguments:
        places["other"] = strict_wheel("backend", tmp_path)
    done = chimes(url, "publish", *(argument.format(**places) for argument in arguments), token=token)
    assert done.returncode == 2, done.text
    assert phrase in done.text
    assert "Traceback" not in done.text


def test_an_unreachable_server_exits_2(wheel: Path) -> None:
    done = chimes("http://127.0.0.1:1", "publish", wheel, "--json")
    assert done.returncode == 2
    assert "cannot be reached: Connection refused" in done.stderr.decode()
    assert json.loads(done.stdout)["error"]["code"] == "infrastructure"


def test_ctrl_c_leaves_the_submission_going(wheel: Path) -> None:
    with serving(lambda asked: (200, accepted(asked) if asked.filename else submission("validating"))) as stall:
        # A shell lets its background jobs ignore this signal, and their children inherit that.
        argv = ["env", "--default-signal=INT", str(CHIMES), "publish", str(wheel)]
        process = Process(argv, env=environment(stall.url), stdout=PIPE, stderr=PIPE)
        deadline = time.monotonic() + 30
        while "GET /api/v1/submissions/7" not in stall.paths():
            assert time.monotonic() < deadline
        os.kill(process.pid, signal.SIGINT)
        with process.stdout, process.stderr:
            text = process.stderr.read().decode()
        assert process.wait() == 130
    assert "submission 7 continues; end it with: chimes cancel 7" in text


def test_a_submission_is_cancelled(wheel: Path) -> None:
    with serving(lambda _: (200, submission("cancelled"))) as stall:
        done = chimes(stall.url, "cancel", "7")
    assert done.returncode == 0, done.text
    assert stall.paths() == ["POST /api/v1/submissions/7/cancel"]
    assert "chimes retry 7" in done.stdout.decode()


def test_a_decided_submission_cannot_be_cancelled() -> None:
    answer = {"code": "conflict", "message": "submission 7 is listed", "fix": "yank it", "findings": []}
    with serving(lambda _: (409, answer)) as stall:
        done = chimes(stall.url, "cancel", "7")
    assert done.returncode == 2
    assert "conflict: submission 7 is listed" in done.text
    assert "fix: yank it" in done.text


def test_a_submission_is_retried_and_polled() -> None:
    with serving(ending("listed")) as stall:
        done = chimes(stall.url, "retry", "7")
        left = chimes(stall.url, "retry", "7", "--no-wait", "--json")
    assert done.returncode == 0, done.text
    assert stall.paths()[0] == "POST /api/v1/submissions/7/retry"
    assert "listed" in done.stdout.decode()
    assert (left.returncode, json.loads(left.stdout)["state"]) == (0, "validating")


@pytest.mark.parametrize("verb", ["cancel", "retry"])
@pytest.mark.parametrize("number", ["0", "x", ""])
def test_a_submission_has_a_number(verb: str, number: str) -> None:
    assert chimes("http://127.0.0.1:1", verb, number).returncode == 2
