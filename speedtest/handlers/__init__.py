"""What a person or a supervisor starts, one module for each command: `python -m speedtest.handlers.NAME`."""
