"""Logs: one JSON object a line, in `LOG_DIR/speedtest.log` (5 MB a file, 10 older files) and on standard error.

Every record has an `event`, one of `EVENTS`: programs search for the event, people read the message.

On a terminal, standard error shows plain lines for people. Only the daemon writes the file. Its children log JSON to
standard error, and the daemon passes that on through `relay`. A log that cannot be written never stops a measurement.
"""

import contextlib
import copy
import itertools
import logging
import sys
import time
from collections import OrderedDict
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import override

import msgspec

from speedtest.events import EVENTS, Event

FILE_NAME = "speedtest.log"
SAME_LINES_A_MINUTE = 5
"""The same line is logged at most this often. The next one after that minute says how many were left out."""
ALIKE_LINES_A_MINUTE = 60
"""Warnings and errors that differ in their values only are logged at most this often."""
_OF_A_SLOT: frozenset[Event] = frozenset({"measured", "test_failed", "skipped"})
"""Each row has one of these, so the interval bounds them."""
_MOST_KINDS = 1000
_MINUTE = 60.0

BYTES_PER_FILE = 5_000_000
OLDER_FILES = 10


class Events:
    """A logger whose records all name their event. Further keywords become fields of the record."""

    def __init__(self, name: str) -> None:
        """Log under this name."""
        self._logger = logging.getLogger(name)

    def log(self, level: int, event: Event, message: str, *values: object, **fields: object) -> None:
        """Log a message. The values fill its `%` placeholders."""
        self._logger.log(level, message, *values, extra={"event": event, **fields}, stacklevel=2)

    def debug(self, event: Event, message: str, *values: object, **fields: object) -> None:
        """Log details that help to find a fault."""
        self.log(logging.DEBUG, event, message, *values, **fields)

    def info(self, event: Event, message: str, *values: object, **fields: object) -> None:
        """Log normal operation."""
        self.log(logging.INFO, event, message, *values, **fields)

    def warning(self, event: Event, message: str, *values: object, **fields: object) -> None:
        """Log what a person should look at when there is time."""
        self.log(logging.WARNING, event, message, *values, **fields)

    def error(self, event: Event, message: str, *values: object, **fields: object) -> None:
        """Log what a person has to fix."""
        self.log(logging.ERROR, event, message, *values, **fields)

    def bug(self, message: str, *values: object, **fields: object) -> None:
        """Log an unexpected exception while it is handled, with its traceback."""
        self._logger.error(message, *values, exc_info=sys.exception(), extra={"event": "bug", **fields}, stacklevel=2)


def configure(level: str, folder: Path | None = None, *, commit_hash: str | None = None) -> None:
    """Send all logs to standard error and, if a folder is given, to its log file. A bad folder only gives a warning."""
    terminal = logging.StreamHandler(sys.stderr)
    as_json = AsJson(commit_hash)
    terminal.setFormatter(ForPeople() if sys.stderr.isatty() else as_json)
    terminal.addFilter(_with_event)
    terminal.addFilter(Repeats())
    root = logging.getLogger()
    root.handlers = [terminal]
    root.setLevel(level)
    if folder is None:
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = _File(folder / FILE_NAME)
    except OSError as error:
        Events(__name__).warning(
            "log_refused", "LOG_DIR %s cannot be written (%s): logs go to standard error only", folder, error.strerror
        )
        return
    file.setFormatter(as_json)
    file.addFilter(_with_event)
    file.addFilter(Repeats())
    root.addHandler(file)


def _with_event(record: logging.LogRecord) -> bool:
    """Give a library's record the event `other`; let every record pass."""
    record.__dict__.setdefault("event", "other")
    return True


class Repeats(logging.Filter):
    """Leaves out lines that repeat too often, so that no fault can fill the disk with its log."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Start without any line."""
        super().__init__()
        self._clock = clock
        self._counts: OrderedDict[tuple[object, ...], _Count] = OrderedDict()

    @override
    def filter(self, record: logging.LogRecord) -> bool | logging.LogRecord:
        """Return whether a record is logged. The first that is logged after others were not says how many."""
        if record.levelno <= logging.DEBUG or record.__dict__.get("event") in _OF_A_SLOT:
            return True
        kind = (record.name, record.levelno, record.__dict__.get("event"), record.msg)
        is_alike = self._count(kind, ALIKE_LINES_A_MINUTE) if record.levelno >= logging.WARNING else None
        if is_alike and is_alike.left_out:
            return False
        same = self._count((*kind, _words(record)), SAME_LINES_A_MINUTE)
        if same.left_out:
            return False
        missed = same.told() + (is_alike.told() if is_alike else 0)
        return _with_words(record, f"{missed} more like this were left out") if missed else True

    def _count(self, kind: tuple[object, ...], most: int) -> "_Count":
        """Count one more line of a kind."""
        now = self._clock()
        count = self._counts.pop(kind, None) or _Count(now)
        if now - count.since >= _MINUTE:
            count.since, count.before, count.lines, count.left_out = now, count.left_out, 0, 0
        count.lines += 1
        count.left_out = max(0, count.lines - most)
        self._counts[kind] = count
        if len(self._counts) > _MOST_KINDS:
            self._counts.popitem(last=False)
        return count


class _Count(msgspec.Struct):
    """How often a line came in this minute, how often it was left out, and how often in the minute before."""

    since: float
    lines: int = 0
    left_out: int = 0
    before: int = 0

    def told(self) -> int:
        number, self.before = self.before, 0
        return number


