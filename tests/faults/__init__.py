"""The proof of what README.md promises: that nothing is lost and nothing doubled. Its own README.md says how."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "support"))  # as pytest has it
