"""The fakes keep the promises of their interfaces, and the fixtures work in a plugin's own tests."""

from __future__ import annotations

import sys
from pathlib import Path

import pyarrow as pa
import pytest
from chimes import Context, Device, JobSpec, JobState, Partition, ReadRequest, Resources
from chimes.errors import (
    ConfigError,
    ConflictError,
    DeviceUnavailableError,
    InfeasibleError,
    InvalidJobError,
    InvalidStateError,
    NotFoundError,
    SchemaMismatchError,
)
from chimes.kinds.predicates import Compare, IsNull
from chimes.processes import run
from chimes.resources import AcceleratorRequest
from chimes.testing import (
    FakeBackend,
    FakeBackendConfig,
    FakeConnector,
    FakeConnectorConfig,
    FakeModel,
    FakeModelConfig,
    suite,
)

CITIES = pa.table({"city": ["武汉", "Ghent", None, "Delft"], "bells": [65, 49, 0, 48]})
TRUE = JobSpec(command=("true",))


@pytest.fixture
def context(tmp_path: Path) -> Context:
    return Context.under(tmp_path)


@pytest.fixture
def model(context: Context) -> FakeModel:
    model = FakeModel(FakeModelConfig(factor=3.0), context)
    assert model.load(Device("cpu")).device == "cpu:0"
    return model


@pytest.fixture
def connector(context: Context) -> FakeConnector:
    config = FakeConnectorConfig.of({"cities": CITIES, "none": CITIES.slice(0, 0)})
    return FakeConnector(FakeConnectorConfig.model_validate_json(config.model_dump_json()), context)


def values(*numbers: float) -> pa.RecordBatch:
    return pa.record_batch({"value": pa.array(numbers, pa.float64())})


def test_the_fake_model_multiplies_and_remembers_its_batches(model: FakeModel) -> None:
    output = model.predict(values(1.0, 2.0))
    assert output.to_pydict() == {"product": [3.0, 6.0]}
    assert output.schema == FakeModel.describe(FakeModelConfig()).signature.outputs
    assert model.predict(values()).num_rows == 0
    assert model.seen == [2, 0]


def test_the_fake_model_refuses_input_that_differs_from_its_signature(model: FakeModel, context: Context) -> None:
    with pytest.raises(DeviceUnavailableError, match="npu:0"):
        model.load(Device("npu"))
    with pytest.raises(InvalidStateError):
        FakeModel(FakeModelConfig(), context).predict(values(1.0))
    with pytest.raises(ConfigError, match="beam"):
        model.predict(values(1.0), params={"beam": 2})
    with pytest.raises(SchemaMismatchError, match="price"):
        model.predict(pa.record_batch({"price": [1.0]}))
    with pytest.raises(SchemaMismatchError, match="nulls"):
        model.predict(pa.record_batch({"value": pa.array([None], pa.float64())}))


def read(connector: FakeConnector, request: ReadRequest) -> pa.Table:
    connector.ping()
    plan = connector.plan(request)
    batches = [batch for partition in plan.partitions for batch in connector.read(request, partition)]
    return pa.Table.from_batches(batches, plan.arrow_schema)


def test_the_fake_connector_lists_its_streams_by_pattern(connector: FakeConnector) -> None:
    assert [(info.name, info.estimated_rows) for info in connector.discover()] == [("cities", 4), ("none", 0)]
    assert [info.name for info in connector.discover("c*")] == ["cities"]


@pytest.mark.parametrize("partitions", [1, 3, 64])
def test_the_fake_connector_reads_every_row_once_in_any_partitioning(connector: FakeConnector, partitions: int) -> None:
    request = ReadRequest(stream="cities", partitions=partitions, batch_rows=2)
    assert len(connector.plan(request).partitions) == min(partitions, 4)
    assert read(connector, request).equals(CITIES)


def test_the_fake_connector_applies_columns_filters_and_limits(connector: FakeConnector) -> None:
    filters = (Compare(op="lt", column="bells", value=60), Compare(op="gt", column="bells", value=0))
    request = ReadRequest(stream="cities", columns=("city",), filters=filters, limit=1)
    assert connector.plan(request).exact == (True, True)
    assert read(connector, request).to_pydict() == {"city": ["Ghent"]}
    nameless = ReadRequest(stream="cities", filters=(IsNull(column="city"),))
    assert read(connector, nameless).to_pydict() == {"city": [None], "bells": [0]}


def test_the_fake_connector_gives_no_rows_of_an_empty_table(connector: FakeConnector) -> None:
    request = ReadRequest(stream="none", filters=(Compare(op="eq", column="bells", value=1),), partitions=4)
    assert read(connector, request).equals(CITIES.slice(0, 0))