def _words(record: logging.LogRecord) -> str:
    """Return the message of a record, without its values if they do not fit into it."""
    try:
        return record.getMessage()
    except Exception:  # noqa: BLE001 (logging never fails; the handler says what is wrong with the record)
        return str(record.msg)


def _with_words(record: logging.LogRecord, words: str) -> logging.LogRecord:
    """Return a copy of a record whose message ends with these words."""
    changed = copy.copy(record)
    changed.msg, changed.args = f"{_words(record)} ({words})", ()
    return changed


class _File(logging.FileHandler):
    """The log file. It says once on standard error that it cannot be written, and once that it can again.

    It rotates like the standard library's `RotatingFileHandler`, but without that module's 1 MiB of sockets, queues
    and pickle.
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
        except Exception:  # noqa: BLE001 (logging never fails, as in every handler of the standard library)
            self.handleError(record)
        else:
            super().emit(record)
        if self._refused and not self._refuses:
            _tell(f"{self.baseFilename} can be written again\n")
        self._refused = self._refuses

    def _rotate(self) -> None:
        """Give each file the next number. The next record opens a new file."""
        self.close()
        names = [self.baseFilename, *(f"{self.baseFilename}.{number}" for number in range(1, OLDER_FILES + 1))]
        for older, newer in reversed(list(itertools.pairwise(names))):
            with contextlib.suppress(FileNotFoundError):
                Path(older).replace(newer)

    @override
    def handleError(self, record: logging.LogRecord) -> None:
        """Report the first of several failures in a row. The records still reach standard error."""
        self._refuses = True
        if not self._refused:
            why = sys.exception()
            _tell(f"{record.levelname}: {self.baseFilename} cannot be written: {why}; logs go to standard error only\n")


def _tell(line: str) -> None:
    """Write to standard error; do nothing if nobody reads it any more."""
    with contextlib.suppress(OSError):
        sys.stderr.write(line)


_RESERVED = frozenset({*logging.makeLogRecord({}).__dict__, "message", "asctime"})
"""A record's own fields. All others are what its caller added."""


_ESCAPED = {code: f"\\u{code:04x}" for code in (*range(0x7F, 0xA0), 0x2028, 0x2029)}
"""Line ends and control characters that JSON need not escape."""


class AsJson(logging.Formatter):
    """One JSON object a record: `timestamp` (UTC), `level`, `logger`, `event`, `message`, and what the caller added."""

    def __init__(self, commit_hash: str | None) -> None:
        """Add `commit_hash` to every record, if it is known."""
        super().__init__()
        self._always = {"commit_hash": commit_hash} if commit_hash else {}

    @override
    def format(self, record: logging.LogRecord) -> str:
        """Return the line of a record."""
        said: dict[str, object] = {
            "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname,
            "logger": record.name,
            "event": record.__dict__.get("event"),
            "message": record.getMessage(),
        }
        said |= {name: value for name, value in record.__dict__.items() if name not in _RESERVED}
        if record.exc_info:
            said["exc_info"] = self.formatException(record.exc_info)
        try:
            return _one_line(said | self._always)
        except UnicodeEncodeError:  # text that is not Unicode, as the names of files can be
            return _one_line(
                {name: str(value).encode(errors="backslashreplace").decode() for name, value in said.items()}
            )


def _one_line(fields: dict[str, object]) -> str:
    """Return a JSON object as a line that no reader of lines can split, and that cannot control a terminal."""
    line = msgspec.json.format(msgspec.json.encode(fields, enc_hook=str), indent=0)
    return line.decode().translate(_ESCAPED)


class ForPeople(logging.Formatter):
    """One plain line a record, in UTC. A program's output in it cannot control the terminal."""

    converter = time.gmtime

    def __init__(self) -> None:
        """Set the format of a line."""
        super().__init__("%(asctime)sZ %(levelname)-7s %(message)s", "%Y-%m-%d %H:%M:%S")

    @override
    def format(self, record: logging.LogRecord) -> str:
        """Escape every control character except line ends."""
        return "\n".join(map(harmless, super().format(record).split("\n")))


def harmless(text: str) -> str:
    """Return the text with unprintable characters escaped, so that it cannot control a terminal."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


class _Line(msgspec.Struct):
    """The fields that `relay` needs of a child's line."""

    level: str
    logger: str
    message: str


_OURS = frozenset({"timestamp", "level", "logger", "message", "commit_hash"})


def relay(lines: bytes, *, is_news: bool = True) -> None:
    """Log each line of a child's log under its own logger and level. A line in another format is a warning.

    Without `is_news`, because the child before it said the same, all lines have the level DEBUG.
    """
    for line in lines.splitlines():
        try:
            said = msgspec.json.decode(line, type=_Line)
            fields = msgspec.json.decode(line, type=dict[str, object])
        except (msgspec.MsgspecError, UnicodeDecodeError):
            text = line.decode("utf-8", "replace").rstrip()
            if text:
                Events("child").log(logging.WARNING if is_news else logging.DEBUG, "child", "%s", text)
            continue
        level = logging.getLevelNamesMapping().get(said.level, logging.WARNING) if is_news else logging.DEBUG
        extra = {_free(name): value for name, value in fields.items() if name not in _OURS}
        extra["event"] = extra.get("event") if extra.get("event") in list(EVENTS) else "other"
        logging.getLogger(said.logger).log(level, "%s", said.message, extra=extra)


def _free(name: str) -> str:
    """Return the name, or another one if a log record has its own field of that name, such as `exc_info`."""
    return f"child_{name}" if name in _RESERVED else name
