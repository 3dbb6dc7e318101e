"""Programs that measure, each run by `python -m tests.benchmarks.NAME` from the project's folder."""

import sys
from pathlib import Path

# The modules of the tests are found by pytest from their own folder; so they are here.
sys.path.insert(0, str(Path(__file__).parents[1] / "support"))
