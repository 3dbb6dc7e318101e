"""Visit receivers in this process, as `speedsnake publish` does in its own, and look at their notes."""

import json
import logging
from pathlib import Path
from typing import Any, NamedTuple, override

from samples import HOME

from speedtest import environment
from speedtest.engines import ENGINES
from speedtest.environment import ReceiverName
from speedtest.publishing import visit


class Visited(NamedTuple):
    """How a visit went, and all that was said."""

    well: bool
    said: str


class _Heard(logging.Handler):
    """Keeps the messages of log records."""

    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []

    @override
    def emit(self, record: logging.LogRecord) -> None:
        self.words.append(record.getMessage())


def settings_of(folder: Path, **variables: str) -> environment.Settings:
    """Return settings with the folders in `folder`."""
    folders = {name: str(folder / below) for name, below in (("RESULT_DIR", "results"), ("UPLOAD_DIR", "uploads"))}
    return environment.read({"SPEEDTEST_LOCATION_UUID": HOME} | folders | variables, ENGINES)


def publish(folder: Path, name: ReceiverName, *, test: bool = False, due: bool = False, **variables: str) -> Visited:
    """Visit a receiver. `due`: as the daemon's child does."""
    return publish_by(settings_of(folder, **variables), name, test=test, due=due)


def publish_by(settings: environment.Settings, name: ReceiverName, *, test: bool = False, due: bool = False) -> Visited:
    """Visit a receiver."""
    heard = _Heard()
    log = logging.getLogger("speedtest.publishing")
    log.addHandler(heard)
    try:
        done = visit.test(settings, name) if test else visit.visit(settings, name, seconds=60, only_if_due=due)
    finally:
        log.removeHandler(heard)
    return Visited(done.is_well, "\n".join([done.words, *heard.words]))


def notes(folder: Path) -> dict[str, Any]:
    """Return how the only receiver stands."""
    (path,) = (folder / "results" / "publishing").glob("*.state.json")
    return dict(json.loads(path.read_bytes()))


def change(folder: Path, **fields: object) -> None:
    """Change how the only receiver stands, as time would."""
    (path,) = (folder / "results" / "publishing").glob("*.state.json")
    path.write_text(json.dumps(notes(folder) | fields))
