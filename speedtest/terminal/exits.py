"""The exit codes of all commands, and how to exit with a message."""

import os
import sys
from typing import NoReturn

OK = 0
FAILED = 1
NO_PROGRAM = os.EX_UNAVAILABLE
BUSY = os.EX_TEMPFAIL
MISCONFIGURED = os.EX_CONFIG
VERDICTS = {"pass": OK, "fail": 3, "insufficient": 4, "not_assessed": 5}
"""The codes of `verdict`, by what it says of the line."""
INTERRUPTED = 130
"""The code that shells use for a program ended by Ctrl-C."""


def end(code: int, *lines: str) -> NoReturn:
    """Write the lines to standard error and exit."""
    for line in lines:
        sys.stderr.write(line + "\n")
    sys.exit(code)
