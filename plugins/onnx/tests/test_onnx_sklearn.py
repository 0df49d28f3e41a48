"""Real files: models exported by skl2onnx."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from chimes.errors import UnsupportedError
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType, StringTensorType
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

NAMES = ["sepal_length", "sepal_width", "petal_length", "petal_width"]


@pytest.fixture(scope="module")
def iris():
    data = load_iris()
    rows = data.data.astype(np.float32)
    return rows, make_pipeline(StandardScaler(), LogisticRegression(max_iter=500)).fit(rows, data.target)


def export(classifier, rows, path, zipmap):
    options = {id(classifier): {"zipmap": zipmap}}
    path.write_bytes(to_onnx(classifier, rows[:1], options=options, target_opset=17).SerializeToString())
    return path


def test_a_classifier_gives_the_same_probabilities_as_scikit_learn(iris, load, tmp_path):
    rows, classifier = iris
    path = export(classifier, rows, tmp_path / "iris.onnx", zipmap=False)
    species = ["p_setosa", "p_versicolor", "p_virginica"]
    model = load(path, inputs={"X": NAMES}, outputs={"probabilities": species, "label": "species"})
    schema = pa.schema([pa.field(name, pa.float32(), nullable=False) for name in NAMES])
    result = model.predict(pa.RecordBatch.from_arrays([pa.array(column) for column in rows.T.copy()], schema=schema))
    found = np.column_stack([result.column(name).to_numpy() for name in species])
    np.testing.assert_allclose(found, classifier.predict_proba(rows), atol=1e-5)
    assert result.column("species").to_pylist() == classifier.predict(rows).tolist()


def test_a_zipmap_is_refused_with_the_way_to_export_without(iris, describe, load, tmp_path):
    rows, classifier = iris
    path = export(classifier, rows, tmp_path / "iris.onnx", zipmap=True)
    with pytest.raises(UnsupportedError, match="seq") as caught:
        describe(path)
    assert "'zipmap': False" in caught.value.hint
    assert describe(path, outputs={"output_label": "species"}).signature.outputs.names == ["species"]


def test_a_pipeline_with_texts_and_numbers_takes_one_column_each(load, tmp_path):
    ages = [20.0, 30.0, 40.0, 50.0] * 5
    cities = ["武汉", "Wuhan", "Lyon", "Kyiv"] * 5
    table = np.array(list(zip(cities, ages, strict=True)), dtype=object)
    steps = ColumnTransformer([("city", OneHotEncoder(handle_unknown="ignore"), [0]), ("age", StandardScaler(), [1])])
    classifier = make_pipeline(steps, LogisticRegression()).fit(table, [0, 0, 1, 1] * 5)
    types = [("city", StringTensorType([None, 1])), ("age", FloatTensorType([None, 1]))]
    onx = to_onnx(classifier, initial_types=types, options={id(classifier): {"zipmap": False}}, target_opset=17)
    (tmp_path / "visits.onnx").write_bytes(onx.SerializeToString())
    model = load(tmp_path / "visits.onnx", outputs={"label": "risk"})
    batch = pa.record_batch({"city": pa.array(cities[:4]), "age": pa.array(ages[:4], pa.float32())})
    assert model.predict(batch).to_pydict() == {"risk": classifier.predict(table[:4]).tolist()}