def test_the_fake_connector_names_what_does_not_exist(connector: FakeConnector) -> None:
    with pytest.raises(NotFoundError, match="'towns'") as caught:
        connector.plan(ReadRequest(stream="towns"))
    assert caught.value.hint == "streams: cities, none"
    with pytest.raises(NotFoundError, match="'mayor'"):
        connector.plan(ReadRequest(stream="cities", columns=("mayor",)))
    with pytest.raises(NotFoundError, match="'mayor'"):
        connector.plan(ReadRequest(stream="cities", filters=(IsNull(column="mayor"),)))
    with pytest.raises(InvalidStateError, match="'foreign'"):
        list(connector.read(ReadRequest(stream="cities"), Partition(id="foreign", token="?")))


def test_a_job_of_the_fake_backend_succeeds_at_once(context: Context) -> None:
    backend = FakeBackend(FakeBackendConfig(), context)
    backend.ping()
    handle = backend.submit(TRUE, key="a")
    (status,) = backend.status([handle])
    assert (status.state, status.exit_code) == (JobState.SUCCEEDED, 0)
    assert backend.inventory().pools[0].cpus == 4
    assert backend.submitted == [TRUE]


def test_a_waiting_job_goes_on_when_the_test_starts_it(context: Context) -> None:
    backend = FakeBackend(FakeBackendConfig(automatic=False), context)
    handle = backend.submit(TRUE, key="a")
    states = [backend.status([handle])[0].state]
    backend.start(handle)
    states.append(backend.status([handle])[0].state)
    backend.finish(handle, exit_code=3, stdout=b"12345", stderr=b"no")
    (status,) = backend.status([handle])
    assert [*states, status.state] == [JobState.QUEUED, JobState.RUNNING, JobState.FAILED]
    assert (status.reason, status.fault, status.exit_code) == ("exit_code", "user", 3)
    chunk = backend.logs(handle, offset=1, limit_bytes=2)
    assert (chunk.data, chunk.next_offset, chunk.eof) == (b"23", 3, False)
    assert backend.logs(handle, stream="stderr").eof
    with pytest.raises(InvalidStateError):
        backend.finish(handle)
    with pytest.raises(InvalidStateError):
        backend.start(handle)


def test_cancelling_is_final_and_may_be_repeated(context: Context) -> None:
    backend = FakeBackend(FakeBackendConfig(automatic=False), context)
    handle = backend.submit(TRUE, key="a")
    backend.cancel(handle)
    backend.cancel(handle)
    (status,) = backend.status([handle])
    assert (status.state, status.reason) == (JobState.CANCELLED, "cancelled")


def test_a_key_stands_for_one_job(context: Context) -> None:
    backend = FakeBackend(FakeBackendConfig(), context)
    assert backend.submit(TRUE, key="a") == backend.submit(TRUE, key="a")
    with pytest.raises(ConflictError, match="'a'"):
        backend.submit(JobSpec(command=("false",)), key="a")
    assert len(backend.submitted) == 1


def test_a_job_of_another_backend_is_lost_and_has_no_logs(context: Context) -> None:
    foreign = FakeBackend(FakeBackendConfig(), context).submit(TRUE, key="a")
    backend = FakeBackend(FakeBackendConfig(), context)
    assert backend.status([foreign])[0].state == JobState.LOST
    with pytest.raises(NotFoundError, match="'a'"):
        backend.logs(foreign)


@pytest.mark.parametrize(
    ("job", "error"),
    [
        (JobSpec(command=("x",), native={"queue": "fast"}), InvalidJobError),
        (JobSpec(command=("x",), resources=Resources(cpus_per_task=5)), InfeasibleError),
        (JobSpec(command=("x",), resources=Resources(nodes=2)), InfeasibleError),
        (
            JobSpec(command=("x",), resources=Resources(accelerators=(AcceleratorRequest(kinds=("npu",)),))),
            InfeasibleError,
        ),
    ],
)
def test_a_job_that_can_never_run_is_refused(context: Context, job: JobSpec, error: type[Exception]) -> None:
    backend = FakeBackend(FakeBackendConfig(), context)
    with pytest.raises(error):
        backend.submit(job, key="a")
    assert backend.submitted == []


def test_the_fixtures_give_a_context_and_the_installed_plugins(tmp_path: Path) -> None:
    (tmp_path / "test_fixtures.py").write_text(
        "def test_fixtures(chimes_context, chimes_registry, tmp_path):\n"
        "    assert chimes_context.tmp.is_dir() and chimes_context.tmp.is_relative_to(tmp_path)\n"
        "    assert 'chimes-local' in [plugin.distribution for plugin in chimes_registry.plugins]\n",
        "utf-8",
    )
    argv = [sys.executable, "-m", "pytest", "-q", "-p", "chimes.testing", "-p", "no:cacheprovider", str(tmp_path)]
    completed = run(argv, cwd=tmp_path)
    assert completed.returncode == 0, completed.text


TestConformanceOfOnnx = suite("chimes-onnx:onnx")


def test_a_suite_of_a_plugin_that_is_not_installed_is_refused() -> None:
    with pytest.raises(NotFoundError, match="no-such-plugin"):
        suite("no-such-plugin")
