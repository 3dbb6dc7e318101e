"""The measuring program for M-Lab's ndt7, `python -m speedtest.ndt7_test`. Its version is SpeedSnake's.

One stream each way over a WebSocket: a second opinion beside the engines that use several. Its fields are those of the
engine `http` (`own_program`), with these differences: `latency_ms` is the shortest round trip of TCP before the load,
`idle_shortest_ms`; there is no jitter. The latency under the download is what the server tells of its connection.
`download_retransmitted_percent` is what the server had to send again: loss. `download_whole_mbps` is the mean with the
start, as M-Lab publishes it; `download_mbps` leaves out the start.

M-Lab publishes each test with the address that it came from, and wants at most four a day at random times. So against
M-Lab only the daemon measures, by `SPEEDTEST_SECOND_OPINION` (`daemon.second_opinion`); as an engine of
`SPEEDTEST_ENGINE` it needs a server of one's own.
"""

import functools
import re

from speedtest.engines import own_program
from speedtest.engines.engine import Engine, Options, Place, options

_URL = re.compile(r"(?:wss?|https?)://(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:[0-9]{1,5})?(/[!->@-~]*)?")


ENGINE = Engine(
    name="ndt7",
    ours=True,
    programs=(),
    version=re.compile(r"^speedsnake-ndt7 ([0-9][0-9A-Za-z.]*)", re.MULTILINE),
    arguments=functools.partial(own_program.arguments, "speedtest.ndt7_test"),
    read=own_program.reader("ndt7"),
    progress=own_program.progress,
    options=Options(
        refused=options("-h --help --version --server --locate --seconds --ip-version --source --live"),
    ),
    place=Place(
        allowed="the URL (wss://… or ws://…) of an ndt-server of your own; against M-Lab's public servers set "
        "SPEEDTEST_SECOND_OPINION=ndt7 in its place",
        fits=lambda text: bool(_URL.fullmatch(text)),
        needed=True,
    ),
)
