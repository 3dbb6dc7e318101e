"""How the verdicts of rules become one."""

from collections.abc import Iterable

from speedtest.verdicts.types import VerdictValue


def overall(verdicts: Iterable[VerdictValue]) -> VerdictValue:
    """Return `fail` if any rule fails, else `insufficient` if any is, else `pass` if any was assessed.

    All rules of a profile draw on the same sample, so one that fails suffices, even if another is insufficient.
    """
    found = {*verdicts}
    order: tuple[VerdictValue, ...] = ("fail", "insufficient", "pass")
    return next((value for value in order if value in found), "not_assessed")
