"""``serve``: the real server is started, sent requests, ended and killed."""

from __future__ import annotations

import json
import signal
import socket
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from chimes.processes import Completed, run
from market_factories import COMMAND, make_market, run_env, serve
from sqlalchemy import text

SIGNALLED = """
import os, sys
from chimes_marketplace.commands import main

class Watch:
    def find_spec(self, name, path, target=None):
        if name == moment:
            os.kill(os.getpid(), int(number))

moment, number, *sys.argv[1:] = sys.argv[1:]
sys.meta_path.insert(0, Watch())
main()
"""
"""A server that gets a signal when it begins to import that module."""


def run_verb(*arguments: object, **settings: Any) -> Completed:
    return run([str(COMMAND), *map(str, arguments)], env=run_env(**settings), timeout_s=60)


def port_of(url: str) -> int:
    return int(url.rpartition(":")[2])


def test_a_server_starts_answers_and_ends_with_status_0(tmp_path: Path) -> None:
    with serve(tmp_path, name="Hubei") as server:
        with urllib.request.urlopen(server.url + "/schema/openapi.json") as answer:
            assert json.load(answer)["info"]["title"] == "Hubei marketplace"
        # Commands work while it runs; a second server on the folder or on the port does not start.
        assert (
            run_verb("member", "add", "acme", "--name", "Acme", "--type", "user", "--data", server.data).returncode == 0
        )
        second = run_verb("serve", "--data", server.data, "--port", 0)
        assert (second.returncode, b"still-running" in second.stderr) == (2, True)
        taken = run_verb("serve", "--data", tmp_path / "other", "--port", port_of(server.url))
        assert (taken.returncode, b"cannot listen on 127.0.0.1 port" in taken.stderr) == (2, True)
        assert run_verb("fsck", "--data", server.data).returncode == 0
    log = (tmp_path / "serve.log").read_text()
    assert f"serving {server.url}/" in log
    assert "Traceback" not in log


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("moment", ["click", "chimes_marketplace.commands.serve", "litestar", "granian"])
def test_a_server_that_is_still_starting_ends_with_status_0(
    tmp_path: Path, moment: str, number: signal.Signals
) -> None:
    serving = ["--data", str(tmp_path / "data"), "serve", "--port", "0"]
    done = run([sys.executable, "-c", SIGNALLED, moment, str(int(number)), *serving], env=run_env(), timeout_s=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_a_killed_server_starts_again_and_removes_partial_uploads(tmp_path: Path) -> None:
    with serve(tmp_path) as server:
        server.kill()
    left = tmp_path / "data" / "blobs" / "incoming" / "half"
    left.write_bytes(b"half")
    with serve(tmp_path) as server:
        assert not left.exists()
        # An open connection without a request does not delay the end.
        idle = socket.create_connection(("127.0.0.1", port_of(server.url)))
        assert server.terminate() == 0
        idle.close()


def test_a_request_that_never_ends_delays_the_end_only_briefly(tmp_path: Path) -> None:
    with serve(tmp_path) as server:
        stuck = socket.create_connection(("127.0.0.1", port_of(server.url)))
        stuck.sendall(b"POST /legacy/ HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n1")
        # When a later request is answered, the server has read this one.
        urllib.request.urlopen(server.url + "/healthz").close()
        assert server.terminate() == 0
        stuck.close()
    assert "Traceback" not in (tmp_path / "serve.log").read_text()


def test_a_folder_of_a_newer_version_and_invalid_settings_are_refused(tmp_path: Path) -> None:
    market = make_market(tmp_path)
    wrong = run_verb("serve", "--data", market.settings.data, "--port", 0, slots="many")
    assert (wrong.returncode, b"CHIMES_MARKETPLACE_SLOTS is 'many'" in wrong.stderr) == (2, True)
    with market.database.writing() as session:
        session.connection().execute(text("UPDATE alembic_version SET version_num = '9999'"))
    newer = run_verb("serve", "--data", market.settings.data, "--port", 0)
    assert (newer.returncode, b"does not know" in newer.stderr) == (2, True)


def test_an_address_of_another_machine_is_refused(tmp_path: Path) -> None:
    refused = run_verb("serve", "--data", tmp_path / "data", "--host", "192.0.2.1")
    assert (refused.returncode, b"cannot listen on 192.0.2.1" in refused.stderr) == (2, True)


def test_a_worker_needs_a_folder_with_a_database_of_its_version(tmp_path: Path) -> None:
    absent = run_verb("worker", "--data", tmp_path / "absent")
    assert (absent.returncode, b"there is no data folder" in absent.stderr) == (2, True)
    market = make_market(tmp_path)
    for address in ("market.example.org", "ftp://market.example.org", "http://"):
        wrong = run_verb("worker", "--data", market.settings.data, "--url", address)
        assert (wrong.returncode, b"is not an address such as" in wrong.stderr) == (2, True)
    with market.database.writing() as session:
        session.connection().execute(text("UPDATE alembic_version SET version_num = '0002'"))
    older = run_verb("worker", "--data", market.settings.data)
    assert (older.returncode, b"is at revision 0002" in older.stderr) == (2, True)
