"""Opens an ONNX file: reads verified bytes, makes a quiet onnxruntime session, explains why it can't."""

from __future__ import annotations

import hashlib
import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path

from chimes.errors import ArtifactError, OutOfMemoryError

from chimes_onnx.config import OnnxConfig

# Set before the import: from 1.32 on, importing onnxruntime writes a device id and a database under ~/.cache.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
import onnxruntime as ort

__all__ = ["Opened", "open_file", "reason"]

PROVIDER = "CPUExecutionProvider"
FATAL = 4
PREFIX = re.compile(r"^\[ONNXRuntimeError\] : \d+ : [A-Z_]+ : |/onnxruntime_src/\S*?:\d+ .*?\) (?=[A-Z])")

ort.set_default_logger_severity(FATAL)


@dataclass(frozen=True)
class Opened:
    """A session, the sha256 (hex) of each file it was made from, and the bytes that it may still refer to."""

    session: ort.InferenceSession
    artifacts: dict[str, str]
    buffers: tuple[bytes, ...]


def open_file(config: OnnxConfig, *, optimize: bool) -> Opened:
    """Make a session on the CPU; without ``optimize`` just far enough to know its inputs and outputs.

    The bytes that are hashed are the bytes that are run. Raises ArtifactError where a file is missing,
    has another digest, or is nothing that onnxruntime can load; OutOfMemoryError.
    """
    path = Path(config.path)
    graph = _read(path)
    artifacts = {path.name: _verify(path, graph, config.sha256)}
    weights = {name: _read(path.parent / name) for name in config.external_data}
    for name, content in weights.items():
        artifacts[name] = _verify(path.parent / name, content, config.external_data[name])
    options = _options(config, weights, optimize=optimize)
    try:
        session = ort.InferenceSession(graph, options, providers=[PROVIDER])
    except MemoryError as error:
        raise OutOfMemoryError(f"host memory did not suffice to load {path.name!r}") from error
    except Exception as error:  # onnxruntime's own errors have no base of their own
        raise _cannot_load(path, error) from error
    return Opened(session, artifacts, (graph, *weights.values()))


def reason(error: Exception) -> str:
    """What onnxruntime says, in one line, without its codes and source paths."""
    return " ".join(PREFIX.sub("", PREFIX.sub("", str(error))).split())[:400] or type(error).__name__


def _options(config: OnnxConfig, weights: dict[str, bytes], *, optimize: bool) -> ort.SessionOptions:
    options = ort.SessionOptions()
    options.log_severity_level = FATAL
    options.intra_op_num_threads = config.threads
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.use_deterministic_compute = True
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # Weights come from verified bytes alone: otherwise a file of that name in the working folder would be read.
    options.add_session_config_entry("session.model_external_initializers_file_folder_path", os.devnull)
    if not optimize:
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    for name, size in config.dimensions.items():
        options.add_free_dimension_override_by_name(name, size)
    if weights:
        sizes = [len(content) for content in weights.values()]
        options.add_external_initializers_from_files_in_memory(list(weights), list(weights.values()), sizes)
    return options


def _read(path: Path) -> bytes:
    try:
        mode = path.stat().st_mode
        if stat.S_ISREG(mode) or stat.S_ISDIR(mode):
            return path.read_bytes()
        why = "it is not a regular file"
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
    raise ArtifactError(f"{str(path)!r} cannot be read: {why}", hint="name an existing file", fault="user")


def _verify(path: Path, content: bytes, wanted: str | None) -> str:
    found = hashlib.sha256(content).hexdigest()
    if wanted is not None and found != wanted.lower():
        raise ArtifactError(
            f"{str(path)!r} has sha256 {found}, the configuration says {wanted.lower()}",
            hint="fetch the right file, or correct the digest in the configuration",
        )
    return found


def _cannot_load(path: Path, error: Exception) -> ArtifactError:
    said = reason(error)
    if "protobuf" in said:
        return ArtifactError(f"{str(path)!r} is not an ONNX file", hint="export the model again; the file is damaged")
    if "External" in said:
        return ArtifactError(
            f"{str(path)!r} keeps weights in another file that the configuration does not give rightly: {said}",
            hint="list that file with its sha256 under external_data, or export the model as one file",
        )
    return ArtifactError(
        f"onnxruntime {ort.__version__} cannot load {str(path)!r}: {said}",
        hint="export the model with an opset and operators that this onnxruntime knows",
    )
