"""SpeedSnake measures a line every interval and keeps every answer.

Start it with `python -m speedtest.handlers.loop`; read what it kept with `speedtest.data.lake.read()`.
"""
