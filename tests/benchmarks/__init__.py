"""Benchmarks. Run one from the project's folder with `python -m tests.benchmarks NAME`."""

import sys
from pathlib import Path

# pytest puts tests/support on sys.path; here we do it ourselves.
sys.path.insert(0, str(Path(__file__).parents[1] / "support"))
