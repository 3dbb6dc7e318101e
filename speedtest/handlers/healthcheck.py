"""Is the daemon on time? `python -m speedtest.handlers.healthcheck`, for a container or a supervisor.

Exit codes: 0 healthy · 1 unhealthy, with the reason · 78 configuration.
"""

import sys

from speedtest.daemon import health
from speedtest.terminal import exits, startup


def main() -> None:
    """Exit with the answer."""
    startup.no_arguments("healthcheck", __doc__)
    why = health.reason(startup.settings())
    if why:
        exits.end(exits.FAILED, f"unhealthy: {why}")
    sys.stdout.write("healthy\n")


if __name__ == "__main__":
    main()
