"""Check whether the daemon is on time and can write its folders, for a container or a supervisor.

Exit codes: 0 healthy · 1 unhealthy, with the reason on standard error · 78 wrong configuration.
"""

import sys

from speedtest.daemon import health
from speedtest.terminal import exits, startup


def main() -> None:
    """Print the answer and exit."""
    startup.no_arguments("healthcheck", __doc__)
    why = health.reason(startup.settings())
    if why:
        exits.end(exits.FAILED, f"unhealthy: {why}")
    sys.stdout.write("healthy\n")


if __name__ == "__main__":
    main()
