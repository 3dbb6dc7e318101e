"""Exit codes, the same for every command, and the way out of a command with words on standard error."""

import os
import sys
from typing import NoReturn

OK = 0
FAILED = 1
NO_PROGRAM = os.EX_UNAVAILABLE
BUSY = os.EX_TEMPFAIL
MISCONFIGURED = os.EX_CONFIG
INTERRUPTED = 130
"""As a shell has it for a program that Ctrl-C ended."""


def end(code: int, *lines: str) -> NoReturn:
    """Say why on standard error and exit."""
    for line in lines:
        sys.stderr.write(line + "\n")
    sys.exit(code)
