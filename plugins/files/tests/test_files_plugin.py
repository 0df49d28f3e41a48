"""The plugin in the registry: it is light to list, it loads, and its card describes it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from chimes.processes import run
from chimes_files.config import FilesConfig
from chimes_files.connector import FilesConnector
from chimes_files.plugin import chimes_connectors

FOLDER = Path(__file__).parents[1]


def test_listing_the_plugin_imports_nothing_heavy() -> None:
    program = (
        "import json, sys, chimes_files.plugin as p; p.chimes_connectors(); print(json.dumps(sorted(sys.modules)))"
    )
    done = run([sys.executable, "-c", program], timeout_s=60)
    assert done.returncode == 0, done.text
    loaded = {name.partition(".")[0] for name in json.loads(done.stdout)}
    assert not loaded & {"pyarrow", "pydantic", "fsspec", "numpy", "pandas"}


def test_the_registration_is_the_same_on_every_call_and_leads_to_the_connector() -> None:
    (registration,) = chimes_connectors()
    assert chimes_connectors() == [registration]
    registration.check_host("connector")
    assert registration.target == f"{FilesConnector.__module__}:{FilesConnector.__qualname__}"


def test_every_field_of_the_configuration_is_described() -> None:
    schema = FilesConfig.model_json_schema()
    for part in (schema, *schema["$defs"].values()):
        for name, field in part.get("properties", {}).items():
            assert field.get("description"), name


def test_the_card_has_all_headings() -> None:
    card = (FOLDER / "README.md").read_text("utf-8")
    for heading in ("Purpose", "Inputs", "Outputs", "Limits", "Known failures", "Contact"):
        assert f"## {heading}" in card
    assert (FOLDER / "CHANGELOG.md").is_file()
