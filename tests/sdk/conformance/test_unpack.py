"""Wheels that the standard library cannot read are refused with their name."""

from __future__ import annotations

from pathlib import Path

import pytest
from chimes.environments import resolve
from chimes.environments.unpack import unpack
from chimes.environments.wheelfile import write_wheel
from chimes.errors import InstallError, ResolutionError

CENTRAL = b"PK\x01\x02"


@pytest.mark.parametrize(
    ("offset", "value"), [(6, b"\x50\x00"), (10, b"\x63\x00")], ids=["version of tomorrow", "unknown method"]
)
def test_a_wheel_that_zipfile_cannot_read_is_an_error_with_its_name(tmp_path: Path, offset: int, value: bytes) -> None:
    wheel = write_wheel(tmp_path, name="acme-lib", version="1.0", files={"acme_lib.py": b"x = 1\n"})
    data = bytearray(wheel.read_bytes())
    place = data.find(CENTRAL) + offset
    data[place : place + 2] = value
    wheel.write_bytes(data)
    with pytest.raises(InstallError, match=r"acme_lib-1\.0-py3-none-any\.whl cannot be unpacked"):
        unpack(wheel, tmp_path / "site")


def test_requirements_of_a_file_that_is_not_a_wheel_are_refused(tmp_path: Path) -> None:
    wheel = tmp_path / "acme-1.0-py3-none-any.whl"
    wheel.write_bytes(b"no zip")
    with pytest.raises(ResolutionError, match="is not a wheel with METADATA"):
        resolve(wheel, out=tmp_path / "pylock.toml")
