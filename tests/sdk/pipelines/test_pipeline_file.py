"""Pipeline files: valid ones are read, errors name the key."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from chimes.errors import CompositionError, ConfigError, NotFoundError
from chimes.kinds.predicates import Compare
from chimes.pipelines.spec import Column, read_pipeline

GOOD = """
[pipeline]
name = "wdbc-risk"
[source]
component = "chimes-files:files"
stream = "held_out"
filters = [{ op = "gt", column = "age", value = 3 }]
limit = 100
partitions = 2
[source.config]
root = "${here}/data"
list = ["${here}/a", 1, true]
[model]
component = "chimes-onnx:onnx"
keep = ["malignant"]
params = { threshold = 0.5 }
[model.config]
path = "${here}/wdbc.onnx"
[model.columns]
mean_radius = { column = "radius", cast = "float32" }
mean_texture = "texture"
[output]
path = "out/risk.parquet"
[resources]
cpus = 2
"""


def write(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "pipeline.toml"
    file.write_text(text, "utf-8")
    return file


def refused(tmp_path: Path, text: str) -> dict[str, tuple[str, str]]:
    with pytest.raises(CompositionError) as caught:
        read_pipeline(write(tmp_path, text))
    assert all(problem.code == "config" for problem in caught.value.problems)
    return {problem.where: (problem.message, problem.fix) for problem in caught.value.problems}


def test_every_section_of_a_file_is_read(tmp_path: Path) -> None:
    pipeline = read_pipeline(write(tmp_path, GOOD))
    assert pipeline.name == "wdbc-risk"
    assert pipeline.source.filters == (Compare(op="gt", column="age", value=3),)
    assert pipeline.source.limit == 100
    assert pipeline.model.columns["mean_radius"] == Column(column="radius", cast="float32")
    assert pipeline.model.columns["mean_texture"] == Column(column="texture")
    assert pipeline.model.device == "cpu"
    assert pipeline.backend.component == "chimes-local:local"
    assert pipeline.resources.cpus == 2


def test_here_stands_for_the_folder_of_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, GOOD)
    monkeypatch.chdir(tmp_path)
    pipeline = read_pipeline("pipeline.toml")
    assert pipeline.source.config["root"] == f"{tmp_path}/data"
    assert pipeline.source.config["list"] == [f"{tmp_path}/a", 1, True]
    assert pipeline.model.config["path"] == f"{tmp_path}/wdbc.onnx"


def test_the_output_lies_relative_to_the_file_unless_it_is_absolute(tmp_path: Path) -> None:
    assert read_pipeline(write(tmp_path, GOOD)).output.path == str(tmp_path / "out" / "risk.parquet")
    absolute = GOOD.replace("out/risk.parquet", "/srv/risk.parquet")
    assert read_pipeline(write(tmp_path, absolute)).output.path == "/srv/risk.parquet"


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match=r"no\.toml.*No such file") as caught:
        read_pipeline(tmp_path / "no.toml")
    assert caught.value.hint


def test_text_that_is_not_toml_is_refused_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"pipeline\.toml' is not valid TOML.*line 3") as caught:
        read_pipeline(write(tmp_path, "[pipeline]\nname = 'x'\nthis is not TOML\n"))
    assert caught.value.hint


def test_bytes_that_are_not_text_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "pipeline.toml"
    file.write_bytes(b"name = '\xff\xfe'")
    with pytest.raises(ConfigError, match="not UTF-8"):
        read_pipeline(file)


def test_text_that_is_nested_too_deeply_is_refused(tmp_path: Path) -> None:
    for text in ("x = " + "[" * 20_000, "a" + ".a" * 5000 + " = 1", "x = " + "[" * 70 + "]" * 70):
        with pytest.raises(ConfigError, match="nested too deeply"):
            read_pipeline(write(tmp_path, text))
    with pytest.raises(ConfigError, match="64 bits"):
        read_pipeline(write(tmp_path, f"x = 0x{'f' * 17}"))


@pytest.mark.parametrize("text", ["x" * (1 << 20) + "x", ""])
def test_a_large_file_or_a_pipe_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "pipeline.toml"
    if text:
        file.write_text(text)
    else:
        os.mkfifo(file)
    with pytest.raises((ConfigError, NotFoundError), match=r"larger than|not a regular file"):
        read_pipeline(file)


def test_every_unknown_key_is_named_with_the_nearest_known_one(tmp_path: Path) -> None:
    text = GOOD.replace("stream =", "straem =").replace("[output]", "[outptu]").replace("cpus = 2", "gpus = 2")
    found = refused(tmp_path, text)
    assert set(found) == {"source.straem", "source.stream", "outptu", "output", "resources.gpus"}
    assert found["source.straem"][0] == "unknown key 'source.straem'"
    assert found["source.straem"][1].startswith("did you mean stream?")
    assert found["source.stream"][0] == "key 'source.stream' is missing"
    assert "did you mean output?" in found["outptu"][1]
    assert found["output"][1].startswith("add output")
    assert "cpus, memory_bytes, walltime_s" in found["resources.gpus"][1]


def test_the_fix_for_a_key_without_a_similar_one_is_to_remove_it(tmp_path: Path) -> None:
    assert refused(tmp_path, GOOD + "zzz = 1\n")["resources.zzz"][1].startswith("remove it")


def test_an_unknown_key_deep_inside_is_named(tmp_path: Path) -> None:
    found = refused(tmp_path, GOOD.replace('cast = "float32"', 'kast = "float32"'))
    assert found["model.columns.mean_radius.kast"][0] == "unknown key 'model.columns.mean_radius.kast'"


def test_a_wrong_value_is_shown(tmp_path: Path) -> None:
    found = refused(tmp_path, GOOD.replace("limit = 100", "limit = -1").replace('op = "gt"', 'op = "over"'))
    assert "source.limit = -1 is not valid" in found["source.limit"][0]
    assert "'over'" in found["source.filters.0"][0]


def test_a_long_wrong_value_is_cut(tmp_path: Path) -> None:
    found = refused(tmp_path, GOOD.replace("limit = 100", f"limit = '{'x' * 500}'"))
    assert len(found["source.limit"][0]) < 250


def test_a_number_that_json_lacks_is_named_without_showing_other_values(tmp_path: Path) -> None:
    text = GOOD.replace("threshold = 0.5", 'token = "secret", a = [{ b = nan }]')
    message, _ = refused(tmp_path, text)["model.params"]
    assert "a.0.b is nan, which JSON cannot hold" in message
    assert "secret" not in message


@pytest.mark.parametrize("key", ["walltime_s = inf", "walltime_s = 1e300"])
def test_an_impossible_walltime_is_refused(tmp_path: Path, key: str) -> None:
    assert "resources.walltime_s" in refused(tmp_path, GOOD.replace("cpus = 2", key))


def test_too_many_partitions_are_refused(tmp_path: Path) -> None:
    assert "source.partitions" in refused(tmp_path, GOOD.replace("partitions = 2", "partitions = 9223372036854775807"))


def test_a_null_character_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"U\+0000"):
        read_pipeline(write(tmp_path, GOOD.replace("risk.parquet", "risk\\u0000.parquet")))
