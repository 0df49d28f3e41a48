"""Trains the demo's classifier on scikit-learn's breast-cancer data and writes data and model: ``train_wdbc.py DIR``.

DIR/data/train.parquet and DIR/data/held_out.parquet have 30 float64 columns and ``malignant`` (int64, 1
or 0); DIR/wdbc.onnx takes ``features`` float32 [rows, 30] and gives ``label`` int64 [rows] and
``probabilities`` float32 [rows, 2], the second of which is that of malignant. Not for clinical use.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

__all__ = ["LABEL", "column_names", "train"]

LABEL = "malignant"
HELD_OUT = 0.25
SEED = 0
OPSET = 17


def train(folder: Path) -> dict[str, int]:
    """Write the two tables and the model below ``folder``; return the number of rows of each table."""
    data = load_breast_cancer()
    names = column_names(data.feature_names)
    malignant = (data.target_names[data.target] == "malignant").astype(np.int64)
    split = train_test_split(data.data, malignant, test_size=HELD_OUT, random_state=SEED, stratify=malignant)
    train_rows, held_out_rows, train_labels, held_out_labels = split
    (folder / "data").mkdir(parents=True, exist_ok=True)
    _write_table(folder / "data" / "train.parquet", names, train_rows, train_labels)
    _write_table(folder / "data" / "held_out.parquet", names, held_out_rows, held_out_labels)
    # Fitted on float32, which the pipeline passes to it.
    classifier = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    classifier.fit(train_rows.astype(np.float32), train_labels)
    (folder / "wdbc.onnx").write_bytes(_to_onnx(classifier, len(names)))
    return {"train": len(train_rows), "held_out": len(held_out_rows)}


def column_names(feature_names: Any) -> list[str]:
    """``mean radius`` as ``mean_radius``: names that need no quotes in TOML."""
    return [str(name).replace(" ", "_") for name in feature_names]


def _write_table(path: Path, names: list[str], rows: Any, labels: Any) -> None:
    columns = {name: pa.array(rows[:, index].copy()) for index, name in enumerate(names)}
    pq.write_table(pa.table({**columns, LABEL: pa.array(labels)}), path)


def _to_onnx(classifier: Pipeline, width: int) -> bytes:
    content: bytes = to_onnx(
        classifier,
        initial_types=[("features", FloatTensorType([None, width]))],
        options={id(classifier): {"zipmap": False}},
        target_opset=OPSET,
    ).SerializeToString()
    return content


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where the data and the model go")
    folder: Path = parser.parse_args().folder
    rows = train(folder)
    print(f"trained on {rows['train']} rows, {rows['held_out']} held out; wrote {folder / 'wdbc.onnx'}")


if __name__ == "__main__":
    main()
