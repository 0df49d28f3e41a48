"""Opens an ONNX file: reads verified bytes, makes an onnxruntime session without output, explains failures."""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from chimes.errors import ArtifactError, ChimesError, ConfigError, OutOfMemoryError

from chimes_onnx.config import OnnxConfig

# The registration sets this variable, too; this line is for programs that import the module without Chimes.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
import onnxruntime as ort

__all__ = ["Opened", "open_file", "reason"]

PROVIDER = "CPUExecutionProvider"
FATAL = 4
LOCATION = b"location\x12"
"""How the name of a file with weights begins in an ONNX file: the key, and the tag of the value (protobuf)."""
PREFIX = re.compile(r"^\[ONNXRuntimeError\] : \d+ : [A-Z_]+ : |/onnxruntime_src/\S*?:\d+ .*?\) (?=[A-Z])")

ort.set_default_logger_severity(FATAL)


@dataclass(frozen=True)
class Opened:
    """A session, the sha256 (hex) of each file it was made from, and the bytes that it may still refer to."""

    session: ort.InferenceSession
    artifacts: dict[str, str]
    buffers: tuple[bytes, ...]


def open_file(config: OnnxConfig, *, optimize: bool) -> Opened:
    """Make a session on the CPU; without ``optimize`` only to read its inputs and outputs.

    The bytes that are hashed are the bytes that are run. Raises ArtifactError where a file is missing,
    has another digest, or cannot be loaded by onnxruntime; ConfigError for a dimension or a file with weights that
    the model does not have; OutOfMemoryError.
    """
    path = Path(config.path)
    graph = _read(path)
    artifacts = {path.name: _verify(path, graph, config.sha256)}
    weights = {name: _read(path.parent / name) for name in config.external_data}
    for name, content in weights.items():
        artifacts[name] = _verify(path.parent / name, content, config.external_data[name])
    _check_external_data(config, graph)
    if config.dimensions:
        session = _make_session(path, graph, _options(config, weights, {}, optimize=False), {})
        _check_dimensions(config, session)
        del session
    options = _options(config, weights, config.dimensions, optimize=optimize)
    return Opened(_make_session(path, graph, options, config.dimensions), artifacts, (graph, *weights.values()))


def reason(error: Exception) -> str:
    """The message of an onnxruntime error, in one line, without its codes and source paths."""
    return " ".join(PREFIX.sub("", PREFIX.sub("", str(error))).split())[:400] or type(error).__name__


def _make_session(
    path: Path, graph: bytes, options: ort.SessionOptions, dimensions: dict[str, int]
) -> ort.InferenceSession:
    try:
        return ort.InferenceSession(graph, options, providers=[PROVIDER])
    except MemoryError as error:
        raise OutOfMemoryError(f"there is not enough memory to load {path.name!r}") from error
    except Exception as error:  # onnxruntime's own errors have no common base class
        raise _cannot_load(path, error, dimensions) from error


def _check_external_data(config: OnnxConfig, graph: bytes) -> None:
    """Raise ConfigError for a file with weights that the ONNX file does not name."""
    known = sorted(set(_external_files(graph)))
    for name in config.external_data:
        if name not in known:
            raise ConfigError(
                f"the file keeps no weights in {name!r}, which external_data names",
                hint=f"files with weights: {', '.join(known) or 'none'}",
            )


def _external_files(graph: bytes) -> Iterator[str]:
    start = graph.find(LOCATION)
    while start >= 0:
        at, length, shift = start + len(LOCATION), 0, 0
        while at < len(graph) and shift < 64:
            byte = graph[at]
            length |= (byte & 0x7F) << shift
            at, shift = at + 1, shift + 7
            if byte < 0x80:
                break
        yield graph[at : at + length].decode("utf-8", "replace")
        start = graph.find(LOCATION, at)


def _check_dimensions(config: OnnxConfig, session: ort.InferenceSession) -> None:
    """Raise ConfigError for a dimension that no input has; onnxruntime itself ignores its name."""
    known = dict.fromkeys(size for node in session.get_inputs() for size in node.shape if isinstance(size, str))
    for name in config.dimensions:
        if name not in known:
            raise ConfigError(
                f"the inputs of the file have no dimension {name!r}",
                hint=f"dimensions that can be given a size: {', '.join(known) or 'none'}",
            )


def _options(
    config: OnnxConfig, weights: dict[str, bytes], dimensions: dict[str, int], *, optimize: bool
) -> ort.SessionOptions:
    options = ort.SessionOptions()
    options.log_severity_level = FATAL
    options.intra_op_num_threads = config.threads
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.use_deterministic_compute = True
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # Weights come from verified bytes only; otherwise a file of that name in the working folder would be read.
    options.add_session_config_entry("session.model_external_initializers_file_folder_path", os.devnull)
    if not optimize:
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    for name, size in dimensions.items():
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


def _cannot_load(path: Path, error: Exception, dimensions: dict[str, int]) -> ChimesError:
    message = reason(error)
    if dimensions:
        # The same file was loaded without dimensions before.
        sizes = ", ".join(f"{name} = {size}" for name, size in dimensions.items())
        return ConfigError(
            f"{str(path)!r} cannot be loaded with the dimensions {sizes}: {message}",
            hint="give other sizes under dimensions, or none",
        )
    if "protobuf" in message:
        return ArtifactError(f"{str(path)!r} is not an ONNX file", hint="export the model again; the file is damaged")
    if "External" in message:
        return ArtifactError(
            f"{str(path)!r} keeps weights in another file that external_data does not name: {message}",
            hint="name that file with its sha256 under external_data, or export the model as one file",
        )
    return ArtifactError(
        f"onnxruntime {ort.__version__} cannot load {str(path)!r}: {message}",
        hint="export the model with an opset and operators that this onnxruntime knows",
    )
