"""A full database: nothing is lost, the response names the cause, and the upload can be repeated."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from market_factories import add_author, make_market, make_wheel
from sqlalchemy import event
from uploads import client_of, send


def test_a_database_that_cannot_grow_is_507_and_the_upload_can_be_repeated(tmp_path: Path) -> None:
    market = make_market(tmp_path)
    token = add_author(market)
    wheel = make_wheel(tmp_path, metadata=["Keywords: " + ",".join(f"word{number}" for number in range(20_000))])
    room = {"pages": 1}

    @event.listens_for(market.database.engine, "begin")
    def limit(connection: Any) -> None:
        # A value below the present size means that no page can be added.
        connection.exec_driver_sql(f"PRAGMA max_page_count={room['pages']}")

    with client_of(market) as client:
        answer = send(client, token, wheel)
        assert (answer.status_code, answer.json()["code"]) == (507, "disk-full")
        assert answer.json()["fix"]
        room["pages"] = 1 << 30
        assert send(client, token, wheel).status_code == 200
    market.database.close()
