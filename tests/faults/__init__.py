"""Prove the promise of the project's README.md: no row is lost, none is doubled. README.md beside this says how."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "support"))  # as pytest has it
