"""Valid and hostile frames and values over a socket."""

from __future__ import annotations

import contextlib
import os
import random
import socket
import struct
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest
from chimes.conformance.testdata.generate import random_batch
from chimes.errors import ConfigError
from chimes.kinds.backend import JobSpec, LogChunk
from chimes.kinds.connector import ReadRequest
from chimes.kinds.predicates import Compare
from chimes.resources import Device
from chimes.rpc.codec import batch_bytes, decode, encode, read_batch
from chimes.rpc.frames import BrokenFrameError, ClosedError, TimedOutError, read_frame, write_frame
from hypothesis import given
from hypothesis import strategies as st

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    """Both ends of a connection."""
    one, other = socket.socketpair()
    with one, other:
        yield one, other


def soon() -> float:
    return time.monotonic() + 10


@pytest.mark.parametrize("blobs", [[], [b"one", b"", b"three"], [bytes(3 << 20)]])
def test_a_frame_arrives_as_it_was_written(pair: Pair, blobs: list[bytes]) -> None:
    writer = threading.Thread(target=write_frame, args=(pair[1], {"op": "x"}, blobs))
    writer.start()
    assert read_frame(pair[0], deadline=soon()) == ({"op": "x"}, blobs)
    writer.join()


def test_a_closed_socket_and_a_silent_one_raise_different_errors(pair: Pair) -> None:
    with pytest.raises(TimedOutError):
        read_frame(pair[0], deadline=time.monotonic() + 0.05)
    pair[1].close()
    with pytest.raises(ClosedError):
        read_frame(pair[0])


@pytest.mark.parametrize("end", [0, 1])
def test_a_socket_that_is_closed_on_either_side_cannot_be_written(pair: Pair, end: int) -> None:
    pair[end].close()
    with pytest.raises(ClosedError):
        write_frame(pair[1], {})


def test_a_process_that_does_not_read_cannot_block_the_writer(pair: Pair) -> None:
    with pytest.raises(TimedOutError):
        write_frame(pair[1], {}, [bytes(1 << 20)], deadline=time.monotonic() + 0.05)


def test_a_process_that_has_ended_is_not_waited_for_although_its_socket_is_open(pair: Pair) -> None:
    control, other = socket.socketpair()
    with control, other:
        write_frame(pair[1], {"last": True})
        other.send(b"ended")
        assert read_frame(pair[0], deadline=soon(), ended=control) == ({"last": True}, [])
        with pytest.raises(ClosedError):
            read_frame(pair[0], deadline=soon(), ended=control)
        with pytest.raises(ClosedError):
            write_frame(pair[0], {}, [bytes(1 << 20)], deadline=soon(), ended=control)


def test_sent_descriptors_are_not_received(pair: Pair) -> None:
    before = len(os.listdir("/proc/self/fd"))
    start = struct.pack(">II", 2, 0)
    socket.send_fds(pair[1], [b"chm1" + start + b"{}"], [0, 1, 2])
    assert read_frame(pair[0]) == ({}, [])
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize("header", [{"n": float("nan")}, {"n": {1}}])
def test_a_header_that_json_cannot_hold_is_refused_before_anything_is_written(pair: Pair, header: Any) -> None:
    with pytest.raises((ValueError, TypeError)):
        write_frame(pair[1], header, [bytes(100)])
    assert_empty(pair[0])


def test_a_frame_that_is_too_large_is_refused_before_anything_is_written(pair: Pair) -> None:
    with pytest.raises(BrokenFrameError):
        write_frame(pair[1], {}, [b""] * 5000)
    assert_empty(pair[0])


def assert_empty(connection: socket.socket) -> None:
    with pytest.raises(BlockingIOError):
        connection.recv(1, socket.MSG_DONTWAIT)


@pytest.mark.parametrize(
    "data",
    [
        b"PASS PASS PASS verdict: pass\n",
        b"chm1" + struct.pack(">II", 1 << 30, 0),
        b"chm1" + struct.pack(">II", 2, 1 << 20),
        b"chm1" + struct.pack(">IIQ", 2, 1, 1 << 60) + b"{}",
        b"chm1" + struct.pack(">II", 2, 0) + b"[]",
        b"chm1" + struct.pack(">II", 3, 0) + b"{{{",
        b"chm1" + struct.pack(">II", 10, 0) + b'{"n": NaN}',
    ],
)
def test_data_that_is_not_a_frame_is_refused_before_memory_is_allocated(pair: Pair, data: bytes) -> None:
    pair[1].sendall(data)
    with pytest.raises(BrokenFrameError):
        read_frame(pair[0])


@given(VALUES)
def test_plain_values_arrive_unchanged(value: Any) -> None:
    blobs: list[bytes] = []
    assert decode(encode(value, blobs), blobs) == value


@given(VALUES)
def test_hostile_values_give_a_value_or_a_config_error(value: Any) -> None:
    with contextlib.suppress(ConfigError):
        decode(value, [])


@pytest.mark.parametrize(
    "value",
    [
        Device("npu", 2),
        JobSpec(command=("true",), env={"A": ""}),
        LogChunk(data=b"\xff\x00", offset=0, next_offset=2, eof=True),
        ReadRequest(stream="s", filters=(Compare(op="gt", column="c", value=3),)),
        datetime(2026, 1, 1, tzinfo=UTC),
        b"\x00\xff",
    ],
)
def test_values_of_the_interface_arrive_unchanged(value: Any) -> None:
    blobs: list[bytes] = []
    assert decode(encode([value], blobs), blobs) == [value]


def test_batches_and_tables_survive_with_their_schema() -> None:
    schema = pa.schema([pa.field("a", pa.int8(), nullable=False), ("b", pa.string())], metadata={"k": "v"})
    batch = random_batch(schema, 5, random.Random(1))
    blobs: list[bytes] = []
    again, table, empty = decode(encode([batch, pa.table(batch), schema.empty_table()], blobs), blobs)
    assert again.equals(batch, check_metadata=True)
    assert table.equals(pa.table(batch))
    assert (empty.num_rows, empty.schema) == (0, schema)


def test_a_type_that_is_not_part_of_the_interface_is_refused() -> None:
    with pytest.raises(ConfigError, match="object"):
        encode(object(), [])


@given(st.binary(max_size=200))
def test_random_bytes_are_not_a_batch(data: bytes) -> None:
    with pytest.raises(ConfigError):
        read_batch(data)


def test_a_batch_with_a_flipped_byte_is_a_batch_or_an_error() -> None:
    data = bytearray(batch_bytes(random_batch(pa.schema([("s", pa.string())]), 20, random.Random(2))))
    for position in range(0, len(data), 7):
        data[position] ^= 0xFF
        with contextlib.suppress(ConfigError):
            read_batch(bytes(data))
        data[position] ^= 0xFF
