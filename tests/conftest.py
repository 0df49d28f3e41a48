"""Shared by all tests: helpers beside the tests are importable by name."""

from __future__ import annotations

import sys
from pathlib import Path

for folder in ("", "house", "marketplace"):
    sys.path.insert(0, str(Path(__file__).parent / folder))
