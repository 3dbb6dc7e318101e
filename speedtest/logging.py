"""Logs: one JSON object a line in `LOG_DIR/speedtest.log`, 5 MB a file, 10 older ones; the same on standard error.

On a terminal standard error is for people. Only the daemon writes the file: its children log JSON to standard error,
which the daemon passes on through `relay`. A log that cannot be written never stops a measurement.
"""

import contextlib
import itertools
import logging
import sys
import time
from pathlib import Path
from typing import override

import msgspec
from pythonjsonlogger.core import RESERVED_ATTRS
from pythonjsonlogger.json import JsonFormatter

FILE_NAME = "speedtest.log"
BYTES_PER_FILE = 5_000_000
OLDER_FILES = 10


def configure(level: str, folder: Path | None = None, *, commit_hash: str | None = None) -> None:
    """Send all logging to standard error and, if a folder is given, to its file. A bad folder is a warning."""
    terminal = logging.StreamHandler(sys.stderr)
    as_json = _as_json(commit_hash)
    terminal.setFormatter(ForPeople() if sys.stderr.isatty() else as_json)
    root = logging.getLogger()
    root.handlers = [terminal]
    root.setLevel(level)
    if folder is None:
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = _File(folder / FILE_NAME)
    except OSError as error:
        logging.getLogger(__name__).warning(
            "LOG_DIR %s cannot be written (%s): logs go to standard error only", folder, error.strerror
        )
        return
    file.setFormatter(as_json)
    root.addHandler(file)


class _File(logging.FileHandler):
    """The log file, which says once, on standard error, that it cannot be written, and once that it can again.

    It rotates as the standard library's `RotatingFileHandler` does, whose module brings sockets, queues and pickles
    into the daemon: 1 MiB.
    """

    def __init__(self, path: Path) -> None:
        self._refused = False
        self._refuses = False
        super().__init__(path, encoding="utf-8")

    @override
    def emit(self, record: logging.LogRecord) -> None:
        """Write a record."""
        self._refuses = False
        try:
            self.stream = self.stream or self._open()
            if self.stream.tell() + len(self.format(record)) >= BYTES_PER_FILE:
                self._rotate()
        except Exception:  # noqa: BLE001 (as in every handler of the standard library: what logs never fails)
            self.handleError(record)
        else:
            super().emit(record)
        if self._refused and not self._refuses:
            _tell(f"{self.baseFilename} can be written again\n")
        self._refused = self._refuses

    def _rotate(self) -> None:
        """Give each older file the next number; the next record opens a new one."""
        self.close()
        names = [self.baseFilename, *(f"{self.baseFilename}.{number}" for number in range(1, OLDER_FILES + 1))]
        for older, newer in reversed(list(itertools.pairwise(names))):
            with contextlib.suppress(FileNotFoundError):
                Path(older).replace(newer)

    @override
    def handleError(self, record: logging.LogRecord) -> None:
        """Tell the first of a row of failures; the records went to standard error in any case."""
        self._refuses = True
        if not self._refused:
            why = sys.exception()
            _tell(f"{record.levelname}: {self.baseFilename} cannot be written: {why}; read the log here\n")


def _tell(line: str) -> None:
    """Write on standard error; where nobody reads it any more there is nobody left to tell."""
    with contextlib.suppress(OSError):
        sys.stderr.write(line)


def _as_json(commit_hash: str | None) -> logging.Formatter:
    return JsonFormatter(
        ["timestamp", "levelname", "name", "message"],
        rename_fields={"levelname": "level", "name": "logger"},
        static_fields={"commit_hash": commit_hash} if commit_hash else {},
        timestamp=True,
    )


class ForPeople(logging.Formatter):
    """One line a record, UTC; what a program printed cannot steer the terminal."""

    converter = time.gmtime

    def __init__(self) -> None:
        """Set the form of a line."""
        super().__init__("%(asctime)sZ %(levelname)-7s %(message)s", "%Y-%m-%d %H:%M:%S")

    @override
    def format(self, record: logging.LogRecord) -> str:
        """Escape every control character but the line's end."""
        return "\n".join(map(harmless, super().format(record).split("\n")))


def harmless(text: str) -> str:
    """Return a text that cannot steer a terminal: what is not printable stands there as its escape."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


class _Line(msgspec.Struct):
    """What `relay` reads of a child's line."""

    level: str
    logger: str
    message: str


_OURS = frozenset({"timestamp", "level", "logger", "message", "commit_hash"})


def relay(lines: bytes, *, is_news: bool = True) -> None:
    """Log what a child logged, each line as its own logger would have; what is no line of ours is a warning.

    What is no news, because the child before it said the same, is for debugging only.
    """
    for line in lines.splitlines():
        try:
            said = msgspec.json.decode(line, type=_Line)
            fields = msgspec.json.decode(line, type=dict[str, object])
        except (msgspec.MsgspecError, UnicodeDecodeError):
            text = line.decode("utf-8", "replace").rstrip()
            if text:
                logging.getLogger("child").log(logging.WARNING if is_news else logging.DEBUG, "%s", text)
            continue
        level = logging.getLevelNamesMapping().get(said.level, logging.WARNING) if is_news else logging.DEBUG
        extra = {_free(name): value for name, value in fields.items() if name not in _OURS}
        logging.getLogger(said.logger).log(level, "%s", said.message, extra=extra)


def _free(name: str) -> str:
    """Return a name that a log record has not taken for itself, such as `exc_info`."""
    return f"child_{name}" if name in RESERVED_ATTRS else name
