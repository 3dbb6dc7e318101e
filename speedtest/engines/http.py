"""The measuring program of our own, `python -m speedtest.http_test`. Its version is SpeedSnake's.

It prints one JSON object. Speeds are Mbit/s, times are ms, `timestamp` is the start of the test, `data_bytes` is all
that moved, those of the warm-up too. An upload counts what the far end acknowledged. It does not measure loss.

`jitter_ms` is the mean difference of one idle round trip to the next, not that of RFC 3550. Latencies are medians of
round trips of the smallest request, with their 95th percentiles in `idle_p95_ms`, `download_loaded_p95_ms` and
`upload_loaded_p95_ms`. `samples_download` and `samples_upload` are the speeds of each 100 ms
(`speedtest.values.samples`), `confidence` says how steady they were: high, medium or low.

A failure has `error` and `kind`, and keeps what was measured before.
"""

import functools
import re

from speedtest.engines import own_program
from speedtest.engines.engine import Engine, Options, Place, options

_URL = re.compile(r"https?://(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:[0-9]{1,5})?(/[!-~]*)?")

ENGINE = Engine(
    name="http",
    auto=3,
    fallback=True,
    ours=True,
    programs=(),
    version=re.compile(r"^speedsnake-http ([0-9][0-9A-Za-z.]*)", re.MULTILINE),
    arguments=functools.partial(own_program.arguments, "speedtest.http_test"),
    read=own_program.reader("http"),
    progress=own_program.progress,
    options=Options(
        refused=options("-h --help --version --server --seconds --ip-version --source --live"),
    ),
    place=Place(
        allowed="the URL (http://… or https://…) of a server that speaks Cloudflare's requests, or of a LibreSpeed"
        " backend's folder",
        fits=lambda text: bool(_URL.fullmatch(text)),
    ),
)
