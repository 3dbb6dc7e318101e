"""Logs: JSON lines in a rotating file and on standard error; a program's output cannot break out of its line."""

import contextlib
import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from speedtest import logging as logs


@pytest.fixture(autouse=True)
def root_logger() -> Iterator[None]:
    root = logging.getLogger()
    before = root.handlers, root.level
    yield
    for handler in root.handlers:
        if handler not in before[0]:
            handler.close()
    root.handlers, root.level = before


def lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "speedtest.log").read_text().splitlines()]


@contextlib.contextmanager
def filled(handler: logging.Handler) -> Iterator[None]:
    """Make the disk of a log file full inside a `with` block."""
    assert isinstance(handler, logging.FileHandler)
    assert handler.stream
    file = handler.stream.fileno()
    good, full = os.dup(file), os.open("/dev/full", os.O_WRONLY)
    os.dup2(full, file)
    yield
    os.dup2(good, file)
    os.close(good)
    os.close(full)


def test_a_record_is_a_json_object_with_fields_of_its_own(tmp_path: Path) -> None:
    logs.configure("INFO", tmp_path / "new" / "logs", commit_hash="abc123")
    logging.getLogger("speedtest.x").info("measured %d", 5, extra={"download_mbps": 94.1, "path": "a/b.csv"})
    (record,) = lines(tmp_path / "new" / "logs")
    assert record.pop("timestamp").endswith("+00:00")
    assert record == {
        "level": "INFO",
        "logger": "speedtest.x",
        "event": "other",
        "message": "measured 5",
        "commit_hash": "abc123",
        "download_mbps": 94.1,
        "path": "a/b.csv",
    }


def test_what_is_below_the_level_is_left_out(tmp_path: Path) -> None:
    logs.configure("WARNING", tmp_path)
    logging.getLogger("x").info("no")
    logging.getLogger("x").warning("yes")
    assert [record["message"] for record in lines(tmp_path)] == ["yes"]


def test_a_text_with_line_ends_and_control_characters_stays_one_line(tmp_path: Path) -> None:
    logs.configure("INFO", tmp_path)
    logging.getLogger("x").info("%s", 'a\nb\x1b[31m"\u2028')
    assert [record["message"] for record in lines(tmp_path)] == ['a\nb\x1b[31m"\u2028']


