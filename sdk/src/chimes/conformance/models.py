"""What is asked of models (M)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pyarrow as pa

from chimes.checks.check import Facts, Finding
from chimes.conformance.compare import close_values
from chimes.conformance.conformancecheck import ComponentCheck
from chimes.conformance.failure import StepFailedError
from chimes.conformance.generate import random_batch
from chimes.conformance.subject import ComponentSubject
from chimes.kinds.model import Signature
from chimes.resources import Device

__all__ = ["M02", "M04", "M07", "M08", "M09", "M11", "M14"]

LOOSEST = 0.05
"""A signature may ask for a tolerance; what is wider than this is judged as this."""


class ModelCheck(ComponentCheck):
    """A check of a model."""

    kind = "model"


class M02(ModelCheck):
    """Is the signature well formed?

    Column names are unique and not empty, there is at least one input and one output column, tensors
    declare their dimensions, and ``params`` is a valid JSON Schema of an object.
    """

    code = "M02"
    anchor = "MLflow: signatures that say nothing (issue 25593)"

    def look(self, subject: ComponentSubject) -> Facts:
        """The signature's parts."""
        with subject.model(self.timeout_s) as (_, info):
            signature = info.signature
        return {
            "inputs": list(signature.inputs.names),
            "outputs": list(signature.outputs.names),
            "tensors": _loose_tensors(signature),
            "params": signature.params,
        }

    def conclude(self, facts: Facts) -> Iterable[Finding]:
        """One finding for each defect."""
        for side in ("inputs", "outputs"):
            names = facts[side]
            twice = sorted({name for name in names if names.count(name) > 1})
            if not names or twice or "" in names:
                yield self.finding(f"the signature's {side} have no, empty or repeated names", "name every column once")
        if facts["tensors"]:
            yield self.finding("a tensor column does not declare its dimensions", "give the tensor type a shape")
        yield from self._params(facts["params"])

    def _params(self, params: dict[str, Any]) -> Iterable[Finding]:
        from jsonschema import Draft202012Validator, SchemaError  # noqa: PLC0415 - of the extra `check`

        try:
            Draft202012Validator.check_schema(params)
        except SchemaError as error:
            yield self.finding("the signature's params are no valid JSON Schema", "mend the schema", said=error.message)
            return
        if params.get("type") != "object":
            yield self.finding("the signature's params do not describe an object", 'set "type": "object"')


def _loose_tensors(signature: Signature) -> list[str]:
    fields = [*signature.inputs, *signature.outputs]
    return [
        field.name
        for field in fields
        if isinstance(field.type, pa.FixedShapeTensorType) and any(size <= 0 for size in field.type.shape)
    ]


class M04(ModelCheck):
    """Does loading on an absent device raise, instead of using another one?

    The device asked for is one that this machine cannot have. A model that loads all the same has fallen
    back to the CPU in silence: the user pays for a card that idles.
    """

    code = "M04"
    anchor = "onnxruntime issues 23372 and 17801"
    timeout_s = 30

    def look(self, subject: ComponentSubject) -> Facts:
        """What becomes of each impossible load."""
        kinds = sorted({*subject.registration["devices"], "cuda", "npu"} - {"cpu"})
        found = {}
        for kind in kinds:
            with subject.model(self.timeout_s) as (model, _):
                found[kind] = _load_code(model, Device(kind, 97))
        return {"codes": found}

    def conclude(self, facts: Facts) -> Iterable[Finding]:
        """One finding for each device kind."""
        for kind, code in facts["codes"].items():
            if code == "device-unavailable":
                continue
            what = "loads without an error" if code is None else "raises something else than DeviceUnavailableError"
            yield self.finding(
                f"load on the absent device {kind}:97 {what}", "raise DeviceUnavailableError, and try no other device"
            )


def _load_code(model: Any, device: Device) -> str | None:
    try:
        model.load(device)
    except StepFailedError as failure:
        if failure.cause != "own":
            raise
        return failure.code or "other"
    return None


