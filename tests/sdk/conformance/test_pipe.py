"""Frames and values over a pipe, honest and hostile."""

from __future__ import annotations

import contextlib
import os
import random
import struct
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest
from chimes.conformance.child.relay import forget_when_forked, relay
from chimes.conformance.data.generate import random_batch
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


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reader, writer = os.pipe()
    yield reader, writer
    for descriptor in (reader, writer):
        try:
            os.close(descriptor)
        except OSError:
            continue


def test_a_frame_arrives_as_it_was_written(pipe: tuple[int, int]) -> None:
    write_frame(pipe[1], {"op": "x"}, [b"one", b"", b"three"])
    assert read_frame(pipe[0]) == ({"op": "x"}, [b"one", b"", b"three"])


def test_a_closed_pipe_and_a_silent_one_are_told_apart(pipe: tuple[int, int]) -> None:
    with pytest.raises(TimedOutError):
        read_frame(pipe[0], deadline=time.monotonic() + 0.05)
    os.close(pipe[1])
    with pytest.raises(ClosedError):
        read_frame(pipe[0])


def test_writing_to_nobody_is_closed(pipe: tuple[int, int]) -> None:
    os.close(pipe[0])
    with pytest.raises(ClosedError):
        write_frame(pipe[1], {})


@pytest.mark.parametrize(
    "data",
    [
        b"PASS PASS PASS verdict: pass\n",
        b"chm1" + struct.pack(">II", 1 << 30, 0),
        b"chm1" + struct.pack(">II", 2, 1 << 20),
        b"chm1" + struct.pack(">IIQ", 2, 1, 1 << 60) + b"{}",
        b"chm1" + struct.pack(">II", 2, 0) + b"[]",
        b"chm1" + struct.pack(">II", 3, 0) + b"{{{",
    ],
)
def test_what_is_no_frame_is_broken_before_any_memory_is_spent(pipe: tuple[int, int], data: bytes) -> None:
    os.write(pipe[1], data)
    with pytest.raises(BrokenFrameError):
        read_frame(pipe[0])


@given(VALUES)
def test_plain_values_survive_the_pipe(value: Any) -> None:
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
def test_values_of_the_interface_survive_the_pipe(value: Any) -> None:
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


def test_a_type_that_is_no_value_of_the_interface_is_refused() -> None:
    with pytest.raises(ConfigError, match="object"):
        encode(object(), [])


@given(st.binary(max_size=200))
def test_random_bytes_are_no_batch(data: bytes) -> None:
    with pytest.raises(ConfigError):
        read_batch(data)


def test_a_batch_with_a_flipped_byte_is_a_batch_or_an_error() -> None:
    data = bytearray(batch_bytes(random_batch(pa.schema([("s", pa.string())]), 20, random.Random(2))))
    for position in range(0, len(data), 7):
        data[position] ^= 0xFF
        with contextlib.suppress(ConfigError):
            read_batch(bytes(data))
        data[position] ^= 0xFF


def test_what_is_asked_of_a_session_is_passed_on_until_it_is_gone(pipe: tuple[int, int]) -> None:
    inside, questions = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(questions)
        os._exit(len(read_frame(inside)[1]))
    os.close(inside)
    write_frame(pipe[1], {}, [b"one", b"two", b"three"])
    assert relay(pipe[0], questions, pid) == 3


def test_who_is_forked_holds_no_pipe_on_which_others_are_asked(pipe: tuple[int, int]) -> None:
    pid = os.fork()
    if pid == 0:
        forget_when_forked(pipe[0])
        inner = os.fork()
        is_open = _is_open(pipe[0])
        if inner == 0:
            os._exit(is_open)
        os._exit(2 * is_open + os.waitpid(inner, 0)[1])
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 2


def _is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


def test_a_pipe_that_somebody_made_one_that_does_not_wait_is_waited_for(pipe: tuple[int, int]) -> None:
    for descriptor in pipe:
        os.set_blocking(descriptor, False)
    reader = threading.Thread(target=lambda: found.append(read_frame(pipe[0])))
    found: list[Any] = []
    reader.start()
    write_frame(pipe[1], {"op": "x"}, [b"x" * 300_000])
    reader.join()
    assert found == [({"op": "x"}, [b"x" * 300_000])]