def test_a_folder_that_cannot_be_written_is_a_warning(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("no folder")
    logs.configure("INFO", tmp_path / "file" / "logs")
    logging.getLogger("x").info("still here")
    said = [json.loads(line)["message"] for line in capsys.readouterr().err.splitlines()]
    assert said[0].startswith(f"LOG_DIR {tmp_path / 'file' / 'logs'} cannot be written")
    assert said[1:] == ["still here"]


def test_the_file_rotates_and_keeps_ten_older_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert (logs.BYTES_PER_FILE, logs.OLDER_FILES) == (5_000_000, 10)
    monkeypatch.setattr(logs, "BYTES_PER_FILE", 500)
    logs.configure("INFO", tmp_path)
    for number in range(100):
        logging.getLogger("x").info("number %d %s", number, "x" * 100)
    found = sorted(path.name for path in tmp_path.iterdir())
    assert found == sorted(["speedtest.log", *(f"speedtest.log.{number}" for number in range(1, 11))])
    assert all(path.stat().st_size <= 500 for path in tmp_path.iterdir())


def test_a_file_that_can_be_written_no_more_is_told_once_and_once_that_it_can(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    logs.configure("INFO", tmp_path)
    logger = logging.getLogger("x")
    with filled(logging.getLogger().handlers[1]):
        for _ in range(3):
            logger.info("lost to the file")
    logger.info("back")
    said = capsys.readouterr().err
    assert said.count("cannot be written: [Errno 28]") == 1
    assert said.count("can be written again") == 1
    assert said.count("lost to the file") == 3


def test_records_that_cannot_be_rotated_or_formed_never_raise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(logs, "BYTES_PER_FILE", 400)
    (tmp_path / "speedtest.log.9").touch()
    (tmp_path / "speedtest.log.10").mkdir()
    logs.configure("INFO", tmp_path)
    for number in range(3):
        logging.getLogger("x").info("number %d %s", number, "x" * 100)
    logging.getLogger("x").info("%d", "no number")
    assert capsys.readouterr().err.count("cannot be written") == 1
    assert [record["message"][:8] for record in lines(tmp_path)] == ["number 0"]


def test_a_childs_lines_are_logged_as_its_own(tmp_path: Path) -> None:
    script = (
        "import logging; from speedtest import logging as logs; logs.configure('INFO', commit_hash='abc');"
        "logger = logging.getLogger('child.x'); logger.warning('careful', extra={'rows': 5});\n"
        "try: 1/0\nexcept ZeroDivisionError: logger.exception('failed')"
    )
    child = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    logs.configure("INFO", tmp_path, commit_hash="def")
    logs.relay(child.stderr + b'Segmentation fault \xff\n\n{"level":"INFO","logger":"x","message":"\xff"}\n')
    careful, failed, fault, garbled = lines(tmp_path)
    assert (careful["level"], careful["logger"], careful["message"], careful["rows"]) == (
        "WARNING",
        "child.x",
        "careful",
        5,
    )
    assert careful["commit_hash"] == "def"
    assert (failed["level"], "ZeroDivisionError" in failed["child_exc_info"]) == ("ERROR", True)
    assert (fault["level"], fault["message"]) == ("WARNING", "Segmentation fault \ufffd")
    assert (garbled["level"], garbled["logger"]) == ("WARNING", "child")


def test_for_people_a_line_is_plain_and_cannot_steer_the_terminal() -> None:
    record = logging.LogRecord("x", logging.WARNING, "", 0, "the test failed: %s", ("\x1b[2J\x07done",), None)
    record.created = 0
    assert logs.ForPeople().format(record) == "1970-01-01 00:00:00Z WARNING the test failed: \\x1b[2J\\x07done"


def test_a_log_that_nobody_can_read_any_more_stops_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    broken = open(writer, "w", buffering=1, closefd=False)  # noqa: SIM115 (a pipe without a reader)
    monkeypatch.setattr(sys, "stderr", broken)
    logs.configure("INFO", tmp_path)
    with filled(logging.getLogger().handlers[1]):
        logging.getLogger("x").info("to nobody")
    os.close(writer)
    with pytest.raises(OSError, match="Bad file descriptor"):
        broken.close()


def test_every_record_names_its_event(tmp_path: Path) -> None:
    logs.configure("DEBUG", tmp_path)
    logging.getLogger("a.library").warning("its words")
    events = logs.Events("speedtest.x")
    events.info("measured", "measured %d", 5, download_mbps=94.1)
    try:
        int("unforeseen")
    except ValueError:
        events.bug("a cycle failed")
    library, measured, bug = lines(tmp_path)
    assert (library["event"], measured["event"], bug["event"]) == ("other", "measured", "bug")
    assert (measured["message"], measured["download_mbps"]) == ("measured 5", 94.1)
    assert "ValueError: invalid literal" in bug["exc_info"]


def test_the_same_line_comes_a_few_times_a_minute_and_the_next_says_how_many_were_left_out() -> None:
    now = [0.0]
    repeats = logs.Repeats(lambda: now[0])

    def said(message: str, *values: object, level: int = logging.ERROR) -> str | None:
        record = logging.LogRecord("x", level, "", 0, message, values, None)
        passed = repeats.filter(record)
        return None if not passed else (passed if isinstance(passed, logging.LogRecord) else record).getMessage()

    assert [said("full") for _ in range(100_000)].count("full") == logs.SAME_LINES_A_MINUTE
    assert said("another") == "another"
    now[0] = 61
    assert said("full") == "full (99995 more like this were left out)"
    assert said("full") == "full"
    different = [said("no %d", number) for number in range(100_000)]
    assert len([line for line in different if line]) == logs.ALIKE_LINES_A_MINUTE
    measured = [said("measured %d", number, level=logging.INFO) for number in range(1000)]
    assert None not in measured
    assert all(said("details", level=logging.DEBUG) for _ in range(100))


def test_no_fault_fills_the_log_file(tmp_path: Path) -> None:
    logs.configure("INFO", tmp_path)
    for number in range(10_000):
        logging.getLogger("asyncio").error("socket.accept() out of system resource")
        logging.getLogger("speedtest.x").warning("could not read %s", number)
    assert len(lines(tmp_path)) == logs.SAME_LINES_A_MINUTE + logs.ALIKE_LINES_A_MINUTE