def _device(subject: ComponentSubject) -> Device:
    return Device.parse(subject.case["device"])


class M07(ModelCheck):
    """Has the output exactly the signature's schema?

    Names, order, types and nullability, on batches of several sizes; and no null where none is allowed.
    """

    code = "M07"
    anchor = "MLflow schema enforcement; array-api"

    def look(self, subject: ComponentSubject) -> Facts:
        """Signature and outputs as text."""
        found = []
        with subject.model(self.timeout_s, _device(subject)) as (model, info):
            for count in (1, 7, 64):
                output = model.predict(subject.rows(model.session, info, count, "M07"))
                found.append({"rows": count, **_schema_facts(output.schema), "nulls": _wrong_nulls(output)})
        return {"declared": _schema_facts(info.signature.outputs), "outputs": found}

    def conclude(self, facts: Facts) -> Iterable[Finding]:
        """The first output that differs, and nulls."""
        declared = facts["declared"]
        wrong = [output for output in facts["outputs"] if output["fields"] != declared["fields"]]
        if wrong:
            got, want = "; ".join(wrong[0]["fields"]), "; ".join(declared["fields"])
            yield self.finding(
                f"the output of {wrong[0]['rows']} rows has another schema than the signature says",
                "return exactly the signature's columns, or correct the signature",
                said=f"output: ({got}); signature: ({want})"[:2000],
            )
        elif any(output["nulls"] for output in facts["outputs"]):
            yield self.finding(
                "a column that is not nullable holds nulls", "return no null there, or declare it nullable"
            )


def _schema_facts(schema: pa.Schema) -> dict[str, Any]:
    return {"fields": [f"{f.name}: {f.type}{'' if f.nullable else ' not null'}" for f in schema]}


def _wrong_nulls(batch: pa.RecordBatch) -> list[str]:
    return [
        f.name for f, column in zip(batch.schema, batch.columns, strict=True) if not f.nullable and column.null_count
    ]


class M08(ModelCheck):
    """Are the number of rows and their order kept?

    A batch is predicted as it is and again with its rows shuffled: output row i must belong to input row i.
    """

    code = "M08"
    anchor = "joins by position"

    def look(self, subject: ComponentSubject) -> Facts:
        """Counts, and whether shuffling before and after agree."""
        with subject.model(self.timeout_s, _device(subject)) as (model, info):
            batch = subject.rows(model.session, info, 33, "M08")
            order = list(range(batch.num_rows))
            subject.nonce.rng(*subject.rng_labels("M08", "order")).shuffle(order)
            shuffled = take(batch, order)
            subject.keep(shuffled)
            plain, mixed = model.predict(batch), model.predict(shuffled)
        counts = [batch.num_rows, plain.num_rows, mixed.num_rows]
        agree = len(set(counts)) == 1 and _agree(take(plain, order), mixed, info.signature)
        return {"counts": counts, "agree": agree}

    def conclude(self, facts: Facts) -> Iterable[Finding]:
        """A wrong count, or a wrong order."""
        want, *got = facts["counts"]
        if got != [want, want]:
            yield self.finding(
                f"{want} rows went in, {got[0]} and {got[1]} came out", "return one row for each input row"
            )
        elif not facts["agree"]:
            yield self.finding("output rows do not follow their input rows", "keep the order of the rows")


class M09(ModelCheck):
    """Does a batch without rows give an output without rows, of the right schema?"""

    code = "M09"
    anchor = "ADBC: empty arrays"

    def look(self, subject: ComponentSubject) -> Facts:
        """The output of nothing."""
        with subject.model(self.timeout_s, _device(subject)) as (model, info):
            empty = random_batch(info.signature.inputs, 0, subject.nonce.rng("M09"))
            output = model.predict(empty)
        return {
            "rows": output.num_rows,
            "declared": _schema_facts(info.signature.outputs)["fields"],
            "fields": _schema_facts(output.schema)["fields"],
        }

    def conclude(self, facts: Facts) -> Iterable[Finding]:
        """Rows, or another schema."""
        if facts["rows"]:
            yield self.finding(f"a batch without rows gives {facts['rows']} rows", "return no rows for no rows")
        elif facts["fields"] != facts["declared"]:
            yield self.finding("the output for no rows has another schema", "build it from the signature")


