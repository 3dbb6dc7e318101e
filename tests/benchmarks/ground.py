"""The data for benchmarks, made once per run: a backlog of CSV files, and the lake converted from it."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from functools import cached_property
from pathlib import Path
from tempfile import mkdtemp

from speedtest.data import partitions
from tests.benchmarks import rows
from tests.benchmarks.harness import in_a_process


class Ground:
    """A folder and the data in it."""

    def __init__(self, folder: Path, *, days: int, quick: bool, locations: int = 300) -> None:
        self.folder = folder
        self.days = days
        self.quick = quick
        self.locations = locations

    @cached_property
    def backlog(self) -> Path:
        """The CSV files of `days` days. Read only."""
        folder = self.folder / "backlog"
        rows.write(folder, self.days)
        os.sync()
        return folder

    @cached_property
    def lake(self) -> Path:
        """The lake that SpeedSnake makes of the backlog. Read only."""
        lake, copy = self.folder / "lake", self.folder / "converted"
        shutil.copytree(self.backlog, copy)
        in_a_process("tests.benchmarks.contestants", "SpeedSnake", str(copy), str(lake))
        return lake

    @cached_property
    def ten_years(self) -> Path:
        """The lake, with files for the rest of ten years before it. Those hold rows of another day and are not read."""
        lake = self.folder / "ten years"
        shutil.copytree(self.lake, lake)
        any_file = next(iter(sorted(lake.rglob("*.parquet"))))
        for number in range(1, 3653 - self.days):
            folder = self.day(lake, (rows.FIRST_DAY - timedelta(days=number)).date())
            folder.mkdir(parents=True)
            (folder / any_file.name).hardlink_to(any_file)
        return lake

    def day(self, lake: Path, day: date) -> Path:
        return partitions.day_folder(lake / f"location={rows.HOME}", day)

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """Yield an empty folder, and remove it afterwards."""
        folder = Path(mkdtemp(dir=self.folder))
        try:
            yield folder
        finally:
            shutil.rmtree(folder)
