"""Let pyarrow do without numpy and pandas, which it imports if it can: that costs 50 MiB and half a second."""

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import override


class _Bare(MetaPathFinder):
    """Hides numpy and pandas."""

    @override
    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname in {"numpy", "pandas"}:
            raise ModuleNotFoundError(f"this process does without {fullname}", name=fullname)
        return None


def hide_pandas() -> None:
    """Hide numpy and pandas from this process. Call it before pyarrow is imported."""
    sys.meta_path.insert(0, _Bare())
