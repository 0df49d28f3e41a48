"""The configuration: which file to run, and which Arrow columns make up its tensors."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Annotated

from chimes.kinds.component import Config
from pydantic import Field, field_validator

__all__ = ["OnnxConfig"]

Digest = Annotated[str, Field(pattern=r"^[0-9a-fA-F]{64}$")]
Columns = str | Annotated[tuple[str, ...], Field(min_length=1)]


class OnnxConfig(Config):
    """What to run and how. Only ``path`` is needed if every tensor is one column of its own name.

    In ``inputs`` and ``outputs`` a list of names means one scalar column for each element of a row, in
    this order; a single name means one column that holds the whole row of the tensor: a scalar, a
    fixed-size list (one more dimension), or a fixed-shape tensor (more than one).
    """

    path: str = Field(description="The .onnx file.")
    sha256: Digest | None = Field(None, description="Its sha256 in hex; other bytes are refused.")
    external_data: dict[str, Digest] = Field(
        default_factory=dict,
        description="Files with weights beside the .onnx file, by the name that it uses, with their sha256 in hex.",
    )
    inputs: dict[str, Columns] = Field(
        default_factory=dict,
        description="For an input of the file, the columns that make it up; left out: a column of its own name.",
    )
    outputs: dict[str, Columns] = Field(
        default_factory=dict,
        description="The outputs to compute and their columns; left out: each output is a column of its own name.",
    )
    dimensions: dict[str, Annotated[int, Field(strict=True, ge=1, lt=1 << 31)]] = Field(
        default_factory=dict,
        description="Sizes for dimensions of the inputs that the file only names, for example {'sequence': 128}.",
    )
    threads: int = Field(1, ge=1, le=1024, description="Threads of one operator; results may depend on it.")
    rtol: float = Field(
        1e-5, ge=0, allow_inf_nan=False, description="How far, relatively, equal inputs may differ in their results."
    )
    atol: float = Field(
        1e-6, ge=0, allow_inf_nan=False, description="How far, absolutely, equal inputs may differ in their results."
    )

    @field_validator("external_data")
    @classmethod
    def _beside_the_file(cls, value: dict[str, str]) -> dict[str, str]:
        for name in value:
            if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
                raise ValueError(f"{name!r} does not lie beside the .onnx file")
        return value