class M11(ModelCheck):
    """Does a row's output not depend on what else is in its batch?

    ``predict(a + b)`` must equal ``predict(a) + predict(b)`` within the signature's tolerance: the host
    cuts batches as it likes. Not asked of a model that declares itself stochastic.
    """

    code = "M11"
    anchor = "scikit-learn: check_methods_subset_invariance"

    def look(self, subject: ComponentSubject) -> Facts:
        """Whether both ways agree."""
        with subject.model(self.timeout_s, _device(subject)) as (model, info):
            batch = subject.rows(model.session, info, 32, "M11")
            cut = max(1, batch.num_rows // 3)
            parts = [batch.slice(0, cut), batch.slice(cut)]
            whole = model.predict(batch)
            pieces = [model.predict(part) for part in parts if part.num_rows]
        joined = pa.Table.from_batches([p for p in pieces if p.schema.equals(whole.schema)], schema=whole.schema)
        batches = joined.combine_chunks().to_batches() or [random_batch(whole.schema, 0, subject.nonce.rng("none"))]
        return {"agree": _agree(batches[0], whole, info.signature), "rows": [cut, batch.num_rows - cut]}

    def conclude(self, facts: Facts) -> Iterable[Finding]:
        """A difference."""
        if not facts["agree"]:
            first, second = facts["rows"]
            yield self.finding(
                f"{first + second} rows give other values in one batch than in batches of {first} and {second}",
                "let no row see the others: no statistics over the batch",
            )


class M14(ModelCheck):
    """Are the inputs left as they are?

    The host may give the same memory to others. After a prediction the input's buffers are compared, byte
    by byte, with what was sent. Read back inside the process that predicts.
    """

    code = "M14"
    anchor = "scikit-learn: check_readonly_memmap_input, check_dict_unchanged"

    def look(self, subject: ComponentSubject) -> Facts:
        """Whether the batch is the same afterwards."""
        with subject.model(self.timeout_s, _device(subject)) as (model, info):
            batch = subject.rows(model.session, info, 50, "M14")
            _, after = model.predict_with_echo(batch)
        if not after.schema.equals(batch.schema):
            return {"changed": list(batch.schema.names) or ["none"]}
        changed = [
            name
            for name, a, b in zip(batch.schema.names, batch.columns, after.columns, strict=True)
            if not close_values(_single(a), _single(b), rtol=0, atol=0)
        ]
        return {"changed": changed}

    def conclude(self, facts: Facts) -> Iterable[Finding]:
        """The columns that changed."""
        if facts["changed"]:
            yield self.finding(
                "predict changes its input in place",
                "work on a copy of what you change",
                said=", ".join(facts["changed"])[:2000],
            )


def _single(column: pa.Array) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([column], names=["value"])


def take(batch: pa.RecordBatch, order: list[int]) -> pa.RecordBatch:
    """The rows of ``batch`` in another order, the schema unchanged. Indices past the end are left out."""
    indices = pa.array([i for i in order if i < batch.num_rows], pa.int64())
    return pa.RecordBatch.from_arrays([column.take(indices) for column in batch.columns], schema=batch.schema)


def _agree(left: pa.RecordBatch, right: pa.RecordBatch, signature: Signature) -> bool:
    match signature.determinism:
        case "bitwise":
            return close_values(left, right, rtol=0, atol=0)
        case "tolerance":
            return close_values(left, right, rtol=min(signature.rtol, LOOSEST), atol=min(signature.atol, LOOSEST))
        case "stochastic":
            return bool(left.num_rows == right.num_rows)
