"""The checks of models (M)."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.types as pt

from chimes.conformance.subject import ComponentSubject
from chimes.conformance.suites.check import ComponentCheck, code_of_error
from chimes.conformance.testdata.rows import agree, changed_columns, cuts, joined, take
from chimes.evidence.finding import Finding
from chimes.evidence.record import Facts
from chimes.kinds.schema import empty_batch
from chimes.resources import Device

__all__ = ["M02", "M04", "M07", "M08", "M09", "M11", "M14"]

MANY = 1000
CALLS = 12
"""M11 assumes that a model keeps no state after this number of predictions."""


class ModelCheck(ComponentCheck):
    """A check of a model."""

    kind = "model"


class M02(ModelCheck):
    """Is the signature well formed?

    Column names are unique and not empty, there is at least one input and one output column, tensors
    declare their dimensions, also inside other types, the batch limits allow at least one number of rows, and
    ``params`` is a valid JSON Schema of an object.
    """

    code = "M02"
    source = "MLflow: signatures that say nothing (issue 25593)"

    def look(self, subject: ComponentSubject) -> Facts:
        with subject.model(self.timeout_s) as (_, info):
            signature = info.signature
        return {
            "inputs": list(signature.inputs.names),
            "outputs": list(signature.outputs.names),
            "tensors": [f.name for f in (*signature.inputs, *signature.outputs) if _has_loose_tensor(f.type)],
            "limits": [signature.batch.min_rows, signature.batch.max_rows],
            "params": signature.params,
        }

    def conclude(self, facts: Facts) -> Iterable[Finding]:
        for side in ("inputs", "outputs"):
            names = facts[side]
            twice = sorted({name for name in names if names.count(name) > 1})
            if not names or twice or "" in names:
                yield self.finding(f"the signature's {side} have no, empty or repeated names", "name every column once")
        if facts["tensors"]:
            yield self.finding("a tensor column does not declare its dimensions", "give the tensor type a shape")
        least, most = facts["limits"]
        if most is not None and most < least:
            yield self.finding("no batch is within the signature's limits", "set min_rows to at most max_rows")
        yield from self._params(facts["params"])

    def _params(self, params: dict[str, Any]) -> Iterable[Finding]:
        from jsonschema import Draft202012Validator, SchemaError  # noqa: PLC0415 - takes long to import

        try:
            Draft202012Validator.check_schema(params)
        except SchemaError as error:
            yield self.finding(
                "the signature's params are not a valid JSON Schema", "correct the schema", said=error.message
            )
            return
        if params.get("type") != "object":
            yield self.finding("the signature's params do not describe an object", 'set "type": "object"')


def _has_loose_tensor(dtype: pa.DataType) -> bool:
    if isinstance(dtype, pa.FixedShapeTensorType):
        return any(size <= 0 for size in dtype.shape)
    return any(_has_loose_tensor(dtype.field(i).type) for i in range(dtype.num_fields))


class M04(ModelCheck):
    """Does loading on an absent device raise, instead of using another one?

    The model is loaded on devices that this machine does not have: number 97 of each kind, and the first
    one if the kernel knows no such card. A model that loads nevertheless has silently fallen back to the CPU:
    the user pays for an idle card.
    """

    code = "M04"
    source = "onnxruntime issues 23372 and 17801"
    timeout_s = 30

    def look(self, subject: ComponentSubject) -> Facts:
        kinds = sorted({*subject.registration.devices, *CARDS} - {"cpu"})
        found = {}
        for device in [absent for kind in kinds for absent in _absent(kind)]:
            with subject.model(self.timeout_s) as (model, _):
                found[str(device)] = code_of_error(partial(model.load, device))
        return {"codes": found}

    def conclude(self, facts: Facts) -> Iterable[Finding]:
        for device, code in facts["codes"].items():
            if code == "device-unavailable":
                continue
            what = "loads without an error" if code is None else "raises another error than DeviceUnavailableError"
            yield self.finding(
                f"load on the absent device {device} {what}", "raise DeviceUnavailableError, and try no other device"
            )


CARDS = {"cuda": ("nvidiactl", "nvidia0", "nvhost-gpu", "dxg"), "npu": ("davinci_manager", "davinci0", "devmm_svm")}
"""The files in /dev that exist if the kernel knows a card of a kind."""


def _absent(kind: str) -> list[Device]:
    files = CARDS.get(kind)
    is_known = files is not None and not any(Path("/dev", file).exists() for file in files)
    return [*([Device(kind, 0)] if is_known else []), Device(kind, 97)]


def _device(subject: ComponentSubject) -> Device:
    return Device.parse(subject.case.device)


class M07(ModelCheck):
    """Does the output have exactly the signature's schema?

    Names, order, types and nullability are compared, for batches of several sizes up to the preferred one (at most
    1000 rows). A field that is not nullable, nested or not, must not contain a null.
    """

    code = "M07"
    source = "MLflow schema enforcement; array-api"

    def look(self, subject: ComponentSubject) -> Facts:
        found: dict[int, Facts] = {}
        with subject.model(self.timeout_s, _device(subject)) as (model, info):
            declared = info.signature.outputs
            for count in (1, 7, 64, min(info.signature.batch.preferred_rows, MANY)):
                batch = subject.rows(model.session, info, count, "M07")
                if batch.num_rows not in found:
                    found[batch.num_rows] = _output_facts(model.predict(batch), declared)
        return {"declared": _fields(declared), "outputs": [[rows, output] for rows, output in found.items()]}

    def conclude(self, facts: Facts) -> Iterable[Finding]:
        wrong = [(rows, output) for rows, output in facts["outputs"] if not output["same"]]
        if wrong:
            rows, output = wrong[0]
            yield self.finding(
                f"the output of {rows} rows differs from the signature's schema",
                "return exactly the signature's columns, or correct the signature",
                said=_difference(output, facts["declared"]),
            )
        elif nulls := [name for _, output in facts["outputs"] for name in output["nulls"]]:
            yield self.finding(
                "a column that is not nullable holds nulls",
                "return no null there, or declare it nullable",
                said=", ".join(nulls)[:2000],
            )


def _output_facts(output: pa.RecordBatch, declared: pa.Schema) -> Facts:
    pairs = zip(output.schema, output.columns, strict=True)
    return {
        "fields": _fields(output.schema),
        "same": output.schema.equals(declared),
        "nulls": [field.name for field, column in pairs if _has_wrong_null(field, column)],
    }


def _difference(output: Facts, declared: list[str]) -> str:
    return f"output: ({'; '.join(output['fields'])}); signature: ({'; '.join(declared)})"[:2000]


def _fields(schema: pa.Schema) -> list[str]:
    return [f"{f.name}: {f.type}{'' if f.nullable else ' not null'}" for f in schema]


def _has_wrong_null(field: pa.Field, column: pa.Array) -> bool:
    if not field.nullable and column.null_count:
        return True
    if isinstance(column, pa.ExtensionArray):
        column = column.storage
    if pt.is_struct(column.type):
        # The parts of a null struct are null.
        present = column.filter(column.is_valid())
        parts = [present.field(i) for i in range(column.type.num_fields)]
        return any(_has_wrong_null(column.type.field(i), part) for i, part in enumerate(parts))
    if pt.is_list(column.type) or pt.is_large_list(column.type) or pt.is_fixed_size_list(column.type):
        return _has_wrong_null(column.type.value_field, column.flatten())
    return False


class M08(ModelCheck):
    """Does the output keep the number and the order of the input rows?

    A batch is predicted unchanged, with its rows shuffled, and with some rows repeated: output row i must belong
    to input row i, and rows with equal values must all be kept.
    """

    code = "M08"
    source = "joins by position"

    def look(self, subject: ComponentSubject) -> Facts:
        """Row counts, and whether shuffling the input and shuffling the output agree."""
        with subject.model(self.timeout_s, _device(subject)) as (model, info):
            batch = subject.rows(model.session, info, 33, "M08")
            order = list(range(batch.num_rows))
            subject.rng("M08", "order").shuffle(order)
            shuffled = take(batch, order)
            repeated = take(batch, [row // 2 for row in order])
            subject.keep(shuffled, repeated)
            plain, mixed, twice = model.predict(batch), model.predict(shuffled), model.predict(repeated)
        counts = [batch.num_rows, plain.num_rows, mixed.num_rows, twice.num_rows]
        is_kept = len(set(counts)) == 1 and agree(take(plain, order), mixed, info.signature)
        return {"counts": counts, "agree": is_kept}

    def conclude(self, facts: Facts) -> Iterable[Finding]:
        want, *got = facts["counts"]
        if got != [want, want, want]:
            yield self.finding(
                "the output has another number of rows than the input",
                "return one row for each input row, also for equal rows",
                said=f"input: {want} rows each; outputs: {got} rows, the last for a batch with repeated rows",
            )
        elif not facts["agree"]:
            yield self.finding("output rows do not follow their input rows", "keep the order of the rows")


class M09(ModelCheck):
    """Does a batch without rows produce an output without rows and with the right schema?"""

    code = "M09"
    source = "ADBC: empty arrays"

    def look(self, subject: ComponentSubject) -> Facts:
        with subject.model(self.timeout_s, _device(subject)) as (model, info):
            inputs, declared = info.signature.inputs, info.signature.outputs
            output = model.predict(empty_batch(inputs))
        return {"rows": output.num_rows, "declared": _fields(declared), **_output_facts(output, declared)}

    def conclude(self, facts: Facts) -> Iterable[Finding]:
        if facts["rows"]:
            yield self.finding("a batch without rows produces rows", "return no rows for no rows")
        elif not facts["same"]:
            yield self.finding(
                "the output for no rows differs from the signature's schema",
                "build it from the signature",
                said=_difference(facts, facts["declared"]),
            )


class M11(ModelCheck):
    """Is a row's output independent of the other rows in its batch, and of earlier predictions?

    ``predict(a + b + c)`` must equal ``predict(a) + predict(b) + predict(c)`` within the signature's tolerance, because
    the host chooses the batches. If the batch limits do not allow a split, the same rows are predicted beside other
    rows. All predictions are repeated, a dozen calls in total. The check does not apply to a model that declares
    itself stochastic.
    """

    code = "M11"
    source = "scikit-learn: check_methods_subset_invariance"

    def look(self, subject: ComponentSubject) -> Facts:
        """Whether one batch and several batches give the same output, and the sizes of the batches."""
        with subject.model(self.timeout_s, _device(subject)) as (model, info):
            batch = subject.rows(model.session, info, 32, "M11")
            sizes = cuts(batch.num_rows, info.signature.batch)
            whole = model.predict(batch)
            if len(sizes) == 1:
                # The second half of the rows, twice: each row is predicted beside other rows.
                order = [row for row in range(batch.num_rows) if row >= batch.num_rows // 2] * 2
                order = order[: batch.num_rows]
                want, parts = take(whole, order), [take(batch, order)]
            else:
                starts = [sum(sizes[:i]) for i in range(len(sizes))]
                parts = [batch.slice(start, size) for start, size in zip(starts, sizes, strict=True)]
                want = whole
            rounds = [[model.predict(part) for part in parts] for _ in range(-(-CALLS // len(parts)))]
        agreed = [agree(joined(pieces, whole.schema), want, info.signature) for pieces in rounds]
        return {"agree": agreed[0], "again": all(agreed), "sizes": sizes}

    def conclude(self, facts: Facts) -> Iterable[Finding]:
        if not facts["agree"]:
            *sizes, last = facts["sizes"]
            cut = f"in batches of {', '.join(map(str, sizes))} and {last}" if sizes else "beside other rows"
            yield self.finding(
                f"{sum(facts['sizes'])} rows get other values in one batch than {cut}",
                "compute each row without the others: no statistics over the batch, no state between calls",
            )
        elif not facts["again"]:
            yield self.finding("rows get other values in a second prediction", "keep no state between calls")


class M14(ModelCheck):
    """Does predict leave its inputs unchanged?

    The host may share the same memory with other code. After a prediction, and again after the next one, the input's
    values are read back in the process that predicts, and compared with the values that were sent.
    """

    code = "M14"
    source = "scikit-learn: check_readonly_memmap_input, check_dict_unchanged"

    def look(self, subject: ComponentSubject) -> Facts:
        """The columns of two batches that changed after their prediction, and those of the first after the second."""
        with subject.model(self.timeout_s, _device(subject)) as (model, info):
            batches = [subject.rows(model.session, info, count, "M14") for count in (50, 49)]
            first, second = [model.predict_with_echo(batch) for batch in batches]
        return {
            "changed": changed_columns(batches[0], first[0]) + changed_columns(batches[1], second[1]),
            "later": changed_columns(batches[0], second[0]),
        }

    def conclude(self, facts: Facts) -> Iterable[Finding]:
        if facts["changed"]:
            yield self.finding(
                "predict changes its input in place",
                "work on a copy of what you change",
                said=", ".join(facts["changed"])[:2000],
            )
        elif facts["later"]:
            yield self.finding(
                "predict changes the input of an earlier call",
                "do not keep a reference to a batch, or work on a copy",
                said=", ".join(facts["later"])[:2000],
            )
