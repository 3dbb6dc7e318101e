"""The commands, one module each. Run one with `python -m speedtest.handlers.NAME`."""
