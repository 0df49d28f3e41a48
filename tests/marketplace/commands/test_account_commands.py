"""``member``, ``user``, ``token``: the behaviour that scripts rely on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from chimes_marketplace.accounts.tokens import authenticate
from chimes_marketplace.commands.line import VERBS
from chimes_marketplace.database import Database
from command_results import RunCommand
from market_factories import make_market


def start(run_command: RunCommand) -> None:
    assert run_command("member", "add", "acme", "--name", "Acme Institute", "--type", "industry").status == 0
    assert run_command("user", "add", "alice", "--member", "acme", "--role", "admin").status == 0


def test_a_member_can_be_added_before_the_first_serve(run_command: RunCommand, data: Path) -> None:
    start(run_command)
    assert data.stat().st_mode & 0o077 == 0
    result = run_command("member", "list")
    assert result.out.splitlines() == ["slug  name            type", "acme  Acme Institute  industry"]
    assert json.loads(run_command("user", "list", "--json").out) == [
        {"name": "alice", "member": "acme", "role": "admin"}
    ]


def test_only_the_created_token_is_printed_and_it_works_at_once(run_command: RunCommand, data: Path) -> None:
    start(run_command)
    result = run_command("token", "create", "--user", "alice", "--project", "Acme_Tools", "--days", 3)
    assert (result.status, result.err) == (0, "")
    [token] = result.out.splitlines()
    with Database(f"sqlite:///{data / 'marketplace.db'}").reading() as session:
        assert authenticate(session, token).project == "acme-tools"


def test_tokens_are_listed_without_their_secrets_and_revoked_by_number(run_command: RunCommand) -> None:
    start(run_command)
    secrets = [run_command("token", "create", "--user", "alice").out.strip() for _ in range(2)]
    result = run_command("token", "list", "--user", "alice")
    assert result.out.splitlines()[0].split() == ["id", "project", "created", "expires"]
    assert not [secret for secret in secrets if secret in result.out or secret[-12:] in result.out]
    assert run_command("token", "revoke", 1).out == "revoked the token 1\n"
    rows = json.loads(run_command("token", "list", "--user", "alice", "--json").out)
    assert [(row["id"], row["project"], row["expires"]) for row in rows] == [(2, None, None)]


def test_an_empty_list_names_the_command_that_adds(run_command: RunCommand, tmp_path: Path) -> None:
    make_market(tmp_path)
    for verb in ("member", "user"):
        assert f"chimes-marketplace {verb} add" in run_command(verb, "list").out
        assert json.loads(run_command(verb, "list", "--json").out) == []
    start(run_command)
    assert "chimes-marketplace token create --user alice" in run_command("token", "list", "--user", "alice").out


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("member", "add", "acme", "--name", "Other", "--type", "user"), "exists"),
        (("member", "add", "Ä", "--name", "Other", "--type", "user"), "bad-request"),
        (("member", "add", "other", "--name", "Other", "--type", "bank"), "bad-request"),
        (("user", "add", "bob", "--member", "other"), "not-found"),
        (("user", "add", "bob", "--member", "acme", "--role", "root"), "bad-request"),
        (("token", "create", "--user", "bob"), "not-found"),
        (("token", "create", "--user", "alice", "--days", "0"), "bad-request"),
        (("token", "list", "--user", "bob"), "not-found"),
        (("token", "revoke", "7"), "not-found"),
    ],
)
def test_an_impossible_command_is_refused_in_one_sentence_with_a_fix(
    run_command: RunCommand, arguments: tuple[str, ...], code: str
) -> None:
    start(run_command)
    result = run_command(*arguments)
    assert (result.status, result.out) == (2, "")
    first, second = result.err.splitlines()
    assert first.startswith(f"chimes-marketplace: {code}: ")
    assert second.startswith("  fix: ")


def test_the_data_folder_may_be_named_before_the_verb_and_after_it(
    run_command: RunCommand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start(run_command)
    other = tmp_path / "other"
    for order in (("--data", other, "member", "list"), ("member", "list", "--data", other)):
        result = run_command(*order)
        assert (result.status, f"no data folder {str(other)!r}" in result.err) == (2, True)
    assert not other.exists()
    monkeypatch.delenv("CHIMES_DATA_DIR")
    assert "add --data DIR, or set CHIMES_DATA_DIR" in run_command("member", "list").err


@pytest.mark.parametrize(
    "command",
    [
        "member list",
        "user add alice --member acme",
        "user list",
        "token create --user alice",
        "token list --user alice",
        "token revoke 1",
        "submission list",
        "submission approve 1 --reason x",
    ],
)
def test_only_serve_and_member_add_make_a_database(run_command: RunCommand, data: Path, command: str) -> None:
    data.mkdir()
    result = run_command(*command.split())
    assert (result.status, "there is no database" in result.err) == (2, True)
    assert "give --data the folder that the server uses" in result.err
    assert not list(data.iterdir())


def test_a_folder_with_an_invalid_database_is_refused(run_command: RunCommand, data: Path) -> None:
    data.mkdir()
    (data / "marketplace.db").write_text("no database at all, but a long enough text" * 20)
    result = run_command("member", "list")
    assert (result.status, "file is not a database" in result.err) == (2, True)


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("nonsense", "not a valid database address"),
        ("postgresql://alice:hush@host:port/x", "not a valid database address"),
        ("nosuch://alice:hush@host/x", "no driver"),
    ],
)
def test_an_invalid_database_address_is_refused_without_its_password(
    run_command: RunCommand, data: Path, monkeypatch: pytest.MonkeyPatch, address: str, reason: str
) -> None:
    data.mkdir()
    monkeypatch.setenv("CHIMES_MARKETPLACE_DATABASE_URL", address)
    result = run_command("member", "list")
    assert (result.status, reason in result.err, "hush" in result.err) == (2, True, False)


def test_a_path_that_is_a_file_is_refused(run_command: RunCommand, data: Path) -> None:
    data.write_text("")
    result = run_command("member", "add", "acme", "--name", "Acme", "--type", "user")
    assert result.status == 2
    assert str(data) in result.err
    assert "fix:" in result.err


@pytest.mark.parametrize("verb", VERBS)
def test_every_command_shows_an_example(run_command: RunCommand, verb: str) -> None:
    helped = run_command(verb, "--help")
    assert helped.status == 0
    inner = [line.split()[0] for line in helped.out.partition("Commands:\n")[2].splitlines() if line.strip()]
    for text in [run_command(verb, name, "--help").out for name in inner] or [helped.out]:
        assert "Example" in text
        assert f"chimes-marketplace {verb}" in text.partition("Example")[2]


def test_an_unknown_verb_is_refused(run_command: RunCommand) -> None:
    assert run_command("frobnicate").status == 2
