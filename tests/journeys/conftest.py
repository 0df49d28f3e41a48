"""Makes the helper modules of the journeys importable as ``journeys.<folder>.<name>``."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
