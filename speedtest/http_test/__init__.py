"""The measuring program of our own, `python -m speedtest.http_test`: it measures a line by requests over HTTP.

It needs the standard library only and imports nothing else of SpeedSnake but `speedtest.values`. It runs as a child,
like every other speed-test program, and prints one JSON object.

It speaks the two requests of Cloudflare's speed test, `GET /__down?bytes=N` and `POST /__up`, and those of a LibreSpeed
backend, `garbage.php` and `empty.php`. `program` says what it prints, `load` how it counts, `server` answers it.
"""
