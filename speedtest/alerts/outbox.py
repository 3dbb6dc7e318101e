"""`RESULT_DIR/outbox/`: what people are to be told, and what is known of it. It holds no rows.

| file | what it holds | who writes it |
|---|---|---|
| `YYYYMMDDTHHMMSS.ffffffZ_ID.json` | one event, until each channel has it, at most seven days | the child |
| `ID.html` | the report that goes with the event of this id | the child |
| `conditions.json` | every condition that lasts, and how far rows have been read | the child |
| `channels.json` | which channel has taken which event, and when one that refused is tried again | the child |
| `silence.json` | until when nothing is told | `speedsnake alert silence` |
| `.wake.json` | when the child should run next though nothing new comes | the child |

All but the last are durable. The child locks the folder, so there is one at a time. It makes an event in these steps:

1. `conditions.json` is replaced: it has the new state, and the event in `unsaved`.
2. The event's file is published, and `conditions.json` is replaced again, without the event.
3. A channel is told. When it has said yes, `channels.json` is replaced: it has the event's id.
4. When each channel has taken it, the event's file is deleted. Its id stays in `channels.json` until the next run has
   seen that the file is gone, so a deletion that a power cut undoes sends nothing again.

A child that is killed anywhere continues at its next start, and tells nothing twice, but for one window: between a
channel's yes and the second half of step 3. Then the same event, with the same id, goes to that channel once more.
"""

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import msgspec

from speedtest.data import files
from speedtest.logging import Events

events = Events(__name__)

FOLDER = "outbox"
_NAME = re.compile(r"\d{8}T\d{6}\.\d{6}Z_([0-9a-f]{16})\.json")

type Phase = Literal["began", "ended", "told"]
"""`told`: of an event without an end, such as a digest."""


class AlertEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One thing to tell, as every channel gets it."""

    id: str
    """16 hexadecimal digits, in every text."""
    kind: str
    """What it is about, one of `words.KINDS`."""
    phase: Phase
    at: datetime
    """When it happened."""
    noted: datetime
    """When that became known: every channel gets the events in this order."""
    location: str
    subject: str
    text: str
    html: str
    channels: tuple[str, ...]
    """The digests of the channels that are to be told."""
    has_report: bool = False
    """Whether `ID.html` goes with it."""


class ChannelNote(msgspec.Struct, kw_only=True):
    """What is known of a channel."""

    taken: list[str] = []
    """Ids of events whose files may still be there."""
    taken_in_all: int = 0
    refusals: int = 0
    """Since it last took an event."""
    tried: datetime | None = None
    """When an event was last sent to it."""
    retry: datetime | None = None
    """When it is tried again after a refusal."""
    words: str | None = None
    """What it answered last, without the secrets of its address."""


class Outbox:
    """The folder of events that wait."""

    def __init__(self, result_dir: Path) -> None:
        """Take RESULT_DIR; the folder is made when something is written."""
        self.result_dir = result_dir
        self.folder = result_dir / FOLDER

    def keep_report(self, event_id: str, report: str) -> None:
        """Keep the report that goes with an event, durably. Raises OSError if the disk refuses it."""
        files.make_folder(self.folder, base=self.result_dir)
        files.replace(self.report(event_id), report.encode(), durable=True)

    def publish(self, event: AlertEvent) -> None:
        """Put an event into the folder, durably; nothing if it is there. Raises OSError if the disk refuses it."""
        if any(_id(path) == event.id for path in self._paths()):
            return
        name = f"{event.noted.astimezone(UTC):%Y%m%dT%H%M%S.%fZ}_{event.id}.json"
        files.publish(self.folder / name, msgspec.json.encode(event) + b"\n", base=self.result_dir)

    def waiting(self) -> list[AlertEvent]:
        """Return the events that wait: in the order in which they became known, then in which they happened."""
        found: list[AlertEvent] = []
        for path in self._paths():
            try:
                found.append(msgspec.json.decode(path.read_bytes(), type=AlertEvent))
            except (OSError, msgspec.MsgspecError) as error:
                events.warning("alert_lost", "left out %s: it cannot be read: %s; move it away", path, error)
        return sorted(found, key=lambda event: (event.noted, event.at, event.phase))

    def remove(self, event: AlertEvent) -> None:
        """Delete the file of an event, durably, with its report. Raises OSError if the disk refuses it."""
        for path in self._paths():
            if _id(path) == event.id:
                path.unlink(missing_ok=True)
        self.report(event.id).unlink(missing_ok=True)
        files.sync_folder(self.folder)

    def report(self, event_id: str) -> Path:
        """Return the path of the report that goes with an event."""
        return self.folder / f"{event_id}.html"

    def sweep(self) -> None:
        """Remove what a killed child left half written. The caller holds the lock."""
        files.sweep(path for path in sorted(self.folder.glob(".*.tmp")) if "silence" not in path.name)

    def notes(self) -> dict[str, ChannelNote]:
        """Return what is known of each channel, by digest. Ids of events that are gone are left out.

        If that is lost, each channel gets once more what still waits: one event too many is better than none.
        """
        path = self.folder / "channels.json"
        try:
            notes = msgspec.json.decode(path.read_bytes(), type=dict[str, ChannelNote])
        except FileNotFoundError:
            return {}
        except msgspec.MsgspecError as error:
            events.warning("memory_lost", "%s cannot be read: %s; all that waits is sent to each channel", path, error)
            return {}
        there = {_id(path) for path in self._paths()}
        for note in notes.values():
            note.taken = [each for each in note.taken if each in there]
        return notes

    def write_notes(self, notes: dict[str, ChannelNote]) -> None:
        """Replace what is known of the channels, durably. Raises OSError if the disk refuses it."""
        self.replace("channels.json", notes)

    def replace(self, name: str, value: object, *, durable: bool = True) -> None:
        """Replace one of the files of this folder. Raises OSError if the disk refuses it."""
        files.make_folder(self.folder, base=self.result_dir)
        files.replace(self.folder / name, msgspec.json.encode(value) + b"\n", durable=durable)

    def _paths(self) -> list[Path]:
        try:
            return sorted(path for path in self.folder.iterdir() if _NAME.fullmatch(path.name))
        except FileNotFoundError:
            return []


def _id(path: Path) -> str:
    return path.stem.rpartition("_")[2]
