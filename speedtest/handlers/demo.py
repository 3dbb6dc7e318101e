"""Make a year of sample results and show them: `speedsnake demo`. Writes only to its own folder.

Exit codes: 0 done · 1 the demo could not be written · 64 the folder holds other files · 75 another demo is being made
in this folder.
"""

import contextlib
import os
import shutil
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, NoReturn

import msgspec
import typer

from speedtest.data.lock import Held, Lock
from speedtest.data.partitions import Folders
from speedtest.terminal import console, exits
from speedtest.terminal.command import alone

MARK = ".speedsnake-demo.json"
"""Marks a folder that a demo made, so that a later demo may replace its contents."""
_FRESH = timedelta(hours=1)
_PAGE = "speedtest.handlers.page"
_PLAN = {"PLAN_DOWNLOAD_MBPS": "250", "PLAN_UPLOAD_MBPS": "40"}


class _Made(msgspec.Struct):
    made: datetime
    rows: int


def demo(
    *,
    folder: Annotated[Path, typer.Option(metavar="FOLDER", help="The folder for the demo.")] = Path("demo"),
    page: Annotated[bool, typer.Option("--page/--no-page", help="Serve the page afterwards.")] = True,
) -> None:
    """Show a year of sample results; measure nothing.

    Makes plausible results of two lines in a folder of their own and serves a page that shows them. Their engine is
    `demo`, and they are converted like real ones. A demo older than an hour is made again, so that it always ends now.
    A folder that holds other files is refused.

    Exit codes: 0 done, 1 the demo could not be written, 64 the folder holds other files, 75 another demo is being made
    in this folder.
    """
    folder = folder.absolute()
    try:
        _make_anew_if_old(folder, datetime.now(UTC))
    except Held as held:
        exits.end(exits.BUSY, f"another demo is being made: {held}")
    except OSError as error:
        exits.end(exits.FAILED, f"the demo could not be made in {folder}: {error}")
    _tell(folder)
    if page:
        _serve(folder)


def _make_anew_if_old(folder: Path, now: datetime) -> None:
    _refuse_strangers(folder)
    with Lock(folder / ".lock"):
        made = _made(folder)
        if made and timedelta(0) <= now - made.made < _FRESH:
            return
        for name in ("results", "uploads"):
            with contextlib.suppress(FileNotFoundError):
                shutil.rmtree(folder / name)
        _mark(folder, _Made(made=datetime.fromtimestamp(0, UTC), rows=0))  # marked as a demo, but not complete
        _mark(folder, _Made(made=now, rows=_make(folder, now)))


def _refuse_strangers(folder: Path) -> None:
    if folder.exists() and not (folder / MARK).exists() and any(path.name != ".lock" for path in folder.iterdir()):
        exits.end(os.EX_USAGE, f"{folder} contains files that are not from a demo: choose another folder with --folder")


def _made(folder: Path) -> _Made | None:
    try:
        return msgspec.json.decode((folder / MARK).read_bytes(), type=_Made)
    except (FileNotFoundError, msgspec.MsgspecError):
        return None


def _mark(folder: Path, made: _Made) -> None:
    (folder / MARK).write_bytes(msgspec.json.encode(made) + b"\n")


def _make(folder: Path, now: datetime) -> int:
    """Write the rows, convert them, and return how many there are."""
    from speedtest import sample_year as year  # noqa: PLC0415 (help and completion do not need it)
    from speedtest.data.conversion import convert  # noqa: PLC0415 (the same)
    from speedtest.terminal import conversion_bar  # noqa: PLC0415 (the same)

    rows = year.write(folder / "results", now)
    folders = Folders(folder / "results", folder / "uploads")
    with conversion_bar.bar(folders.result_dir) if console.watched() else contextlib.nullcontext() as begun:
        if convert(folders, "demo", now.date(), begun):
            exits.end(exits.FAILED, f"some rows of the demo in {folder} could not be converted: see the log above")
    return rows


def _tell(folder: Path) -> None:
    made = _made(folder)
    out = console.console()
    out.print(console.line("demo", f"{made.rows if made else 0:,} rows of two lines over a year"))
    out.print(console.line("results", folder / "results"))
    out.print(console.line("uploads", folder / "uploads"))
    variables = f"RESULT_DIR={folder / 'results'} UPLOAD_DIR={folder / 'uploads'}"
    out.print(console.line("look at it", f"{variables} speedsnake status"))


def _serve(folder: Path) -> NoReturn:
    """Replace this process with the page, showing only the demo's folders."""
    folders = {"RESULT_DIR": f"{folder}/results", "UPLOAD_DIR": f"{folder}/uploads", "LOG_DIR": f"{folder}/logs"}
    sys.stdout.flush()
    os.execve(sys.executable, [sys.executable, "-m", _PAGE], _PLAN | os.environ | folders)  # noqa: S606 (this very Python)


if __name__ == "__main__":
    alone(demo)
