"""SpeedSnake measures an internet line every interval and keeps every result.

Start it with `python -m speedtest.handlers.loop`; read its rows with `speedtest.data.lake.read()`.
"""
