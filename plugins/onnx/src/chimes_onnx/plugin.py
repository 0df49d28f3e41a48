"""The entry module: registers the model, imports only ``chimes``."""

from __future__ import annotations

from chimes.hooks import hookimpl
from chimes.registration import Registration

__all__ = ["chimes_models"]


@hookimpl
def chimes_models() -> list[Registration]:
    """The one model of this plugin."""
    return [
        Registration(
            name="onnx",
            summary="Any ONNX file, run by onnxruntime on the CPU",
            target="chimes_onnx.model:OnnxModel",
            harness="chimes_onnx.conformance:OnnxHarness",
            api="chimes.model/1",
            devices=("cpu",),
            # From 1.32 on, importing onnxruntime writes a device id and a database under ~/.cache.
            environment=("ORT_DISABLE_TELEMETRY=1",),
        )
    ]
