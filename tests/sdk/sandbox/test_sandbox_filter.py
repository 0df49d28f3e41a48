from __future__ import annotations

import errno
import functools
import struct

import pytest
from chimes.errors import InfrastructureError
from chimes.sandbox.filter import build_filter

ALLOWED, SIGNALLED = 0x7FFF0000, 0x00030000
X86, ARM, I386 = 0xC000003E, 0xC00000B7, 0x40000003


@functools.cache
def parsed(machine: str) -> list[tuple[int, ...]]:
    return list(struct.iter_unpack("<HBBI", build_filter(machine)))


def answer(machine: str, architecture: int, number: int, *arguments: int) -> int:
    """The answer of the program for a system call, computed in the same way as the kernel does."""
    program = parsed(machine)
    data = struct.pack("<IIQ6Q", number, architecture, 0, *arguments, *[0] * (6 - len(arguments)))
    position = value = 0
    while True:
        code, yes, no, operand = program[position]
        position += 1
        if code == 0x20:
            (value,) = struct.unpack_from("<I", data, operand)
        elif code == 0x06:
            return int(operand)
        else:
            holds = {0x15: value == operand, 0x35: value >= operand, 0x45: bool(value & operand)}[code]
            position += yes if holds else no


def refusal(number: int) -> int:
    return 0x00050000 | number


@pytest.mark.parametrize(
    ("machine", "architecture", "clone", "unshare", "others"),
    [("x86_64", X86, 56, 272, {319, 29, 68, 64, 278, 317}), ("aarch64", ARM, 220, 97, {279, 194, 186, 190, 75, 277})],
)
def test_the_filter_refuses_only_the_listed_calls(
    machine: str, architecture: int, clone: int, unshare: int, others: set[int]
) -> None:
    absent = {number for number in range(600) if answer(machine, architecture, number) != ALLOWED}
    assert absent == {425, 426, 427, 435, 438, 447} | others
    assert {answer(machine, architecture, number) for number in absent} == {refusal(errno.ENOSYS)}
    for number in (clone, unshare):
        assert answer(machine, architecture, number, 0x11) == ALLOWED
        assert answer(machine, architecture, number, 0x10000011) == refusal(errno.EPERM)


@pytest.mark.parametrize(
    ("machine", "architecture", "socket"),
    [("x86_64", X86, 41), ("x86_64", X86, 53), ("aarch64", ARM, 198), ("aarch64", ARM, 199)],
)
def test_only_socket_families_that_a_network_namespace_isolates_are_allowed(
    machine: str, architecture: int, socket: int
) -> None:
    allowed = [family for family in range(64) if answer(machine, architecture, socket, family) == ALLOWED]
    assert allowed == [0, 1, 2, 10, 16, 17]
    assert answer(machine, architecture, socket, 40) == SIGNALLED


@pytest.mark.parametrize(("machine", "architecture", "call"), [("x86_64", X86, 54), ("aarch64", ARM, 208)])
def test_buffers_of_sockets_keep_their_size(machine: str, architecture: int, call: int) -> None:
    kept = [option for option in range(80) if answer(machine, architecture, call, 3, 1, option) != ALLOWED]
    assert kept == [7, 8, 32, 33]
    assert answer(machine, architecture, call, 3, 1, 7) == refusal(0)
    assert answer(machine, architecture, call, 3, 6, 7) == ALLOWED


@pytest.mark.parametrize(("machine", "architecture", "call"), [("x86_64", X86, 72), ("aarch64", ARM, 25)])
def test_pipes_keep_their_size_and_the_owner_of_a_descriptor_cannot_be_set(
    machine: str, architecture: int, call: int
) -> None:
    refused = [command for command in range(1100) if answer(machine, architecture, call, 3, command) != ALLOWED]
    assert refused == [8, 15, 1031]
    assert answer(machine, architecture, call, 3, 1031) == refusal(errno.EPERM)


@pytest.mark.parametrize(("machine", "architecture", "call"), [("x86_64", X86, 16), ("aarch64", ARM, 29)])
def test_the_owner_of_a_descriptor_cannot_be_set_by_ioctl(machine: str, architecture: int, call: int) -> None:
    refused = [request for request in range(0x10000) if answer(machine, architecture, call, 3, request) != ALLOWED]
    assert refused == [0x8901, 0x8902]


@pytest.mark.parametrize(("architecture", "number"), [(I386, 1), (ARM, 1), (X86, 0x40000001), (X86, 0xFFFFFFFF)])
def test_calls_of_another_architecture_are_absent(architecture: int, number: int) -> None:
    assert answer("x86_64", architecture, number) == refusal(errno.ENOSYS)


def test_an_unknown_architecture_is_named() -> None:
    with pytest.raises(InfrastructureError, match="'z80'"):
        build_filter("z80")
